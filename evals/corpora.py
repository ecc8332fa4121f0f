"""The documents of an evaluation: put into collections of its own home, and read back as the library keeps them."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from assistant import Assistant, Settings
from assistant.errors import BadInput
from assistant.ingest import Ingest
from assistant.records import IngestReport, OnProgress
from evals import cases
from evals.public import Loaded
from evals.records import Case, Given, Texts

GIVEN = "given"  # the collection that holds the documents of one case at a time
_TUNING = "tuning.json"
_SHOWN = 5  # wrong gold spans in a message


def home(settings: Settings) -> Settings:
    """The same settings with a home of their own below, so that no evaluation touches a user's documents."""
    folder = settings.home / "evals"
    folder.mkdir(parents=True, exist_ok=True)
    if (settings.home / _TUNING).is_file():
        shutil.copyfile(settings.home / _TUNING, folder / _TUNING)
    return settings.model_copy(update={"home": folder})


@dataclass(slots=True)
class Corpus:
    """A suite's documents in a collection, with their texts as the library has them."""

    collection: str
    texts: Texts = field(default_factory=dict)
    unread: tuple[str, ...] = ()  # files that could not be read, and why

    @property
    def sha256(self) -> str:
        return digest(self.texts)

    @property
    def documents(self) -> int:
        return sum(map(len, self.texts.values()))


def bring(
    assistant: Assistant, suite: str, loaded: Loaded, collection: str | None, progress: OnProgress | None
) -> Corpus:
    """Makes a collection hold just what was loaded; one that the user named is left as it is.

    Raises BadInput where a gold span is not in the documents: then every figure would be wrong.
    """
    if collection is not None:
        if any(case.given for case in loaded.cases):  # they would be written into the user's own home
            raise BadInput(f"The suite {suite} brings its own documents.", "Run it without --collection.")
        corpus = Corpus(collection, texts(assistant.ingest, collection))
    elif not loaded.documents and not loaded.files:
        corpus = Corpus(GIVEN)
    else:
        corpus = _ingested(assistant, suite, loaded, progress)
    _check(suite, loaded.cases, corpus.texts)
    return corpus


def show_only(assistant: Assistant, given: Sequence[Given]) -> Texts:
    """Makes the collection `given` hold these documents and no others; gives their texts."""
    wanted = {item.file: item for item in given}
    known = {info.name for info in assistant.ingest.collections()}
    for info in assistant.ingest.documents(GIVEN) if GIVEN in known else ():
        if info.file not in wanted or assistant.ingest.document(info.id, GIVEN).text != wanted[info.file].text:
            assistant.ingest.delete(info.id, GIVEN)
    for item in wanted.values():
        assistant.ingest.add_bytes(item.file, item.text.encode(), GIVEN)
    return texts(assistant.ingest, GIVEN)


def texts(ingest: Ingest, collection: str) -> Texts:
    """The texts of all documents. Raises UnknownCollection."""
    found: dict[str, dict[str, str]] = {}
    for info in ingest.documents(collection):
        found.setdefault(info.file, {})[info.id] = ingest.document(info.id, collection).text
    return found


def digest(value: object) -> str:
    """sha256 of a value's JSON form."""
    return hashlib.sha256(json.dumps(value, ensure_ascii=False, sort_keys=True, default=str).encode()).hexdigest()


def keep(ingest: Ingest, home: Path, suite: str, loaded: Loaded, progress: OnProgress | None) -> IngestReport:
    """Makes the collection named like the suite hold just what was loaded."""
    paths = list(loaded.files)
    if loaded.documents:
        folder = home / "corpora" / suite
        _write(folder, loaded.documents)
        paths.append(folder)
    report = ingest.add(paths, suite, prune=True, progress=progress)
    there = {file.document_id for file in report.files if file.outcome != "removed"}
    for info in ingest.documents(suite):
        if info.id not in there:  # an earlier run brought it from another folder, which `prune` knows nothing of
            ingest.delete(info.id, suite)
    return report


def _ingested(assistant: Assistant, suite: str, loaded: Loaded, progress: OnProgress | None) -> Corpus:
    report = keep(assistant.ingest, assistant.settings.home, suite, loaded, progress)
    unread = tuple(f"{Path(file.path).name}: {file.detail}" for file in report.files if file.outcome == "failed")
    return Corpus(suite, texts(assistant.ingest, suite), unread)


def _write(folder: Path, documents: Mapping[str, str]) -> None:
    """Only what changed is written: what is written is read again."""
    folder.mkdir(parents=True, exist_ok=True)
    for path in folder.iterdir():
        if path.name not in documents:
            path.unlink()
    for name, text in documents.items():
        path = folder / name
        if not path.is_file() or path.read_text("utf-8") != text:
            path.write_text(text, "utf-8", newline="")


def _check(suite: str, asked: Sequence[Case], found: Texts) -> None:
    if wrong := cases.check(asked, found):
        more = f" (and {len(wrong) - _SHOWN} more)" if len(wrong) > _SHOWN else ""
        raise BadInput(
            f"Gold spans of {suite} are not in its documents: {'; '.join(wrong[:_SHOWN])}{more}.",
            "Correct them; nothing was asked yet.",
        )
