from __future__ import annotations

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from assistant.boilerplate import ENOUGH, LEAST, hashes, needed, spans

MENU = "Home\nAbout us\n  Subscribe to our letter.  \n"


def test_lines_are_found_again_whatever_their_case_and_spaces():
    repeated = hashes(MENU)
    text = "The ferry is late.\nhome\nAbout  US\nIt was foggy."
    assert [text[span.start : span.end] for span in spans(text, repeated)] == ["home\n", "About  US\n"]
    assert spans("Home is where the ferry is.", repeated) == ()


def test_a_long_line_counts_by_its_sentences():
    """A chunk may hold only some of them."""
    notice = "The bank gives no advice. All figures may change! Ask us."
    assert spans("All figures may change!", hashes(notice))
    assert len(hashes(notice)) == 3
    assert spans("本网站不提供建议。", hashes("请联系我们。本网站不提供建议。"))


def test_what_is_shorter_than_a_word_is_no_line():
    assert hashes("}\n- 1\n|\n\nYes.\n") == set()


def test_a_row_of_dots_takes_no_time():
    dots = "." * 200_000
    assert len(hashes(f"One{dots}two{dots}。Three。。{dots} four.")) == 3
    assert hashes(f"Chapter one {dots} \nNext") == hashes("Chapter one\nNext")


def test_how_many_documents_are_many():
    assert [needed(number) for number in (1, 100, 200, 400, 5000)] == [LEAST, LEAST, 10, ENOUGH, ENOUGH]


@given(st.text(alphabet="ab. \n。", max_size=40), st.text(alphabet="ab. \n。", max_size=40))
def test_spans_stand_in_order_and_within(text: str, other: str):
    assert spans(text, ()) == ()
    found = spans(text, hashes(other))
    assert all(0 <= span.start < span.end <= len(text) for span in found)
    assert all(before.end <= after.start for before, after in pairwise(found))
    assert hashes("\n".join(text[span.start : span.end] for span in found)) <= hashes(other)
