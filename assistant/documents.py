"""Files to documents: the text as it stands in the file, and what the text states about itself.

Of the text only line ends are changed (to a line feed) and null characters left out, so offsets count in what the
user sees. A further format is one more reader in `READERS`.
"""

from __future__ import annotations

import hashlib
import re
import stat
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from charset_normalizer import from_bytes

from assistant import metadata
from assistant.errors import FileTooLarge, UnreadableFile, UnsupportedFile
from assistant.records import Document

MAX_BYTES = 100 * 1024 * 1024

_BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # what text has no use for; escape starts terminal colours
_MAX_CONTROL_SHARE = 0.02
_MAX_CHAOS = 0.2  # charset_normalizer's share of implausible characters above which a guess is not believed
_WESTERN = re.compile(r"[\x00-\x7f€‚„…†‰‘’“”•–—™ŠšŽžŒœŸ\xa0-¿À-ÿ]*")
_NOT_WESTERN = re.compile(r"[À-ÿŠšŽžŒœŸ]{3}|[^\W\d_][€‚„†‰•™¡-¨ª-¯±-¹»-¿]+[^\W\d_]|[¤¦¨¬¯¸]")
_INVISIBLE = "\ufeff\u200b\u2060"


@dataclass(frozen=True, slots=True)
class Content:
    """What a reader makes of a file. `pages` are the offsets at which pages start, empty without pages."""

    text: str
    pages: tuple[int, ...] = ()


Reader = Callable[[bytes, str], Content]


def read(path: Path, max_bytes: int = MAX_BYTES) -> Document:
    """The document in the file at `path`.

    Raises UnsupportedFile for a suffix that is not in `SUFFIXES` and for a file whose content is not text,
    FileTooLarge for one of more than `max_bytes`, UnreadableFile for one that is missing, not a regular file, not
    permitted or without any text.
    """
    path = path.absolute()
    shown = _printable(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFile(f"{shown} is a folder, not a file.", "Name the files in it.")
        if not stat.S_ISREG(mode):
            raise UnreadableFile(f"{shown} is not a regular file.", "Copy its content into a file and name that one.")
        _reader(path.name)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableFile(f"There is no file {shown}.", "Check the path; it may have been moved.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{shown} cannot be read: {reason}.", "Check that you may read this file.") from error
    return read_bytes(data, path.name, str(path), max_bytes)


def read_bytes(data: bytes, name: str, path: str, max_bytes: int = MAX_BYTES) -> Document:
    """The document in `data`, the content of a file called `name`; `path` tells where it came from.

    Raises UnsupportedFile, FileTooLarge and UnreadableFile as `read` does.
    """
    reader = _reader(name)
    if _printable(path) != path or _printable(name) != name:
        raise UnreadableFile(f"The name of {_printable(path)} is not valid text.", "Rename the file.")
    if len(data) > max_bytes:
        size = f"{max_bytes / 1024 / 1024:,.10g} MB"
        raise FileTooLarge(f"{name} is larger than the limit of {size}.", "Split it, or raise the limit.")
    content = reader(data, name)
    if not content.text.strip().strip(_INVISIBLE).strip():
        raise UnreadableFile(f"{name} holds no text.", "Check that it was saved, and is the file you meant.")
    stated = metadata.read(content.text)
    digest = hashlib.sha256(data).hexdigest()
    return Document(
        id=digest[:16],
        sha256=digest,
        path=path,
        file=name,
        text=content.text,
        title=stated.title,
        publisher=stated.publisher,
        author=stated.author,
        date=stated.date,
        pages=content.pages,
    )


def _reader(name: str) -> Reader:
    suffix = Path(name).suffix.lower()
    reader = READERS.get(suffix)
    if reader is None:
        kind = f"{suffix} files" if suffix else "files without a suffix"
        raise UnsupportedFile(
            f"{_printable(name)} is not supported: {kind} cannot be read.",
            f"Supported are {', '.join(SUFFIXES)}; convert the file to one of them.",
        )
    return reader


def _printable(name: str) -> str:
    """A file name without the surrogates by which Python stands in for bytes that are no text."""
    return name.encode(errors="replace").decode()


def _read_text(data: bytes, name: str) -> Content:
    text = _decode(data, name)
    control = len(_CONTROL.findall(text))
    if control > max(3, len(text) * _MAX_CONTROL_SHARE):
        raise _not_text(name, f"{control} of its {len(text)} characters are control characters")
    return Content(text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n"))


def _decode(data: bytes, name: str) -> str:
    encoding = next((encoding for mark, encoding in _BOMS if data.startswith(mark)), None)
    if encoding is None and b"\x00" in data:
        raise _not_text(name, "it holds null bytes")
    try:
        return data.decode(encoding or "utf-8")
    except UnicodeDecodeError as error:
        if encoding:
            raise _not_text(name, f"it is marked as {encoding} but is not valid at byte {error.start}") from error
    return _guess(data, name)


def _guess(data: bytes, name: str) -> str:
    """Text in an encoding from before Unicode. Windows-1252 comes first where its accents stand as they do in
    western European words: on short texts the statistics of charset_normalizer often take them for others.
    """
    western = data.decode("cp1252", errors="replace")
    if _WESTERN.fullmatch(western) and not _NOT_WESTERN.search(western) and len(_CONTROL.findall(western)) == 0:
        return western
    best = from_bytes(data, cp_exclusion=["utf_7"], threshold=_MAX_CHAOS).best()
    if best is None:
        raise _not_text(name, "its characters fit no known encoding")
    return str(best)


def _not_text(name: str, reason: str) -> UnsupportedFile:
    return UnsupportedFile(f"{name} is not a text file: {reason}.", "Save it as text in UTF-8.")


READERS: dict[str, Reader] = {".md": _read_text, ".txt": _read_text}
SUFFIXES = tuple(sorted(READERS))
