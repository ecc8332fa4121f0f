"""Our model as a LangChain model: what of a call arrives at the engine, and structured output."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.exceptions import OutputParserException
from pydantic import BaseModel

from assistant.chain import Assistant
from assistant.engine import Done, Params, Piece
from assistant.errors import BadFormat, BadInput
from assistant.records import Sampling
from assistant.runnables import LocalChatModel
from assistant.settings import Settings

KEEPER = '{"name": "Ada", "year": 1962}'


class Keeper(BaseModel):
    name: str
    year: int


class FakeEngine:
    """Says `text`, and remembers how it was asked."""

    def __init__(self, text: str = KEEPER) -> None:
        self.text = text

    def generate(self, turns: Any, params: Params, cancel: Any) -> Iterator[Piece | Done]:
        self.params = params
        return (event for event in (Piece(self.text[:9]), Piece(self.text[9:]), Done("stop", 1, 0, 2, 0, 0, 0, 0)))


def model(engine: FakeEngine, **defaults: Any) -> LocalChatModel:
    return LocalChatModel(engine=engine, params=Params(**defaults))


def test_everything_of_a_call_arrives_at_the_engine() -> None:
    engine = FakeEngine()
    given = {"temperature": 0.5, "top_p": 0.9, "min_p": 0.1, "seed": 7, "max_tokens": 3, "timeout_s": 2.0}
    sampling = Sampling(stop=("a",), grammar='root ::= "x"')
    model(engine).invoke("?", stop=["b"], sampling=sampling, **given)
    assert engine.params == Params(**given, stop=("a", "b"), grammar='root ::= "x"')
    model(engine, seed=3, max_tokens=9).invoke("?")
    assert engine.params == Params(seed=3, max_tokens=9)


@pytest.mark.parametrize(
    ("own", "given", "used"), [(None, None, None), (5, None, 5), (None, 3, 3), (5, 3, 3), (5, 9, 5)]
)
def test_a_call_can_only_shorten_the_deadline(own: float | None, given: float | None, used: float | None) -> None:
    engine = FakeEngine()
    model(engine, timeout_s=own).invoke("?", timeout_s=given)
    assert engine.params.timeout_s == used


def test_the_settings_give_the_deadline() -> None:
    for seconds, used in ((0.0, None), (7.5, 7.5)):
        engine: Any = FakeEngine()
        Assistant(Settings(answer={"timeout_s": seconds}), engine, engine, engine, "fake")._model.invoke("?")
        assert engine.params.timeout_s == used


def test_a_schema_arrives_as_a_grammar() -> None:
    engine = FakeEngine()
    model(engine).bind(json_schema={"type": "integer"}).invoke("?")
    assert "root ::= " in engine.params.grammar
    with pytest.raises(BadFormat, match="Give one"):
        model(engine).invoke("?", json_schema={}, grammar="x")
    with pytest.raises(BadInput, match="Unknown keyword top_k"):
        model(engine).invoke("?", top_k=5)


@pytest.mark.parametrize(
    ("schema", "value"), [(Keeper, Keeper(name="Ada", year=1962)), (Keeper.model_json_schema(), 0)]
)
def test_structured_output(schema: Any, value: Any) -> None:
    engine = FakeEngine()
    assert model(engine).with_structured_output(schema).invoke("?") == (value or {"name": "Ada", "year": 1962})
    assert "year-kv" in engine.params.grammar


def test_text_that_broke_off_is_no_structured_output() -> None:
    cut = model(FakeEngine(KEEPER[:-3]))
    with pytest.raises(OutputParserException) as caught:
        cut.with_structured_output(Keeper).invoke("?")
    assert caught.value.llm_output == KEEPER[:-3]
    whole = cut.with_structured_output(Keeper, include_raw=True).invoke("?")
    assert (whole["raw"].text, whole["parsed"]) == (KEEPER[:-3], None)
    assert isinstance(whole["parsing_error"], OutputParserException)
    with pytest.raises(BadFormat, match="neither"):
        cut.with_structured_output(int)


def test_langchain_s_usual_keywords_of_structured_output() -> None:
    for method in ("json_schema", "json_mode"):
        asked = model(FakeEngine()).with_structured_output(Keeper, method=method, strict=True)
        assert asked.invoke("?") == Keeper(name="Ada", year=1962)
    with pytest.raises(BadInput, match="no method 'function_calling'"):
        model(FakeEngine()).with_structured_output(Keeper, method="function_calling")
