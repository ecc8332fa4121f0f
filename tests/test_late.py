from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from assistant import late
from assistant.late import Codes
from assistant.records import Chunk, Span

WIDTH = 16


def signs(*rows: int) -> np.ndarray:
    """Unit vectors whose signs differ from row to row."""
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((10, WIDTH)).astype(np.float32)
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True))[list(rows)]


def chunk(text: str, section: str | None = None) -> Chunk:
    return Chunk("d-0", "d", text, 0, len(text), file="d.txt", section=section)


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


SENTENCES = "The lamp burns. The bell rings."
PLACES = [Span(0, 3), Span(4, 8), Span(9, 14), Span(16, 19), Span(20, 24), Span(25, 30)]


def test_each_sentence_has_its_own_likeness():
    states = signs(0, 1, 2, 0, 3, 4)
    found = late.of_sentences([(signs(1), 1.0)], chunk(SENTENCES), late.code(states), PLACES)
    expected = late.likeness(signs(1), [late.code(states[:3]), late.code(states[3:])])
    assert found == pytest.approx(expected)
    assert found[0] > found[1]


def test_tokens_of_the_heading_belong_to_no_sentence():
    states, above = signs(5, 0, 1, 2, 0, 3, 4), len("Bells\n")
    places = [Span(0, 5), *(Span(place.start + above, place.end + above) for place in PLACES)]
    found = late.of_sentences([(signs(1, 3), 1.0)], chunk(SENTENCES, "Bells"), late.code(states), places)
    assert found == late.of_sentences([(signs(1, 3), 1.0)], chunk(SENTENCES), late.code(states[1:]), PLACES)


def test_several_questions_add_up_by_what_they_count():
    code = late.code(signs(0, 1, 2, 0, 3, 4))
    one, other = (late.of_sentences([(signs(n), 1.0)], chunk(SENTENCES), code, PLACES) for n in (1, 3))
    both = late.of_sentences([(signs(1), 1.0), (signs(3), 0.5)], chunk(SENTENCES), code, PLACES)
    assert both == pytest.approx([a + b / 2 for a, b in zip(one, other, strict=True)])


def test_a_code_of_other_tokens_tells_nothing():
    assert late.of_sentences([(signs(1), 1.0)], chunk(SENTENCES), late.code(signs(0, 1)), PLACES) == ()
    assert late.of_sentences([(signs(1), 1.0)], chunk(SENTENCES), b"", []) == (0.0, 0.0)


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
