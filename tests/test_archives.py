"""Archives: the files in them are documents of their own, and nothing in one does harm."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_embedder import FakeEmbedder
from pdf_maker import IMAGE, pdf, show

from assistant import ingest_run
from assistant import packed as packed_module
from assistant.errors import DamagedFile, EncryptedFile, UnreadableFile
from assistant.ingest import Ingest
from assistant.records import Chunk, Document, IngestReport
from assistant.unpack import Archive


def packed(files: dict[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    ingest = Ingest(tmp_path / "home", FakeEmbedder, max_chars=400)
    yield ingest
    ingest.close()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "docs").mkdir()
    return tmp_path / "docs"


def outcomes(report: IngestReport, folder: Path) -> dict[str, str]:
    return {file.path.removeprefix(f"{folder}/"): file.outcome for file in report.files}


def test_files_in_an_archive_are_documents(ingest: Ingest, folder: Path):
    page = pdf([show([(72, 700, "On the first page")]), show([(72, 700, "On the second page")])])
    scan = pdf([IMAGE])
    (folder / "a.zip").write_bytes(packed({"b/c.pdf": page, "d.txt": "Words of d.", "scan.pdf": scan, "x.exe": b"MZ"}))
    report = ingest.add([folder], "default")
    assert outcomes(report, folder) == {
        "a.zip/b/c.pdf": "added", "a.zip/d.txt": "added", "a.zip/scan.pdf": "failed", "a.zip": "added",
    }  # fmt: skip
    assert "scanned" in next(file.detail for file in report.files if file.path.endswith("scan.pdf"))
    infos = {info.path.removeprefix(f"{folder}/"): info for info in ingest.documents("default")}
    assert infos["a.zip/b/c.pdf"].file == "c.pdf"
    assert len(ingest.document(infos["a.zip/b/c.pdf"].id, "default").pages) == 2
    again = ingest.add([folder], "default", prune=True)
    assert {name for name, outcome in outcomes(again, folder).items() if outcome != "unchanged"} == {"a.zip/scan.pdf"}


def test_an_archive_that_changes_and_goes(ingest: Ingest, folder: Path):
    path = folder / "a.zip"
    path.write_bytes(packed({"stays.txt": "It stays.", "goes.txt": "It goes.", "changes.txt": "It is old."}))
    ingest.add([folder], "default")
    path.write_bytes(packed({"stays.txt": "It stays.", "changes.txt": "It is new.", "comes.txt": "It comes."}))
    assert outcomes(ingest.add([folder], "default", prune=True), folder) == {
        "a.zip/stays.txt": "unchanged", "a.zip/changes.txt": "changed", "a.zip/comes.txt": "added",
        "a.zip/goes.txt": "removed", "a.zip": "changed",
    }  # fmt: skip
    path.rename(folder / "b.zip")
    moved = outcomes(ingest.add([folder], "default"), folder)
    assert {name for name, outcome in moved.items() if outcome == "moved"} == {
        "b.zip/stays.txt", "b.zip/changes.txt", "b.zip/comes.txt", "b.zip",
    }  # fmt: skip
    (folder / "b.zip").unlink()
    (folder / "c.txt").write_text("Another.")
    ingest.add([folder], "default", prune=True)
    assert [info.file for info in ingest.documents("default")] == ["c.txt"]


def test_a_damaged_archive_keeps_what_was_read(ingest: Ingest, folder: Path):
    path = folder / "a.zip"
    path.write_bytes(packed({"a.txt": "Words."}))
    ingest.add([folder], "default")
    path.write_bytes(path.read_bytes()[:-30])
    report = ingest.add([folder], "default", prune=True)
    assert outcomes(report, folder) == {"a.zip": "failed"}
    assert len(ingest.documents("default")) == 2


def test_an_uploaded_archive(ingest: Ingest):
    outcome = ingest.add_bytes("a.zip", packed({"a.txt": "Words.", "b.pdf": b"junk"}), "default")
    assert outcome.outcome == "added"
    assert outcome.detail.startswith("1 files in it were read. b.pdf is damaged")
    assert {info.path for info in ingest.documents("default")} == {"upload/a.zip", "upload/a.zip/a.txt"}


def mailbox(*mails: tuple[str, str, str]) -> bytes:
    """Mails of so many days, subjects and bodies."""
    return b"".join(
        f"From jane@example.org Fri Dec  5 10:00:00 2025\nFrom: Jane Doe <jane@example.org>\n"
        f"Date: {day} Dec 2025 10:00:00 +0000\nSubject: {subject}\n\n{body}\n\n".encode()
        for day, subject, body in mails
    )


def test_each_mail_of_a_mailbox_is_a_document(ingest: Ingest, folder: Path):
    first, second = ("5", "Lamps", "Words of a lamp.\n\n>From here on it is dark."), ("6", "Oil: a/b", "Words of oil.")
    path = folder / "in.mbox"
    path.write_bytes(mailbox(first, second))
    names = ["in.mbox/2025-12-05 Lamps.eml", "in.mbox/2025-12-06 Oil a b.eml"]
    assert outcomes(ingest.add([folder], "default"), folder) == {**dict.fromkeys(names, "added"), "in.mbox": "added"}
    infos = {Path(info.path).name: info for info in ingest.documents("default")}
    lamp = infos["2025-12-05 Lamps.eml"]
    assert (lamp.title, lamp.author, lamp.date) == ("Lamps", "Jane Doe", "2025-12-05")
    assert "\nFrom here on" in ingest.document(lamp.id, "default").text
    assert ingest.document(infos["in.mbox"].id, "default").text == "Mails in the mailbox in.mbox: 2."

    path.write_bytes(mailbox(first, second, ("5", "Lamps", "More words.")))
    assert outcomes(ingest.add([folder], "default"), folder) == {
        **dict.fromkeys(names, "unchanged"), "in.mbox/2025-12-05 Lamps (2).eml": "added", "in.mbox": "changed",
    }  # fmt: skip
    path.unlink()
    ingest.add([folder], "default", prune=True)
    assert not ingest.documents("default")


def test_a_mailbox_in_an_archive_and_one_that_is_none(ingest: Ingest, folder: Path):
    files: dict[str, str | bytes] = {"in.mbox": mailbox(("5", "Lamps", "Words.")), "none.mbox": "Only words of mine."}
    (folder / "a.zip").write_bytes(packed({**files, "empty.mbox": ""}))
    assert outcomes(ingest.add([folder], "default"), folder) == {
        "a.zip/in.mbox/2025-12-05 Lamps.eml": "added", "a.zip/none.mbox/Mail without a subject.eml": "added",
        "a.zip": "added",
    }  # fmt: skip


def test_names_of_mails_are_names(ingest: Ingest, folder: Path):
    subjects = ["../../etc/passwd", "Re: .hidden", "", "x" * 300, "Lamps (2)", "Lamps", "Lamps", "a\x1bb"]
    subjects += ["Sale\u200b now", "Sale\u200c now"]
    data = mailbox(*(("5", subject, f"Words {number}.") for number, subject in enumerate(subjects)))
    members = Archive(data, "in.mbox").members
    assert len({member.name for member in members}) == len(subjects)
    assert not [member for member in members if member.problem or "/" in member.name or len(member.name) > 120]
    assert [member.name for member in members[4:7]] == [f"2025-12-05 Lamps{n}.eml" for n in (" (2)", "", " (3)")]


@pytest.mark.parametrize(
    "header",
    [
        "Date: Fri, 05 Dec 20250512103000 10:00:00 +0000",
        f"From: {'(' * 30_000}jane@example.org",
        "Subject: =?utf-8?q?broken",
        "Content-Type: multipart/mixed; boundary=",
    ],
)
def test_a_broken_mail_fails_no_mailbox(header: str, ingest: Ingest, folder: Path):
    broken = f"From - Fri Dec  5 10:00:00 2025\n{header}\n\nOther words.\n\n".encode()
    (folder / "in.mbox").write_bytes(mailbox(("5", "Lamps", "Words.")) + broken)
    assert [file.outcome for file in ingest.add([folder], "default").files] == ["added"] * 3
    assert [file.outcome for file in ingest.add([folder], "default").files] == ["unchanged"] * 3


def test_an_emptied_mailbox(ingest: Ingest, folder: Path):
    (folder / "in.mbox").write_bytes(mailbox(("5", "Lamps", "Words.")))
    ingest.add([folder], "default")
    (folder / "in.mbox").write_bytes(b"")
    report = ingest.add([folder], "default")
    assert outcomes(report, folder) == {"in.mbox/2025-12-05 Lamps.eml": "removed", "in.mbox": "changed"}
    assert report.files[-1].detail == "It holds no mail."


def test_the_author_of_a_mail_is_its_sender(ingest: Ingest, folder: Path):
    quoted = (
        "I agree.\n\nOn 1 Dec 2024 John wrote:\n\nThe lamp is old and burns too much oil.\n\nBest regards,\nJohn Roe"
    )
    (folder / "in.mbox").write_bytes(mailbox(("5", "Lamps", quoted)))
    ingest.add([folder], "default")
    mail = next(info for info in ingest.documents("default") if info.file.endswith(".eml"))
    assert (mail.author, mail.date) == ("Jane Doe", "2025-12-05")


@pytest.mark.parametrize("mark", ["From ", "From - Fri, 05 Dec 2025", "From a@example.org 2025-12-05 10:00:00"])
def test_postmarks_of_other_programs(mark: str):
    mails = [f"{mark}\nSubject: {subject}\n\nFrom 2019 on it was dark.\n" for subject in ("Lamps", "Oil")]
    names = [member.name for member in Archive("\n".join(mails).encode(), "in.mbox").members]
    assert names == ["Lamps.eml", "Oil.eml"]


def test_what_is_no_mailbox_is_named_as_what_it_is():
    with pytest.raises(UnreadableFile, match=r"in\.mbox is no mailbox: it is a PDF"):
        Archive(pdf([show([(72, 700, "Words")])]), "in.mbox")
    assert list(names(packed({"a.txt": "x"}))) == [
        member.name for member in Archive(packed({"a.txt": "x"}), "a.mbox").members
    ]


def test_a_mailbox_is_no_depth_of_archives():
    inner = packed({"in.mbox": mailbox(("5", "Lamps", "Words."))})
    assert list(names(packed({"b.zip": packed({"c.zip": inner})}))) == ["b.zip/c.zip/in.mbox/2025-12-05 Lamps.eml"]


def test_a_file_that_the_reader_failed_at_is_tried_again(
    ingest: Ingest, folder: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
):
    (folder / "a.zip").write_bytes(packed({"a.txt": "Words of a.", "b.txt": "Words of b.", "c.pdf": b"junk"}))
    split = ingest_run.cutting.split

    def fail(document: Document, *cut: int) -> list[Chunk]:
        if document.file == "b.txt":
            raise KeyError("b")
        return split(document, *cut)

    monkeypatch.setattr(ingest_run.cutting, "split", fail)
    report = ingest.add([folder], "default")
    assert outcomes(report, folder) == {
        "a.zip/a.txt": "added", "a.zip/b.txt": "failed", "a.zip/c.pdf": "failed", "a.zip": "added",
    }  # fmt: skip
    assert "b.txt cannot be read: it makes the reader fail (KeyError('b'))" in report.files[1].detail
    assert "KeyError" in caplog.text
    monkeypatch.setattr(ingest_run.cutting, "split", split)
    assert outcomes(ingest.add([folder], "default"), folder) == {
        "a.zip/a.txt": "unchanged", "a.zip/b.txt": "added", "a.zip/c.pdf": "failed", "a.zip": "changed",
    }  # fmt: skip
    assert outcomes(ingest.add([folder], "default"), folder) == {
        "a.zip/a.txt": "unchanged", "a.zip/b.txt": "unchanged", "a.zip/c.pdf": "failed", "a.zip": "unchanged",
    }  # fmt: skip


def test_what_failed_in_an_archive_is_told_again(ingest: Ingest, folder: Path):
    (folder / "a.zip").write_bytes(packed({"a.txt": "Words.", "b.pdf": b"junk", "../c.txt": "Out."}))
    first, again = (ingest.add([folder], "default") for _ in range(2))
    told = [
        [(file.path, file.detail) for file in report.files if file.outcome == "failed"] for report in (first, again)
    ]
    assert told[0] == told[1]
    assert ((first.read, first.embedded), (again.read, again.embedded)) == ((2, 2), (0, 0))
    assert first.took_s > 0
    assert [Path(path).name for path, _ in told[1]] == ["b.pdf", "c.txt"]
    (folder / "a.zip").write_bytes(packed({"a.txt": "Words.", "b.txt": "Whole."}))
    for _ in range(2):
        assert "failed" not in outcomes(ingest.add([folder], "default"), folder).values()


def test_files_of_unread_kinds_are_passed_over_as_in_a_folder(ingest: Ingest, folder: Path):
    (folder / "a.zip").write_bytes(packed({"a.txt": "Words.", "b.png": b"x", "in/c.png": b"x", "LICENCE": "x"}))
    (folder / "d.png").write_bytes(b"x")
    for outcome in ("added", "unchanged"):
        report = ingest.add([folder], "default")
        assert outcomes(report, folder) == {"a.zip/a.txt": outcome, "a.zip": outcome}
        assert report.passed_over == {".png": 3, "without a suffix": 1}
    detail = ingest.add_bytes("e.zip", packed({"e.txt": "Other words.", "b.png": b"x"}), "default").detail
    assert detail == "1 files in it were read. Of kinds that are not read: 1."


# --- what archives can hold


def names(data: bytes) -> dict[str, str]:
    return {member.name: member.problem for member in Archive(data, "a.zip").members}


@pytest.mark.parametrize("name", ["../up.txt", "a/../../up.txt", "/etc/hosts.txt", "C:\\x.txt", "..\\up.txt"])
def test_paths_that_lead_out_are_refused(name: str):
    assert set(names(packed({name: "x", "b.txt": "y"})).values()) == {"Its path leads out of the archive.", ""}


@pytest.mark.parametrize("name", ["Re: Contract.txt", "a: b/c.txt", "1:2.txt", "./a.txt"])
def test_odd_names_lead_nowhere(name: str):
    assert set(names(packed({name: "x"})).values()) == {""}


def test_a_file_counts_once_however_often_it_is_read(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(packed_module, "MAX_TOTAL", 3000)
    archive = Archive(packed({"a.txt": "a" * 1000, "b.txt": "b" * 1500}), "a.zip")
    for _ in range(3):
        assert [archive.digest(number) and len(archive.read(number).text) for number in (0, 1)] == [1000, 1500]


def test_hidden_folders_are_passed_over():
    files = {".git/config.txt": "x", "a/.venv/b.txt": "x", "a/.hidden.txt": "x", "a/b.txt": "y"}
    assert list(names(packed({**files, "in.zip": packed(files)}))) == ["a/b.txt", "in.zip/a/b.txt"]


def test_links_and_hidden_files_are_passed_over():
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        link = zipfile.ZipInfo("link.txt")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
        archive.writestr("__MACOSX/._a.txt", "x")
        archive.writestr("a.txt", "y")
    assert list(names(out.getvalue())) == ["a.txt"]


def test_archives_in_archives():
    inner = packed({"deep.txt": "Deep words."})
    assert list(names(packed({"in.zip": inner}))) == ["in.zip/deep.txt"]
    for _ in range(5):
        inner = packed({"in.zip": inner})
    (problem,) = names(inner).values()
    assert problem == "Archives are read 3 deep and no deeper."


def test_bombs_are_refused():
    bomb = packed({"a.txt": b"0" * 80_000_000})
    with pytest.raises(UnreadableFile, match="would become"):
        Archive(bomb, "a.zip")
    assert "would become" in names(packed({"in.zip": bomb, "b.txt": "x"}))["in.zip"]
    many = packed({f"{number}.txt": "" for number in range(10_001)})
    with pytest.raises(UnreadableFile, match="10,001 files"):
        Archive(many, "a.zip")


def test_a_zip_that_lies_about_sizes_is_damaged():
    data = packed({"a.txt": b"0" * 100_000})
    honest = (100_000).to_bytes(4, "little")
    archive = Archive(data.replace(honest, (10).to_bytes(4, "little")), "a.zip")
    with pytest.raises(DamagedFile):
        archive.read(0)


def test_encrypted_members_are_named():
    data = bytearray(packed({"a.txt": "Words."}))
    directory = data.index(b"PK\x01\x02")
    data[6] |= 1
    data[directory + 8] |= 1
    with pytest.raises(EncryptedFile, match=r"a\.txt in a\.zip is encrypted"):
        Archive(bytes(data), "a.zip").read(0)


def test_names_with_line_feeds(ingest: Ingest, folder: Path):
    (folder / "a.zip").write_bytes(packed({"one\ntwo.txt": "Words."}))
    (folder / "three\nfour.html").write_text("<p>More words.</p>")
    report = ingest.add([folder], "default")
    assert outcomes(report, folder) == {
        "a.zip/one\ufffdtwo.txt": "added", "a.zip": "added", "three\nfour.html": "added",
    }  # fmt: skip
