"""All files of shared/evaldata/docs: each through the ingest's reader, and all together through the ingest."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fake_embedder import FakeEmbedder

from assistant.documents import read
from assistant.errors import (
    AssistantError,
    DamagedFile,
    EmptyFile,
    EncryptedFile,
    ScannedFile,
    UnsupportedFile,
)
from assistant.ingest import Ingest
from assistant.records import Document
from assistant.sandbox import Sandbox

DATA = Path(__file__).parents[2] / "shared/evaldata/docs"
EXPECTED: dict[str, tuple[type[AssistantError], ...]] = {
    "text": (),
    "encrypted": (EncryptedFile,),
    "scan": (ScannedFile,),
    "damaged": (DamagedFile,),
    "empty": (EmptyFile,),
    "unsupported": (UnsupportedFile,),
    "text_or_unsupported": (UnsupportedFile,),
    "text_or_permission": (EncryptedFile,),
    "damaged_or_unsupported": (DamagedFile, UnsupportedFile),
}
DAMAGED = {"damaged", "damaged_or_unsupported"}
READ_AS_WELL = {"text_or_unsupported", "text_or_permission", *DAMAGED}  # better than refused
# The manifest seems to have these from their names, but the files are whole: the syntax check of qpdf finds nothing,
# all their streams decode, and their tables lead to all their objects (docs/lab.md).
SOUND = {"unstructured__failure-after-repair.pdf", "unstructured__invalid-pdf-structure-pdfminer-one-page.pdf"}


def entries() -> list[dict[str, Any]]:
    manifest = DATA / "manifest.jsonl"
    return [json.loads(line) for line in manifest.read_text("utf-8").splitlines()] if manifest.is_file() else []


@pytest.fixture(scope="module")
def sandbox() -> Iterator[Sandbox]:
    with Sandbox() as sandbox:
        yield sandbox


def test_the_files_are_there() -> None:
    if not entries():
        pytest.skip(f"needs {DATA}")


@pytest.mark.parametrize("entry", entries(), ids=lambda entry: entry["file"])
def test_a_file_gives_what_is_expected(entry: dict[str, Any], sandbox: Sandbox) -> None:
    path = DATA / "files" / entry["file"]
    if entry["expect"] not in ("text", *READ_AS_WELL):
        with pytest.raises(EXPECTED[entry["expect"]]) as caught:
            read(path, sandbox=sandbox)
        assert entry["file"] in caught.value.message
        assert caught.value.hint
        return
    try:
        document = read(path, sandbox=sandbox)
    except EXPECTED[entry["expect"]]:
        return
    check(document, entry)
    damaged = entry["expect"] in DAMAGED and entry["file"] not in SOUND
    assert ("damaged" in " ".join(document.notes).lower()) is damaged, document.notes


def test_the_ingest_says_of_each_file_what_was_read(tmp_path: Path) -> None:
    if not entries():
        pytest.skip(f"needs {DATA}")
    ingest = Ingest(tmp_path / "home", FakeEmbedder)
    report = ingest.add([DATA / "files" / entry["file"] for entry in entries()], "docs")
    told = {Path(file.path).name: file for file in report.files}
    read_files = {info.file for info in ingest.documents("docs")}
    for entry in entries():
        file = told[entry["file"]]
        if entry["expect"] == "text":
            assert file.outcome in ("added", "unchanged"), file  # unchanged: the same content under another name
        elif entry["expect"] not in READ_AS_WELL:
            assert file.outcome == "failed", file
            assert entry["file"] in file.detail, file
            assert entry["file"] not in read_files
    assert not report.stopped
    assert len(told) == len(entries())
    ingest.close()


def check(document: Document, entry: dict[str, Any]) -> None:
    """Plausible text: mostly letters, figures and spaces; pages in order; and what other parsers found in it."""
    text = document.text
    usual = sum(character.isalnum() or character.isspace() for character in text)
    assert usual > 0.5 * len(text)
    assert not re.search(r"[\x00-\x08\x0e-\x1f\ufffe]", text)
    assert list(document.pages) == sorted(document.pages)
    for probe in entry["probe"].values():
        if probe.get("pages"):
            assert len(document.pages) == probe["pages"]
        words = re.findall(r"[^\W\d_]{4,}", probe.get("snip", ""))[1:-1]
        assert sum(word in text for word in words) >= 0.8 * len(words)
