"""The pages build, and their links lead somewhere."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from .pages import DOCS, PAGES, ROOT, read


def build(source: Path, site: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)]
    return subprocess.run(command, cwd=source, capture_output=True, text=True, timeout=120)


@pytest.mark.needs("mkdocs")
def test_the_documentation_builds_without_a_warning(tmp_path: Path) -> None:
    done = build(ROOT, tmp_path)
    assert done.returncode == 0, done.stderr
    assert "on_message" in (tmp_path / "websocket.html").read_text(encoding="utf-8")


@pytest.mark.needs("mkdocs")
@pytest.mark.parametrize("link", ["nowhere.md", "settings.md#nothing", "#nothing", "/settings.html"])
def test_a_link_that_leads_nowhere_is_an_error(tmp_path: Path, link: str) -> None:
    copy = tmp_path / "copy"
    shutil.copytree(DOCS, copy / "docs")
    shutil.copy(ROOT / "mkdocs.yml", copy)
    with (copy / "docs" / "index.md").open("a", encoding="utf-8") as page:
        page.write(f"\n[a link]({link})\n")
    done = build(copy, tmp_path / "site")
    assert done.returncode == 1
    assert link in done.stderr


def anchors(path: Path) -> set[str]:
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", ["README.md", "CHANGELOG.md"])
def test_links_of_a_page_outside_of_docs_lead_to_a_file_and_heading(page: str) -> None:
    links = re.findall(r"\]\((?!https?:)([^)#]*)(?:#([^)]+))?\)", read(page))
    assert links
    for file, anchor in links:
        target = (PAGES[page].parent / file) if file else PAGES[page]
        assert target.exists(), file
        assert not anchor or anchor in anchors(target), f"{file}#{anchor}"


def test_no_page_names_a_machine_of_ours() -> None:
    for page in PAGES:
        assert not re.search(r"/(work|tmp|root)/", read(page)), page
