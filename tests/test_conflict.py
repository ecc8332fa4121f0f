"""Two sources that give two values for one thing, and those that only seem to."""

from __future__ import annotations

import pytest

from assistant.cite import Citer
from assistant.conflict import disagreeing, refuted
from assistant.draft import Draft
from assistant.records import Chunk, Hit

RANK = "China ranked 10th among 139 economies in the 2025 index."


def hit(text: str, document: str) -> Hit:
    return Hit(Chunk(document, document, text, 0, len(text), file=f"{document}.txt", publisher="Transit News"), 1.0)


def found(sentence: str, other: str) -> str | None:
    citer = Citer("?", [hit(RANK, "one"), hit(other, "two")])
    candidate = disagreeing(sentence, citer.find(sentence), citer.candidates)
    return candidate.quote if candidate else None


@pytest.mark.parametrize(
    "other",
    [
        "China ranked 12th among 139 economies in the 2025 index.",
        "In the 2025 index, China ranked 12th among 139 economies.",
    ],
)
def test_another_value_in_the_same_words_disagrees(other: str) -> None:
    assert found(RANK, other) == other


@pytest.mark.parametrize(
    "other",
    [
        RANK,
        "China ranked 11th among 133 economies in the 2024 index.",  # another year
        "The museum opened in 1890 and has 12 rooms.",
        "A reporter counted 61 times that China is ranked among 139 economies in the 2025 index of innovation.",
        "Japan ranked 10th among 139 economies in the 2025 index.",  # another name
        "China ranked among 139 economies in the 2025 index.",  # says less
        "Japan and Korea spent 12 billion on the 2025 index.",
        "Japan ranked 12th among 139 economies in the 2025 index.",  # another name and another number
        "China ranked 12th among 139 economies in the 2025 index of green energy and of nothing else.",
        "China ranked 10th among 139 economies in the 2024 index.",  # things change
    ],
)
def test_what_is_about_something_else_does_not(other: str) -> None:
    assert found(RANK, other) is None


@pytest.mark.parametrize(
    ("sentence", "other"),
    [
        ("Terminal 2 is served by express buses.", "Terminal 3 is served by express buses."),
        ("The maximum speed on the bridge is 130 km/h.", "The minimum speed on the bridge is 60 km/h."),
        ("The company paid a small dividend in 2022.", "The company paid a small dividend in 2023."),
    ],
)
def test_two_statements_that_may_both_be_true_do_not_disagree(sentence: str, other: str) -> None:
    citer = Citer("?", [hit(sentence, "one"), hit(other, "two")])
    assert disagreeing(sentence, citer.find(sentence), citer.candidates) is None


def test_the_answer_tells_the_other_value_with_its_source() -> None:
    other = "China ranked 12th among 139 economies in the 2025 index."
    draft = Draft(Citer("Which rank?", [hit(RANK, "one"), hit(other, "two")]))
    list(draft.feed(RANK))
    list(draft.flush())
    list(draft.disagreements())
    assert draft.text == f"{RANK} [1]\n\nTransit News, two.txt says otherwise: “{other}” [2]"
    assert draft.sentences[-1].citations == (2,)
    assert [citation.quote for citation in draft.citations] == [RANK, other]


RANKS = "The rank rose from the 34th place in 2012 to the 10th place in 2025. It was 14th in 2019 and 11th in 2024."
PROBE = "News, Xinhua, 2025-12-05\n\nThe Chang'e-6 probe brought back the first samples from the far side of the moon."
AGE = "The minimum age to drive a car was 16 until 2019. Since then one must be 18."


@pytest.mark.parametrize(
    ("said", "text", "false"),
    [
        ("The Chang'e-5 probe brought back the first samples from the far side of the moon.", PROBE, True),
        ("The Chang'e-4 probe brought back the first samples from the far side of the moon.", PROBE, True),
        ("The Chang'e-6 probe brought back the first samples from the far side of the moon.", PROBE, False),
        ("The rank rose from the 34th place in 2012 to the 9th place in 2025.", RANKS, True),
        ("The rank rose from the 34th place in 2012 to the 11th place.", RANKS, False),  # told of another year
        ("The minimum age to drive a car is 18.", AGE, False),  # the next sentence has it
        ("The minimum age to drive a car was 17 until 2019.", AGE, True),
        ("The documents do not give the sales for 2021.", "The documents give the sales for 2020.", False),
        ("A ticket to the museum costs $1.5 a day.", "A ticket to the museum costs $1.50 a day.", False),
        ("The museum had 20 visitors that winter.", "The museum had twenty visitors that winter.", False),
        ("1. Open the lid of the box.", "2. Open the lid of the box.", False),
        ("La línea fue abierta en el año 1890.", "The line opened in 1891.", False),
        ("The drug cut deaths by 30 percent in women.", "The drug cut deaths by 12 percent in men.", False),
        ("The adult ticket for the tour costs 18 euros.", "The child ticket for the tour costs 9 euros.", False),
        ("甲公司的员工人数约为3000人左右。", "乙公司的员工人数约为5000人左右。", False),
        ("About 49% of voters supported the plan.", "About 49.3% of voters supported the plan.", False),
        ("Some 5 million people saw the park.", "Some 4.98 million people saw the park.", False),
        ("The land has more than 190 museums.", "The land has more than 190 or 193 museums.", False),
        ("The land has 190 fine old museums.", "The land has 193 fine old museums.", False),
        ("The city has 1.5 million inhabitants.", "The city, of a million, has 1,500,000 inhabitants.", False),
        ("It paid $3 billion for the new harbour.", "It paid $3,000 million or billion for the new harbour.", False),
        ("The night train leaves at 5:30 daily.", "The night train leaves at 17:30 daily.", False),
        ("The treaty was not signed in 2021 by both.", "The treaty was signed in 2023 by both.", False),
        ("Die Stadt hat 1.5 Millionen Einwohner im Jahr.", "Die Stadt hat 1,5 Millionen Einwohner im Jahr.", False),
        ("The land has 30 fine old museums.", "The land has 34 fine old museums.", True),
        ("34", RANKS, False),
        ("", RANKS, False),
        ("The rank rose to the 9th place in 2025.", "", False),
    ],
)
def test_a_number_in_another_ones_place_refutes_unless_it_is_told_near(said: str, text: str, false: bool) -> None:
    assert refuted(said, [text] if text else []) is false


@pytest.mark.parametrize(
    ("said", "told", "false"),
    [
        # its own numbers in each other's place
        ("The firm had 500 staff in 2019 and 300 in 2024.", "The firm had 300 staff in 2019 and 500 in 2024.", True),
        ("The firm had 500 staff in 2024 and 300 in 2019.", "The firm had 300 staff in 2019 and 500 in 2024.", False),
        ("In 2019 the firm had 300 staff, in 2024 500.", "The firm had 300 staff in 2019 and 500 in 2024.", False),
        ("Sales rose from 19 to 12 percent.", "Sales rose from 12 to 19 percent.", True),
        ("Sales rose from twelve to nineteen percent.", "Sales rose from 12 to 19 percent.", False),
        ("The rooms have 5, 3 and 4 beds.", "The rooms have 3, 4 and 5 beds.", False),
        ("They won 5 gold and 3 silver medals.", "They won 3 silver and 5 gold medals.", False),
        ("The line ran from 2024 to 2019.", "The line ran from 2019 to 2024.", True),
        # a "not" that only one of them has
        ("Children under 12 may take this medicine.", "Children under 12 may not take this medicine.", True),
        ("Children under 12 may take this medicine.", "Children under 12 may not take this medicine alone.", True),
        ("The board did not approve the plan.", "The board approved the plan.", True),
        ("The board did not approve the plan.", "The board refused to approve the plan.", False),
        ("The board did not approve the plan.", "The board didn't approve the plan.", False),
        ("The plan was approved by the board.", "The plan was not cheap but was approved by the board.", False),
        ("The plan was approved by the board.", "The plan was not only approved by the board but praised.", False),
        ("The tax applies until the end of 2024.", "The tax applies no later than until the end of 2024.", False),
        ("Kinder dürfen dieses Mittel einnehmen.", "Kinder dürfen dieses Mittel nicht einnehmen.", True),
        ("Los niños pueden tomar este medicamento.", "Los niños no pueden tomar este medicamento.", True),
        ("Rule 5 applies to all large ships.", "Rule No. 5 applies to all large ships.", False),
    ],
)
def test_numbers_exchanged_and_what_only_one_denies(said: str, told: str, false: bool) -> None:
    assert refuted(said, [told]) is false
    assert not refuted(said, [told, said])  # another source says it


@pytest.mark.parametrize(
    ("said", "text"),
    [
        ("The first prize is 25 dollars this year.", "The first prize is twenty-five dollars this year."),
        ("The lease ends after 500 days notice.", "The lease ends after five hundred days notice."),
        ("The storm sent 24 sailors home early.", "The storm sent two dozen sailors home early."),
        ("The plant cost 3.5 million euros then.", "The plant cost 3,500,000 euros then."),
        ("Der Bau kostete damals 1200 Euro netto.", "Der Bau kostete damals 1.200 Euro netto."),
        ("The museum opened on December 5 in Bonn.", "The museum in Bonn opened on 2025-12-05."),
    ],
)
def test_one_number_in_two_forms_refutes_nothing(said: str, text: str) -> None:
    assert not refuted(said, [text])


def test_numbers_of_any_length_are_compared() -> None:
    short, long, longer = (f"The long count of the machine was {'9' * n} once." for n in (1, 400, 5000))
    assert not refuted(long, [longer])
    assert not refuted(longer, [long])
    assert refuted(short, [long])


@pytest.mark.parametrize(
    ("sentence", "other"),
    [
        ("About 12 people died in the flood.", "About 40 people died in the flood."),
        ("In Germany 12 miners died in the flood.", "In Germany 40 miners died in the flood."),
        ("The treaty was signed in Rome on March 5.", "The treaty was signed in Rome on March 8."),
        ("The treaty was signed in Rome on 5 March 2024.", "The treaty was signed in Rome on 8 March 2024."),
        ("The brewery in Rome was founded in 1998.", "The brewery in Rome was founded in 1996."),
    ],
)
def test_numbers_beside_capitals_dates_and_what_happens_once(sentence: str, other: str) -> None:
    assert disagreeing(sentence, [], Citer("?", [hit(other, "two")]).candidates)


REPORT = (
    "A British company announced an investment of $2.5 billion in Beijing. Seventeen countries and 295,000,000"
    " people took part. It spent 3.6 trillion yuan, and 5 million on the way."
)


@pytest.mark.parametrize(
    "said",
    [
        "该公司在北京投资了25亿美元。",
        "Invirtió 2.500 millones de dólares.",
        "Invirtió 2,5 mil millones de dólares.",
        "Das Unternehmen investiert 2,5 Milliarden Dollar.",
        "支出为3.6万亿元。",
        "支出为36000亿元。",
        "2.95亿人参加了。",
        "Participaron 295 millones de personas.",
        "It spent 5 billion on the way.",  # one digit may be chance
        "Participaron 40 millones de personas.",  # wrong, but of no digits of theirs
        "二十五亿美元",
    ],
)
def test_a_number_is_the_same_in_every_language(said: str) -> None:
    assert not refuted(said, [REPORT])


@pytest.mark.parametrize(
    "said",
    [
        "该公司在北京投资了2.5亿美元。",
        "Invirtió 2,5 millones de dólares.",
        "The company invests $2.5 million.",
        "支出为3.6亿元。",
        "29.5亿人参加了。",
    ],
)
def test_the_digits_of_a_number_with_another_size_refute(said: str) -> None:
    assert refuted(said, [REPORT])
    assert not refuted(said, [REPORT, said])
