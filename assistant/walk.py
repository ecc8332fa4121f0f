"""Finds the files that paths lead to."""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from assistant import formats
from assistant.errors import BadInput, UnreadableFile


@dataclass(frozen=True, slots=True)
class Found:
    """Absolute paths. `files` are sorted and without doubles."""

    files: tuple[str, ...]
    unreadable: tuple[tuple[str, str], ...]  # what could not be looked at on the way, and why
    passed_over: dict[str, int]  # how many files of each other kind lay in the folders, by suffix


def split(paths: Iterable[Path | str]) -> tuple[list[str], list[str], list[str]]:
    """The folders and the files among paths, and those at which there is nothing; all absolute.

    Raises BadInput for no path and UnreadableFile for one that cannot be reached or is something else.
    """
    folders: list[str] = []
    files: list[str] = []
    gone: list[str] = []
    for path in [os.path.abspath(path) for path in paths]:  # noqa: PTH100 - pathlib leaves ".." in
        try:
            mode = Path(path).stat().st_mode
        except FileNotFoundError:
            gone.append(path)
            continue
        except OSError as error:
            raise UnreadableFile(f"Cannot read {path}: {_reason(error)}.", "Check the path.") from error
        if not stat.S_ISDIR(mode) and not stat.S_ISREG(mode):
            raise UnreadableFile(f"{path} is neither a file nor a folder.", "Copy its content into a file.")
        (folders if stat.S_ISDIR(mode) else files).append(path)
    if not (folders or files or gone):
        raise BadInput("No file or folder was given.", "Name at least one.")
    return folders, files, gone


def not_there(path: str, hint: str) -> UnreadableFile:
    """The error for a path at which there is nothing."""
    return UnreadableFile(f"There is no file or folder {path}.", hint)


def find(
    folders: Sequence[str],
    files: Sequence[str],
    suffixes: Collection[str],
    empty_ok: Callable[[str], bool] = lambda _: True,
    summary: str = "",
) -> Found:
    """The files, and those with one of the `suffixes` (in lower case, with the dot) in the folders.

    Hidden files and folders below a folder are passed over, links are followed, each folder is entered once. Raises
    BadInput for a folder without any such file, unless `empty_ok` says of that folder that it may be so. `summary` are
    the suffixes as a person is told them.
    """
    found = set(files)
    unreadable: list[tuple[str, str]] = []
    others: Counter[str] = Counter()
    for folder in folders:
        inside, closed, passed_over = _inside(folder, suffixes)
        unreadable += closed
        others += passed_over
        found |= inside
        if not inside and not empty_ok(folder):
            kinds = summary or ", ".join(sorted(suffixes))
            raise BadInput(f"There is no file to read in {folder}.", f"What is read: {kinds}; hidden files are not.")
    return Found(tuple(sorted(found, key=os.fsencode)), tuple(unreadable), dict(others))


def is_gone(path: str) -> bool:
    """Whether there is no file at `path` any more; one that cannot be reached for another reason is not gone. A path
    into an archive is gone when the archive is.
    """
    try:
        return not stat.S_ISREG(Path(path).stat().st_mode)
    except FileNotFoundError:
        return True
    except NotADirectoryError:
        return not any(parent.suffix.lower() in formats.ARCHIVES and parent.is_file() for parent in Path(path).parents)
    except OSError:
        return False


def _inside(folder: str, suffixes: Collection[str]) -> tuple[set[str], list[tuple[str, str]], Counter[str]]:
    """The files below a folder, what cannot be looked at on the way, and how many are of another kind."""
    files: set[str] = set()
    others: Counter[str] = Counter()
    unreadable: list[tuple[str, str]] = []
    entered: set[tuple[int, int]] = set()
    waiting = [Path(folder)]
    while waiting:
        here = waiting.pop()
        try:
            about = here.stat()
            # In order, so that of two ways into a folder it is always the same that counts.
            listed = sorted(here.iterdir(), key=os.fsencode, reverse=True)
        except OSError as error:
            unreadable.append((str(here), _reason(error)))
            continue
        if (about.st_dev, about.st_ino) in entered:
            continue
        entered.add((about.st_dev, about.st_ino))
        for path in listed:
            if path.name.startswith("."):
                continue
            wanted = path.suffix.lower() in suffixes
            try:
                mode = path.stat().st_mode
            except OSError as error:
                unreadable += [(str(path), _reason(error))] if wanted else []
                continue
            if stat.S_ISDIR(mode):
                waiting.append(path)
            elif wanted and stat.S_ISREG(mode):
                files.add(str(path))
            elif stat.S_ISREG(mode):
                others[path.suffix.lower() or "without a suffix"] += 1
    return files, unreadable, others


def _reason(error: OSError) -> str:
    return error.strerror or str(error)
