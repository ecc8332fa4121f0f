"""Files to documents: encodings, what is kept, and every kind of file that cannot be read."""

from __future__ import annotations

import codecs
import hashlib
import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from assistant.content import Content, Facts
from assistant.documents import SUFFIXES, SUMMARY, document, read, read_bytes
from assistant.errors import FileTooLarge, UnreadableFile, UnsupportedFile

TEXT = "Zürich’s naïve café: 5 €.\n中国 — 👍\n"


def text_of(data: bytes, name: str = "a.txt") -> str:
    return read_bytes(data, name, f"upload/{name}").text


def test_a_file_becomes_a_document(tmp_path: Path):
    path = tmp_path / "note.txt"
    data = b"A title\r\n2025-12-05\r\n\r\n  Some text, kept\tas it is.  \r\n\r\n\r\n"
    path.write_bytes(data)
    document = read(path)
    assert document.text == "A title\n2025-12-05\n\n  Some text, kept\tas it is.  \n\n\n"
    assert document.sha256 == hashlib.sha256(data).hexdigest()
    assert document.id == document.sha256[:16]
    assert (document.path, document.file, document.pages) == (str(path), "note.txt", ())
    assert (document.title, document.date, document.publisher) == ("A title", "2025-12-05", None)


def test_a_relative_path_becomes_absolute(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    (tmp_path / "a.md").write_text("Text.")
    monkeypatch.chdir(tmp_path)
    assert read(Path("a.md")).path == str(tmp_path / "a.md")


@pytest.mark.parametrize("name", ["a.txt", "a.md", "A.TXT", "b.c.Md"])
def test_known_suffixes(name: str):
    assert text_of(b"Text.", name) == "Text."


@pytest.mark.parametrize(
    ("mark", "encoding"),
    [
        (b"", "utf-8"),
        (codecs.BOM_UTF8, "utf-8"),
        (codecs.BOM_UTF16_LE, "utf-16-le"),
        (codecs.BOM_UTF16_BE, "utf-16-be"),
        (codecs.BOM_UTF32_LE, "utf-32-le"),
        (codecs.BOM_UTF32_BE, "utf-32-be"),
    ],
)
def test_unicode(mark: bytes, encoding: str):
    assert text_of(mark + TEXT.encode(encoding)) == TEXT


@pytest.mark.parametrize(
    ("encoding", "text"),
    [
        ("cp1252", "Le café était déjà fermé. “Naïve” résumé – coûte 5 €."),
        ("cp1252", "Café"),
        ("cp1252", "Der Fluss fließt über die Straße. Ärger & Öl…"),
        ("latin-1", "¿Qué comió el niño en España?"),
        ("gb18030", "中国的研发支出为3.6万亿元，创新指数排名第十一位。外交部发言人说。"),
        ("big5", "臺灣的研發支出為三兆元，創新指數排名第十一。"),
        ("shift_jis", "これは日本語の文章です。とても良い天気です。"),
        ("euc-kr", "한국어 문장입니다. 오늘 날씨가 좋습니다."),
        ("koi8-r", "Это русский текст, написанный для проверки кодировки файла."),
        ("cp1251", "Это русский текст, написанный для проверки кодировки файла."),
        ("cp1252", "Größe, Länge, Höhe, Fläche, Öffnung, Überhöhung und Übergröße sind für alle Gefäße angegeben."),
        ("gbk", "联通公司今天在北京发布了新的年度报告，收入增长百分之五。"),
        ("shift_jis", "東京タワーは高いです。毎日たくさんの人が来ます。"),
        ("koi8-r", "Погода сегодня выше всяких похвал, и в порту стоят три больших корабля."),
    ],
)
def test_encodings_from_before_unicode(encoding: str, text: str):
    assert text_of(text.encode(encoding)) == text


@pytest.mark.parametrize("mark", [b"", codecs.BOM_UTF8])
@pytest.mark.parametrize("stray", [b"\xff", b"\xe9", b"\xe2\x82"])
def test_a_damaged_byte_leaves_the_rest_of_a_utf_8_file_as_it_is(mark: bytes, stray: bytes):
    document = read_bytes(mark + TEXT.encode() + stray + b" and on", "a.txt", "upload/a.txt")
    assert document.text == f"{TEXT}\ufffd and on"
    assert document.notes == ("Characters that could not be read: 1.",)


def test_a_damaged_byte_in_a_web_page_that_names_its_encoding():
    page = '<meta charset="utf-8"><p>' + TEXT * 3
    assert "naïve caf\ufffd" in text_of(page.encode() + "naïve caf".encode() + b"\xe9.", "a.html")


def test_what_is_damaged_all_over_is_no_utf_8():
    with pytest.raises(UnsupportedFile, match="utf-8-sig"):
        text_of(codecs.BOM_UTF8 + b"\xff\xfe\xfa text " * 20)


def test_half_characters_are_replaced_in_all_that_is_kept():
    half = "\ud83d"
    facts = Facts(title=f"Boats {half}", author=f"Ann {half}")
    made = document(
        Content(f"a{half}b", facts=facts, notes=(f"{half} was left out.",), prose=False), "a", "a", "0" * 64
    )
    assert (made.text, made.title, made.author) == ("a\ufffdb", "Boats \ufffd", "Ann \ufffd")
    assert made.notes == ("\ufffd was left out.", "Characters that could not be read: 1.")
    assert text_of(b'{"a": "x\\ud83dy", "\\udc00": "\\ud83d\\ude00"}', "a.json") == "a: x\ufffdy\n\ufffd: 😀"


def test_a_text_that_mentions_the_mark_of_pdfs():
    for text in ("Ein Kürzel: %PDF-1.7 steht vorn.\n", "x\n%PDF-1.4\n", "%PDF-1.4 is how they begin.", "%PDF-x\n"):
        assert text_of(text.encode()) == text


@given(st.text(st.characters(exclude_categories=["Cs", "Cc"]), min_size=1).filter(lambda text: text.strip()))
def test_text_is_kept_exactly(text: str):
    assert text_of(f".{text}\n\t".encode()) == f".{text}\n\t"


@pytest.mark.parametrize("text", ["a\r\nb\rc\nd", "a\n\nb\r\r"])
def test_line_ends(text: str):
    assert text_of(text.encode()) == text.replace("\r\n", "\n").replace("\r", "\n")


@pytest.mark.parametrize("encoding", ["utf-16-le", "utf-16-be"])
def test_utf_16_without_a_mark(encoding: str):
    assert text_of("Text without a mark, 5 €.\r\nTwo".encode(encoding)) == "Text without a mark, 5 €.\nTwo"


def test_null_characters_of_wide_encodings_are_left_out():
    assert text_of("One\0 two three".encode("utf-16")) == "One two three"


def test_terminal_colours_and_form_feeds_are_text():
    log = "\x1b[31merror\x1b[0m\f\n" * 20
    assert text_of(log.encode()) == log


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\x01\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR", "null bytes"),
        (codecs.BOM_UTF16_LE + b"abc", "utf-16"),
        (codecs.BOM_UTF8 + b"abc\xff", "byte"),
        (b"text \x01\x02\x03\x04\x05 text", "control characters"),
        (bytes(range(128, 256)) * 8, "encoding|control characters"),
    ],
)
def test_binary_content_is_refused(data: bytes, reason: str):
    with pytest.raises(UnsupportedFile, match=reason) as caught:
        text_of(data)
    assert "a.txt" in caught.value.message
    assert "UTF-8" in caught.value.hint


@pytest.mark.parametrize("data", [b"", b" \n\t\r\n", codecs.BOM_UTF8, "\u200b\n".encode(), "\n".encode("utf-16")])
def test_files_without_text_are_refused(data: bytes):
    with pytest.raises(UnreadableFile, match=r"a\.txt holds no text"):
        text_of(data)


@pytest.mark.parametrize("name", ["a.bin", "README", ".txt", "a.txt.gz"])
def test_other_suffixes_are_refused_with_the_list_of_known_ones(name: str):
    with pytest.raises(UnsupportedFile) as caught:
        text_of(b"Text.", name)
    assert name in caught.value.message
    assert all(suffix in caught.value.hint for suffix in (".txt", ".pdf", ".docx", ".zip"))


def test_the_list_of_known_suffixes_is_true():
    assert set(re.findall(r"\.\w+", SUMMARY)) <= set(SUFFIXES)


def test_the_limit(tmp_path: Path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"x" * 1_048_576)
    assert len(read(path, 1_048_576).text) == 1_048_576
    with pytest.raises(FileTooLarge, match=r"a\.txt is larger than the limit of 0\.5 MB"):
        read(path, 524_288)
    with pytest.raises(FileTooLarge):
        read_bytes(b"x" * 11, "a.txt", "upload/a.txt", 10)


def test_missing_files(tmp_path: Path):
    (tmp_path / "a.txt").write_text("Text.")
    for path in (tmp_path / "b.txt", tmp_path / "a.txt" / "b.txt", tmp_path / "none" / "b.txt"):
        with pytest.raises(UnreadableFile, match=r"There is no file .*b\.txt"):
            read(path)


def test_folders_and_pipes(tmp_path: Path):
    (tmp_path / "folder.txt").mkdir()
    with pytest.raises(UnreadableFile, match="is a folder"):
        read(tmp_path / "folder.txt")
    os.mkfifo(tmp_path / "pipe.txt")
    with pytest.raises(UnreadableFile, match="not a regular file"):
        read(tmp_path / "pipe.txt")


def test_files_that_may_not_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    path = tmp_path / "a.txt"
    path.write_text("Text.")

    def refuse(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", refuse)
    with pytest.raises(UnreadableFile, match=r"a\.txt cannot be read: Permission denied"):
        read(path)


@pytest.mark.parametrize("name", ["a\0.txt", "x" * 300 + ".txt"])
def test_names_no_file_can_have(tmp_path: Path, name: str):
    with pytest.raises(UnreadableFile, match="cannot be read"):
        read(tmp_path / name)


def test_names_that_are_not_text_give_a_message_that_is(tmp_path: Path):
    path = Path(os.fsdecode(os.fsencode(tmp_path) + b"/\xff.txt"))
    path.write_text("Text.")
    with pytest.raises(UnreadableFile, match="Rename") as caught:
        read(path)
    str(caught.value).encode()


@settings(deadline=None)  # what is no plain text is read by a process of its own, which has to start
@given(st.binary(max_size=200))
def test_any_content_gives_text_or_a_clear_refusal(data: bytes):
    try:
        document = read_bytes(data, "a.txt", "upload/a.txt")
    except (UnsupportedFile, UnreadableFile) as error:
        str(error).encode()
    else:
        assert document.text.strip()
        assert not {"\0", "\r"} & set(document.text)
        document.text.encode()
