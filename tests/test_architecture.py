"""The house (DESIGN.md, 3): imports point down, one place reads settings, the lower floors know no Django."""

from __future__ import annotations

import ast
import subprocess
import sys
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

PACKAGE = "django_grip"
ROOT = Path(__file__).parents[1]
MODULES = sorted((ROOT / PACKAGE).rglob("*.py"))

# The longest name that fits decides. What is not named here stands on floor 2, with Django.
FLOORS = {
    "django_grip.exceptions": 0,
    "django_grip.protocol": 0,
    "django_grip.publishing": 1,
    "django_grip.proxy": 1,
    "django_grip.views": 3,
    "django_grip.asyncapi": 3,
    "django_grip.rest": 4,
    # It documents what every floor below has to offer, and nothing imports a command.
    "django_grip.management.commands.asyncapi": 5,
    # Beside the house: it may use every floor, and nothing may use it.
    "django_grip.testing": 5,
    # Where the house is put together: Django loads it, nothing imports it, and it names what each floor registers.
    "django_grip.apps": 6,
}
DJANGO_FLOOR = 2
# The root gives out names of every floor, and imports each only when it is asked for.
LAZY_ROOT = PACKAGE


def name_of(file: Path) -> str:
    parts = file.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def floor_of(module: str) -> int:
    while module:
        if module in FLOORS:
            return FLOORS[module]
        module = module.rpartition(".")[0]
    return DJANGO_FLOOR


def modules_but(name: str) -> list[Path]:
    return [file for file in MODULES if name_of(file) != name]


class WithoutTypes(ast.NodeTransformer):
    """Leaves out what is imported for type checkers only."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        return node.orelse if ast.unparse(node.test) == "TYPE_CHECKING" else node


def imports_of(file: Path, *, types: bool = True) -> list[tuple[int, str]]:
    """Line and absolute name of everything a file imports, also inside functions. types: for type checkers, too."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    module = name_of(file)
    package = module if file.name == "__init__.py" else module.rpartition(".")[0]
    found: list[tuple[int, str]] = []
    for node in ast.walk(tree if types else WithoutTypes().visit(tree)):
        if isinstance(node, ast.Import):
            found += [(node.lineno, alias.name) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, *([node.module] if node.module else [])])
            # "from . import x" names the module x; "from .x import y" may name a module too.
            found += [(node.lineno, f"{base}.{alias.name}") for alias in node.names]
    return found


@pytest.mark.parametrize("file", modules_but(LAZY_ROOT), ids=name_of)
def test_imports_point_down_only(file: Path) -> None:
    mine = floor_of(name_of(file))
    upward = [
        f"{file}:{line}: floor {mine} imports {name} of floor {floor_of(name)}"
        for line, name in imports_of(file)
        if name.split(".")[0] == PACKAGE and name != f"{PACKAGE}.__version__" and floor_of(name) > mine
    ]
    assert not upward, "\n".join(upward)


def test_no_imports_go_in_a_circle() -> None:
    known = {name_of(file) for file in modules_but(LAZY_ROOT)}
    graph = {
        name_of(file): {
            module
            for _, name in imports_of(file, types=False)
            for module in (name, name.rpartition(".")[0])
            if module in known and module != name_of(file)
        }
        for file in modules_but(LAZY_ROOT)
    }
    # Raises: CycleError, which names the modules.
    assert set(TopologicalSorter(graph).static_order()) == known


@pytest.mark.parametrize("file", [f for f in MODULES if floor_of(name_of(f)) < DJANGO_FLOOR], ids=name_of)
def test_the_lower_floors_do_not_import_django(file: Path) -> None:
    known = [
        f"{file}:{line}: {name}"
        for line, name in imports_of(file)
        if name.split(".")[0] in ("django", "rest_framework")
    ]
    assert not known, "\n".join(known)


@pytest.mark.parametrize("file", [f for f in MODULES if floor_of(name_of(f)) < 4], ids=name_of)
def test_only_the_top_floor_imports_django_rest_framework(file: Path) -> None:
    known = [f"{file}:{line}: {name}" for line, name in imports_of(file) if name.split(".")[0] == "rest_framework"]
    assert not known, "\n".join(known)


@pytest.mark.parametrize("file", modules_but(f"{PACKAGE}.conf"), ids=name_of)
def test_settings_are_read_in_conf_only(file: Path) -> None:
    read = [f"{file}:{line}: {name}" for line, name in imports_of(file) if name.startswith("django.conf")]
    assert not read, "\n".join(read)


def lower_modules() -> list[str]:
    return [name_of(file) for file in MODULES if floor_of(name_of(file)) < DJANGO_FLOOR]


def test_every_module_of_the_lower_floors_runs_without_django() -> None:
    script = f"""
import importlib, sys
for name in {lower_modules()!r}:
    importlib.import_module(name)
print([name for name in sys.modules if name.split(".")[0] in ("django", "rest_framework")])
"""
    done = subprocess.run([sys.executable, "-c", script], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert (done.stdout.strip(), done.stderr) == ("[]", "")


@pytest.mark.parametrize(
    ("module", "floor"),
    [
        ("django_grip.protocol.headers", 0),
        ("django_grip.exceptions.GripError", 0),
        ("django_grip.publishing.queue", 1),
        ("django_grip.middleware", 2),
        ("django_grip.publisher", 2),
        ("django_grip.views.websocket", 3),
        ("django_grip.rest", 4),
        ("django_grip.apps", 6),
    ],
)
def test_floors_are_those_of_the_design(module: str, floor: int) -> None:
    assert floor_of(module) == floor


def test_relative_imports_are_resolved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys.modules[__name__], "ROOT", tmp_path)
    package = tmp_path / PACKAGE / "protocol"
    package.mkdir(parents=True)
    source = "from . import channels\nfrom .. import conf\nfrom ..exceptions import GripError\nimport django.conf\n"
    expected = [
        (1, "django_grip.protocol.channels"),
        (2, "django_grip.conf"),
        (3, "django_grip.exceptions.GripError"),
        (4, "django.conf"),
    ]
    for file in (package / "keys.py", package / "__init__.py"):
        file.write_text(source)
        assert imports_of(file) == expected
