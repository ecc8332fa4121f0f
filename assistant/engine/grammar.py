"""What an answer's text may be, as llama.cpp's grammars (GBNF): from a JSON schema, and within sane limits.

The conversion is llama-cpp-python's own, mended where its rules would let through what is no JSON. It leaves out
`minimum`, `maximum`, `multipleOf`, `uniqueItems`, `patternProperties`, `not`, `if` and what stands beside `anyOf`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from llama_cpp.llama_grammar import PRIMITIVE_RULES, SchemaConverter

from assistant.errors import BadFormat

MAX_SCHEMA = 64 << 10  # characters of a schema as JSON
MAX_GRAMMAR = 256 << 10  # characters
MAX_VALUES = 1000  # names, list items and the like in a schema
MAX_CHOICES = 250  # in one place, enumerated or by anyOf: llama.cpp tries each of them on each token
MAX_DEPTH = 50
MAX_COUNT = 1000  # minItems, maxLength and so on; llama.cpp itself takes 2000
MAX_NESTING = 1000  # parentheses in a grammar; llama.cpp's parser recurses on them and crashes at some 20,000

_COUNTS = ("minItems", "maxItems", "minLength", "maxLength")
_SHAPES = frozenset(
    {"$ref", "additionalProperties", "allOf", "anyOf", "const", "enum", "format", "items", "oneOf", "pattern"}
    | {"prefixItems", "properties", "type"}
)
_MENDED = {  # as written they let through control characters, and "." a quote: no JSON could be read from that
    "char": r'[^"\\\x7F\x00-\x1F] | "\\" (["\\/bfnrt] | "u" [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F] [0-9a-fA-F])',
}
_WRONG = (AssertionError, AttributeError, IndexError, KeyError, RecursionError, TypeError, ValueError, re.error)

# Of regular expressions only what no token can be matched against in very many ways, as it can with (a|aa)*.
_ATOM = re.compile(
    r"""(?P<one>\\[dw]|\\[^\w\s"\\]|[^\\\[\](){}|*+?.^$"\x00-\x1f]|\[[^\^\\"\[\]][^\\"\[\]]*\])"""
    r"""(?P<times>[*+?]|\{\d{1,3}(?:,\d{0,3})?\})?"""
)
_UNQUOTED = [chr(code) for code in (*range(32), ord('"'), ord("\\"))]  # what no JSON text holds as it is
_CLASSES = {r"\d": "[0-9]", r"\w": "[A-Za-z0-9_]"}
_MOST_LOOSE = 3  # parts of one pattern that may be of several lengths

_LITERALS = re.compile(r'"(?:\\.|[^"\\])*"|\[(?:\\.|[^\]\\])*\]|#[^\n]*', re.DOTALL)
_REPEATED = re.compile(r"\{\s*(\d*)\s*(,?)\s*(\d*)\s*\}")


def schema_grammar(schema: Mapping[str, Any]) -> str:
    """A grammar of the JSON texts that fit a JSON schema. Raises BadFormat naming the part that cannot be used."""
    try:
        text = json.dumps(schema, allow_nan=False)
    except (TypeError, ValueError, RecursionError) as error:
        raise BadFormat(f"The JSON schema is not JSON: {error}.", "Correct it.") from error
    if len(text) > MAX_SCHEMA:
        raise BadFormat(f"The JSON schema has {len(text)} characters.", f"The limit is {MAX_SCHEMA}.")
    copy = json.loads(text)  # the converter writes into it
    _check_schema(copy)
    definitions = _definitions(copy)
    _check_choices(copy, definitions)
    converter = _Converter(definitions)
    converter.visit(copy, "")
    return str(converter.format_grammar())


def check_limits(grammar: str) -> None:
    """Refuses what llama.cpp's parser would crash or run out of memory on. Raises BadFormat."""
    if len(grammar) > MAX_GRAMMAR:
        raise BadFormat(f"The grammar has {len(grammar)} characters.", f"The limit is {MAX_GRAMMAR}.")
    if "\0" in grammar or any("\ud800" <= character <= "\udfff" for character in grammar):
        raise BadFormat("The grammar holds a character that is no text.", "Write it as \\x00.")
    bare = _LITERALS.sub("", grammar)
    depth = deepest = 0
    for bracket in re.findall("[()]", bare):
        depth += 1 if bracket == "(" else -1
        deepest = max(deepest, depth)
    if deepest > MAX_NESTING:
        raise BadFormat(f"The grammar nests {deepest} parentheses.", f"The limit is {MAX_NESTING}.")
    for least, comma, most in _REPEATED.findall(bare):
        if comma and most and int(most) < int(least or 0):
            raise BadFormat(f"The grammar repeats {least} to {most} times.", "Put the smaller number first.")


_Base: Any = SchemaConverter  # it has no type hints


class _Converter(_Base):  # type: ignore[misc]
    def __init__(self, definitions: dict[str, Any]) -> None:
        super().__init__(prop_order={}, allow_fetch=False, dotall=False, raw_pattern=False)
        self._refs = definitions
        self._names: dict[str, str] = {}

    def visit(self, schema: Any, name: str) -> str:
        try:
            schema = _plain(schema)
            if _SHAPES & schema.keys():
                return str(super().visit(schema, name))
            value = str(self._add_primitive("value", PRIMITIVE_RULES["value"]))
            return value if name else self._add_rule("root", value)
        except BadFormat:
            raise
        except _WRONG as error:
            where = f"at {name}" if name else "at its root"
            raise BadFormat(f"The JSON schema cannot be used {where}: {_reason(error)}.", "Correct it.") from error

    def _add_rule(self, name: str, rule: str) -> str:
        return str(super()._add_rule(name, _MENDED.get(name, rule)))

    def _resolve_ref(self, ref: str) -> str:
        """By the whole reference: the converter's own goes by its last word, which a property may have as name."""
        if ref not in self._names:
            self._names[ref] = f"definition-{len(self._names)}"  # what it is called while it refers to itself
            self._names[ref] = self.visit(self._refs[ref], self._names[ref])
        return self._names[ref]

    def _format_literal(self, literal: str) -> str:
        """JSON text as a GBNF literal: also with quotes and with characters beyond U+FFFF."""
        text = json.dumps(json.loads(literal), ensure_ascii=False)
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    def _visit_pattern(self, pattern: str, name: str) -> str:
        return self._add_rule(name, f'"\\"" {_sequence(pattern)} "\\"" space')


def _plain(schema: Any) -> dict[str, Any]:
    """The same schema without forms of which the converter would drop a part."""
    if schema is True:
        return {}
    if not isinstance(schema, dict):
        raise TypeError(f"{json.dumps(schema)[:80]} is no schema")
    if "enum" in schema or "const" in schema:
        return {key: value for key, value in schema.items() if key != "type"}
    if isinstance(schema.get("type"), list):
        return {"anyOf": [schema | {"type": kind} for kind in schema["type"]]}
    return schema


def _sequence(pattern: str) -> str:
    """A regular expression of plain parts as GBNF. Raises ValueError for any other."""
    inner, parts, at, loose = pattern.removeprefix("^").removesuffix("$"), [], 0, 0
    while at < len(inner):
        match = _ATOM.match(inner, at)
        one = match["one"] if match else ""
        if not match or (one[0] == "[" and any(re.match(one, bad) for bad in _UNQUOTED)):
            raise ValueError(f"of pattern {pattern[:80]!r} only characters, [classes] and counts can be kept")
        times = match["times"] or ""
        loose += bool(times) and (times in "*+?" or "," in times)
        parts.append((_CLASSES.get(one) or (one if len(one) > 2 else f"[\\U{ord(one[-1]):08X}]")) + times)
        at = match.end()
    if loose > _MOST_LOOSE or not (pattern.startswith("^") and pattern.endswith("$")):
        problem = "does not begin with ^ and end with $" if loose <= _MOST_LOOSE else "has more than 3 open counts"
        raise ValueError(f"pattern {pattern[:80]!r} {problem}")
    return " ".join(parts)


def _check_schema(schema: Any) -> None:
    values = 0
    for depth, node in _nodes(schema, 0):
        values += len(node)
        if depth > MAX_DEPTH:
            raise BadFormat(f"The JSON schema is nested more than {MAX_DEPTH} deep.", "Flatten it.")
        if values > MAX_VALUES:
            raise BadFormat(f"The JSON schema has more than {MAX_VALUES} values.", "Leave some out.")
        if isinstance(node, dict):
            _check_keywords(node)


def _check_keywords(node: dict[str, Any]) -> None:
    for name in _COUNTS:
        count = node.get(name)
        if isinstance(count, int | float) and not (isinstance(count, int) and 0 <= count <= MAX_COUNT):
            raise BadFormat(f"{name} = {count} in the JSON schema is out of range.", f"Give 0 to {MAX_COUNT}.")
    for what in ("Items", "Length"):
        least, most = node.get(f"min{what}"), node.get(f"max{what}")
        if isinstance(least, int) and isinstance(most, int) and least > most:
            raise BadFormat(f"min{what} = {least} is above max{what} = {most} in the JSON schema.", "Correct it.")


def _check_choices(schema: Any, definitions: Mapping[str, Any]) -> None:
    """A few definitions that name each other twice could make more choices than there are atoms."""
    for _, node in _nodes(schema, 0):
        choices = sum(1 for _ in islice(_choices(node, definitions), MAX_CHOICES + 1))
        if choices > MAX_CHOICES:
            raise BadFormat(f"One place of the JSON schema has more than {MAX_CHOICES} choices.", "Leave some out.")


def _choices(node: Any, definitions: Mapping[str, Any]) -> Iterator[Any]:
    """What may stand in one place; a definition that stands for itself gives no end of them."""
    left = [node]
    while left:
        yield left[-1]
        node = left.pop()
        if not isinstance(node, dict):
            continue
        for name in ("enum", "anyOf", "oneOf"):
            left += node[name] if isinstance(node.get(name), list) else []
        if isinstance(node.get("$ref"), str):
            left.append(definitions[node["$ref"]])


def _definitions(schema: Any) -> dict[str, Any]:
    """What each $ref in the schema stands for. Nothing is fetched: the converter's own way may go to the network."""
    nodes = [node for _, node in _nodes(schema, 0) if isinstance(node, dict)]
    return {ref: _target(schema, ref) for node in nodes if isinstance(ref := node.get("$ref"), str)}


def _target(schema: Any, ref: str) -> Any:
    if ref != "#" and not ref.startswith("#/"):
        raise BadFormat(f"$ref {ref[:80]!r} leads out of the JSON schema: nothing is fetched.", "Use #/$defs/NAME.")
    for word in ref.split("/")[1:]:
        key = word.replace("~1", "/").replace("~0", "~")
        try:
            schema = schema[int(key) if isinstance(schema, list) else key]
        except (KeyError, IndexError, TypeError, ValueError) as error:
            raise BadFormat(f"$ref {ref[:80]!r} leads nowhere in the JSON schema.", "Correct it.") from error
    return schema


def _nodes(value: Any, depth: int) -> Iterator[tuple[int, Any]]:
    """Each object and list of a JSON value, with how deep it lies. Iterates: the value may be very deep."""
    left = [(depth, value)]
    while left:
        depth, value = left.pop()
        if isinstance(value, dict | list):
            yield depth, value
            left += [(depth + 1, item) for item in (value.values() if isinstance(value, dict) else value)]


def _reason(error: Exception) -> str:
    text = str(error)[:200].rstrip(".")
    return f"{type(error).__name__} {text}" if isinstance(error, KeyError | IndexError) or not text else text
