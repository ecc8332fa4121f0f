"""Moves saved cells to other positions, by turning their keys in the saved bytes.

llama.cpp moves cells by a pass over the keys of its whole buffer, however few of them move (`build_graph_shift` in its
llama-kv-cache.cpp). A chunk's own keys take a tenth of that. Rotary embeddings (Su et al. 2021, RoFormer) turn each
pair of a key's dimensions by position x base^(-2i/d), so moving by n positions is one more turn by n times that angle.

The bytes are those of `llama_state_seq_get_data`: a mark and the sequence; how many streams and cells; position,
number of sequences and sequence of each cell; then layer by layer type, row size and rows, first of all keys, then of
all values. Whatever does not look just like that is not touched.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

F16 = 1  # GGML_TYPE_F16
_HEAD = struct.Struct("<IiII")  # mark, sequence, streams, cells
_CELL = np.dtype([("position", "<i4"), ("sequences", "<u4"), ("sequence", "<i4")])
_LAYER = struct.Struct("<iQ")  # type and row size, before a layer's rows
_SAME, _LEAST = 5e-3, 1e-3  # of a pair's length, and beside it: two ways to turn a key in 16 bits differ by less
_Key = TypeVar("_Key", np.float16, np.float32)


@dataclass(frozen=True, slots=True)
class Rope:
    """How a model turns its keys: the first `turned` of `head` dimensions, with `base` for the angles. `halves`: a
    dimension's partner stands half of them further (NeoX), not next to it.
    """

    base: float
    head: int
    turned: int
    halves: bool


def moved(data: bytes, by: int, rope: Rope) -> bytes | None:
    """The same cells, `by` positions further; None for bytes that are not laid out as expected."""
    buffer = bytearray(data)
    keys = _keys(buffer, rope)
    if keys is None:
        return None
    _cells(buffer)["position"] += by
    angles = by * rope.base ** (-np.arange(0, rope.turned, 2) / rope.turned)
    cos, sin = np.cos(angles).astype(np.float32), np.sin(angles).astype(np.float32)
    first, second = _pairs(keys, rope)
    x, y = first.astype(np.float32), second.astype(np.float32)
    first[...] = x * cos - y * sin
    second[...] = y * cos + x * sin
    return bytes(buffer)


def alike(one: bytes, other: bytes, rope: Rope) -> bool:
    """Whether two saved sequences are the same cells at the same positions, but for the rounding of their keys.

    Pair by pair: other angles show in the slow pairs only when cells move far, and those may be short beside others.
    """
    if len(one) != len(other):
        return False
    buffers = bytearray(one), bytearray(other)
    pairs = [_keys(buffer, rope) for buffer in buffers]
    if pairs[0] is None or pairs[1] is None:
        return False
    one_at, other_at = (_cells(buffer)["position"] for buffer in buffers)
    keys: list[NDArray[np.float32]] = [found.astype(np.float32) for found in pairs if found is not None]
    apart: NDArray[np.float32] = keys[0] - keys[1]
    close = np.hypot(*_pairs(apart, rope)) <= _SAME * np.hypot(*_pairs(keys[0], rope)) + _LEAST
    rest = np.array_equal(keys[0][..., rope.turned :], keys[1][..., rope.turned :])  # it is not turned
    return bool(np.array_equal(one_at, other_at) and rest and close.all())


def _cells(buffer: bytearray) -> NDArray[np.void]:
    return np.frombuffer(buffer, _CELL, _HEAD.unpack_from(buffer)[3], _HEAD.size)


def _keys(buffer: bytearray, rope: Rope) -> NDArray[np.float16] | None:
    """A view of the keys, [layers, cells, heads, head]; None where the bytes are laid out otherwise."""
    if len(buffer) < _HEAD.size:
        return None
    _, _, streams, cells = _HEAD.unpack_from(buffer)
    at = _HEAD.size + cells * _CELL.itemsize + 8
    if streams != 1 or len(buffer) < at + _LAYER.size or not (_cells(buffer)["sequences"] == 1).all():
        return None
    layers = struct.unpack_from("<I", buffer, at - 4)[0]
    kind, row = _LAYER.unpack_from(buffer, at)
    stride = _LAYER.size + cells * row
    if kind != F16 or row % (2 * rope.head) or at + layers * stride > len(buffer):
        return None
    if {_LAYER.unpack_from(buffer, at + layer * stride) for layer in range(layers)} != {(kind, row)}:
        return None
    shape = (layers, cells, row // (2 * rope.head), rope.head)
    return np.ndarray(shape, np.float16, buffer, at + _LAYER.size, (stride, row, 2 * rope.head, 2))


def _pairs(keys: NDArray[_Key], rope: Rope) -> tuple[NDArray[_Key], NDArray[_Key]]:
    if rope.halves:
        return keys[..., : rope.turned // 2], keys[..., rope.turned // 2 : rope.turned]
    return keys[..., 0 : rope.turned : 2], keys[..., 1 : rope.turned : 2]
