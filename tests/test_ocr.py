"""Scans: how tesseract is asked and found, what the person is told, and how an ingest deals with them.

Most tests put a script in its place, which is quick and can fail on demand; those at the end use the real one.
"""

from __future__ import annotations

import io
import os
import shutil
import threading
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pypdfium2 as pdfium
import pytest
from fake_embedder import FakeEmbedder
from pdf_maker import IMAGE, pdf, show
from PIL import Image

from assistant import doctor, ocr, read_picture, readers, tesseract
from assistant.content import Content
from assistant.documents import read, read_bytes
from assistant.errors import BadSettings, DamagedFile, OcrMissing, ReaderFailed, ScannedFile, UnsupportedFile
from assistant.ingest import Ingest
from assistant.records import Progress
from assistant.sandbox import Cancelled, Sandbox
from assistant.settings import ReadSection, load
from assistant.tesseract import Ocr, Picture

ENGLISH = Ocr("eng", lambda done, total: None)
BLANK = Picture(b"\xff" * 100, 10, 10, 300)
SCANS = Path(__file__).parents[2] / "shared/evaldata/docs/files"


def hocr(*lines: str, sure: int = 95) -> str:
    """A page as tesseract describes it, at 300 dots an inch, all lines in one paragraph."""
    shown = []
    for row, line in enumerate(lines):
        top, left, words = 300 + 50 * row, 300, []
        for word in line.split():
            right = left + 20 * len(word)
            title = f"bbox {left} {top} {right} {top + 40}; x_wconf {sure}"
            words.append(f"<span class='ocrx_word' title='{title}'>{word}</span>")
            left = right + 12
        title = f"bbox 300 {top} {left} {top + 40}; baseline 0 -9; x_size 40"
        shown.append(f"<span class='ocr_line' title='{title}'>{' '.join(words)}</span>")
    paragraph = f"<p class='ocr_par' lang='eng' title='bbox 300 300 2000 900'>{''.join(shown)}</p>"
    return f"<html xmlns='http://www.w3.org/1999/xhtml'><body>{paragraph}</body></html>"


@dataclass
class Fake:
    """A program called tesseract, first on PATH."""

    folder: Path

    def says(self, page: str, languages: str = "eng osd", before: str = "") -> None:
        """It reads `page` everywhere. `before` are shell commands that come first."""
        (self.folder / "page.hocr").write_text(page, "utf-8")
        self.does(f"{before}\ncat >/dev/null\ncat '{self.folder}/page.hocr'", languages)

    def does(self, commands: str, languages: str = "eng osd") -> None:
        known = "\\n".join(languages.split())
        script = f"""#!/bin/sh
case "$1" in
--version) echo 'tesseract 5.9'; exit;;
--list-langs) printf 'List of available languages in "/x/" (2):\\n{known}\\n'; exit;;
esac
echo "$OMP_THREAD_LIMIT $*" >>'{self.folder}/asked'
{commands}
"""
        path = self.folder / "tesseract"
        path.write_text(script)
        path.chmod(0o755)

    def gone(self) -> None:
        (self.folder / "tesseract").unlink()

    def asked(self) -> list[str]:
        log = self.folder / "asked"
        return log.read_text().splitlines() if log.is_file() else []


@pytest.fixture
def fake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fake:
    """Nothing but the fake is on PATH, and at first it is not there either."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("cat", "sleep"):
        (folder / name).symlink_to(str(shutil.which(name)))
    monkeypatch.setenv("PATH", str(folder))
    return Fake(folder)


def scan(*pages: str, how: Ocr | None = ENGLISH) -> Content:
    return readers.read(pdf(pages), "a.pdf", how)


# --- what is read


def test_a_scan_is_read_page_by_page(fake: Fake) -> None:
    fake.says(hocr("The keeper wrote the wea-", "ther into a book."))
    pages: list[tuple[int, int]] = []
    content = scan(IMAGE, "", IMAGE, how=Ocr("eng", lambda done, total: pages.append((done, total))))
    assert content.text == "\n\n".join(["The keeper wrote the weather into a book."] * 2)
    assert content.pages == (0, 43, 43)
    assert content.notes[0] == "Read by OCR (eng), may hold misreadings: 2 pages (1, 3) of 3."
    assert not content.awaits_ocr
    assert pages == [(0, 2), (1, 2), (2, 2)]
    assert fake.asked()[0].startswith("1 stdin stdout --dpi 300 --psm 1 -l eng ")


def test_of_a_mixed_file_only_pages_without_text_are_read_by_ocr(fake: Fake) -> None:
    fake.says(hocr("Scanned words."))
    content = scan(show([(72, 700, "Real words.")]), IMAGE)
    assert content.text == "Real words.\n\nScanned words."
    assert len(fake.asked()) == 1
    assert "page 2 of 2" in content.notes[0]


def test_pages_without_text_that_ocr_can_find_are_told(fake: Fake) -> None:
    fake.says(hocr())
    content = scan(show([(72, 700, "Words")]), IMAGE)
    assert content.notes[0] == "OCR found no text on page 2 of 2."
    with pytest.raises(ScannedFile, match="OCR found no text on its only page") as caught:
        scan(IMAGE)
    assert not isinstance(caught.value, OcrMissing)
    assert "read.ocr_languages (now eng)" in caught.value.hint


def test_words_whose_boxes_touch_are_apart_where_there_are_spaces(fake: Fake) -> None:
    page = hocr("Page 2 of 3")
    for before in (380, 412, 444, 464, 496):  # the right edges are put at the left ones of the words behind
        page = page.replace(f" {before} 340;", f" {before + 12} 340;")
    fake.says(page)
    assert scan(IMAGE).text == "Page 2 of 3"


def test_words_read_with_doubt_are_told(fake: Fake) -> None:
    fake.says(hocr("some doubtful words here", sure=30))
    assert "unsure of 100% of the words" in scan(IMAGE).notes[1]
    fake.says(hocr("some sure words here"))
    assert len(scan(IMAGE).notes) == 1


def test_without_the_program_the_person_is_told_how_to_get_it(fake: Fake) -> None:
    with pytest.raises(OcrMissing, match="tesseract, which could read it, is not installed") as caught:
        scan(IMAGE)
    assert "Install it with " in caught.value.hint
    assert "it is read then" in caught.value.hint
    content = scan(show([(72, 700, "Words")]), IMAGE)
    assert content.awaits_ocr
    assert content.notes[0].startswith("Without text, perhaps scanned: page 2 of 2; tesseract")


def test_ocr_can_be_off(fake: Fake) -> None:
    fake.says(hocr("Scanned words."))
    with pytest.raises(OcrMissing, match="text recognition is off") as caught:
        scan(IMAGE, how=None)
    assert "read.ocr" in caught.value.hint
    assert not fake.asked()


def test_a_language_that_is_not_installed_is_named(fake: Fake, monkeypatch: pytest.MonkeyPatch) -> None:
    fake.says(hocr("Words"), languages="eng deu")
    (fake.folder / "apt-get").symlink_to(fake.folder / "cat")
    monkeypatch.setattr("sys.platform", "linux")
    with pytest.raises(OcrMissing, match=r'tesseract cannot read "chi_sim" \(it has deu, eng\)') as caught:
        scan(IMAGE, how=Ocr("eng+chi_sim", lambda done, total: None))
    assert "`sudo apt-get install tesseract-ocr-chi-sim`" in caught.value.hint
    assert not fake.asked()


@pytest.mark.parametrize(
    ("system", "manager", "command"),
    [
        ("linux", "apt-get", "`sudo apt-get install tesseract-ocr tesseract-ocr-eng tesseract-ocr-deu`"),
        ("linux", "dnf", "`sudo dnf install tesseract tesseract-langpack-eng tesseract-langpack-deu`"),
        ("linux", "nothing", "https://tesseract-ocr.github.io"),
        ("darwin", "nothing", "`brew install tesseract tesseract-lang`"),
    ],
)
def test_how_to_install_it_fits_the_system(system, manager, command, fake, monkeypatch) -> None:
    (fake.folder / manager).symlink_to(fake.folder / "cat")
    monkeypatch.setattr("sys.platform", system)
    with pytest.raises(tesseract.Unavailable) as caught:
        tesseract.check("eng+deu")
    assert command in caught.value.hint


def test_a_failing_program_fails_its_page_only(fake: Fake) -> None:
    fake.says(
        hocr("Words."),
        before=f"if [ ! -e '{fake.folder}/once' ]; then : >'{fake.folder}/once'; echo Oh >&2; exit 3; fi",
    )
    content = scan(IMAGE, IMAGE)
    assert content.text == "Words."
    assert "Not read, as tesseract failed with exit code 3: Oh: page 1 of 2." in content.notes
    fake.does("exec cat /nowhere")
    with pytest.raises(ScannedFile, match="OCR failed: tesseract failed with exit code 1"):
        scan(IMAGE)
    fake.does("echo nothing like hOCR")
    with pytest.raises(ScannedFile, match="OCR failed: the answer of tesseract is no hOCR"):
        scan(IMAGE)


def test_a_page_that_takes_too_long_fails(fake: Fake) -> None:
    fake.does("exec sleep 60")
    with pytest.raises(tesseract.Failed, match=r"took longer than 0\.2 s"):
        tesseract.hocr(BLANK, "eng", limit_s=0.2)


def test_a_program_that_cannot_be_started_is_unavailable(fake: Fake) -> None:
    (fake.folder / "tesseract").write_bytes(b"\x7fELF nonsense")
    (fake.folder / "tesseract").chmod(0o755)
    with pytest.raises(tesseract.Unavailable, match="cannot be started"):
        tesseract.check("eng")


# --- pictures


def picture(kind: str, pages: int = 1, **more) -> bytes:
    out = io.BytesIO()
    image = Image.new("L", (850, 1100), 255)
    image.save(out, kind, **({"save_all": True, "append_images": [image] * (pages - 1)} if pages > 1 else {}), **more)
    return out.getvalue()


@pytest.mark.parametrize(("kind", "name"), [("PNG", "a.png"), ("JPEG", "a.jpeg"), ("TIFF", "a.tif"), ("GIF", "a.gif")])
def test_pictures_of_text_are_read(kind: str, name: str, fake: Fake) -> None:
    fake.says(hocr("Words of a picture."))
    content = readers.read(picture(kind), name, ENGLISH)
    assert (content.text, content.pages) == ("Words of a picture.", ())
    assert content.notes == ("Read by OCR (eng), may hold misreadings: page 1 of 1.",)


def test_a_tiff_may_have_pages(fake: Fake) -> None:
    fake.says(hocr("Page."))
    assert readers.read(picture("TIFF", 3), "a.tiff", ENGLISH).pages == (0, 7, 14)


def test_a_picture_says_how_fine_it_is_or_is_taken_for_a_page(fake: Fake) -> None:
    fake.says(hocr("Page."))
    readers.read(picture("PNG", dpi=(200, 200)), "a.png", ENGLISH)
    readers.read(picture("PNG", dpi=(1, 1)), "a.png", ENGLISH)
    assert [asked.split()[4] for asked in fake.asked()] == ["200", "94"]


def test_a_transparent_picture_stands_on_white(fake: Fake) -> None:
    out = io.BytesIO()
    Image.new("RGBA", (30, 20), (0, 0, 0, 0)).save(out, "PNG")
    drawn = read_picture._draw(Image.open(out), 1)
    assert (drawn.pixels, drawn.width, drawn.height) == (b"\xff" * 600, 30, 20)


def test_pictures_that_cannot_be_read(fake: Fake, tmp_path: Path) -> None:
    with pytest.raises(OcrMissing, match=r"a\.png is scanned: its only page is a picture without text"):
        readers.read(picture("PNG"), "a.png", ENGLISH)
    fake.says(hocr("Words"))
    with pytest.raises(DamagedFile):
        readers.read(picture("PNG")[:100], "a.png", ENGLISH)
    with pytest.raises(DamagedFile, match="does not begin as a picture does"):
        readers.read(b"Just words", "a.png", ENGLISH)
    with pytest.raises(UnsupportedFile, match=r"\.heic"):
        read_bytes(b"x", "a.heic", "upload/a.heic")


# --- the process that parses, and the ingest


def test_the_limit_of_time_is_one_of_each_page(fake: Fake) -> None:
    fake.says(hocr("Words."), before="sleep 0.6")
    with Sandbox(time_s=2.0, ocr="eng") as sandbox:
        sandbox.read(pdf([show([(72, 700, "Words.")])]), "b.pdf")  # the process has started
        assert len(sandbox.read(pdf([IMAGE] * 5), "a.pdf").pages) == 5


def test_what_reads_a_scan_ends_with_the_reader(fake: Fake) -> None:
    mark = fake.folder / "pid"
    fake.does(f"echo $$ >'{mark}'; exec sleep 60")
    with Sandbox(ocr="eng") as sandbox:
        sandbox.read(pdf([show([(72, 700, "Words.")])]), "b.pdf")  # the process has started
        sandbox._time_s = 1.5
        with pytest.raises(ReaderFailed, match=r"longer than 1\.5 s"):
            sandbox.read(pdf([IMAGE]), "a.pdf")
    assert is_over(int(mark.read_text()))


def test_reading_a_scan_can_be_cancelled(fake: Fake) -> None:
    mark = fake.folder / "pid"
    fake.does(f"echo $$ >'{mark}'; exec sleep 60")
    cancel = threading.Event()
    with Sandbox(cancel=cancel, ocr="eng", on_page=lambda done, total: cancel.set()) as sandbox:
        before = time.monotonic()
        with pytest.raises(Cancelled):
            sandbox.read(pdf([IMAGE]), "a.pdf")
    assert time.monotonic() - before < 10
    pid = mark.read_text().strip() if mark.is_file() else ""  # it may end between making the file and writing it
    assert not pid or is_over(int(pid))


def is_over(pid: int) -> bool:
    """Whether a process ended; one that nobody waits for may stay as a zombie."""
    until = time.monotonic() + 5
    while time.monotonic() < until:
        try:
            if psutil.Process(pid).status() == psutil.STATUS_ZOMBIE:
                return True
        except psutil.NoSuchProcess:
            return True
        time.sleep(0.05)
    return False


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "texts"
    made.mkdir()
    return made


def add(folder: Path, progress: list[Progress] | None = None, languages: str = "eng") -> dict[str, tuple[str, str]]:
    """Outcome and detail of each file by its name."""
    ingest = Ingest(folder.parent / "home", FakeEmbedder, ocr=languages)
    try:
        report = ingest.add([folder], "default", progress=progress.append if progress is not None else None)
    finally:
        ingest.close()
    return {file.path.removeprefix(f"{folder}/"): (file.outcome, file.detail) for file in report.files}


def test_a_scan_that_failed_is_read_when_tesseract_is_there(fake: Fake, folder: Path) -> None:
    (folder / "scan.pdf").write_bytes(pdf([IMAGE, IMAGE]))
    (folder / "two.pdf").write_bytes(pdf([IMAGE], info="/Title (Another)"))
    outcome, detail = add(folder)["scan.pdf"]
    assert outcome == "failed"
    assert "Install it with" in detail
    fake.says(hocr("Scanned words."))
    told: list[Progress] = []
    outcome, detail = add(folder, told)["scan.pdf"]
    assert outcome == "added"
    assert detail.startswith("Read by OCR (eng), may hold misreadings: 2 pages (1, 2) of 2.")
    pages = [(each.done, each.total) for each in told if each.step == "Reading scans"]
    assert pages == [(0, 2), (1, 2), (2, 2), (2, 3), (3, 3)]


def test_pages_left_out_are_read_when_tesseract_is_there(fake: Fake, folder: Path) -> None:
    (folder / "a.pdf").write_bytes(pdf([show([(72, 700, "Real words.")]), IMAGE]))
    assert add(folder)["a.pdf"][0] == "added"
    assert add(folder)["a.pdf"][0] == "unchanged"
    fake.says(hocr("Scanned words."), languages="eng deu")
    assert add(folder, languages="")["a.pdf"][0] == "unchanged"
    assert add(folder, languages="fra")["a.pdf"][0] == "unchanged"
    assert add(folder)["a.pdf"] == (
        "changed",
        "Read by OCR (eng), may hold misreadings: page 2 of 2.",
    )
    assert add(folder)["a.pdf"][0] == "unchanged"
    assert add(folder, languages="deu")["a.pdf"][0] == "unchanged"
    fake.gone()
    assert add(folder)["a.pdf"][0] == "unchanged"


def test_scans_in_an_archive_are_read_when_tesseract_is_there(fake: Fake, folder: Path) -> None:
    with zipfile.ZipFile(folder / "a.zip", "w") as archive:
        archive.writestr("scan.pdf", pdf([IMAGE]))
        archive.writestr("b.txt", "Words of b.")
    assert add(folder)["a.zip/scan.pdf"][0] == "failed"
    assert {name: outcome for name, (outcome, _) in add(folder).items()} == {
        "a.zip": "unchanged",
        "a.zip/scan.pdf": "failed",  # told again
        "a.zip/b.txt": "unchanged",
    }
    fake.says(hocr("Scanned words."))
    found = {name: outcome for name, (outcome, _) in add(folder).items()}
    assert found == {"a.zip/scan.pdf": "added", "a.zip/b.txt": "unchanged", "a.zip": "changed"}
    assert {outcome for outcome, _ in add(folder).values()} == {"unchanged"}


def test_pictures_are_read_where_they_are_named_and_not_in_folders(fake: Fake, folder: Path) -> None:
    fake.says(hocr("Words of a picture."))
    (folder / "a.txt").write_text("Words")
    (folder / "a.png").write_bytes(picture("PNG"))
    assert add(folder).keys() == {"a.txt"}
    assert add(folder / "a.png").popitem()[1][0] == "added"


# --- settings and doctor


@pytest.mark.parametrize("value", ["", "eng+", "+eng", "eng deu", "../eng", "-l", "eng,deu"])
def test_wrong_languages_are_refused(value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(BadSettings, match=r"read\.ocr_languages = .*such as eng or eng\+deu"):
        load(read={"ocr_languages": value})


@pytest.mark.parametrize("value", ["eng", "eng+deu", "chi_sim+deu_latf"])
def test_languages(value: str) -> None:
    assert load(read={"ocr_languages": value}).read.ocr_languages == value


def test_the_settings_reach_the_ingest(tmp_path: Path) -> None:
    for how, languages in (("auto", "deu"), ("off", "")):
        ingest = Ingest.open(load(home=tmp_path, read={"ocr": how, "ocr_languages": "deu"}))
        assert ingest._ocr == languages
        ingest.close()


def test_doctor_says_whether_scans_are_read(fake: Fake) -> None:
    assert "Install it with" in doctor.scans(ReadSection())["state"]
    fake.says(hocr("Words"))
    facts = doctor.scans(ReadSection())
    assert (facts["state"], facts["version"], facts["installed_languages"]) == (
        "read by OCR", "tesseract 5.9", ["eng", "osd"],
    )  # fmt: skip
    assert "off" in doctor.scans(ReadSection(ocr="off"))["state"]
    assert 'cannot read "deu"' in doctor.scans(ReadSection(ocr_languages="deu"))["state"]


# --- the real program

LINES = (
    "The keeper of the lamp wrote down what the sea and the",
    "weather did in the hours of the night, and which ships",
    "passed the light on their way to the harbour. When there",
    "was fog he rang the bell, and in the morning he counted",
    "the birds that had flown against the glass, drew their",
    "wings on the last page and went down the stairs to sleep.",
)


@pytest.fixture
def real() -> Iterator[Sandbox]:
    try:
        tesseract.check("eng")
    except tesseract.Unavailable as error:
        pytest.skip(f"needs tesseract: {error.why}")
    with Sandbox(ocr="eng") as sandbox:
        yield sandbox


def drawn(turned: int = 0) -> Image.Image:
    """A page with text as a picture of 200 dots an inch."""
    page = pdfium.PdfDocument(pdf([show([(72, 700 - 24 * n, line) for n, line in enumerate(LINES)], size=14)]))[0]
    return page.render(scale=200 / 72, grayscale=True, rotation=turned).to_pil()


@pytest.mark.parametrize("turned", [0, 90, 180, 270])
def test_a_real_scan_is_read(turned: int, real: Sandbox) -> None:
    out = io.BytesIO()
    drawn(turned).save(out, "PDF", resolution=200)
    document = read_bytes(out.getvalue(), "a.pdf", "upload/a.pdf", sandbox=real)
    assert document.text.split() == " ".join(LINES).split()
    assert "OCR" in document.notes[0]


def test_a_real_picture_is_read(real: Sandbox) -> None:
    out = io.BytesIO()
    drawn().save(out, "PNG")
    assert read_bytes(out.getvalue(), "a.png", "upload/a.png", sandbox=real).text.split() == " ".join(LINES).split()


def test_a_real_scan_with_tables(real: Sandbox) -> None:
    path = SCANS / "markitdown__MEDRPT-2024-PAT-3847_medical_report_scan.pdf"
    if not path.is_file():
        pytest.skip(f"needs {path}")
    document = read(path, sandbox=real)
    assert len(document.pages) == 3
    assert "HbA" in document.text[document.pages[1] : document.pages[2]]
    assert "Blood Pressure | 142/88 mmHg | 120/80 mmHg | ELEVATED" in document.text


def test_the_drawing_is_no_larger_than_allowed(real: Sandbox) -> None:
    from assistant import pdf_page

    document = pdfium.PdfDocument(pdf([IMAGE]))
    drawing = pdf_page.draw(document, 0, ocr.DPI, 1000)
    assert (drawing.width, drawing.height, len(drawing.pixels)) == (773, 1000, 773 * 1000)
    assert drawing.dpi == 91
    assert os.environ.get("OMP_THREAD_LIMIT") is None  # it is set for tesseract alone
