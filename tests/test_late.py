from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant import late
from assistant.late import Codes

WIDTH = 16


def signs(*rows: int) -> np.ndarray:
    """Unit vectors whose signs differ from row to row."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((10, WIDTH)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[list(rows)]


def test_a_code_is_a_bit_a_dimension():
    assert late.code(signs(0, 1, 2)) == np.packbits(signs(0, 1, 2) > 0, axis=1).tobytes()
    assert len(late.code(signs(0, 1, 2))) == 3 * WIDTH // 8


def test_each_token_of_the_question_takes_its_likest():
    question = signs(0, 1)
    chunks = [signs(5, 1, 0), signs(5, 1), signs(5, 6, 7)]
    expected = [
        float((question @ np.where(chunk > 0, 1, -1).T / np.sqrt(WIDTH)).max(axis=1).mean()) for chunk in chunks
    ]
    found = late.likeness(question, [late.code(chunk) for chunk in chunks])
    assert found == pytest.approx(expected, abs=1e-5)
    assert found == sorted(found, reverse=True)


def test_without_tokens_there_is_no_likeness():
    none = np.zeros((0, WIDTH), np.float32)
    assert late.likeness(none, [late.code(signs(1))]) == [0.0]
    assert late.likeness(signs(1), [b""]) == [0.0]
    assert late.likeness(signs(1), []) == []
    assert late.likeness(signs(1), [b"", late.code(signs(1)), b""])[1] > 0.5


def test_codes_are_kept_by_collection_and_model(tmp_path: Path):
    codes = Codes(tmp_path / "tokens.sqlite3")
    codes.put("one", "model", [("a", b"1"), ("b", b"2")])
    codes.put("two", "model", [("a", b"3")])
    codes.put("one", "model", [("a", b"4")])
    assert codes.get("one", "model", ["a", "b", "c"]) == {"a": b"4", "b": b"2"}
    assert codes.get("one", "another", ["a"]) == {}
    codes.drop("one", ["a", "c"])
    assert codes.get("one", "model", ["a", "b"]) == {"b": b"2"}
    assert codes.get("two", "model", ["a"]) == {"a": b"3"}
    codes.clear()
    assert codes.get("two", "model", ["a"]) == {}
    codes.close()
