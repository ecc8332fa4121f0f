"""The documents of an evaluation: in a home of their own, one case's documents at a time, gold checked first."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from fake_embedder import FakeEmbedder

from assistant.errors import BadInput
from assistant.ingest import Ingest
from assistant.settings import Settings
from evals import corpora
from evals.public import Loaded
from evals.records import Case, Given, GoldSpan


@dataclass
class Opened:
    """What `corpora` needs of an Assistant: the real write path, without a language model."""

    settings: Settings
    ingest: Ingest


@pytest.fixture
def assistant(tmp_path: Path) -> Iterator[Any]:
    settings = Settings(home=tmp_path / "home")
    ingest = Ingest(settings.home, FakeEmbedder)  # type: ignore[arg-type]
    yield Opened(settings, ingest)
    ingest.close()


def case(quote: str, file: str = "ferry.txt", given: tuple[Given, ...] = ()) -> Case:
    return Case("c1", "When does it leave?", spans=(GoldSpan(file, quote),), given=given)


def test_an_evaluation_has_a_home_of_its_own_and_the_tuning_of_the_user(tmp_path: Path) -> None:
    settings = Settings(home=tmp_path)
    (tmp_path / "tuning.json").write_text("[]")
    own = corpora.home(settings)
    assert own.home == tmp_path / "evals"
    assert (own.home / "tuning.json").read_text() == "[]"
    assert own.engine == settings.engine


def test_documents_are_ingested_and_read_back(assistant: Any) -> None:
    loaded = Loaded((case("at nine"),), {"ferry.txt": "The ferry leaves at nine.", "fish.txt": "Herring is sold."})
    corpus = corpora.bring(assistant, "made-up", loaded, None, None)
    assert corpus.texts == loaded.documents
    assert corpus.collection == "made-up"


def test_what_is_no_longer_in_a_suite_leaves_its_collection(assistant: Any) -> None:
    before = Loaded((), {"ferry.txt": "The ferry leaves at nine.", "fish.txt": "Herring is sold."})
    after = Loaded((), {"ferry.txt": "The ferry leaves at ten."})
    first = corpora.bring(assistant, "made-up", before, None, None)
    second = corpora.bring(assistant, "made-up", after, None, None)
    assert second.texts == after.documents
    assert first.sha256 != second.sha256


def test_real_files_are_taken_in_as_they_are_and_the_unreadable_named(assistant: Any, tmp_path: Path) -> None:
    folder = tmp_path / "files"
    folder.mkdir()
    (folder / "ferry.txt").write_text("The ferry leaves at nine.")
    (folder / "broken.txt").write_bytes(b"\x00\x01\x02\xff" * 100)
    corpus = corpora.bring(assistant, "made-up", Loaded((), files=(folder,)), None, None)
    assert set(corpus.texts) == {"ferry.txt"}
    assert len(corpus.unread) == 1
    assert corpus.unread[0].startswith("broken.txt: ")


def test_a_gold_span_that_no_document_holds_stops_before_any_question(assistant: Any) -> None:
    loaded = Loaded((case("at ten"),), {"ferry.txt": "The ferry leaves at nine."})
    with pytest.raises(BadInput, match="at ten"):
        corpora.bring(assistant, "made-up", loaded, None, None)


def test_a_gold_span_of_a_given_document_is_checked_in_it(assistant: Any) -> None:
    given = (Given("ferry.txt", "The ferry leaves at ten."),)
    corpora.bring(assistant, "made-up", Loaded((case("at ten", given=given),)), None, None)
    with pytest.raises(BadInput, match="at nine"):
        corpora.bring(assistant, "made-up", Loaded((case("at nine", given=given),)), None, None)


def test_given_documents_are_alone_in_their_collection(assistant: Any) -> None:
    first = (Given("a.txt", "One."), Given("b.txt", "Two."))
    second = (Given("b.txt", "Two, but changed."), Given("c.txt", "Three."))
    assert corpora.show_only(assistant, first) == {"a.txt": "One.", "b.txt": "Two."}
    assert corpora.show_only(assistant, second) == {"b.txt": "Two, but changed.", "c.txt": "Three."}
    assert corpora.show_only(assistant, second) == {"b.txt": "Two, but changed.", "c.txt": "Three."}


def test_a_collection_that_the_user_names_stays_as_it_is(assistant: Any) -> None:
    assistant.ingest.add_bytes("ferry.txt", b"The ferry leaves at nine.", "mine")
    corpus = corpora.bring(assistant, "own", Loaded((case("at nine"),)), "mine", None)
    assert corpus.collection == "mine"
    assert corpus.texts == {"ferry.txt": "The ferry leaves at nine."}


def test_a_suite_with_documents_of_its_own_takes_no_collection_of_the_user(assistant: Any) -> None:
    assistant.ingest.add_bytes("ferry.txt", b"The ferry leaves at nine.", "mine")
    given = (Given("ferry.txt", "The ferry leaves at ten."),)
    with pytest.raises(BadInput, match="brings its own documents"):
        corpora.bring(assistant, "squad2", Loaded((case("at ten", given=given),)), "mine", None)
