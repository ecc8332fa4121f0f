"""What texts state about themselves, in the many ways they do; and what they do not state."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.metadata import Metadata, read

SEEDS = Path(__file__).parent.parent / "seeds"
BODY = (
    "The company said on Tuesday that its revenue had grown by a tenth in 2023, while costs fell for the first time "
    "since 1969."
)

Case = tuple[str, dict[str, str]]


def cases() -> list[Case]:
    """Texts and what they state. In the file a case is "@@", its fields, "@", its text; "%" stands for `BODY`."""
    blocks = (Path(__file__).parent / "metadata_cases.txt").read_text("utf-8").removeprefix("@@\n").split("\n@@\n")
    found = []
    for block in blocks:
        fields, text = f"\n{block}".split("\n@\n", 1)
        stated = dict(line.split(": ", 1) for line in fields.strip().splitlines())
        found.append((text.replace("%", BODY), stated))
    return found


CASES = cases()

SEED_CASES = {
    "000": Metadata(
        "Chinese innovation pursues mutual benefit, win-win outcomes, FM says, as foreign media focus on China "
        "becoming innovation powerhouse",
        "Global Times",
        None,
        "2025-12-05",
    ),
    "001": Metadata(
        "China willing to share indigenous technologies, innovation scenarios with world: spokesperson",
        "Xinhua",
        None,
        "2025-12-06",
    ),
    "002": Metadata(),
    "003": Metadata(
        "Decoding China's breakthroughs in scientific, technological innovation", "People's Daily", "Huan Yuping", None
    ),
    "004": Metadata(
        "China committed to open sci-tech cooperation for benefits of all", "People's Daily", None, "2025-03-03"
    ),
}


@pytest.mark.parametrize("case", CASES, ids=lambda case: case[0].split("\n")[0][:50])
def test_what_a_text_states(case: Case):
    text, stated = case
    assert read(text) == Metadata(**stated)


@pytest.mark.parametrize("name", SEED_CASES)
def test_seeds(name: str):
    (path,) = SEEDS.glob(f"{name}_*.txt")
    assert read(path.read_text("utf-8")) == SEED_CASES[name]


def test_only_the_head_and_the_end_of_a_long_text_count():
    middle = "Published: 5 May 2020\n\nSource: Reuters\n\nBy Jane Doe\n\n"
    text = f"{BODY}\n\n" * 100 + middle + f"{BODY}\n\n" * 100
    assert read(text) == Metadata()


LINES = sorted({line for case in CASES for line in case[0].split("\n")})
WORDS = [
    *(
        "By",
        "Jane",
        "Doe",
        ",",
        "|",
        "-",
        "(Reuters)",
        "Dec. 5",
        "2025",
        "Published:",
        "Source:",
        "date",
        "2025-03-03",
    ),
    *(
        "：",
        "（",
        "）",
        "来源",
        "社",
        "电",
        "记者",
        "12月5日",
        "\n",
        "\n\n",
        "# ",
        "---\n",
        "title: x",
        "©",
        "Copyright",
    ),
    *(
        "The Guardian",
        " and ",
        "updated",
        "Photo/",
        "(A/B C)",
        "[",
        "]",
        "*",
        "_",
        "<h1>",
        "</h1>",
        "31 February 2025",
    ),
]


@given(
    st.lists(st.sampled_from(LINES), max_size=12).map("\n".join)
    | st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
    | st.text(max_size=200)
)
def test_any_text_gives_clean_values(text: str):
    found = read(text)
    for value in (found.title, found.publisher, found.author):
        assert value is None or (value and value == value.strip() and "\n" not in value)
    assert found.date is None or re.fullmatch(r"\d{4}(-\d\d(-\d\d)?)?", found.date)
