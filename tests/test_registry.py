"""How a project's processes find its running servers, in directories that others write to as well."""

from __future__ import annotations

import json
import os
import stat
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import pytest

from django_grip import registry
from django_grip.registry import Server, find_servers, forget_server, list_directories, note_server

NAMES = ("name-of-the-project",)
NOWHERE = "Other processes will not find this server: there is no directory to note it in."
URL = "http://127.0.0.1:8000/.grip"
needs_posix = pytest.mark.skipif(not hasattr(os, "getuid"), reason="modes and users are POSIX's")


@pytest.fixture(autouse=True)
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where servers are noted: nothing of this machine's is looked at."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.delenv("XDG_RUNTIME_DIR", raising=False)
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return tmp_path / f"django-grip-{user}"


def write(directory: Path, name: str = NAMES[0], pid: int | None = None, **entry: Any) -> Path:
    """A file as it could be there."""
    pid = pid or os.getpid()
    directory.mkdir(mode=0o700, exist_ok=True)
    path = directory / f"{name}.{pid}.json"
    path.write_text(json.dumps({"pid": pid, "started": registry._start_time(pid), "url": URL, **entry}))
    return path


def dead_pid() -> int:
    process = subprocess.Popen([sys.executable, "-c", ""])
    process.wait()
    return process.pid


def test_a_server_is_found_until_it_is_forgotten() -> None:
    assert find_servers(NAMES) == []
    note_server(NAMES, None)
    assert find_servers(NAMES) == [Server(NAMES[0], os.getpid(), None)]
    note_server(NAMES, URL)
    assert find_servers(NAMES) == [Server(NAMES[0], os.getpid(), URL)]
    assert find_servers(("another-project",)) == []
    forget_server(NAMES)
    assert find_servers(NAMES) == []


def test_nothing_is_left_behind(directory: Path) -> None:
    note_server(NAMES, URL)
    forget_server(NAMES)
    assert list(directory.iterdir()) == []


@needs_posix
def test_directory_and_file_are_closed_to_others(directory: Path) -> None:
    before = os.umask(0)
    try:
        note_server(NAMES, URL)
    finally:
        os.umask(before)
    [file] = directory.iterdir()
    assert (stat.S_IMODE(directory.stat().st_mode), stat.S_IMODE(file.stat().st_mode)) == (0o700, 0o600)


def test_the_runtime_directory_is_used_as_well(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A service and a shell of one user may differ in whether they have one."""
    runtime = tmp_path / "run"
    runtime.mkdir(mode=0o700)
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(runtime))
    note_server(NAMES, URL)
    assert len(list((runtime / "django-grip").iterdir())) == 1
    assert find_servers(NAMES) == [Server(NAMES[0], os.getpid(), URL)]
    monkeypatch.delenv("XDG_RUNTIME_DIR")
    assert find_servers(NAMES) == [Server(NAMES[0], os.getpid(), URL)]
    for value in ("relative", str(tmp_path / "missing"), ""):
        monkeypatch.setenv("XDG_RUNTIME_DIR", value)
        assert len(list_directories()) == 1


def test_either_name_finds_a_server(directory: Path) -> None:
    note_server(("new-key-name", "old-key-name"), URL)
    assert find_servers(("old-key-name",)) == [Server("old-key-name", os.getpid(), URL)]
    assert len(find_servers(("new-key-name", "old-key-name"))) == 1
    forget_server(("new-key-name", "old-key-name"))
    assert list(directory.iterdir()) == []


def test_what_dead_servers_left_is_removed(directory: Path) -> None:
    path = write(directory, pid=dead_pid())
    assert find_servers(NAMES) == []
    assert not path.exists()


def test_another_process_with_the_same_number_is_not_the_server(directory: Path) -> None:
    if registry._start_time(os.getpid()) is None:
        pytest.skip("this system does not tell when a process started")
    path = write(directory, started="1")
    assert find_servers(NAMES) == []
    assert not path.exists()


def test_a_server_that_begins_removes_what_others_left(directory: Path) -> None:
    left = write(directory, name="another-project", pid=dead_pid())
    alive = write(directory, name="another-project", pid=os.getppid())
    note_server(NAMES, URL)
    assert (left.exists(), alive.exists()) == (False, True)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "[]",
        "null",
        '{"pid": 1}',
        "[" * 100_000,
        b"\xff\xfe",
        '{"pid": "1", "url": "http://127.0.0.1:1/.grip"}',
    ],
)
def test_a_file_that_is_none_of_ours_is_removed(directory: Path, text: str | bytes) -> None:
    path = write(directory)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    assert find_servers(NAMES) == []
    assert not path.exists()


@pytest.mark.parametrize(
    "url",
    [
        "http://evil.example/.grip",
        "http://127.0.0.1:8000@evil.example/.grip",
        "https://127.0.0.1:8000/.grip",
        "http://127.0.0.1:8000/.grip?key=x",
        "http://127.0.0.1:8000/.grip\n",
        5,
        ["http://127.0.0.1:8000/.grip"],
    ],
)
def test_a_server_elsewhere_is_never_published_to(directory: Path, url: Any) -> None:
    write(directory, url=url)
    assert find_servers(NAMES) == []


@pytest.mark.parametrize(
    "name", ["x.json", "../name.1.json", "name-of-the-project.1x.json", "name-of-the-project.json"]
)
def test_other_files_are_let_alone(directory: Path, name: str) -> None:
    directory.mkdir(mode=0o700)
    path = directory / name
    path.write_text("{}")
    assert find_servers(NAMES) == []
    assert path.exists()


@needs_posix
def test_a_link_is_not_followed(directory: Path, tmp_path: Path) -> None:
    path = write(directory)
    target = tmp_path / "target.json"
    path.rename(target)
    path.symlink_to(target)
    assert find_servers(NAMES) == []
    assert (target.exists(), path.is_symlink()) == (True, False)


@needs_posix
def test_a_pipe_is_not_waited_for(directory: Path) -> None:
    path = write(directory)
    path.unlink()
    os.mkfifo(path)
    assert find_servers(NAMES) == []


@needs_posix
@pytest.mark.parametrize("mode", [0o777, 0o750, 0o701])
def test_a_directory_open_to_others_is_not_used_and_told_of(directory: Path, mode: int, caplog: Any) -> None:
    write(directory)
    directory.chmod(mode)
    assert find_servers(NAMES) == []
    note_server(("another-name",), URL)
    assert len(list(directory.iterdir())) == 1
    assert {record.getMessage() for record in caplog.records} == {
        f"{directory} is not a directory that is this user's alone (mode 0700), so it is not used to find servers: "
        "remove it.",
        NOWHERE,
    }


@needs_posix
def test_a_directory_that_is_a_link_or_a_file_is_not_used(directory: Path, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    write(elsewhere)
    directory.symlink_to(elsewhere)
    assert find_servers(NAMES) == []
    directory.unlink()
    directory.write_text("")
    note_server(NAMES, URL)
    assert find_servers(NAMES) == []


@needs_posix
def test_what_is_another_users_is_not_believed(directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(directory)
    me = os.getuid()
    monkeypatch.setattr(registry, "_user", lambda: str(me))
    monkeypatch.setattr(os, "getuid", lambda: me + 1)
    assert (find_servers(NAMES), list_directories()) == ([], [])


def test_where_there_are_no_users_it_works_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    """As on Windows."""
    monkeypatch.delattr(os, "getuid", raising=False)
    monkeypatch.setattr(registry, "_start_time", lambda pid: None)
    note_server(NAMES, URL)
    assert find_servers(NAMES) == [Server(NAMES[0], os.getpid(), URL)]


def test_where_nothing_can_be_written_to_a_server_serves_all_the_same(
    tmp_path: Path, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse() -> str:
        raise FileNotFoundError(2, "No usable temporary directory found")

    monkeypatch.setattr(tempfile, "gettempdir", refuse)
    note_server(NAMES, URL)
    forget_server(NAMES)
    assert find_servers(NAMES) == []
    assert [record.getMessage() for record in caplog.records] == [NOWHERE]


def test_a_directory_that_cannot_be_written_to_is_told_of(directory: Path, caplog: Any, monkeypatch: Any) -> None:
    directory.mkdir(mode=0o700)

    def refuse(*args: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", refuse)
    note_server(NAMES, URL)
    assert [record.getMessage() for record in caplog.records] == [
        "Other processes will not find this server: [Errno 28] No space left on device"
    ]
    assert list(directory.iterdir()) == []
