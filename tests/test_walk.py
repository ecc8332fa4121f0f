from __future__ import annotations

import os
from pathlib import Path

import pytest

from assistant.errors import BadInput, UnreadableFile
from assistant.walk import find, is_gone, split

KINDS = (".txt", ".md")


def names(folder: Path) -> list[str]:
    return [os.path.relpath(path, folder) for path in find([str(folder)], [], KINDS).files]


def write(*paths: Path) -> None:
    for path in paths:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")


def test_files_below_a_folder_in_order(tmp_path: Path):
    write(tmp_path / "b.txt", tmp_path / "a" / "z.MD", tmp_path / "a" / "y.bin", tmp_path / "B.Txt")
    assert names(tmp_path) == ["B.Txt", "a/z.MD", "b.txt"]


def test_hidden_files_are_passed_over_unless_named(tmp_path: Path):
    write(tmp_path / ".a.txt", tmp_path / ".git" / "b.txt", tmp_path / "c.txt")
    assert names(tmp_path) == ["c.txt"]
    assert names(tmp_path / ".git") == ["b.txt"]
    assert find([], [str(tmp_path / ".a.txt")], KINDS).files == (str(tmp_path / ".a.txt"),)


def test_loops_of_links_end(tmp_path: Path):
    write(tmp_path / "deep" / "a.txt")
    (tmp_path / "deep" / "up").symlink_to(tmp_path)
    (tmp_path / "deep" / "self").symlink_to(tmp_path / "deep" / "self")
    (tmp_path / "again").symlink_to(tmp_path / "deep")
    (tmp_path / "link.txt").symlink_to(tmp_path / "deep" / "a.txt")
    assert names(tmp_path) == ["again/a.txt", "link.txt"]


def test_what_cannot_be_looked_at_is_told(tmp_path: Path):
    write(tmp_path / "a.txt")
    (tmp_path / "broken.txt").symlink_to(tmp_path / "nowhere")
    (tmp_path / "round.txt").symlink_to(tmp_path / "round.txt")
    (tmp_path / "broken.bin").symlink_to(tmp_path / "nowhere")
    found = find([str(tmp_path)], [], KINDS)
    assert found.files == (str(tmp_path / "a.txt"),)
    assert {Path(path).name for path, _ in found.unreadable} == {"broken.txt", "round.txt"}
    assert all(reason for _, reason in found.unreadable)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_a_closed_folder_is_told(tmp_path: Path):
    write(tmp_path / "a.txt", tmp_path / "closed" / "b.txt")
    (tmp_path / "closed").chmod(0)
    found = find([str(tmp_path)], [], KINDS)
    (tmp_path / "closed").chmod(0o700)
    assert found.unreadable == ((str(tmp_path / "closed"), "Permission denied"),)


def test_only_regular_files(tmp_path: Path):
    write(tmp_path / "a.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    (tmp_path / "folder.txt").mkdir()
    assert names(tmp_path) == ["a.txt"]
    with pytest.raises(UnreadableFile, match="neither a file nor a folder"):
        split([tmp_path / "pipe.txt"])


def test_no_doubles(tmp_path: Path):
    write(tmp_path / "a.txt")
    folders, files, _ = split([tmp_path, tmp_path / "." / "a.txt", f"{tmp_path}/x/../a.txt", str(tmp_path)])
    assert find(folders, files, KINDS).files == (str(tmp_path / "a.txt"),)


def test_a_folder_without_any(tmp_path: Path):
    write(tmp_path / "a.bin")
    assert find([str(tmp_path)], [], KINDS).files == ()
    with pytest.raises(BadInput, match="no file to read"):
        find([str(tmp_path)], [], KINDS, lambda folder: folder != str(tmp_path))


def test_paths_that_are_not_there(tmp_path: Path):
    assert split([tmp_path, tmp_path / "gone.txt"]) == ([str(tmp_path)], [], [str(tmp_path / "gone.txt")])
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    with pytest.raises(UnreadableFile, match="loop: Too many"):
        split([tmp_path / "loop"])
    with pytest.raises(BadInput):
        split([])


def test_gone(tmp_path: Path):
    write(tmp_path / "a.txt")
    assert not is_gone(str(tmp_path / "a.txt"))
    assert is_gone(str(tmp_path / "b.txt"))
    assert is_gone(str(tmp_path / "a.txt" / "c.txt"))
    assert is_gone(str(tmp_path))
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    assert not is_gone(str(tmp_path / "loop"))
