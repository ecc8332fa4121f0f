"""Claims to check a checker with: judged by people, and made false by exchanging a value."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from test_eval_public import DATA, real, write

from assistant.errors import BadInput
from evals import claims, judging, suites
from evals.checker import Weights
from evals.claims import NAMES, SWAPPED, half, halves, read, swapped
from evals.public_data import SETS
from evals.records import Claim, Result, Score
from evals.suites import Sources


def judged(id: str, **more: Any) -> dict[str, Any]:
    return {"id": id, "context": f"Text of {id}.", "claim": f"Claim {id}.", "label": 1, "source": "x", **more}


def paragraphs(folder: Path, *texts: str, **questions: tuple[str, list[str]]) -> Path:
    """A SQuAD of one article; each question belongs to the paragraph whose number its name ends with."""
    at = folder / "qa_abstain" / "squad2_A"
    write(at / "corpus.jsonl", *({"_id": str(n), "title": "T", "text": text} for n, text in enumerate(texts)))
    write(
        at / "questions.jsonl",
        *(
            {"_id": id, "text": text, "answers": answers, "is_impossible": not answers, "gold": id[-1]}
            for id, (text, answers) in questions.items()
        ),
    )
    return folder


def swaps(folder: Path) -> list[tuple[str, str]]:
    claims = swapped(folder, None, 7)
    assert [claim.supported for claim in claims] == [True, False] * (len(claims) // 2)
    return [(said.claim, false.claim) for said, false in zip(claims[::2], claims[1::2], strict=True)]


# Judged by people


def test_claims_are_read_and_what_is_wrong_is_told(tmp_path: Path) -> None:
    turns = [
        {"speaker": "user", "text": "First?"},
        {"speaker": "agent", "text": "Yes."},
        {"speaker": "user", "text": "B?"},
    ]
    write(
        tmp_path / "faithfulness" / "wice_claim_dev.jsonl",
        judged("a", question="A?"),
        judged("b", label=0, input=turns),
        judged("c", label=2),
        judged("d", context=" "),
        "{",
    )
    claims, problems = read(tmp_path, "wice", None, 7)
    assert {claim.id: claim for claim in claims} == {
        "a": Claim("a", "Text of a.", "Claim a.", True, "wice", "A?"),
        "b": Claim("b", "Text of b.", "Claim b.", False, "wice", "B?"),
    }
    assert [problem.split(" line ")[1][0] for problem in problems] == ["3", "4", "5"]


def test_fewer_claims_are_the_first_of_more(tmp_path: Path) -> None:
    at = tmp_path / "faithfulness" / "expertqa_val.jsonl"
    rows = [judged(str(number)) for number in range(20)]
    write(at, *rows)
    every = read(tmp_path, "expertqa", None, 7)
    write(at, *reversed(rows))
    assert read(tmp_path, "expertqa", None, 7) == every
    assert read(tmp_path, "expertqa", 5, 7)[0] == every[0][:5]
    assert read(tmp_path, "expertqa", None, 8)[0] != every[0]


@pytest.mark.parametrize("name", NAMES)
def test_a_missing_set_is_said(name: str, tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="is not there") as error:
        read(tmp_path, name, 5, 7)
    assert SETS[name].origin in error.value.hint


# Exchanged


def test_a_value_takes_the_place_of_one_of_its_kind(tmp_path: Path) -> None:
    text = "The mill was built in 1731. It had 12 wheels. It burned down in 1804, and 3% of the 40 workers stayed."
    folder = paragraphs(tmp_path, text, q0=("When was it built?", ["1731"]), r0=("How many wheels?", ["12"]))
    assert sorted(swaps(folder)) == [
        ("It had 12 wheels.", "It had 40 wheels."),
        ("The mill was built in 1731.", "The mill was built in 1804."),
    ]


def test_names_are_exchanged_where_both_answer_who(tmp_path: Path) -> None:
    text = "Anna Bell built the mill. In Leeds it was sold to Carl Dean. Later Ms Bell went to Rome."
    who = {"q0": ("Who built it?", ["Anna Bell"]), "r0": ("Where was it sold?", ["Leeds"])}
    assert swaps(paragraphs(tmp_path / "a", text, **who)) == []
    who["s0"] = ("Who bought it?", ["Carl Dean"])
    assert sorted(swaps(paragraphs(tmp_path / "b", text, **who))) == [
        ("Anna Bell built the mill.", "Carl Dean built the mill."),
        ("In Leeds it was sold to Carl Dean.", "In Leeds it was sold to Anna Bell."),
    ]


@pytest.mark.parametrize(
    "text",
    [
        "It began in 1914. Nothing else is known.",  # no other value
        "It began in 1914 and ended in 1918. All was over.",  # it stands in the same sentence
        "It began in 1914, yes, in 1914. Peace came in 1918.",  # which of the two is meant?
        "It began in 1914. Later it had 1,914 members and a loss of $1914.",  # values of other kinds
        "It began in 1914. It began in 1914. Peace came in 1918.",  # the sentence stands there twice
        "It began in 1914. Some say in 1915.",  # another answer to the question
    ],
)
def test_a_claim_that_might_be_true_is_not_made(text: str, tmp_path: Path) -> None:
    assert swaps(paragraphs(tmp_path, text, q0=("When did it begin?", ["1914", "1915"]))) == []


@pytest.mark.parametrize(
    ("other", "pairs"), [("Kenneth", 2), ("The Normans", 0), ("Norman lords", 0), ("ABN", 0), ("Army", 0)]
)
def test_names_that_may_mean_the_same_are_not_exchanged(other: str, pairs: int, tmp_path: Path) -> None:
    text = f"It was taken by Army Beneath Normandy. It was kept by {other}."
    who = {"q0": ("Who took it?", ["Army Beneath Normandy"]), "r0": ("Who kept it?", [other])}
    assert len(swaps(paragraphs(tmp_path, text, **who))) == pairs


def test_second_pairs_of_a_paragraph_come_last(tmp_path: Path) -> None:
    text = "First in 1{0}01. Then in 1{0}02. Last in 1{0}03."
    asked = {
        f"{name}{n}": ("When?", [f"1{n}0{year}"])
        for n in range(3)
        for year, name in enumerate(("q", "r", "s"), start=1)
    }
    folder = paragraphs(tmp_path, *(text.format(n) for n in range(3)), **asked)
    claims = swapped(folder, None, 7)
    assert len(claims) == len({claim.id for claim in claims}) == 18
    assert len({claim.context for claim in claims[:6]}) == 3
    assert swapped(folder, 5, 7) == claims[:4]


# Halves


def test_a_text_is_in_one_half_only_and_stays_there() -> None:
    claims = [Claim(f"{n}-{m}", f"Context  {n}", "c", True, "x") for n in range(100) for m in range(3)]
    development, held_out = halves(claims, 7)
    assert len(development) + len(held_out) == 300
    assert not {claim.context for claim in development} & {claim.context for claim in held_out}
    assert 90 < len(development) < 210
    assert halves(claims[::-2], 7)[0] == tuple(claim for claim in claims[::-2] if claim in development)
    assert halves(claims, 8) != (development, held_out)


def test_the_checker_is_tried_on_texts_that_it_was_not_calibrated_on(tmp_path: Path) -> None:
    assert Weights.read().about["seed"] == claims.SEED
    squad = paragraphs(
        tmp_path,
        *(f"It began in 1{n}01. Then it ended in 1{n}02. All was over." for n in range(9)),
        **{f"q{n}": ("When?", [f"1{n}01"]) for n in range(9)},
    )
    for name, file in NAMES.items():
        write(tmp_path / "faithfulness" / file, *(judged(f"{name}{n}", label=n % 2) for n in range(40)))
    found, problems = suites.load_claims(Sources(squad), None, 8)  # another seed draws others, of the same half
    assert not problems
    assert {claim.source for claim in found} == {*NAMES, SWAPPED}
    assert {half(claim.context, claims.SEED) for claim in found} == {1}
    few, _ = suites.load_claims(Sources(squad), 7 * 4, 8)
    assert set(Counter(claim.source for claim in few).values()) == {4}
    assert set(few) <= set(found)


def test_claims_made_false_are_not_in_the_headline() -> None:
    def tried(source: str, agrees: bool, supported: bool, number: int) -> Result:
        (case,) = judging.cases([Claim(f"{source}{number}", str(number // 2), "c", supported, source)])
        scores = {"support": Score(float(agrees == supported)), "agrees": Score(float(agrees))}
        return Result("checker", case, {}, scores=scores)

    people = [tried("wice", n % 4 < 2, n % 2 == 0, n) for n in range(8)]
    made = [tried(SWAPPED, True, n % 2 == 0, n) for n in range(20)]
    found = {figure.name: figure for figure in judging.figures([*people, *made])}
    assert (found["balanced_accuracy"].n, found["balanced_accuracy"].value) == (8, 0.5)
    assert found["balanced_accuracy:wice"].value == 0.5
    assert (found["balanced_accuracy:swapped"].n, found["balanced_accuracy:swapped"].value) == (20, 1.0)
    only = {figure.name: figure for figure in judging.figures(made)}
    assert (only["balanced_accuracy"].value, only["balanced_accuracy"].unscored) == (None, {})


# The real ones


@real
@pytest.mark.parametrize("name", NAMES)
def test_a_real_set_loads(name: str) -> None:
    if not (DATA / SETS[name].folder).is_dir():
        pytest.skip(f"needs {SETS[name].folder}: see docs/datasets.md")
    claims, problems = read(DATA, name, 20, 7)
    assert len({claim.id for claim in claims}) == 20
    assert {claim.supported for claim in claims} == {True, False}
    assert all("context: is empty" in problem for problem in problems)
    assert read(DATA, name, 5, 7)[0] == claims[:5]


@real
def test_claims_are_swapped_in_real_paragraphs() -> None:
    if not (DATA / SETS["squad2"].folder).is_dir():
        pytest.skip(f"needs {SETS['squad2'].folder}: see docs/datasets.md")
    claims = swapped(DATA, None, 7)
    assert len(claims) == len({claim.id for claim in claims}) > 300
    assert len({claim.claim for claim in claims}) == len(claims)
    for said, false in zip(claims[::2], claims[1::2], strict=True):
        assert said.context == false.context
        assert said.claim in said.context
        assert false.claim not in false.context
        assert set(re.findall(r"\w+", false.claim)) <= set(re.findall(r"\w+", false.context))
