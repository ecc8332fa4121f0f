"""Headings of PDFs: what a reader sees as one is marked, and chunks know it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pdf_maker import IMAGE, pdf, show

from assistant import metadata, pdf_headings, read_pdf, sections
from assistant.pdf_layout import Block

LINE = "The keeper wrote the weather and the ships and the hours of the lamp into a book each night."
BODY = Block(LINE, 10.0)


def marked(*blocks: Block) -> list[str]:
    """The blocks of one page that are headings, as they are marked."""
    (text,) = pdf_headings.texts([[BODY, *blocks, BODY]])
    return [line for line in text.splitlines() if line.startswith("#")]


def test_larger_and_bold_lines_are_headings_by_their_size():
    found = marked(Block("Lamps", 18.0), BODY, Block("Oil", 14.0, bold=True), BODY, Block("Wicks", 10.0, bold=True))
    assert found == ["# Lamps", "## Oil", "### Wicks"]


def test_nearly_the_same_size_is_one_level():
    assert marked(Block("Lamps", 18.0), BODY, Block("Oil", 17.8), BODY, Block("Wicks", 12.0)) == [
        "# Lamps",
        "# Oil",
        "## Wicks",
    ]


@pytest.mark.parametrize(
    "block",
    [
        Block("The lamp burns oil.", 14.0),  # a sentence
        Block("A note of the same size", 10.0),
        Block("Small print", 8.0, bold=True),
        Block("12.5% | 3.4%", 14.0, bold=True),
        Block("Total amount EUR 420.00", 14.0, cells=True),
        Block("Appendix A Lamps. . . . . . . 24", 10.0, bold=True),
        Block("• longer wicks", 14.0),
        Block("From: Jane Doe", 10.0, bold=True),
        Block("दीपक रात भर जलता है।", 10.0, bold=True),
        Block("2024", 30.0),
        Block("(in millions)", 10.0, bold=True),
        Block("Total:", 10.0, bold=True),
        Block("of which lamps", 10.0, bold=True),
        Block("Figure 3 The lamp at night", 10.0, bold=True),
        Block("Tabelle 2: Öl", 10.0, bold=True),
        Block("One\nTwo\nThree", 14.0),  # an address
        Block("words " * 40, 14.0),
        Block("Recognised under a scan", 0.0, bold=True),
    ],
)
def test_what_is_no_heading(block: Block):
    assert marked(block) == []


@pytest.mark.parametrize(
    "text", ["iPhone", "Q&A", "Note 3 – Revenue", "1.1 Öle", "서비스 제공 기준", "目录", "What is oil?"]
)
def test_what_is_one(text: str):
    assert marked(Block(text, 10.0, bold=True)) == [f"# {text}"]


def test_nothing_is_marked_where_nothing_is_known():
    assert pdf_headings.texts([[Block("Bold", 0.0, bold=True)], []]) == ["Bold", ""]
    assert pdf_headings.texts([]) == []


def test_in_a_bold_text_bold_lines_are_none():
    bold = Block(LINE, 10.0, bold=True)
    assert pdf_headings.texts([[bold, Block("Lamps", 10.0, bold=True), bold]]) == [f"{LINE}\n\nLamps\n\n{LINE}"]


def test_what_stands_on_top_of_each_page_is_a_heading_once():
    head = Block("The Lamp Report", 14.0)
    pages = pdf_headings.texts([[head, BODY], [head, BODY, Block("Oil", 12.0), BODY], [head, BODY]])
    assert [page.count("#") for page in pages] == [1, 2, 0]
    left, right = [Block("The Lamp Report", 14.0), BODY], [Block("Oil", 14.0), BODY]
    assert [page.count("#") for page in pdf_headings.texts([left, right] * 3)] == [1, 1, 0, 0, 0, 0]


def test_a_heading_that_recurs_is_one_each_time():
    pages = pdf_headings.texts([[Block(text, 14.0), BODY] for text in ("Oil", "Exercises", "Wicks", "Exercises")])
    assert [page.count("#") for page in pages] == [1, 1, 1, 1]


def test_a_line_with_a_page_number_runs_through():
    pages = [[BODY, Block(f"{number} Lamp Report", 10.0, bold=True)] for number in range(1, 6)]
    assert "#" not in "".join(pdf_headings.texts(pages))
    steps = [[Block(f"Step {number}", 14.0), BODY] for number in range(1, 4)]
    assert [page.count("#") for page in pdf_headings.texts(steps)] == [1, 1, 1]


def test_the_title_is_of_the_first_level_whatever_is_larger_behind_it():
    slides = [[Block("A review of lamps", 40.0)], [Block("Oil", 54.0), BODY], [Block("Thanks", 64.0), BODY]]
    assert [page.splitlines()[0] for page in pdf_headings.texts(slides)] == [
        "# A review of lamps",
        "## Oil",
        "# Thanks",
    ]


@pytest.mark.parametrize("title", ["Report of Lamps Inc.", "On lamps\nand oil\nof the coast", "It burns."])
def test_the_title_may_be_long_or_end_in_a_full_stop(title: str):
    (text,) = pdf_headings.texts([[Block(title, 22.0), Block("Oil", 14.0), BODY]])
    assert text.startswith(f"# {' '.join(title.split())}\n\n## Oil\n\n")


def test_values_and_items_that_stand_below_each_other_are_no_headings():
    form = [Block("Name of the keeper", 7.5), *(Block(f"Value {letter}", 11.0) for letter in "abcdefgh"), BODY]
    assert "#" not in "".join(pdf_headings.texts([form]))


def test_a_part_of_a_pdf_knows_its_publisher_and_date_though_they_are_set_as_headings():
    lines = "# The State of the Lamps\n\n### By Jane Doe\n\n### 5 December 2025\n\n## University of Oslo\n\n"
    stated = metadata.read(lines + "## Oil\n\n" + 3 * f"{LINE} ")
    assert (stated.title, stated.author, stated.date, stated.publisher) == (
        "The State of the Lamps", "Jane Doe", "2025-12-05", "University of Oslo",
    )  # fmt: skip


def test_two_lines_of_a_heading_are_one():
    assert marked(Block("The lamps\nof the coast", 14.0)) == ["# The lamps of the coast"]


@given(st.lists(st.lists(st.builds(Block, st.text(), st.sampled_from([0.0, 9.0, 10.0, 14.0]), st.booleans()))))
def test_nothing_is_lost(pages: list[list[Block]]):
    """All words stay, in their order; marks are all that is added."""
    for text, blocks in zip(pdf_headings.texts(pages), pages, strict=True):
        words = [word for block in blocks for word in block.text.split()]
        left = iter(text.split())
        assert all(any(word == other for other in left) for word in words)


def bold(texts: list[tuple[float, float, str]], size: float = 10) -> str:
    return show(texts, size).replace("/F1", "/F2")


def page(*parts: str) -> bytes:
    """A page whose second font is a bold one."""
    fonts = {100: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica-Bold /Encoding /WinAnsiEncoding >>"}
    return pdf(["\n".join(parts)], more=fonts).replace(b"/F1 3 0 R >>", b"/F1 3 0 R /F2 100 0 R >>")


def test_of_a_real_file_headings_are_marked_and_known_below():
    below = [(72.0, 700.0 - 12 * line, LINE) for line in range(3)]
    data = page(
        show([(72, 740, "Lamps of the coast")], 18),
        bold([(72, 712, "Oil and wicks")]),  # as near to its text as the lines are to each other
        show(below),
        bold([(72, 640, "The keepers")]),
        show([(72, 616, LINE)]),
    )
    text = read_pdf.read(data, "a.pdf").text
    assert [line for line in text.splitlines() if line.startswith("#")] == [
        "# Lamps of the coast",
        "## Oil and wicks",
        "## The keepers",
    ]
    assert text.count(LINE) == 4
    known = sections.read(text, "a.pdf")
    assert known.path(text.index(LINE)) == "Lamps of the coast > Oil and wicks"
    assert known.path(text.rindex(LINE)) == "Lamps of the coast > The keepers"


def test_a_bold_beginning_of_a_paragraph_stays_in_it():
    data = page(
        bold([(72, 700, "The keeper wrote the weather and the ships and the hours of the lamp into a book and")]),
        show([(72, 688, "every night of the year he did so again and again until he was very old and could")]),
        show([(72, 676, "nevertheless and notwithstanding write no more.")]),
    )
    text = read_pdf.read(data, "a.pdf").text
    assert "\n" not in text
    assert "#" not in text


def test_a_bold_cell_tears_no_table_apart():
    rows = [("Bonds that are", "", ""), ("due", "1,000", "2,000"), ("Loans", "3,000", "4,000"), ("Total", "4", "6")]
    drawn = [
        (72.0 + 160 * n, 676.0 - 12 * at, cell) for at, row in enumerate(rows) for n, cell in enumerate(row) if cell
    ]
    below = [(72.0, 600.0 - 12 * line, LINE) for line in range(3)]
    text = read_pdf.read(page(bold([(72, 688, "(In millions)")]), show([*drawn, *below])), "a.pdf").text
    assert "due | 1,000 | 2,000\nLoans | 3,000 | 4,000\nTotal | 4 | 6\n" in text


def test_cells_of_one_row_are_no_heading():
    below = show([(72.0, 670.0 - 12 * line, LINE) for line in range(3)])
    data = page(bold([(72, 700, "Total amount due"), (400, 700, "EUR 420.00")]), below)
    assert "#" not in read_pdf.read(data, "a.pdf").text
    numbered = page(bold([(72, 700, "1.1"), (120, 700, "Oil")]), below)
    assert read_pdf.read(numbered, "a.pdf").text.startswith("# 1.1 Oil\n")


def test_text_recognised_under_a_scan_has_no_headings():
    drawn = [IMAGE, show([(72, 700, "A large line")], 18, "3 Tr"), show([(72, 600, LINE)], 10, "3 Tr")]
    assert read_pdf.read(pdf(["\n".join(drawn)]), "a.pdf").text == f"A large line\n\n{LINE}"
