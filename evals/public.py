"""Public data sets as cases: one adapter each, in `ADAPTERS`.

Every adapter takes the folder in which the data sets lie, how many cases at most and the seed they are drawn with.
The same seed draws the same cases, whatever the order of lines, and fewer cases are the first of more. Documents are
always all there are: retrieval is only as hard as what it must tell apart. An adapter raises BadInput when its data
set is not there; what is wrong within it stands in `problems`. docs/datasets.md says what each set is.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import itemgetter
from pathlib import Path

from assistant.records import Message
from assistant.sentences import spans
from evals.public_data import (
    SETS,
    Asked,
    Conversation,
    Corpus,
    Filing,
    Located,
    Paragraph,
    ScientificClaim,
    alternating,
    corpus,
    drawn,
    kept,
    place,
    rank,
    rows,
)
from evals.records import Case, Given, GoldSpan

OTHERS = 3  # paragraphs of the same article beside the gold one
SHORT = 5  # words; a longer answer is seldom said again word for word, so it is a reference and not an `answers`
_ANSWERABLE = {"ANSWERABLE": True, "UNANSWERABLE": False}
LANGUAGES = {"en": "English", "de": "German", "es": "Spanish", "zh": "Chinese"}


@dataclass(frozen=True, slots=True)
class Loaded:
    """Cases and what they are asked over: `documents` by file name, and `files` to be taken in as they are."""

    cases: tuple[Case, ...]
    documents: Mapping[str, str] = field(default_factory=dict)
    files: tuple[Path, ...] = ()
    problems: tuple[str, ...] = ()


Load = Callable[[Path, int | None, int], Loaded]


@dataclass(frozen=True, slots=True)
class Adapter:
    """`folders` are those it reads, below the folder in which the data sets lie."""

    name: str
    about: str
    folders: tuple[str, ...]
    load: Load


def squad2(folder: Path, limit: int | None, seed: int, among: Container[str] | None = None) -> Loaded:
    """SQuAD 2.0: answerable and unanswerable questions in turn, over their paragraph among others of its article; only
    of the paragraphs `among`, where they are given. Two neighbours have the same paragraphs, as far as there are such
    pairs: what is read for one serves the other.
    """
    problems: list[str] = []
    paragraphs = {
        row.id: row
        for row in rows(place(folder, "squad2", "corpus.jsonl"), Paragraph, problems)
        if among is None or row.id in among
    }
    asked = rows(place(folder, "squad2", "questions.jsonl"), Asked, problems)
    asked = kept(asked, lambda row: row.gold in paragraphs, "their paragraph is not there", problems)
    asked = kept(asked, lambda row: row.is_impossible or row.answers, "answerable but without an answer", problems)
    articles: dict[str, list[Paragraph]] = {}
    for paragraph in paragraphs.values():
        articles.setdefault(paragraph.title, []).append(paragraph)
    answerable, impossible = (
        drawn((row for row in asked if row.is_impossible is kind), seed) for kind in (False, True)
    )
    chosen = _pairs(answerable, impossible)[:limit]
    found = [_paragraph_case(row, paragraphs[row.gold], articles, seed) for row in chosen]
    return Loaded(tuple(found), problems=tuple(problems))


def _pairs(answerable: Sequence[Asked], impossible: Sequence[Asked]) -> list[Asked]:
    """In turn one of each kind about one paragraph, every paragraph once before any twice; then those left over."""
    against: dict[str, deque[Asked]] = {}
    for row in impossible:
        against.setdefault(row.gold, deque()).append(row)
    pairs: list[tuple[int, Asked, Asked]] = []
    times: Counter[str] = Counter()
    for row in answerable:
        if against.get(row.gold):
            pairs.append((times[row.gold], row, against[row.gold].popleft()))
            times[row.gold] += 1
    pairs.sort(key=itemgetter(0))
    paired = [row for _, *pair in pairs for row in pair]
    taken = {row.id for row in paired}
    left = ([row for row in kind if row.id not in taken] for kind in (answerable, impossible))
    return paired + alternating(*left)


def squad2_paragraphs(folder: Path) -> dict[str, str]:
    """The paragraph that each question of SQuAD 2.0 is about, whether it answers it or not."""
    return {row.id: row.gold for row in rows(place(folder, "squad2", "questions.jsonl"), Asked, [])}


def _paragraph_case(row: Asked, gold: Paragraph, articles: Mapping[str, Sequence[Paragraph]], seed: int) -> Case:
    def order(paragraph: Paragraph) -> bytes:
        return rank(seed, gold.id, paragraph.id)

    others = sorted((other for other in articles[gold.title] if other.id != gold.id), key=order)[:OTHERS]
    shown = sorted([gold, *others], key=lambda paragraph: rank(seed, gold.id, paragraph.id, "place"))
    files = corpus((paragraph.id, paragraph.text) for paragraph in shown)
    given = tuple(Given(files.files[paragraph.id], paragraph.text) for paragraph in shown)
    if row.is_impossible:
        return Case(row.id, row.text, answerable=False, tags=("unanswerable",), given=given, group=row.gold)
    return _answerable(row, files, ("answerable",), given)


def _answerable(row: Asked, files: Corpus, tags: tuple[str, ...] = (), given: tuple[Given, ...] = ()) -> Case:
    file = files.files[row.gold]
    return Case(
        row.id,
        row.text,
        answerable=True,
        answers=row.answers,
        spans=_spans(file, files.texts[file], row.answers),
        documents=(file,),
        tags=tags,
        given=given,
        group=row.gold,
    )


def _spans(file: str, text: str, answers: Sequence[str]) -> tuple[GoldSpan, ...]:
    """Where the first answer stands that stands only once: of several places nobody said which one is meant."""
    return next(((GoldSpan(file, answer),) for answer in answers if text.count(answer) == 1), ())


def nq_paragraphs(folder: Path, limit: int | None, seed: int) -> Loaded:
    """Questions to a search engine, over the Wikipedia paragraphs that answer them."""
    return _over_corpus(folder, "nq_paragraphs", ("corpus.jsonl", "queries.jsonl"), limit, seed)


def xquad(language: str, folder: Path, limit: int | None, seed: int) -> Loaded:
    """XQuAD: questions over paragraphs, both in one language. Its titles are English in every language: left out."""
    files = (f"{language}_corpus.jsonl", f"{language}_questions.jsonl")
    return _over_corpus(folder, "xquad", files, limit, seed, tags=(language,), titled=False)


def _over_corpus(
    folder: Path,
    name: str,
    files: tuple[str, str],
    limit: int | None,
    seed: int,
    tags: tuple[str, ...] = (),
    titled: bool = True,
) -> Loaded:
    problems: list[str] = []
    paragraphs = rows(place(folder, name, files[0]), Paragraph, problems)
    documents = corpus((row.id, row.titled if titled else row.text) for row in paragraphs)
    asked = rows(place(folder, name, files[1]), Asked, problems)
    asked = kept(asked, lambda row: row.gold in documents.files, "their paragraph is not there", problems)
    asked = kept(asked, lambda row: row.answers, "without an answer", problems)
    found = tuple(_answerable(row, documents, tags) for row in drawn(asked, seed)[:limit])
    return Loaded(found, documents.texts, problems=tuple(problems))


def scifact(folder: Path, limit: int | None, seed: int) -> Loaded:
    """SciFact: claims to be found in abstracts. What supports or contradicts a claim is no answer: retrieval only."""
    problems: list[str] = []
    abstracts = rows(place(folder, "scifact", "corpus.jsonl"), Paragraph, problems)
    documents = corpus((row.id, row.titled) for row in abstracts)
    relevant = _relevant(place(folder, "scifact", "qrels_test.tsv"), documents, problems)
    claims = rows(place(folder, "scifact", "queries_test.jsonl"), ScientificClaim, problems)
    claims = kept(claims, lambda row: row.id in relevant, "no abstract is known to be relevant", problems)
    found = (
        Case(row.id, row.text, documents=relevant[row.id], tags=_labels(row)) for row in drawn(claims, seed)[:limit]
    )
    return Loaded(tuple(found), documents.texts, problems=tuple(problems))


def _relevant(path: Path, documents: Corpus, problems: list[str]) -> dict[str, tuple[str, ...]]:
    """The files that are relevant to each query, from a table in TREC's manner: query, document, relevance."""
    found: dict[str, dict[str, None]] = {}
    for number, line in enumerate(path.read_text("utf-8", "replace").splitlines(), 1):
        parts = line.split("\t")
        if number == 1 or not line.strip():  # the names of the columns
            continue
        if len(parts) != 3 or not parts[2].strip().isdecimal():
            problems.append(f"{path.name}, line {number}: is not query, document and relevance between tabs")
        elif parts[1] not in documents.files:
            problems.append(f"{path.name}, line {number}: the document {parts[1]} is not there")
        elif int(parts[2]) > 0:
            found.setdefault(parts[0], {})[documents.files[parts[1]]] = None
    return {query: tuple(sorted(files)) for query, files in found.items()}


def _labels(row: ScientificClaim) -> tuple[str, ...]:
    return tuple(sorted({evidence.label.lower() for evidence in row.evidence})) or ("no evidence",)


def mtrag(folder: Path, limit: int | None, seed: int) -> Loaded:
    """MTRAG: the last question of a conversation between people, over the passages of all conversations."""
    problems: list[str] = []
    passages = rows(place(folder, "mtrag", "mtrag_human_docs.jsonl"), Paragraph, problems)
    documents = corpus((row.id, row.text) for row in passages)
    tasks = rows(place(folder, "mtrag", "mtrag_human_tasks.jsonl"), Conversation, problems)
    tasks = kept(
        tasks,
        lambda row: all(context.document_id in documents.files for context in row.contexts),
        "a passage of theirs is not there",
        problems,
    )
    found = tuple(_conversation_case(row, documents) for row in drawn(tasks, seed)[:limit])
    return Loaded(found, documents.texts, problems=tuple(problems))


def _conversation_case(row: Conversation, documents: Corpus) -> Case:
    *earlier, last = row.turns
    kinds = (*row.answerability, *row.kinds, *row.follows)
    return Case(
        row.id,
        last.text.strip(),
        history=tuple(Message("user" if turn.speaker == "user" else "assistant", turn.text) for turn in earlier),
        # answered in part, or thanks and greetings: neither an answer nor a refusal would be wrong
        answerable=_ANSWERABLE.get(" ".join(row.answerability)),
        reference="\n".join(turn.text for turn in row.targets),
        documents=tuple(dict.fromkeys(documents.files[context.document_id] for context in row.contexts)),
        tags=tuple(dict.fromkeys(kind.lower() for kind in kinds)),
        group=row.turns[0].text.strip(),  # the turns of a conversation all begin with its first question
    )


def covidqa_long(folder: Path, limit: int | None, seed: int) -> Loaded:
    """COVID-QA: questions of biomedical experts over whole scientific articles."""
    problems: list[str] = []
    articles = rows(place(folder, "covidqa_long", "docs.jsonl"), Paragraph, problems)
    documents = corpus((row.id, row.text) for row in articles)
    asked = rows(place(folder, "covidqa_long", "questions.jsonl"), Located, problems)
    asked = kept(asked, lambda row: row.gold in documents.files, "their article is not there", problems)
    asked = kept(asked, lambda row: _stands_there(row, documents), "the answer is not where it should be", problems)
    found = tuple(_located_case(row, documents) for row in drawn(asked, seed)[:limit])
    return Loaded(found, documents.texts, problems=tuple(problems))


def _stands_there(row: Located, documents: Corpus) -> bool:
    text = documents.texts[documents.files[row.gold]]
    return all(excerpt.start >= 0 and text.startswith(excerpt.text, excerpt.start) for excerpt in row.answers)


def _located_case(row: Located, documents: Corpus) -> Case:
    file = documents.files[row.gold]
    text = documents.texts[file]
    answers = tuple(dict.fromkeys(excerpt.text.strip() for excerpt in row.answers))
    quotes = (_unique(text, excerpt.start, excerpt.start + len(excerpt.text)) for excerpt in row.answers)
    return Case(
        row.id,
        row.text,
        answerable=True,
        answers=answers if all(len(answer.split()) <= SHORT for answer in answers) else (),
        reference=answers[0],
        spans=tuple(dict.fromkeys(GoldSpan(file, quote) for quote in quotes if quote)),
        documents=(file,),
        group=row.gold,
    )


def _unique(text: str, start: int, end: int) -> str:
    """The passage, or the sentences it stands in where it stands elsewhere too; empty where these do so as well."""
    around = [span for span in spans(text) if span.start < end and span.end > start]
    sentences = text[around[0].start : around[-1].end] if around else ""
    return next((quote for quote in (text[start:end].strip(), sentences) if quote and text.count(quote) == 1), "")


def sec10q(folder: Path, limit: int | None, seed: int) -> Loaded:
    """Questions over the quarterly reports of two firms, as PDF files, within one report or across several.

    The reference answers mix figures with dates, comparisons and remarks, so no single number of them is a fact that
    an answer must have.
    """
    problems: list[str] = []
    files = {path.name: path for path in sorted(place(folder, "sec10q", "docs").glob("[!.]*")) if path.is_file()}
    asked = rows(place(folder, "sec10q", "questions.jsonl"), Filing, problems)
    asked = kept(asked, lambda row: set(row.gold_docs) <= set(files), "a file of theirs is not there", problems)
    found = (
        Case(
            row.id,
            row.text,
            answerable=True,
            reference=row.answer,
            documents=tuple(dict.fromkeys(row.gold_docs)),
            tags=tuple(tag.lower() for tag in (row.type, row.chunk_type) if tag),
        )
        for row in drawn(asked, seed)[:limit]
    )
    return Loaded(tuple(found), files=tuple(files.values()), problems=tuple(problems))


def _adapter(name: str, about: str, load: Load, source: str = "") -> Adapter:
    return Adapter(name, about, (SETS[source or name].folder,), load)


ADAPTERS: dict[str, Adapter] = {
    adapter.name: adapter
    for adapter in (
        _adapter("squad2", "Wikipedia paragraphs; half of the questions have no answer there", squad2),
        _adapter("nq_paragraphs", "questions to a search engine over 2,580 Wikipedia paragraphs", nq_paragraphs),
        _adapter("scifact", "claims to be found in 5,183 abstracts (retrieval only)", scifact),
        _adapter("mtrag", "conversations of several turns over passages of four fields", mtrag),
        _adapter("covidqa_long", "experts' questions over 98 whole articles", covidqa_long),
        _adapter("sec10q", "questions over quarterly reports in PDF", sec10q),
        *(
            _adapter(f"xquad_{code}", f"questions and paragraphs in {language}", partial(xquad, code), "xquad")
            for code, language in LANGUAGES.items()
        ),
    )
}
