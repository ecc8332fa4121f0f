"""The models that the settings may name beside the language model: a reranker and a groundedness model."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path

import pytest
import tiny_models
from fake_embedder import FakeEmbedder

from assistant import chain, doctor, models
from assistant.check import Weights
from assistant.errors import ModelDamaged, ModelMissing, UnknownModel
from assistant.groundedness import Groundedness
from assistant.ingest import Ingest
from assistant.opening import cross_encoder
from assistant.settings import Settings

RERANKER, CHECKER = "ms-marco-minilm-l6-v2", "nli-deberta-v3-small"
TEXT = "The lighthouse on Skarv was built in 1874."


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Has both models, as a pull would leave them, and none of the true ones."""
    for name, kind in ((RERANKER, {}), (CHECKER, {"asks": "second", "classes": 3, "yes": 1})):
        model, tokenizer = (tmp_path / "models" / file.name for file in models.catalog[name].files)
        tiny_models.counting(model, **kind)
        tiny_models.tokenizer(tokenizer, [TEXT])
    return tmp_path / "models"


def settings(folder: Path, **named: str) -> Settings:
    return Settings(home=folder.parent / "home", models={"folder": folder, **named})


def test_none_is_loaded_where_none_is_named(folder: Path) -> None:
    assert cross_encoder(settings(folder), "reranker") is None
    assert cross_encoder(settings(folder), "checker") is None


def test_the_named_ones_are_loaded_as_the_catalog_says(folder: Path) -> None:
    both = settings(folder, reranker=RERANKER, checker=CHECKER)
    reranker, checker = cross_encoder(both, "reranker"), cross_encoder(both, "checker")
    assert reranker is not None
    assert checker is not None
    assert reranker.scores([("the lighthouse", TEXT)])[0] == 2
    assert 2 > checker.scores([(TEXT, "the lighthouse")])[0] > 1  # over two other outputs
    long = "lighthouse " * 600 + "skarv"
    assert reranker.scores([("skarv", long)])[0] == -1, "it reads 512 tokens"


@pytest.mark.parametrize("role", ["reranker", "checker"])
def test_a_missing_one_says_how_to_get_it_and_how_to_do_without(folder: Path, role: str) -> None:
    name = {"reranker": RERANKER, "checker": CHECKER}[role]
    (folder / models.catalog[name].files[1].name).unlink()
    with pytest.raises(ModelMissing, match=name) as caught:
        cross_encoder(settings(folder, **{role: name}), role)  # type: ignore[arg-type]
    assert f"assistant models pull {name}" in caught.value.hint
    assert f'set models.{role} to ""' in caught.value.hint


def test_a_damaged_one_is_told(folder: Path) -> None:
    (folder / models.catalog[RERANKER].files[0].name).write_bytes(b"no model")
    with pytest.raises(ModelDamaged, match="cannot be loaded") as caught:
        cross_encoder(settings(folder, reranker=RERANKER), "reranker")
    assert 'set models.reranker to ""' in caught.value.hint


def test_an_unknown_one_and_one_of_another_kind_are_bad_input(folder: Path) -> None:
    for name in ("ms-marco", CHECKER, "all-minilm-l6-v2"):
        with pytest.raises(UnknownModel, match=name):
            cross_encoder(settings(folder, reranker=name), "reranker")


def test_the_search_uses_the_named_reranker(folder: Path) -> None:
    ingest = Ingest(folder.parent / "home", FakeEmbedder)
    for name, text in (("light.txt", TEXT), ("other.txt", "Nobody knows who keeps whose ferry.")):
        ingest.add_bytes(name, text.encode(), "default")
    first = {}
    for named in ("", RERANKER):
        retriever = chain.retriever(ingest, settings(folder, reranker=named))
        hits = retriever.search("default", "Nobody knows who keeps the lighthouse on Skarv", 2)
        first[named] = hits[0].chunk.file
        retriever.close()
    assert first == {"": "other.txt", RERANKER: "light.txt"}
    with pytest.raises(ModelMissing, match=RERANKER):
        chain.retriever(ingest, settings(folder.parent / "nowhere", reranker=RERANKER))
    ingest.close()


# --- the checker: answers go on without it, and that is said


Find = Callable[[Settings], tuple[object, str]]


@pytest.fixture
def find() -> Find:
    own = Weights.read()
    embedder = FakeEmbedder(sha256=own.embedder_sha256)
    return lambda settings: chain._checker(settings, embedder, own.model_sha256)  # type: ignore[arg-type]


def test_the_named_groundedness_model_becomes_a_witness(folder: Path, find: Find) -> None:
    checker, why = find(settings(folder, checker=CHECKER))
    assert isinstance(checker.grounds, Groundedness)  # type: ignore[attr-defined]
    assert why == ""
    checker.close()  # type: ignore[attr-defined]
    checker, why = find(settings(folder))
    assert checker is not None
    assert (checker.grounds, why) == (None, "")  # type: ignore[attr-defined]


def test_without_the_named_model_nothing_is_checked_and_that_is_said(folder: Path, find: Find) -> None:
    model = folder / models.catalog[CHECKER].files[0].name
    model.write_bytes(b"no model")
    checker, why = find(settings(folder, checker=CHECKER))
    assert checker is None
    assert why.startswith("Answers are not checked. The model nli-deberta-v3-small cannot be loaded")
    model.unlink()
    checker, why = find(settings(folder, checker=CHECKER))
    assert checker is None
    assert "is not installed" in why
    assert f"assistant models pull {CHECKER}" in why
    with pytest.raises(UnknownModel):
        find(settings(folder, checker="minicheck"))


def test_with_another_embedder_that_is_said_too_and_nothing_where_no_check_is_wanted(folder: Path) -> None:
    checker, why = chain._checker(settings(folder), FakeEmbedder(), "m")  # type: ignore[arg-type]
    assert checker is None
    assert "not fake" in why
    off = settings(folder, checker=CHECKER).model_copy(update={"trust": Settings(trust={"mode": "off"}).trust})
    assert chain._checker(off, FakeEmbedder(), "m") == (None, "")  # type: ignore[arg-type]


# --- the doors


def test_doctor_shows_them(folder: Path) -> None:
    problems: list[str] = []
    shown, _ = doctor._models(settings(folder, reranker=RERANKER), problems)
    assert shown["reranker"]["name"] == RERANKER
    assert len(shown["reranker"]["sha256"]) == 64
    assert "none" in shown["checker"]["name"]
    assert not [one for one in problems if RERANKER in one]
    shown, _ = doctor._models(settings(folder.parent / "nowhere", checker=CHECKER), problems)
    assert "is not installed" in shown["checker"]["state"]
    assert [one for one in problems if f"assistant models pull {CHECKER}" in one]
    assert "token by token" in shown["reranker"]["name"]


@pytest.mark.parametrize(("role", "name"), [("reranker", RERANKER), ("checker", CHECKER)])
def test_models_use_chooses_each_by_its_role(
    folder: Path, role: str, name: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from assistant import cli

    def run(*args: str) -> str:
        monkeypatch.setattr("sys.argv", ["assistant", *args])
        with contextlib.suppress(SystemExit):
            cli.main()
        return capsys.readouterr().out

    monkeypatch.setenv("ASSISTANT_HOME", str(folder.parent / "home"))
    monkeypatch.setenv("ASSISTANT_MODELS__FOLDER", str(folder))
    monkeypatch.chdir(folder.parent)
    assert json.loads(run("models", "use", name, "--json"))["role"] == role
    assert f'{role} = "{name}"' in (folder.parent / "home/assistant.toml").read_text()
    assert [one["name"] for one in json.loads(run("models", "list", "--json")) if one["in_use"]][-1] == name
