"""JSON schemas as grammars: what becomes of them, and what is refused before llama.cpp sees it."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from assistant.engine import schema_grammar
from assistant.engine.grammar import MAX_CHOICES, MAX_SCHEMA, MAX_VALUES, check_limits
from assistant.errors import BadFormat


def rules(schema: dict[str, Any]) -> dict[str, str]:
    return dict(line.split(" ::= ", 1) for line in schema_grammar(schema).splitlines())


def test_a_schema_becomes_rules_and_is_not_changed() -> None:
    schema = {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}
    made = rules(schema)
    assert made["root"] == '"{" space year-kv "}" space'
    assert made["year-kv"] == r'"\"year\"" space ":" space integer'
    assert schema == {"type": "object", "properties": {"year": {"type": "integer"}}, "required": ["year"]}


def test_texts_hold_no_control_characters() -> None:
    assert "\\x00-\\x1F" in rules({"type": "string"})["char"]


def test_quotes_and_characters_beyond_the_first_plane_are_spelled_out() -> None:
    assert rules({"enum": ['a "b"', "\U0001f600", "\\"]})["root"] == (
        r'"\"a \\\"b\\\"\"" | "\"' + "\U0001f600" + r'\"" | "\"\\\\\""'
    )


def test_a_definition_is_known_by_its_whole_name() -> None:
    schema = {
        "$defs": {"place": {"type": "integer"}, "other": {"$ref": "#/$defs/place"}},
        "properties": {"place": {"type": "string"}, "home": {"$ref": "#/$defs/other"}},
        "required": ["place", "home"],
    }
    made = rules(schema)
    assert made["place-kv"].endswith("string")
    assert made[made["home"]] == "integer" or made["home"] == "integer"


def test_a_definition_may_hold_itself() -> None:
    node = {"properties": {"next": {"anyOf": [{"$ref": "#"}, {"type": "null"}]}}, "required": ["next"]}
    assert rules(node)["next"].endswith("null")


def test_what_may_be_anything_is_any_value() -> None:
    assert rules({"title": "X"})["root"] == "value"
    assert rules({"type": "array", "items": True})["root"].count("value") == 2


def test_several_types_keep_what_stands_beside_them() -> None:
    made = rules({"type": ["array", "null"], "items": {"type": "integer"}})
    assert "integer" in made[made["root"].split(" | ")[0]]
    assert rules({"type": ["string", "null"], "enum": ["a", None]})["root"] == r'"\"a\"" | "null"'


@pytest.mark.parametrize(
    ("pattern", "rule"),
    [
        (r"^\d{5}$", "[0-9]{5}"),
        (r"^[A-Z]+\.$", r"[A-Z]+ [\U0000002E]"),
        ("^\u00e9?$", r"[\U000000E9]?"),
    ],
)
def test_plain_patterns_are_kept(pattern: str, rule: str) -> None:
    assert rules({"type": "string", "pattern": pattern})["root"] == rf'"\"" {rule} "\"" space'


@pytest.mark.parametrize(
    "pattern", ["a]", "^a]$", "^(a|aa)*$", "^.$", "^[^a]$", "^[ -~]$", "^[z-a]$", '^"$', "^\\\\$", "^a*b*c*d*$", "abc"]
)
def test_other_patterns_are_refused(pattern: str) -> None:
    with pytest.raises(BadFormat, match="at zip"):
        schema_grammar({"properties": {"zip": {"type": "string", "pattern": pattern}}})


def doubling() -> dict[str, Any]:
    """Sixty definitions, each naming the next one twice: 2 ** 60 choices."""
    definitions: dict[str, Any] = {
        f"a{n}": {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}, {"anyOf": [{"$ref": f"#/$defs/a{n + 1}"}]}]}
        for n in range(60)
    }
    return {"$defs": definitions | {"a60": {"type": "null"}}, "$ref": "#/$defs/a0"}


def nested(depth: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "null"}
    for _ in range(depth):
        schema = {"type": "array", "items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "problem"),
    [
        ({"$ref": "https://example.org/schema"}, "nothing is fetched"),
        ({"$ref": "http://example.org/schema"}, "nothing is fetched"),
        ({"items": {"$ref": "other.json"}}, "nothing is fetched"),
        ({"$ref": "#/$defs/none"}, "leads nowhere"),
        ({"$ref": "#"}, "more than"),
        ({"type": "strin"}, "Unrecognized schema"),
        ({"properties": {"a": {"properties": 5}}}, "at a: "),
        ({"properties": {"a": False}}, "at a: false"),
        ({"a": float("nan")}, "not JSON"),
        ({"a": {1, 2}}, "not JSON"),
        ({"enum": ["x" * MAX_SCHEMA]}, "characters"),
        ({"enum": list(range(MAX_VALUES + 1))}, "values"),
        ({"enum": list(range(MAX_CHOICES + 1))}, "choices"),
        (doubling(), "choices"),
        (nested(60), "deep"),
        ({"type": "string", "maxLength": 10**9}, "maxLength = 1000000000"),
        ({"type": "array", "items": {}, "minItems": -1}, "minItems = -1"),
        ({"type": "array", "items": {}, "minItems": 2, "maxItems": 1}, "minItems = 2 is above"),
    ],
)
def test_what_cannot_be_used_is_named(schema: dict[str, Any], problem: str) -> None:
    with pytest.raises(BadFormat, match=problem):
        schema_grammar(schema)


def test_nothing_is_fetched(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "requests", None)  # importing it would fail in another way
    with pytest.raises(BadFormat, match="leads out"):
        schema_grammar({"properties": {"a": {"$ref": "https://example.org/schema#/a"}}})


@pytest.mark.parametrize("grammar", ["x" * 300_000, "root ::= \0", "root ::= \ud800", "(" * 2000, 'root ::= "a"{5,0}'])
def test_grammars_that_llama_cpp_would_die_of_are_refused(grammar: str) -> None:
    with pytest.raises(BadFormat):
        check_limits(grammar)


def test_brackets_in_texts_and_classes_are_not_counted() -> None:
    check_limits("root ::= " + '"(" [(] ' * 2000 + "# " + "(" * 2000 + '\n"{5,0}"')
