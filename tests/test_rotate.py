"""Saved cells moved by turning their keys: against the angles themselves, and against llama.cpp."""

from __future__ import annotations

import struct

import numpy as np
import pytest
from conftest import real_model
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine import rotate
from assistant.engine.backend import LlamaBackend, Row
from assistant.engine.rotate import Rope
from assistant.engine.types import EngineConfig

HALVES = Rope(10_000.0, head=4, turned=4, halves=True)
NEXT = Rope(10_000.0, head=4, turned=2, halves=False)


def saved(keys: np.ndarray, start: int, kind: int = rotate.F16) -> bytes:
    """Cells as llama.cpp saves them: `keys` [layers, cells, heads, head], and values of ones."""
    layers, cells = keys.shape[:2]
    row = keys[0, 0].size * 2
    parts = [struct.pack("<IiII", 7, 3, 1, cells)]
    parts += [struct.pack("<iIi", start + place, 1, 3) for place in range(cells)]
    parts.append(struct.pack("<II", 0, layers))
    parts += [struct.pack("<iQ", kind, row) + layer.astype(np.float16).tobytes() for layer in keys]
    parts += [struct.pack("<iQ", kind, row) + np.ones(cells * row // 2, np.float16).tobytes() for _ in keys]
    return b"".join(parts)


def keys(layers: int = 2, cells: int = 3) -> np.ndarray:
    return np.random.default_rng(1).normal(size=(layers, cells, 2, 4)).astype(np.float16)


@pytest.mark.parametrize("rope", [HALVES, NEXT])
def test_a_key_is_turned_by_its_angles_and_the_rest_stays(rope: Rope) -> None:
    before, by = keys(), 5
    after = rotate.moved(saved(before, 10), by, rope)
    expected = before.astype(np.float64).copy()
    for pair in range(rope.turned // 2):
        one, two = (pair, pair + rope.turned // 2) if rope.halves else (2 * pair, 2 * pair + 1)
        angle = by * rope.base ** (-2 * pair / rope.turned)
        x, y = before[..., one].astype(np.float64), before[..., two].astype(np.float64)
        expected[..., one] = x * np.cos(angle) - y * np.sin(angle)
        expected[..., two] = y * np.cos(angle) + x * np.sin(angle)
    assert after is not None
    assert rotate.alike(after, saved(expected, 15), rope)
    assert after[-40:] == saved(before, 10)[-40:]


@given(st.integers(-300, 300), st.integers(-300, 300))
def test_two_moves_are_one(first: int, second: int) -> None:
    data = saved(keys(), 400)
    once = rotate.moved(data, first, HALVES)
    assert once is not None
    twice, together = rotate.moved(once, second, HALVES), rotate.moved(data, first + second, HALVES)
    assert twice is not None
    assert together is not None
    assert rotate.alike(twice, together, HALVES)


@pytest.mark.parametrize("by", [20, 100, 1500])
def test_scaled_angles_of_slow_pairs_are_told_by_a_short_move_too(by: int) -> None:
    """As Llama 3 has them: slow pairs turn at an eighth. A short move tells it in few pairs, beside longer keys."""
    rope = Rope(500_000.0, head=128, turned=128, halves=True)
    before = np.random.default_rng(2).normal(size=(1, 40, 1, 128)).astype(np.float32)
    before[..., 0] *= 8
    angles = by * rope.base ** (-np.arange(0, 128, 2) / 128)
    scaled = np.where(np.arange(64) > 32, angles / 8, angles)
    for turns, same in ((angles, True), (scaled, False)):
        x, y = before[..., :64], before[..., 64:]
        after = np.concatenate([x * np.cos(turns) - y * np.sin(turns), y * np.cos(turns) + x * np.sin(turns)], -1)
        ours = rotate.moved(saved(before, 10), by, rope)
        assert ours is not None
        assert rotate.alike(saved(after, 10 + by), ours, rope) is same


def test_other_places_or_other_keys_are_not_alike() -> None:
    data = saved(keys(), 10)
    assert not rotate.alike(data, saved(keys(), 11), HALVES)
    assert not rotate.alike(data, saved(-keys(), 10), HALVES)
    assert not rotate.alike(data, data[:-1], HALVES)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"short",
        saved(keys(), 0)[:60],
        saved(keys(), 0, kind=8),  # cells of 8 bits
        saved(keys(), 0).replace(
            struct.pack("<iIi", 1, 1, 3), struct.pack("<iIi", 1, 2, 3)
        ),  # a cell of two sequences
        struct.pack("<IiII", 7, 3, 1, 1_000_000),
    ],
)
def test_bytes_of_another_kind_are_not_touched(data: bytes) -> None:
    assert rotate.moved(data, 3, HALVES) is None
    assert not rotate.alike(data, data, HALVES)


@pytest.mark.real
@pytest.mark.parametrize("flash", ["auto", "off"])
def test_llama_cpp_moves_cells_to_the_same_keys(flash) -> None:
    config = EngineConfig(context_tokens=1024, max_sequences=2, batch_tokens=128, flash_attention=flash)
    backend = LlamaBackend(real_model("smollm2-135m").paths["model"], config)
    try:
        tokens = backend.tokenize("The keeper wrote the weather and the ships into a book. " * 20, False)[:100]
        backend.decode([Row(0, 0, tokens, False)])
        data, found = backend.save(0, 20, 100), []
        for _ in range(2):  # first llama.cpp's way, which ours is compared with; then ours
            proven = backend._proven
            backend.share(0, 1, 50)
            assert backend.join(1, data, 20, 50, 80)
            backend.decode([Row(1, 130, tokens[:1], True)])
            found.append((proven, backend.save(1, 50, 130)))
            backend.truncate(1, 0)
        assert [proven for proven, _ in found] == [False, True]
        assert backend._rope is not None
        assert rotate.alike(found[0][1], found[1][1], backend._rope)
    finally:
        backend.close()
