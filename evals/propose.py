"""Questions proposed from a user's own documents, with the answer and where it stands: a start for an evaluation.

The model that answers also asks here, so what it proposes is what it finds easy: a person accepts, changes or drops
each question. The answer is a stretch of the passage, word for word, by the grammar's choice of sentence.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Container, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from assistant import Settings, models
from assistant.engine import Engine, Params, Piece
from assistant.engine.grammar import schema_grammar
from assistant.errors import BadInput, EmptyCollection, StorageError
from assistant.ingest import Ingest
from assistant.records import Block, Chunk, PromptMessage
from assistant.runnables import to_messages, to_turns
from assistant.sentences import spans
from assistant.tuning import engine_config
from evals import cases
from evals.records import Case, GoldSpan

_ASK = (
    "Read the passage and write one question that a person who does not know the passage might ask, and that its "
    "marked sentence answers. Name in the question whatever it is about: never say 'the passage' or 'the sentence'. "
    "Give the answer in the fewest words, copied from the marked sentence."
)
_FORM = {
    "type": "object",
    "properties": {"question": {"type": "string", "maxLength": 200}, "answer": {"type": "string", "maxLength": 100}},
    "required": ["question", "answer"],
    "additionalProperties": False,
}
_SHORTEST, _LONGEST = 40, 400  # characters of a sentence that is asked about
_TRIES = 4  # sentences looked at for each question that is wanted: not every one gives a usable question


class Proposer:
    """Asks the language model for questions. Close it, or use it in a `with` statement."""

    def __init__(self, ingest: Ingest, engine: Engine) -> None:
        self._ingest = ingest
        self._engine = engine
        self._params = Params(max_tokens=160, grammar=schema_grammar(_FORM))

    @classmethod
    def open(cls, settings: Settings) -> Proposer:
        """Raises ModelMissing, ModelDamaged, EngineFailed, StorageError."""
        model = models.resolve(settings.models.llm, settings.models.folder, "llm")
        config = replace(engine_config(settings, model.sha256), max_sequences=1, store=None)
        ingest = Ingest.open(settings)
        try:
            return cls(ingest, Engine.open(model.paths["model"], config))
        except BaseException:
            ingest.close()
            raise

    def propose(self, collection: str, count: int, known: Container[str] = ()) -> Iterator[Case]:
        """At most `count` questions, spread over the documents, the same in every run, but for those whose ids are
        `known`.

        Raises UnknownCollection, EmptyCollection, EngineFailed.
        """
        chunk_ids = sorted(self._ingest.library.chunk_ids(collection), key=_order)
        if not chunk_ids:
            raise EmptyCollection(f"The collection {collection} is empty.", "Ingest documents first.")
        found = tried = 0
        for chunk_id in chunk_ids:
            if found == count or tried == count * _TRIES:
                return
            chunk = self._ingest.library.chunks(collection, [chunk_id])[chunk_id]
            sentence = _sentence(chunk)
            if sentence is not None and _id(chunk, sentence) in known:
                continue
            tried += 1
            case = self._about(chunk, sentence) if sentence else None
            if case is not None:
                found += 1
                yield case

    def close(self) -> None:
        with closing(self._ingest):
            self._engine.close()

    def __enter__(self) -> Proposer:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _about(self, chunk: Chunk, sentence: str) -> Case | None:
        """A question about a sentence of the chunk, or None when the model gave nothing usable."""
        marked = chunk.text.replace(sentence, f">>> {sentence} <<<", 1)
        prompt = (
            PromptMessage("system", (Block(_ASK),)),
            PromptMessage("user", (Block(f"Title: {chunk.title or chunk.file}\nPassage: {marked}"),)),
        )
        events = self._engine.generate(to_turns(to_messages(prompt)), self._params)
        text = "".join(event.text for event in events if isinstance(event, Piece))
        return _case(text, chunk, sentence)


def reworded(case: Case, question: str) -> Case:
    """The same answer, asked for in the user's words."""
    return replace(case, question=question)


def known(path: Path) -> frozenset[str]:
    """The ids of the cases in the file that questions are to be added to; none where there is no file yet.

    Raises BadInput where it is of another kind than `append` writes, or what it holds are no cases.
    """
    if path.suffix.lower() != ".jsonl":
        raise BadInput(f"{path} is not a .jsonl file.", "Name one, such as --output questions.jsonl.")
    if not path.exists() or not path.stat().st_size:
        return frozenset()
    return frozenset(case.id for case in cases.read(path).cases)


def append(path: Path, case: Case) -> None:
    """Adds a line to a JSONL file of cases. Raises StorageError."""
    given = {key: value for key, value in cases.to_json(case).items() if value and key != "given"}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as stream:
            stream.write(json.dumps(given, ensure_ascii=False) + "\n")
    except OSError as error:
        raise StorageError(f"{path} cannot be written: {error.strerror}.", "Name another file.") from error


def _case(text: str, chunk: Chunk, sentence: str) -> Case | None:
    try:
        said = json.loads(text)
    except ValueError:  # it came to its longest before the end
        return None
    question, answer = said["question"].strip(), said["answer"].strip()
    if not question or not answer or answer not in sentence or answer in question:
        return None
    return Case(
        _id(chunk, sentence),
        question,
        answerable=True,
        answers=(answer,),
        spans=(GoldSpan(chunk.file, sentence),),
    )


def _id(chunk: Chunk, sentence: str) -> str:
    return f"{chunk.id}-{_order(sentence).hex()[:6]}"


def _sentence(chunk: Chunk) -> str | None:
    """One that is neither a heading nor a table, and stands once; the same in every run."""
    found = (chunk.text[span.start : span.end].strip() for span in spans(chunk.text))
    usable: Sequence[str] = [
        text for text in found if _SHORTEST <= len(text) <= _LONGEST and chunk.text.count(text) == 1
    ]
    return min(usable, key=_order, default=None)


def _order(text: str) -> bytes:
    return hashlib.sha256(text.encode()).digest()
