from __future__ import annotations

from pathlib import Path

import pytest
from filelock import FileLock

from assistant import shared_folder
from assistant.errors import StorageError
from assistant.shared_folder import SharedFolder


def made(path: Path, readable: bool = True) -> tuple[SharedFolder, list[Path]]:
    """A folder, and a list of how often it was examined."""
    examined: list[Path] = []

    def look(folder: Path) -> bool:
        examined.append(folder)
        return readable

    return SharedFolder(path, look), examined


def fail_within_a_change(folder: SharedFolder) -> None:
    with folder.alone(), folder.changing():
        raise ValueError


def test_a_change_gives_a_new_mark(tmp_path: Path):
    folder, examined = made(tmp_path / "f")
    assert folder.mark() == ""
    marks = []
    for _ in range(2):
        with folder.alone(), folder.changing():
            assert folder.mark().startswith("changing ")
        marks.append(folder.mark())
    assert all(mark.startswith("whole ") for mark in marks)
    assert len(set(marks)) == 2
    assert not folder.damaged()
    assert examined == []


def test_a_failed_change_has_the_files_examined_once(tmp_path: Path):
    folder, examined = made(tmp_path / "f")
    with pytest.raises(ValueError):  # noqa: PT011 - raised inside
        fail_within_a_change(folder)
    assert folder.mark().startswith("changing ")
    with folder.alone():
        assert folder.settle().startswith("whole ")
        folder.settle()
    assert examined == [tmp_path / "f"]


def test_damage_stays_known_until_the_folder_is_cleared(tmp_path: Path):
    folder, examined = made(tmp_path / "f", readable=False)
    with folder.alone():
        folder.suspect()
    (tmp_path / "f" / "deep").mkdir()
    (tmp_path / "f" / "deep" / "data").write_text("x")
    (tmp_path / "f" / "data").write_text("x")
    assert folder.damaged()
    assert folder.damaged()
    assert len(examined) == 1
    with folder.alone():
        folder.clear()
    assert not folder.damaged()
    assert {path.name for path in (tmp_path / "f").iterdir()} <= {"lock", "mark"}


def test_a_full_disk_is_no_damage(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    folder, examined = made(tmp_path / "f", readable=False)
    with folder.alone():
        folder.suspect()
    monkeypatch.setattr(shared_folder, "RESERVE", 1 << 62)
    with pytest.raises(StorageError, match="disk is full"):
        folder.damaged()
    assert examined == []
    assert folder.mark().startswith("changing ")


def test_one_at_a_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(shared_folder, "WAIT_S", 0.1)
    folder, _ = made(tmp_path / "f")
    with folder.alone(), folder.alone():
        pass
    with FileLock(tmp_path / "f" / "lock"), pytest.raises(StorageError, match="in use by another process"):
        folder.damaged()


def test_a_folder_that_cannot_be(tmp_path: Path):
    (tmp_path / "f").write_text("x")
    folder, _ = made(tmp_path / "f")
    with pytest.raises(StorageError, match="Cannot use"):
        folder.require_space()
    with pytest.raises(StorageError, match="Cannot use"):
        folder.damaged()
