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
from evals import cases, corpora
from evals.public import Loaded
from evals.records import Case, Given, GoldSpan, Texts


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


def named(texts: Texts) -> dict[str, str]:
    """The texts by file name, where no two documents have the same."""
    return {file: text for file, of_name in texts.items() for (text,) in [of_name.values()]}


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
    assert named(corpus.texts) == loaded.documents
    assert corpus.collection == "made-up"


def test_what_is_no_longer_in_a_suite_leaves_its_collection(assistant: Any) -> None:
    before = Loaded((), {"ferry.txt": "The ferry leaves at nine.", "fish.txt": "Herring is sold."})
    after = Loaded((), {"ferry.txt": "The ferry leaves at ten."})
    first = corpora.bring(assistant, "made-up", before, None, None)
    second = corpora.bring(assistant, "made-up", after, None, None)
    assert named(second.texts) == after.documents
    assert first.sha256 != second.sha256


def test_documents_of_an_earlier_run_from_another_folder_leave_the_collection(assistant: Any, tmp_path: Path) -> None:
    for name, file in (("one", "ferry.txt"), ("two", "fish.txt")):
        (tmp_path / name).mkdir()
        (tmp_path / name / file).write_text(f"Of {file} much could be told.")
    corpora.bring(assistant, "own", Loaded((), files=(tmp_path / "one",)), None, None)
    for _ in range(2):  # the second time they are unchanged
        corpus = corpora.bring(assistant, "own", Loaded((), files=(tmp_path / "two",)), None, None)
        assert set(corpus.texts) == {"fish.txt"}


def test_what_can_no_longer_be_read_keeps_its_earlier_version(assistant: Any, tmp_path: Path) -> None:
    file = tmp_path / "ferry.txt"
    file.write_text("The ferry leaves at nine.")
    corpora.bring(assistant, "own", Loaded((), files=(file,)), None, None)
    file.write_bytes(b"\x00\x01\x02\xff" * 100)
    corpus = corpora.bring(assistant, "own", Loaded((), files=(file,)), None, None)
    assert set(corpus.texts) == {"ferry.txt"}
    assert corpus.unread


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
    assert named(corpora.show_only(assistant, first)) == {"a.txt": "One.", "b.txt": "Two."}
    for _ in range(2):
        shown = corpora.show_only(assistant, second)
        assert named(shown) == {"b.txt": "Two, but changed.", "c.txt": "Three."}
        assert shown == cases.given_texts(case("Two", "b.txt", second))


def test_documents_of_one_name_are_told_apart(assistant: Any, tmp_path: Path) -> None:
    for folder, text in (("one", "The ferry leaves at nine."), ("two", "The ferry leaves at ten.")):
        (tmp_path / "files" / folder).mkdir(parents=True)
        (tmp_path / "files" / folder / "ferry.txt").write_text(text)
    loaded = Loaded((case("at nine"), case("at ten")), files=(tmp_path / "files",))
    corpus = corpora.bring(assistant, "own", loaded, None, None)
    assert sorted(corpus.texts["ferry.txt"].values()) == ["The ferry leaves at nine.", "The ferry leaves at ten."]
    assert corpus.documents == 2
    before = corpus.sha256
    (tmp_path / "files/one/ferry.txt").write_text("The ferry leaves at nine, or later.")
    assert corpora.bring(assistant, "own", loaded, None, None).sha256 != before


def test_a_collection_that_the_user_names_stays_as_it_is(assistant: Any) -> None:
    assistant.ingest.add_bytes("ferry.txt", b"The ferry leaves at nine.", "mine")
    corpus = corpora.bring(assistant, "own", Loaded((case("at nine"),)), "mine", None)
    assert corpus.collection == "mine"
    assert named(corpus.texts) == {"ferry.txt": "The ferry leaves at nine."}


def test_a_suite_with_documents_of_its_own_takes_no_collection_of_the_user(assistant: Any) -> None:
    assistant.ingest.add_bytes("ferry.txt", b"The ferry leaves at nine.", "mine")
    given = (Given("ferry.txt", "The ferry leaves at ten."),)
    with pytest.raises(BadInput, match="brings its own documents"):
        corpora.bring(assistant, "squad2", Loaded((case("at ten", given=given),)), "mine", None)
