"""Files to documents: the text a person sees in the file, and what text and file state about themselves.

Plain text is read here: only line ends are changed (to a line feed) and null characters left out. Everything else is
parsed in a process of its own (`sandbox`), by the reader of its kind (`readers`). Offsets count in the text that comes
of it, which is the text the user sees.
"""

from __future__ import annotations

import hashlib
import stat
from collections.abc import Sequence
from dataclasses import astuple
from pathlib import Path

from assistant import decode, formats, metadata
from assistant.content import Content, Facts, Member
from assistant.errors import EmptyFile, FileTooLarge, UnreadableFile, UnsupportedFile
from assistant.records import Document
from assistant.sandbox import Sandbox

MAX_BYTES = 100 * 1024 * 1024
SUFFIXES = tuple(sorted(formats.KINDS))
SUMMARY = formats.SUMMARY
NAMED = (
    *SUFFIXES,
    *sorted(formats.LEGACY),
)  # what a folder is searched for: the last cannot be read, and that is said

_INVISIBLE = "\ufeff\u200b\u2060"


def read(path: Path, max_bytes: int = MAX_BYTES, sandbox: Sandbox | None = None) -> Document:
    """The document in the file at `path`. Without `sandbox` it gets one of its own.

    Raises UnsupportedFile for a suffix that is neither in `NAMED` nor in `formats.SCANS`, and for content that is of
    no kind that is read; FileTooLarge for one of more than `max_bytes`; UnreadableFile for one that is missing, not a
    regular file or not permitted, and its kinds for one that is empty, encrypted, scanned or damaged, or that the
    reader fails at.
    """
    path = path.absolute()
    shown = decode.valid(str(path))
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise UnreadableFile(f"{shown} is a folder, not a file.", "Name the files in it.")
        if not stat.S_ISREG(mode):
            raise UnreadableFile(f"{shown} is not a regular file.", "Copy its content into a file and name that one.")
        _check_suffix(path.name)
        with path.open("rb") as file:
            data = file.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise UnreadableFile(f"There is no file {shown}.", "Check the path; it may have been moved.") from error
    except (OSError, ValueError) as error:  # ValueError: a null character in the path
        reason = getattr(error, "strerror", None) or str(error)
        raise UnreadableFile(f"{shown} cannot be read: {reason}.", "Check that you may read this file.") from error
    return read_bytes(data, path.name, str(path), max_bytes, sandbox)


def read_bytes(
    data: bytes, name: str, path: str, max_bytes: int = MAX_BYTES, sandbox: Sandbox | None = None
) -> Document:
    """The document in `data`, the content of a file called `name`; `path` tells where it came from. Of an archive it
    is the list of the files in it.

    Raises what `read` does.
    """
    _check_suffix(name)
    if decode.valid(path) != path or decode.valid(name) != name:
        raise UnreadableFile(f"The name of {decode.valid(path)} is not valid text.", "Rename the file.")
    if len(data) > max_bytes:
        size = f"{max_bytes / 1024 / 1024:,.10g} MB"
        raise FileTooLarge(f"{name} is larger than the limit of {size}.", "Split it into smaller files.")
    if formats.is_plain(data, name):
        text, doubts = decode.read(data, name)
        content = Content(text, notes=doubts, prose=formats.suffix(name) in formats.PROSE)
    else:
        own = sandbox or Sandbox()
        try:
            content = listing(own.open(data, name), name) if is_archive(name) else own.read(data, name)
        finally:
            if sandbox is None:
                own.close()
    return document(content, name, path, hashlib.sha256(data).hexdigest())


def document(content: Content, name: str, path: str, sha256: str) -> Document:
    """A document of what was read, all of it valid Unicode: readers may pass on half characters ("\\ud83d" in JSON).
    What the text states about itself counts for more than what the file does, but a date of revision for less.

    Raises EmptyFile.
    """
    text = decode.valid(content.text)
    damaged = decode.damage(text)
    told = (*content.notes, f"Characters that could not be read: {damaged:,}.") if damaged else content.notes
    notes = tuple(map(decode.valid, told))
    if not text.strip().strip(_INVISIBLE).strip():
        raise EmptyFile(
            " ".join([f"{name} holds no text.", *notes]), "Check that it was saved, and is the file you meant."
        )
    stated = _stated(text, content, name)
    facts = Facts(*(decode.valid(fact) if fact else fact for fact in astuple(content.facts)))
    return Document(
        id=sha256[:16],
        sha256=sha256,
        path=path,
        file=name,
        text=text,
        title=stated.title or facts.title,
        publisher=stated.publisher or facts.publisher,
        author=stated.author or facts.author,
        date=facts.date if facts.date and stated.revised else stated.date or facts.date,
        pages=content.pages,
        notes=notes,
        awaits_ocr=content.awaits_ocr,
    )


def _stated(text: str, content: Content, name: str) -> metadata.Metadata:
    """What a text states about itself, where it is prose; of code only LaTeX is any."""
    if content.prose:
        return metadata.read(text)
    return metadata.of_latex(text) if formats.suffix(name) == ".tex" else metadata.Metadata()


def is_archive(name: str) -> bool:
    """Whether a file of this name is an archive or a mailbox, whose files or mails are documents of their own."""
    return formats.suffix(name) in formats.ARCHIVES


def held(name: str) -> str:
    """What an archive of this name holds."""
    return "mails" if formats.suffix(name) == ".mbox" else "files"


def listing(members: Sequence[Member], name: str) -> Content:
    """What an archive itself says: which files are in it; of a mailbox only how many mails, which would be found in
    place of the mails themselves.
    """
    if held(name) == "mails":
        notes = () if members else ("It holds no mail.",)
        return Content(f"Mails in the mailbox {name}: {len(members):,}.", notes=notes, prose=False)
    lines = [f"- {member.name}" + (f" (not read: {member.problem})" if member.problem else "") for member in members]
    return Content("\n".join([f"Files in the archive {name}:", "", *lines]) if lines else "", prose=False)


def _check_suffix(name: str) -> None:
    suffix = formats.suffix(name)
    if suffix in (*formats.KINDS, *formats.LEGACY, *formats.SCANS):
        return
    kind = f"{suffix} files" if suffix else "files without a suffix"
    if suffix in formats.PICTURES:
        hint = "Save it as .png or .pdf, which are read by OCR."
    else:
        hint = f"Supported are {formats.SUMMARY}; convert the file to one of them."
    raise UnsupportedFile(f"{decode.valid(name)} is not supported: {kind} cannot be read.", hint)
