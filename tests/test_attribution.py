"""Who says what an answer says, taken from the source's own words."""

from __future__ import annotations

import pytest

from assistant.attribution import attributed
from assistant.cite import Citer
from assistant.draft import Draft
from assistant.records import Chunk, Hit, Token, Verdict

SALES = "Sales rose by 5% in 2024."


@pytest.mark.parametrize(
    ("quote", "who"),
    [
        ("Sales rose by 5% in 2024, the company said.", "the company"),
        ("The company said on Monday that sales rose by 5% in 2024.", "the company"),
        ("According to the World Bank, sales rose by 5% in 2024.", "the World Bank"),
        ("Sales rose by 5% in 2024, according to a report by the WHO.", "a report by the WHO"),
        ("“Sales rose by 5% in 2024,” Jane Doe told reporters in Bonn.", "Jane Doe"),
        ("However, Foreign Ministry spokesperson Mao Ning noted that sales rose by 5% in 2024.", "Mao Ning"),
        ("The report states that sales rose by 5% in 2024. It is long.", "the report"),
        ("As observed by the magazine Retail Week, sales rose by 5% in 2024.", "the magazine Retail Week"),
        ("Doe highlighted that sales rose by 5% in 2024.", "Doe"),
    ],
)
def test_who_is_quoted_is_named(quote: str, who: str) -> None:
    assert attributed(SALES, quote, []) == f"Sales rose by 5% in 2024, according to {who}."


@pytest.mark.parametrize(
    ("above", "quote", "who"),
    [
        ("Jane Doe said that 2024 was good. ", "She noted that sales rose by 5% in 2024.", "Jane Doe"),
        ("Jane Doe said that 2024 was good.\n\n", "She noted that sales rose by 5% in 2024.", "Jane Doe"),
        ("“2024 was good,” Jane Doe said. ", "“Sales rose by 5% in 2024.”", "Jane Doe"),
        ("“2024 was good,” said Jane Doe. ", "“Sales rose by 5% in 2024,” she added.", "Jane Doe"),
        ("Jane Doe said it was good. He added that many clapped. ", "He said sales rose by 5% in 2024.", "Jane Doe"),
        ("The company said it was good. ", "Sales rose by 5% in 2024, it added.", "the company"),
        ("Mao Ning said it was good. ", "Sales rose by 5% in 2024, Mao said.", "Mao Ning"),
        ("Mao Ning said it was good. It is, Mao said. ", "She said sales rose by 5% in 2024.", "Mao Ning"),
        ("", "“Sales rose by 5% in 2024,” said Jane Doe, who leads the firm.", "Jane Doe"),
        ("", '"Sales rose by 5% in 2024," said the ministry.', "the ministry"),
        ("", "On Monday Jane Doe said that sales rose by 5% in 2024.", "Jane Doe"),
        ("", "Experts said that sales rose by 5% in 2024.", "experts"),
        ("", "According to Dr. Jane Doe, sales rose by 5% in 2024.", "Dr. Jane Doe"),
        ("Ada Smith said no. Bob Smith said yes. ", "Smith said that sales rose by 5% in 2024.", "Smith"),
        ("China Daily reported that it was bad. ", "China said that sales rose by 5% in 2024.", "China"),
    ],
)
def test_who_speaks_is_named_in_full(above: str, quote: str, who: str) -> None:
    assert attributed(SALES, quote, [], above) == f"Sales rose by 5% in 2024, according to {who}."


@pytest.mark.parametrize(
    ("above", "quote"),
    [
        ("Jane Doe said that 2024 was good. Ada Marsh left. ", "She noted that sales rose by 5% in 2024."),
        ("Jane Doe said that 2024 was good. Marsh disagreed. ", "She noted that sales rose by 5% in 2024."),
        ("Jane Doe said it was good, but Ada Marsh said it was bad. ", "She noted that sales rose by 5% in 2024."),
        ("According to Jane Doe, Ada Marsh runs the firm. ", "She noted that sales rose by 5% in 2024."),
        ("Jane Doe said it was bad. ", "Ada Marsh disagreed: she said that sales rose by 5% in 2024."),
        ("Jane Doe said it was bad. ", "When Marsh was asked, she said that sales rose by 5% in 2024."),
        ("Jane Doe said it was bad. ", "This suggests that sales rose by 5% in 2024."),
        ("Jane Doe said it was bad. ", "They said that sales rose by 5% in 2024."),
        ("Jane Doe said it was bad. ", "It said that sales rose by 5% in 2024."),
        ("The ministry said it was bad. ", "She said that sales rose by 5% in 2024."),
        ("Jane Doe said that 2024 was good. ", SALES),  # the paper's own words
        ("“2024 was bad,” said Jane Doe.\n", "“Sales rose by 5% in 2024.”"),
        ("“2024 was bad,” said Jane Doe. ", "“Did sales rise by 5% in 2024?”"),
        ("It was a good year. ", "“Sales rose by 5% in 2024.”"),
        ("", "“Sales rose by 5% in 2024,” said Ursula von der Leyen."),
        ("", "The Bank of England said that sales rose by 5% in 2024."),
        ("", "In London Jane Doe said that sales rose by 5% in 2024."),
        ("", "Nobody said that sales rose by 5% in 2024."),
        ("", "If Jane Doe said that sales rose by 5% in 2024, she was wrong."),
        ("", "Sales rose by 5% in 2024, according to her."),
    ],
)
def test_who_it_is_must_be_clear(above: str, quote: str) -> None:
    assert attributed(SALES, quote, [], above) == SALES


@pytest.mark.parametrize(
    ("sentence", "quote", "before"),
    [
        (SALES, "She noted that sales rose by 5% in 2024.", []),  # who she is, is not known here
        (SALES, "Sales rose by 5% in 2024. The company said it was happy.", []),  # said of something else
        (SALES, SALES, []),
        ("The report on sales was written in 2024.", "Jane Doe wrote the report on sales in 2024.", []),
        ("Sales rose by 5%, and 40 people left.", "Jane Doe said that sales rose by 5%.", []),  # who left is not hers
        ("Jane Doe says sales rose by 5% in 2024.", "Jane Doe said sales rose by 5% in 2024.", []),
        ("Doe saw sales rise by 5% in 2024.", "Jane Doe said sales rise by 5% in 2024.", []),
        (SALES, "Jane Doe said sales rose by 5% in 2024.", ["Jane Doe reported good news."]),
        ("Sales rose by 5% in 2024", "Jane Doe said sales rose by 5% in 2024.", []),  # a line of a list
        ("销售额在2024年增长了5%。", "Jane Doe said sales rose by 5% in 2024.", []),
    ],
)
def test_else_the_sentence_stays(sentence: str, quote: str, before: list[str]) -> None:
    assert attributed(sentence, quote, before) == sentence


class Says:
    done = True

    def __init__(self, verdict: Verdict) -> None:
        self._verdict = verdict

    def verdict(self) -> Verdict:
        return self._verdict

    def close(self) -> None:
        pass


@pytest.mark.parametrize(("strict", "verdict"), [(True, "supported"), (True, "unchecked"), (False, "supported")])
def test_only_what_was_checked_before_it_is_shown_is_attributed(strict: bool, verdict: Verdict) -> None:
    text = "The company said that sales rose by 5% in 2024."
    citer = Citer("?", [Hit(Chunk("c", "d", text, 0, len(text), file="d.txt"), 1.0)])
    draft = Draft(citer, lambda _: Says(verdict), strict=strict)
    written = [*draft.feed(SALES), *draft.flush()]
    added = ", according to the company" if strict and verdict == "supported" else ""
    assert draft.sentences[0].text == f"Sales rose by 5% in 2024{added}."
    assert "".join(one.text for one in written if isinstance(one, Token)) == f"{draft.sentences[0].text} [1]"
