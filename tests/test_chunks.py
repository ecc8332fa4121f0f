"""Chunks: exact spans that lose nothing, cut where a reader would cut."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.chunks import size, split
from assistant.documents import read
from assistant.errors import BadSettings
from assistant.records import Chunk, Document

SEEDS = sorted((Path(__file__).parent.parent / "seeds").glob("*.txt"))
SENTENCE = "The rank of the country rose by one place in this year. "  # 56 characters


def document(text: str, pages: tuple[int, ...] = ()) -> Document:
    return Document("d1", "d1" * 32, "/x/a.txt", "a.txt", text, "Title", "Publisher", "Author", "2025-12-05", pages)


def texts(text: str, max_chars: int, overlap_chars: int = 0) -> list[str]:
    return [chunk.text for chunk in split(document(text), max_chars, overlap_chars)]


def check(text: str, chunks: list[Chunk], max_chars: int, overlap_chars: int) -> None:
    covered = 0
    for number, chunk in enumerate(chunks):
        assert chunk.text == text[chunk.start : chunk.end] == chunk.text.strip()
        assert 0 < len(chunk.text) <= size(chunk.text) <= max_chars
        assert not text[covered : chunk.start].strip()
        assert covered - overlap_chars <= chunk.start
        if number:
            assert chunks[number - 1].start < chunk.start
            assert covered < chunk.end
        covered = chunk.end
    assert not text[covered:].strip()
    assert len({chunk.id for chunk in chunks}) == len(chunks)


@pytest.mark.parametrize("path", SEEDS, ids=lambda path: path.name[:3])
@pytest.mark.parametrize(("max_chars", "overlap_chars"), [(1000, 0), (400, 0), (400, 100), (200, 0)])
def test_seeds_are_cut_without_loss(path: Path, max_chars: int, overlap_chars: int):
    whole = read(path)
    chunks = split(whole, max_chars, overlap_chars)
    check(whole.text, chunks, max_chars, overlap_chars)
    assert min(len(chunk.text) for chunk in chunks) > max_chars / 8
    assert {chunk.file for chunk in chunks} == {path.name}


def test_a_chunk_carries_what_its_document_states():
    chunk = split(document("  Some text.\n"), 200, 0)[0]
    assert chunk == Chunk("d1-2-12", "d1", "Some text.", 2, 12, None, "a.txt", "Title", "Publisher", "2025-12-05")


@pytest.mark.parametrize("text", ["", " \n\n\t"])
def test_nothing_gives_nothing(text: str):
    assert split(document(text), 200, 0) == []


def test_paragraphs_stay_whole_where_they_fit():
    first, second, third = (f"{word} begins here. {SENTENCE * 3}".strip() for word in ("One", "Two", "Three"))
    assert texts(f"{first}\n\n{second}\n\n{third}", 220) == [first, second, third]


def test_a_long_paragraph_is_cut_between_sentences_into_even_parts():
    chunks = texts(SENTENCE * 9, 400)
    assert [len(chunk.split(". ")) for chunk in chunks] in ([5, 4], [4, 5])
    assert all(chunk.endswith("year.") for chunk in chunks)


def test_a_long_sentence_is_cut_between_words_into_even_parts():
    chunks = texts("word " * 60, 200)
    assert {len(chunk) for chunk in chunks} == {149}
    assert all(set(chunk.split()) == {"word"} for chunk in chunks)


def test_text_without_spaces_is_cut_after_sentences_then_clauses():
    sentence = "中国的研发支出在二零二四年达到三点六万亿元，全球创新指数排名第十一位。"
    assert all(chunk.endswith("。") for chunk in texts(sentence * 12, 200))
    clauses = texts("没有句号的文字，" * 60, 200)
    assert all(chunk.endswith("，") for chunk in clauses)


@pytest.mark.parametrize(
    ("text", "expected"), [("", 0), ("word, word", 10), ("1874", 16), ("é", 2), ("中文", 6), ("👍", 4), ("\ud800", 3)]
)
def test_a_text_is_as_long_as_its_tokens_are_many(text: str, expected: int):
    assert size(text) == expected


def test_chunks_of_other_scripts_and_of_figures_are_shorter():
    chinese = texts("中国的研发支出在二零二四年达到三点六万亿元，全球创新指数排名第十一位。" * 60, 1000)
    assert 250 < max(map(len, chinese)) <= 333
    figures = texts("1,234.5 | 6,789.0\n" * 300, 1000)
    assert 300 < max(map(len, figures)) < 400


@pytest.mark.parametrize("unit", ["e\u0301", "👩\u200d👩\u200d👧", "👍🏽", "नि"])
def test_visible_characters_stay_whole(unit: str):
    chunks = texts(unit * 300, 200)
    assert all(len(chunk) % len(unit) == 0 for chunk in chunks)


def test_a_headline_goes_with_what_it_heads():
    body = (SENTENCE * 3).strip()
    text = f"{body}\n\n{body}\n\nA headline without a full stop\n\n{body}\n\nThe reasons are:\n\n{body}"
    for chunk in texts(text, 400):
        assert not chunk.endswith(("stop", ":"))


def test_a_markdown_heading_begins_a_chunk():
    body = (SENTENCE * 4).strip()
    text = f"# Title\n\n{body}\n\n## One\n\n{body}\n\n## Two\n\n{body}"
    assert [chunk.split("\n")[0] for chunk in texts(text, 400)] == ["# Title", "## One", "## Two"]


def test_a_comment_in_a_code_block_is_no_heading():
    body = (SENTENCE * 2).strip()
    text = f"{body}\n\n```\nrun one\n# comment\nrun two\n```\n\n{body}"
    assert any("run one\n# comment\nrun two" in chunk for chunk in texts(text, 230))


@pytest.mark.parametrize("unit", ["word ", "x", "The rank rose. ", "中国的研发支出", '{"a": 1}, ', "1,234 "])
def test_a_line_of_three_megabytes(unit: str):
    text = unit * (3_000_000 // len(unit))
    chunks = split(document(text), 1000, 0)
    assert sum(len("".join(chunk.text.split())) for chunk in chunks) == len("".join(text.split()))


def test_small_sections_share_a_chunk():
    assert len(texts("# One\n\nShort.\n\n# Two\n\nShort.\n\n# Three\n\nShort.", 400)) == 1


def test_no_tiny_last_chunk():
    assert min(len(chunk) for chunk in texts(SENTENCE * 8, 400)) > 150


def test_chunks_do_not_cross_pages():
    text = f"{SENTENCE * 5}\n{SENTENCE * 5}\n{SENTENCE}"
    pages = (0, 281, 562)
    chunks = split(document(text, pages), 350, 50)
    check(text, chunks, 350, 50)
    assert [chunk.page for chunk in chunks] == [1, 2, 3]
    assert all(chunk.start >= pages[(chunk.page or 0) - 1] for chunk in chunks)


def test_overlap_repeats_whole_sentences_where_they_fit():
    chunks = texts("".join(f"Sentence number {number} stands here. " for number in range(30)), 300, 100)
    for chunk in chunks:
        assert chunk.startswith("Sentence")
    assert all(chunks[n + 1].split(".")[0] in chunks[n] for n in range(len(chunks) - 1))


@pytest.mark.parametrize(("max_chars", "overlap_chars"), [(200, 101), (200, 1000), (200, -1)])
def test_an_overlap_that_leaves_no_room_is_refused(max_chars: int, overlap_chars: int):
    with pytest.raises(BadSettings, match=str(overlap_chars)):
        split(document("Some text."), max_chars, overlap_chars)


BITS = [
    *("The rank rose. ", "Lin said so", "word ", "x" * 50, "A. ", "Title line\n\n", "# Head\n", "- item\n", "```\n"),
    *(
        "中国的研发支出为三万亿元。",
        "没有标点的很长很长的文字",
        "，",
        "“好。”",
        "e\u0301" * 30,
        "👩\u200d👩\u200d👧" * 10,
        "👍🏽",
    ),
    *("\n", "\n\n", "   ", "\t", "\f", "\x1c", "\x85", "\u3000", "\u200b"),
]


@given(
    st.lists(st.sampled_from(BITS), max_size=50).map("".join) | st.text(max_size=300),
    st.integers(20, 200),
    st.integers(0, 100),
    st.lists(st.integers(1, 500), max_size=3),
)
def test_any_text_is_cut_without_loss(text: str, max_chars: int, overlap_chars: int, pages: list[int]):
    overlap_chars = min(overlap_chars, max_chars // 2)
    starts = tuple(sorted({0, *(page for page in pages if page < len(text))})) if pages else ()
    chunks = split(document(text, starts), max_chars, overlap_chars)
    check(text, chunks, max_chars, overlap_chars)
    for chunk in chunks:
        assert (chunk.page is None) == (not pages)
        assert not any(chunk.start < page < chunk.end for page in starts)
