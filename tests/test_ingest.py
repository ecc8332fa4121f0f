from __future__ import annotations

import errno
import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from conftest import real_model
from fake_embedder import FakeEmbedder
from filelock import FileLock
from watchfiles import Change

from assistant import ingest as ingest_module
from assistant import ingest_run
from assistant.errors import (
    BadInput,
    EmbedderMismatch,
    FileTooLarge,
    ReaderFailed,
    StorageError,
    UnknownCollection,
    UnknownDocument,
    UnreadableFile,
    UnsupportedFile,
)
from assistant.ingest import Ingest
from assistant.records import IngestReport, Progress
from assistant.settings import Settings

LONG = "\n\n".join(f"Paragraph {i} tells of harbour {i} and its {i} boats. " * 4 for i in range(120))


@pytest.fixture
def embedder() -> FakeEmbedder:
    return FakeEmbedder()


@pytest.fixture
def ingest(tmp_path: Path, embedder: FakeEmbedder) -> Iterator[Ingest]:
    made = opened(tmp_path / "home", embedder)
    yield made
    made.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with three documents."""
    made = tmp_path / "texts"
    made.mkdir()
    (made / "a.txt").write_text("The ferry leaves at nine.")
    (made / "b.md").write_text("The lighthouse was built in 1874.")
    (made / "deep").mkdir()
    (made / "deep" / "c.txt").write_text("Herring is sold on the quay.")
    return made


def opened(home: Path, embedder: FakeEmbedder, **cut: int) -> Ingest:
    return Ingest(home, lambda: embedder, **cut)


def outcomes(report: IngestReport) -> dict[str, str]:
    return {Path(file.path).name: file.outcome for file in report.files}


def state(ingest: Ingest, collection: str = "default") -> dict[str, object]:
    """Everything that counts, without times and numbers of rows."""
    library = ingest.library
    documents = {info.id: (info, library.paths(collection, info.id)) for info in library.documents(collection)}
    return {
        "texts": {name: library.document(collection, name).text for name in documents},
        "paths": {name: sorted(paths) for name, (_, paths) in documents.items()},
        "counts": {name: info.chunks for name, (info, _) in documents.items()},
        "chunks": sorted(library.chunk_ids(collection)),
        "index": sorted(ingest.index.chunk_ids(collection)),
        "unfinished": library.unfinished(collection),
    }


def assert_whole(ingest: Ingest, collection: str = "default") -> None:
    found = state(ingest, collection)
    assert found["chunks"] == found["index"]
    assert not found["unfinished"]


def test_a_folder_becomes_documents(ingest: Ingest, folder: Path):
    report = ingest.add([folder], "default")
    assert outcomes(report) == {"a.txt": "added", "b.md": "added", "c.txt": "added"}
    assert report.collection == "default"
    assert not report.stopped
    infos = ingest.documents("default")
    assert [(info.file, info.characters, info.chunks) for info in infos] == [
        ("a.txt", 25, 1),
        ("b.md", 33, 1),
        ("c.txt", 28, 1),
    ]
    assert ingest.document(infos[2].id, "default").text == "Herring is sold on the quay."
    assert infos[2].path == str(folder / "deep" / "c.txt")
    assert [(info.name, info.documents, info.chunks, info.embedder) for info in ingest.collections()] == [
        ("default", 3, 3, "fake")
    ]
    assert_whole(ingest)


def test_chunks_hold_exact_spans(ingest: Ingest, folder: Path):
    (folder / "long.txt").write_text(LONG)
    ingest.add([folder / "long.txt"], "default")
    [info] = ingest.documents("default")
    text = ingest.document(info.id, "default").text
    chunks = ingest.library.chunks("default", ingest.library.chunk_ids("default"))
    assert len(chunks) == info.chunks > 5
    assert all(chunk.text == text[chunk.start : chunk.end] for chunk in chunks.values())
    assert all(chunk.id == f"{info.id}-{chunk.start}-{chunk.end}" for chunk in chunks.values())


def test_unchanged_files_cost_no_work(ingest: Ingest, folder: Path, embedder: FakeEmbedder):
    ingest.add([folder], "default")
    before, embedded = state(ingest), embedder.texts
    generation = ingest.library.generation("default")
    report = ingest.add([folder], "default")
    assert set(outcomes(report).values()) == {"unchanged"}
    assert [file.chunks for file in report.files] == [1, 1, 1]
    assert (state(ingest), embedder.texts) == (before, embedded)
    assert ingest.library.generation("default") == generation


def test_a_changed_file_replaces_its_chunks(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    old = ingest.library.at("default", str(folder / "a.txt"))
    about = (folder / "a.txt").stat()
    (folder / "a.txt").write_text("The ferry leaves at four.")
    os.utime(folder / "a.txt", ns=(about.st_atime_ns, about.st_mtime_ns))  # same size, same time: the content decides
    assert outcomes(ingest.add([folder], "default")) == {"a.txt": "changed", "b.md": "unchanged", "c.txt": "unchanged"}
    assert old not in {info.id for info in ingest.documents("default")}
    assert len(ingest.documents("default")) == 3
    assert_whole(ingest)


def test_a_moved_file_is_recognised(ingest: Ingest, folder: Path, embedder: FakeEmbedder):
    ingest.add([folder], "default")
    embedded, before = embedder.texts, ingest.documents("default")
    (folder / "a.txt").rename(folder / "z.txt")
    report = ingest.add([folder], "default")
    assert outcomes(report) == {"b.md": "unchanged", "c.txt": "unchanged", "z.txt": "moved"}
    assert "a.txt" in report.files[-1].detail
    assert embedder.texts == embedded
    after = ingest.documents("default")
    assert [info.id for info in after] == [info.id for info in before]
    assert after[0].path == str(folder / "z.txt")
    hit = ingest.library.chunks("default", ingest.library.chunk_ids("default")[:1])
    assert [chunk.file for chunk in hit.values()] == ["z.txt"]
    assert_whole(ingest)


def test_the_same_content_twice_is_one_document_with_two_paths(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    (folder / "copy.txt").write_text("The ferry leaves at nine.")
    report = ingest.add([folder], "default")
    assert outcomes(report)["copy.txt"] == "added"
    assert "a.txt" in next(file for file in report.files if file.path.endswith("copy.txt")).detail
    assert len(ingest.documents("default")) == 3
    [name] = [info.id for info in ingest.documents("default") if info.file == "a.txt"]
    assert ingest.library.paths("default", name) == [str(folder / "a.txt"), str(folder / "copy.txt")]
    (folder / "a.txt").unlink()
    assert outcomes(ingest.add([folder], "default", prune=True))["a.txt"] == "removed"
    assert ingest.document(name, "default").file == "copy.txt"
    assert_whole(ingest)


def test_a_file_that_takes_over_the_content_of_another(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    (folder / "a.txt").write_text((folder / "b.md").read_text())
    assert outcomes(ingest.add([folder], "default"))["a.txt"] == "changed"
    assert {info.file for info in ingest.documents("default")} == {"b.md", "c.txt"}
    assert_whole(ingest)


def test_prune_removes_what_is_gone_from_these_folders_only(
    ingest: Ingest, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    other = tmp_path / "texts-other"
    other.mkdir()
    (other / "d.txt").write_text("Elsewhere.")
    (other / "e.txt").write_text("Remains.")
    ingest.add([folder, other], "default")
    (folder / "a.txt").unlink()
    (other / "d.txt").unlink()
    report = ingest.add([folder], "default")
    assert outcomes(report) == {"b.md": "unchanged", "c.txt": "unchanged"}
    assert "files are gone: 1" in caplog.text
    report = ingest.add([folder], "default", prune=True)
    assert outcomes(report)["a.txt"] == "removed"
    assert {info.file for info in ingest.documents("default")} == {"b.md", "c.txt", "d.txt", "e.txt"}
    assert_whole(ingest)


def test_prune_of_an_emptied_folder(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    for path in folder.rglob("*.*"):
        path.unlink()
    with pytest.raises(BadInput, match="no file to read"):
        ingest.add([folder], "default")
    assert set(outcomes(ingest.add([folder], "default", prune=True)).values()) == {"removed"}
    assert ingest.documents("default") == []
    assert_whole(ingest)


def test_prune_of_a_folder_that_is_gone(
    ingest: Ingest, folder: Path, tmp_path: Path, caplog: pytest.LogCaptureFixture
):
    (tmp_path / "d.txt").write_text("Remains.")
    ingest.add([folder, tmp_path / "d.txt"], "default")
    shutil.rmtree(folder)
    with pytest.raises(UnreadableFile, match="no file or folder") as refused:
        ingest.add([folder], "default")
    assert "came from there: 3. `--prune`" in refused.value.hint
    with pytest.raises(UnreadableFile, match="no file or folder"):
        ingest.add([folder, tmp_path / "mistyped"], "default", prune=True)
    assert len(ingest.documents("default")) == 4
    report = ingest.add([folder], "default", prune=True)
    assert "removed: 3" in caplog.text
    assert outcomes(report) == {"a.txt": "removed", "b.md": "removed", "c.txt": "removed"}
    (tmp_path / "d.txt").unlink()
    assert outcomes(ingest.add([tmp_path / "d.txt"], "default", prune=True)) == {"d.txt": "removed"}
    assert ingest.documents("default") == []
    assert_whole(ingest)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may list every folder")
def test_prune_spares_what_only_cannot_be_reached(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    (folder / "deep").chmod(0)
    report = ingest.add([folder], "default", prune=True)
    (folder / "deep").chmod(0o700)
    assert outcomes(report)["deep"] == "failed"
    assert {info.file for info in ingest.documents("default")} == {"a.txt", "b.md", "c.txt"}


def test_another_cut_replaces_the_chunks(ingest: Ingest, folder: Path, tmp_path: Path, embedder: FakeEmbedder):
    (folder / "long.txt").write_text(LONG)
    ingest.add([folder], "default")
    before = state(ingest)
    finer = opened(tmp_path / "home", embedder, max_chars=400)
    assert set(outcomes(finer.add([folder], "default")).values()) == {"changed"}
    assert len(state(finer)["chunks"]) > len(before["chunks"])
    assert_whole(finer)
    assert set(outcomes(finer.add([folder], "default")).values()) == {"unchanged"}
    coarse = opened(tmp_path / "home", embedder)
    coarse.add([folder], "default")
    assert state(coarse) == before


def test_collections_are_apart(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    ingest.add([folder / "a.txt"], "second")
    [info] = ingest.documents("second")
    ingest.delete(info.id, "second")
    assert ingest.documents("second") == []
    assert len(ingest.documents("default")) == 3
    assert_whole(ingest)


# --- what cannot be read


def test_a_file_that_fails_is_reported_and_the_run_goes_on(ingest: Ingest, folder: Path):
    (folder / "binary.txt").write_bytes(bytes(range(256)) * 40)
    (folder / "empty.txt").write_text("")
    report = ingest.add([folder], "default")
    assert outcomes(report) == {
        "a.txt": "added",
        "b.md": "added",
        "binary.txt": "failed",
        "c.txt": "added",
        "empty.txt": "failed",
    }
    details = {Path(file.path).name: file.detail for file in report.files if file.outcome == "failed"}
    assert "binary.txt" in details["binary.txt"]
    assert "empty.txt" in details["empty.txt"]


def test_half_characters_end_no_run(ingest: Ingest, folder: Path):
    (folder / "half.json").write_text('{"text": "half \\ud83d of it", "\\udc00": "x"}')
    assert outcomes(ingest.add([folder], "default"))["half.json"] == "added"
    [info] = [info for info in ingest.documents("default") if info.file == "half.json"]
    assert ingest.document(info.id, "default").text == "text: half \ufffd of it\n\ufffd: x"
    assert_whole(ingest)


@pytest.mark.parametrize("place", ["assistant.metadata.read", "assistant.chunks.split"])
def test_a_mistake_of_ours_fails_the_file_alone(
    ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, place: str
):
    def fail(*_: object) -> None:
        raise KeyError("auguſt")

    ingest.add([folder / "b.md"], "default")
    (folder / "b.md").write_text("The lighthouse was torn down.")
    with monkeypatch.context() as patch:
        patch.setattr(place, fail)
        report = ingest.add([folder], "default")
        assert set(outcomes(report).values()) == {"failed"}
        assert "a.txt cannot be read: it makes the reader fail (KeyError('auguſt'))" in report.files[0].detail
        assert "earlier version is kept" in report.files[1].detail
        with pytest.raises(ReaderFailed, match=r"up\.txt cannot be read"):
            ingest.add_bytes("up.txt", b"Text.", "default")
    assert "Traceback" in caplog.text
    assert outcomes(ingest.add([folder], "default")) == {"a.txt": "added", "b.md": "changed", "c.txt": "added"}
    assert_whole(ingest)


def test_a_file_that_fails_later_keeps_its_earlier_version(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    (folder / "a.txt").write_text("")
    report = ingest.add([folder], "default")
    [failed] = [file for file in report.files if file.outcome == "failed"]
    assert failed.document_id is not None
    assert "earlier version is kept" in failed.detail
    assert len(ingest.documents("default")) == 3


def test_only_failures_make_no_collection(ingest: Ingest, tmp_path: Path):
    (tmp_path / "empty.txt").write_text("")
    ingest.add([tmp_path / "empty.txt"], "default")
    assert ingest.collections() == []


def test_a_missing_path_is_refused_before_any_work(ingest: Ingest, folder: Path):
    with pytest.raises(UnreadableFile, match=r"no file or folder .*nowhere\.txt"):
        ingest.add([folder, folder / "nowhere.txt"], "default")
    assert ingest.collections() == []


def test_a_folder_without_documents_is_refused(ingest: Ingest, tmp_path: Path):
    (tmp_path / "bare").mkdir()
    (tmp_path / "bare" / "x.bin").write_bytes(b"x")
    with pytest.raises(BadInput, match="bare") as caught:
        ingest.add([tmp_path / "bare"], "default")
    assert ".txt, .md" in caught.value.hint


def test_no_path_is_refused(ingest: Ingest):
    with pytest.raises(BadInput, match="No file or folder"):
        ingest.add([], "default")


def test_an_impossible_collection_name_is_refused(ingest: Ingest, folder: Path):
    with pytest.raises(BadInput, match="cannot be the name"):
        ingest.add([folder], "a b")
    with pytest.raises(BadInput, match="cannot be the name"):
        ingest.add_bytes("a.txt", b"text", "..")


@pytest.mark.skipif(os.name == "nt", reason="such names cannot be made there")
def test_odd_file_names_survive(ingest: Ingest, folder: Path, embedder: FakeEmbedder):
    names = [b"new\nline.txt", b"caf\xe9.txt", "日本.md".encode(), b" blank .txt", b"quote'\".txt"]
    for number, name in enumerate(names):
        Path(os.fsdecode(os.fsencode(folder) + b"/" + name)).write_text(f"Text number {number}.")
    report = ingest.add([folder], "default")
    assert {file.outcome for file in report.files} == {"added"}
    shown = {info.file for info in ingest.documents("default")}
    assert {"new\nline.txt", "caf\\xe9.txt", "日本.md", " blank .txt", "quote'\".txt"} <= shown
    embedded = embedder.texts
    assert set(outcomes(ingest.add([folder], "default")).values()) == {"unchanged"}
    assert embedder.texts == embedded
    Path(os.fsdecode(os.fsencode(folder) + b"/caf\xe9.txt")).unlink()
    assert "removed" in outcomes(ingest.add([folder], "default", prune=True)).values()


def test_another_embedder_is_refused_and_nothing_is_lost(ingest: Ingest, folder: Path, tmp_path: Path):
    ingest.add([folder], "default")
    before = state(ingest)
    other = opened(tmp_path / "home", FakeEmbedder("other", "e" * 64))
    (folder / "new.txt").write_text("Something new.")
    with pytest.raises(EmbedderMismatch, match="fake"):
        other.add([folder], "default")
    assert state(ingest) == before
    assert outcomes(other.add([folder / "new.txt"], "second")) == {"new.txt": "added"}


# --- uploads


def test_an_upload_and_its_new_version(ingest: Ingest):
    first = ingest.add_bytes("notes.txt", b"The key is under the mat.", "default")
    assert (first.path, first.outcome, first.chunks) == ("upload/notes.txt", "added", 1)
    assert ingest.add_bytes("notes.txt", b"The key is under the mat.", "default").outcome == "unchanged"
    second = ingest.add_bytes("notes.txt", b"The key is in the shed.", "default")
    assert second.outcome == "changed"
    [info] = ingest.documents("default")
    assert (info.id, info.path, info.file) == (second.document_id, "upload/notes.txt", "notes.txt")
    assert_whole(ingest)


def test_an_upload_of_a_file_that_is_there(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    outcome = ingest.add_bytes("mine.txt", (folder / "a.txt").read_bytes(), "default")
    assert outcome.outcome == "added"
    assert len(ingest.documents("default")) == 3
    (folder / "a.txt").unlink()
    ingest.add([folder], "default", prune=True)
    assert outcome.document_id in {info.id for info in ingest.documents("default")}


@pytest.mark.parametrize(
    ("given", "kept"), [("../../etc/a.txt", "a.txt"), ("C:\\docs\\a.txt", "a.txt"), ("dir/ a.txt ", "a.txt")]
)
def test_only_the_last_part_of_an_uploads_name_counts(ingest: Ingest, given: str, kept: str):
    assert ingest.add_bytes(given, b"Text.", "default").path == f"upload/{kept}"


@pytest.mark.parametrize("name", ["", "..", "a/", "a\x00.txt", "a\n.txt", "x" * 260 + ".txt", "\ud800.txt"])
def test_impossible_names_of_uploads(ingest: Ingest, name: str):
    with pytest.raises(BadInput, match="cannot be the name of a document"):
        ingest.add_bytes(name, b"Text.", "default")


def test_uploads_that_cannot_be_read(ingest: Ingest, monkeypatch: pytest.MonkeyPatch):
    with pytest.raises(UnsupportedFile):
        ingest.add_bytes("a.exe", b"MZ", "default")
    with pytest.raises(UnreadableFile):
        ingest.add_bytes("a.txt", b"  \n", "default")
    with pytest.raises(FileTooLarge):
        ingest.add_bytes("a.txt", b"x" * (100 * 1024 * 1024 + 1), "default")
    assert ingest.collections() == []


# --- listing and deleting


def test_unknown_collections_and_documents(ingest: Ingest, folder: Path):
    with pytest.raises(UnknownCollection, match="no collection 'default'") as caught:
        ingest.documents("default")
    assert "assistant ingest PATH" in caught.value.hint
    ingest.add([folder], "default")
    with pytest.raises(UnknownCollection) as caught:
        ingest.document("0" * 16, "other")
    assert caught.value.hint == "There are: default. Choose with --collection NAME."
    with pytest.raises(UnknownDocument, match="'0000000000000000'") as missing:
        ingest.document("0" * 16, "default")
    assert "documents list" in missing.value.hint
    with pytest.raises(UnknownDocument):
        ingest.delete("0" * 16, "default")
    with pytest.raises(UnknownCollection):
        ingest.delete("0" * 16, "other")


def test_a_deleted_collection_leaves_nothing_and_can_be_made_again(ingest: Ingest, folder: Path, tmp_path: Path):
    ingest.add([folder], "default")
    ingest.add([folder / "a.txt"], "other")
    ids = ingest.library.chunk_ids("default")
    assert ingest.index.codes("default", ids, FakeEmbedder())
    ingest.delete_collection("default")
    assert [info.name for info in ingest.collections()] == ingest.index.collections() == ["other"]
    assert not ingest.index.codes("default", ids, FakeEmbedder())
    with pytest.raises(UnknownCollection):
        ingest.delete_collection("default")
    assert_whole(ingest, "other")
    other_model = opened(tmp_path / "home", FakeEmbedder("another", "e" * 64))
    with closing(other_model):
        assert set(outcomes(other_model.add([folder], "default")).values()) == {"added"}
        assert_whole(other_model)
    assert ingest.library.match("default", "ferry", 5)


def test_a_deletion_that_was_cut_off_is_no_burden(ingest: Ingest, folder: Path, tmp_path: Path):
    ingest.add([folder], "default")
    ingest.library.drop("default")  # and killed before the vectors went
    with closing(opened(tmp_path / "home", FakeEmbedder("another", "e" * 64))) as again:
        again.add([folder / "a.txt"], "default")
        assert_whole(again)


def test_delete(ingest: Ingest, folder: Path):
    ingest.add([folder], "default")
    name = ingest.documents("default")[0].id
    ingest.delete(name, "default")
    assert name not in {info.id for info in ingest.documents("default")}
    assert (folder / "a.txt").exists()
    assert_whole(ingest)
    assert outcomes(ingest.add([folder], "default"))["a.txt"] == "added"


def test_listing_loads_neither_chroma_nor_the_model(tmp_path: Path, folder: Path, embedder: FakeEmbedder):
    opened(tmp_path / "home", embedder).add([folder], "default")

    def refuse() -> FakeEmbedder:
        raise AssertionError("the model was loaded")

    again = Ingest(tmp_path / "home", refuse)
    assert len(again.documents("default")) == 3
    assert again.collections()[0].chunks == 3
    assert again._index is None
    again.delete(again.documents("default")[0].id, "default")
    again.close()


@pytest.mark.real
def test_opened_from_settings(tmp_path: Path, folder: Path):
    real_model("all-minilm-l6-v2")
    with closing(Ingest.open(Settings(home=tmp_path / "home"))) as ingest:
        assert set(outcomes(ingest.add([folder], "default")).values()) == {"added"}
        [info] = ingest.collections()
        assert info.embedder == "all-minilm-l6-v2"
        assert ingest.embedder.dimensions == 384
        assert_whole(ingest)


# --- progress and stopping


def test_progress_counts_files_and_chunks(ingest: Ingest, folder: Path):
    (folder / "long.txt").write_text(LONG)
    told: list[Progress] = []
    report = ingest.add([folder], "default", progress=told.append)
    files = [(step.done, step.total) for step in told if step.unit == "files"]
    assert files == [(0, 4), (1, 4), (2, 4), (3, 4), (4, 4)]
    chunks = [step.done for step in told if step.unit == "chunks"]
    assert chunks == sorted(chunks)
    assert chunks[-1] == sum(file.chunks for file in report.files)


def test_a_stop_keeps_what_is_complete_and_a_rerun_completes(
    ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingest_run, "BATCH", 4)
    (folder / "deep" / "d.txt").write_text(LONG)
    cancel = threading.Event()
    seen: list[int] = []

    def stop_within_the_long_one(step: Progress) -> None:
        if step.unit == "chunks":
            seen.append(step.done)
            if step.done > 8:
                cancel.set()

    report = ingest.add([folder], "default", progress=stop_within_the_long_one, cancel=cancel)
    assert report.stopped
    assert outcomes(report) == {"a.txt": "added", "b.md": "added", "c.txt": "added"}
    assert seen[-1] < 16
    assert_whole(ingest)
    report = ingest.add([folder], "default")
    assert not report.stopped
    assert outcomes(report)["d.txt"] == "added"
    assert_whole(ingest)


def test_a_stop_before_the_first_file(ingest: Ingest, folder: Path):
    cancel = threading.Event()
    cancel.set()
    report = ingest.add([folder], "default", cancel=cancel)
    assert report.stopped
    assert report.files == ()


def test_a_stop_within_a_new_cut_keeps_the_old_one(
    ingest: Ingest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingest_run, "BATCH", 2)
    (folder / "long.txt").write_text(LONG)
    ingest.add([folder / "long.txt"], "default")
    before = state(ingest)
    cancel = threading.Event()
    finer = opened(tmp_path / "home", FakeEmbedder(), max_chars=400)
    finer.add([folder / "long.txt"], "default", progress=lambda step: step.done > 5 and cancel.set(), cancel=cancel)
    assert state(finer) == before


# --- storage trouble


def full(*_: object, **__: object) -> None:
    raise OSError(errno.ENOSPC, "No space left on device")


@pytest.mark.parametrize("place", ["index", "library"])
def test_a_full_disk_in_the_middle_loses_nothing(
    ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch, place: str
):
    ingest.add([folder], "default")
    (folder / "a.txt").write_text("The ferry leaves at four.")
    (folder / "b.md").write_text("The lighthouse was torn down.")
    (folder / "long.txt").write_text(LONG)
    ingest.index.count("default")
    with monkeypatch.context() as patch:
        if place == "index":
            handle = type(ingest.index._handle("default"))
            patch.setattr(handle, "upsert", full)
        else:
            patch.setattr("assistant.lexical.Words.add", full)
        with pytest.raises(StorageError, match=r"No space left|disk is full"):
            ingest.add([folder], "default")
    names = {info.file: ingest.document(info.id, "default").text for info in ingest.documents("default")}
    assert names["a.txt"] == "The ferry leaves at nine."
    assert set(names) == {"a.txt", "b.md", "c.txt"}
    report = ingest.add([folder], "default")
    assert outcomes(report) == {"a.txt": "changed", "b.md": "changed", "c.txt": "unchanged", "long.txt": "added"}
    assert_whole(ingest)


def test_a_lost_index_is_made_again_from_the_texts(ingest: Ingest, folder: Path, tmp_path: Path):
    ingest.add([folder], "default")
    ingest.add_bytes("only-here.txt", b"Text that is in no file.", "default")
    before = state(ingest)
    ingest.index.reset()
    assert ingest.index.count("default") == 0
    (folder / "new.txt").write_text("Any ingest will do.")
    ingest.add([folder / "new.txt"], "default")
    after = state(ingest)
    assert set(before["index"]) < set(after["index"])
    assert_whole(ingest)


def test_a_damaged_index_is_made_again(ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch):
    ingest.add([folder], "default")
    before = state(ingest)
    monkeypatch.setattr(ingest.index._folder, "_readable", lambda _: False)
    ingest.index._folder.suspect()
    with pytest.raises(StorageError, match="damaged"):
        ingest.index.count("default")
    monkeypatch.undo()
    assert set(outcomes(ingest.add([folder], "default")).values()) == {"unchanged"}
    assert state(ingest) == before


def test_strangers_in_the_index_leave(ingest: Ingest, folder: Path, embedder: FakeEmbedder):
    ingest.add([folder], "default")
    before = state(ingest)
    chunks = list(ingest.library.chunks("default", ingest.library.chunk_ids("default")).values())
    ingest.index.add("default", [replace(chunks[0], id="stranger")], embedder.embed(["x"]), embedder)
    ingest.add([folder], "default")
    assert state(ingest) == before


def test_a_second_ingest_waits_and_then_names_the_first(
    ingest: Ingest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingest_module, "LOCK_WAIT_S", 0.2)
    (tmp_path / "home" / "ingest.pid").write_text("4711")
    with FileLock(tmp_path / "home" / "ingest.lock"):
        with pytest.raises(StorageError, match="process 4711") as caught:
            ingest.add([folder], "default")
        with pytest.raises(StorageError):
            ingest.add_bytes("a.txt", b"text", "default")
        with pytest.raises(StorageError):
            ingest.delete("0" * 16, "default")
    assert "Try again" in caught.value.hint
    ingest.add([folder], "default")
    assert (tmp_path / "home" / "ingest.pid").read_text() == str(os.getpid())


def test_a_second_ingest_that_comes_in_time(
    ingest: Ingest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingest_module, "LOCK_WAIT_S", 60)
    second = opened(tmp_path / "home", FakeEmbedder())
    started = threading.Event()

    def slow(step: Progress) -> None:
        started.set()
        time.sleep(0.05)

    thread = threading.Thread(target=lambda: ingest.add([folder], "default", progress=slow))
    thread.start()
    started.wait()
    assert set(outcomes(second.add([folder], "default")).values()) == {"unchanged"}
    thread.join()
    assert_whole(second)


def test_threads_of_one_process_wait_for_each_other_without_end(
    ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setattr(ingest_module, "LOCK_WAIT_S", 0.05)
    started, go_on = threading.Event(), threading.Event()

    def slow(step: Progress) -> None:
        started.set()
        go_on.wait()

    first = threading.Thread(target=lambda: ingest.add([folder], "default", progress=slow))
    first.start()
    started.wait()
    stop = threading.Event()
    stop.set()
    assert ingest.add([folder], "default", cancel=stop).stopped
    uploads: list[str] = []
    second = threading.Thread(target=lambda: uploads.append(ingest.add_bytes("u.txt", b"Up.", "default").outcome))
    second.start()
    second.join(0.5)
    assert second.is_alive()
    go_on.set()
    second.join()
    first.join()
    assert uploads == ["added"]
    assert len(ingest.documents("default")) == 4
    assert_whole(ingest)


def test_a_home_without_permission_or_that_is_a_file(tmp_path: Path):
    (tmp_path / "home").write_text("x")
    with pytest.raises(StorageError, match="home"):
        opened(tmp_path / "home", FakeEmbedder())


# --- watching


def test_watch_follows_changes(ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ingest_module, "DEBOUNCE_MS", 100)
    cancel = threading.Event()
    reports = ingest.watch([folder], "default", cancel=cancel)
    assert set(outcomes(next(reports)).values()) == {"added"}
    (folder / "a.txt").write_text("Changed before the watching began.")
    assert outcomes(next(reports))["a.txt"] == "changed"
    changer = threading.Timer(0.4, lambda: (folder / "b.md").unlink())
    changer.start()
    assert outcomes(next(reports))["b.md"] == "removed"
    (folder / "new.txt").write_text("New.")
    assert outcomes(next(reports))["new.txt"] == "added"
    cancel.set()
    assert list(reports) == []
    assert_whole(ingest)


def test_watch_of_a_file_that_comes_and_goes(ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ingest_module, "DEBOUNCE_MS", 100)
    cancel = threading.Event()
    reports = ingest.watch([folder / "a.txt"], "default", cancel=cancel)
    assert outcomes(next(reports)) == {"a.txt": "added"}
    (folder / "a.txt").unlink()
    assert outcomes(next(reports)) == {"a.txt": "removed"}
    (folder / "a.txt").write_text("Back.")
    assert outcomes(next(reports)) == {"a.txt": "added"}
    cancel.set()


def test_watch_waits_for_another_process(
    ingest: Ingest, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    monkeypatch.setattr(ingest_module, "DEBOUNCE_MS", 100)
    monkeypatch.setattr(ingest_module, "LOCK_WAIT_S", 0.05)
    cancel = threading.Event()
    reports = ingest.watch([folder], "default", cancel=cancel)
    for text in ("It is held before the first run.", "It is held later on."):
        (folder / "a.txt").write_text(text)
        other = FileLock(tmp_path / "home" / "ingest.lock", thread_local=False)
        other.acquire()
        threading.Timer(0.8, other.release).start()
        assert outcomes(next(reports))["a.txt"] in ("added", "changed")
    assert [info.file for info in ingest.documents("default")].count("a.txt") == 1
    assert caplog.text.count("Another ingest is writing") == 2
    cancel.set()


def test_watch_passes_over_what_cannot_matter(ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ingest_module, "DEBOUNCE_MS", 100)
    cancel = threading.Event()
    rounds = 0
    follow = ingest._follow

    def counted(*arguments: Any) -> IngestReport:
        nonlocal rounds
        rounds += 1
        return follow(*arguments)

    monkeypatch.setattr(ingest, "_follow", counted)
    reports = ingest.watch([folder], "default", cancel=cancel)
    next(reports)
    changes = iter([{(Change.modified, "/x.bin")}, set(), {(Change.added, "/x"), (Change.added, "/y.part")}])
    assert not any(ingest_module._matters(kind, path, ["/n.bin"]) for change in changes for kind, path in change)
    for kind, path in [
        (Change.modified, "/x.log"),
        (Change.modified, "/X.TXT"),
        (Change.added, "/old.doc"),
        (Change.added, "/n.bin"),
        (Change.added, str(folder)),
        (Change.deleted, "/x.bin"),
    ]:
        assert ingest_module._matters(kind, path, ["/n.bin"]), path

    def grow() -> None:
        for _ in range(8):
            with (folder / "grows.bin").open("a") as file:
                file.write("line\n")
            time.sleep(0.15)
        (folder / "new.txt").write_text("New.")

    threading.Thread(target=grow).start()
    assert outcomes(next(reports))["new.txt"] == "added"
    assert rounds == 3  # the first, what changed during the first, and the new file
    cancel.set()


def test_watch_ends_when_its_folder_goes(ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(ingest_module, "DEBOUNCE_MS", 100)
    reports = ingest.watch([folder], "default")
    next(reports)
    folder.rename(folder.with_name("away"))
    with pytest.raises(UnreadableFile, match=r"is gone|Cannot watch"):
        next(reports)
    assert len(ingest.documents("default")) == 3
