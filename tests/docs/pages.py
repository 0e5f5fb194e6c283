"""The pages of the documentation, and the snippets in them.

Every Python snippet is executed: those of one page in order, in one namespace, as if the page were one program. A
comment before a snippet says otherwise:

``<!-- snippet: compile -->``
    only compiled: a part of something, or code for a package that is not here.
``<!-- snippet: settings -->``
    Django settings: applied, and the system checks have to be quiet. Ids behind it are those the checks give.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path
from textwrap import dedent
from types import ModuleType

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = {path.name: path for path in (ROOT / "README.md", ROOT / "CHANGELOG.md", *sorted(DOCS.glob("*.md")))}

_SNIPPET = re.compile(
    r"^(?:<!-- snippet: (?P<how>[a-z]+)(?P<ids>(?: grip\.[EW]\d+)*) -->\n)?```(?P<language>\w*)\n(?P<code>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)


@dataclass(frozen=True)
class Snippet:
    """A block of code.

    how: "run", "compile" or "settings". ids: of the checks it shall give. line: where its code begins.
    """

    page: str
    line: int
    language: str
    how: str
    ids: frozenset[str]
    code: str

    def compile(self) -> object:
        """Compile it, so that a traceback names the page and the line in it."""
        # A part of a class or of a function may await.
        code = dedent(self.code) if self.how != "compile" else f"async def part():\n{_indent(dedent(self.code))}"
        before = self.line - 1 if self.how != "compile" else self.line - 2
        return compile("\n" * before + code, str(PAGES[self.page]), "exec")


def _indent(code: str) -> str:
    return "".join(f"    {line}" for line in code.splitlines(keepends=True))


def read(page: str) -> str:
    return PAGES[page].read_text(encoding="utf-8")


def snippets(page: str, language: str = "python") -> list[Snippet]:
    """The snippets of a page in a language, in order."""
    text = read(page)
    found = []
    for match in _SNIPPET.finditer(text):
        if match["language"] != language:
            continue
        line = text.count("\n", 0, match.start("code")) + 1
        ids = frozenset((match["ids"] or "").split())
        found.append(Snippet(page, line, language, match["how"] or "run", ids, match["code"]))
    return found


def run_page(page: str, *, first: int | None = None) -> ModuleType:
    """Execute what a page has to run, in a module of its own. Where it says ``urlpatterns``, it is a URLconf.

    first: only so many snippets.
    """
    module = ModuleType("page_" + re.sub(r"\W", "_", page.removesuffix(".md")))
    module.__file__ = str(PAGES[page])
    # As in a project: classes are found again by the name of their module.
    sys.modules[module.__name__] = module
    for snippet in [snippet for snippet in snippets(page) if snippet.how == "run"][:first]:
        exec(snippet.compile(), module.__dict__)  # type: ignore[arg-type]
    return module


def run_snippet(snippet: Snippet, namespace: dict[str, object]) -> None:
    exec(snippet.compile(), namespace)  # type: ignore[arg-type]


def section(page: str, heading: str) -> str:
    """The text under a heading, up to the next of its level or above."""
    text = read(page)
    match = re.search(rf"^(#+) {re.escape(heading)}\n", text, re.MULTILINE)
    assert match, f"{page} has no heading {heading!r}"
    rest = text[match.end() :]
    end = re.search(rf"^#{{1,{len(match[1])}}} ", rest, re.MULTILINE)
    return rest[: end.start()] if end else rest


def rows(text: str) -> list[list[str]]:
    """The rows of the tables in a text, without their heads."""
    lines = text.splitlines()
    found = []
    for number, line in enumerate(lines):
        is_head = number + 1 < len(lines) and lines[number + 1].startswith("|---")
        if line.startswith("|") and not line.startswith("|---") and not is_head:
            found.append([cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]])
    return found


def codes(cell: str) -> list[str]:
    """What stands in backquotes."""
    return re.findall(r"`([^`]+)`", cell)
