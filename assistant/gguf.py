"""Is a GGUF file whole? Reads its header alone: magic, then where each tensor's data ends.

It runs no model and loads no library. Layout: magic, version, counts, key-value pairs, tensor infos, padding, data.
"""

from __future__ import annotations

import struct
from pathlib import Path
from typing import BinaryIO

from assistant.errors import ModelDamaged

MAGIC = b"GGUF"
_VERSIONS = (2, 3)
_LONGEST = 1 << 24  # bytes of one string, items of one array: far above any real header
_ALIGNMENT = "general.alignment"

_SCALARS = {0: "B", 1: "b", 2: "H", 3: "h", 4: "I", 5: "i", 6: "f", 7: "?", 10: "Q", 11: "q", 12: "d"}
_STRING, _ARRAY = 8, 9

# Elements and bytes of one block of each ggml type.
_BLOCKS = {
    **{0: (1, 4), 1: (1, 2), 24: (1, 1), 25: (1, 2), 26: (1, 4), 27: (1, 8), 28: (1, 8), 30: (1, 2)},  # plain numbers
    **{2: (32, 18), 3: (32, 20), 6: (32, 22), 7: (32, 24), 8: (32, 34), 9: (32, 36)},  # Q4_0 to Q8_1
    **{10: (256, 84), 11: (256, 110), 12: (256, 144), 13: (256, 176), 14: (256, 210), 15: (256, 292)},  # Q2_K to Q8_K
    **{16: (256, 66), 17: (256, 74), 18: (256, 98), 19: (256, 50), 20: (32, 18), 21: (256, 110)},  # IQ2_XXS to IQ3_S
    **{22: (256, 82), 23: (256, 136), 29: (256, 56), 34: (256, 54), 35: (256, 66), 39: (32, 17)},  # IQ2_S to MXFP4
}


def check(path: Path) -> None:
    """Raises ModelDamaged where `path` is no GGUF file, or shorter than the tensor data its header declares."""
    size = path.stat().st_size
    with path.open("rb") as file:
        magic = file.read(4)
        if magic != MAGIC:
            raise ModelDamaged(
                f"{path} is not a GGUF file: it begins with {magic!r}, not {MAGIC!r}.",
                "Give the path of a GGUF model.",
            )
        try:
            needed = _declared_bytes(file)
        except (struct.error, OverflowError, ValueError, RecursionError) as error:
            raise ModelDamaged(
                f"{path}: the GGUF header cannot be read ({error}).", "Fetch the file again."
            ) from error
    if size < needed:
        raise ModelDamaged(
            f"{path} is cut short: its header declares {needed:,} bytes, the file has {size:,}.",
            "Fetch the file again.",
        )


def _declared_bytes(file: BinaryIO) -> int:
    version, tensors, pairs = _unpack(file, "<IQQ")
    if version not in _VERSIONS:
        raise ValueError(f"version {version} is unknown")
    alignment = 32
    for _ in range(pairs):
        key = _string(file)
        value = _value(file, _number(file, "I"))
        if key == _ALIGNMENT.encode() and isinstance(value, int) and value > 0:
            alignment = value
    ends = [_tensor_end(file) for _ in range(tensors)]
    start = -(-file.tell() // alignment) * alignment
    return start + max(ends, default=0)


def _tensor_end(file: BinaryIO) -> int:
    """Bytes from the start of the data to this tensor's end; to its first byte where the type is unknown to us."""
    _string(file)
    elements = 1
    for _ in range(_number(file, "I")):
        elements *= _number(file, "Q")
    kind, offset = _unpack(file, "<IQ")
    per_block, block_bytes = _BLOCKS.get(kind, (elements or 1, 1))
    return int(offset + elements // per_block * block_bytes)


def _value(file: BinaryIO, kind: int) -> object:
    if kind == _STRING:
        return _string(file)
    if kind == _ARRAY:
        item, count = _unpack(file, "<IQ")
        _skip_array(file, item, count)
        return None
    if kind not in _SCALARS:
        raise ValueError(f"value type {kind} is unknown")
    return _number(file, _SCALARS[kind])


def _skip_array(file: BinaryIO, item: int, count: int) -> None:
    if count > _LONGEST:
        raise ValueError(f"an array of {count} items")
    if item in _SCALARS:
        file.seek(struct.calcsize(_SCALARS[item]) * count, 1)
        return
    for _ in range(count):
        _value(file, item)


def _string(file: BinaryIO) -> bytes:
    length = _number(file, "Q")
    if length > _LONGEST:
        raise ValueError(f"a string of {length} bytes")
    text = file.read(length)
    if len(text) < length:
        raise ValueError("it ends too early")
    return text


def _number(file: BinaryIO, code: str) -> int:
    (value,) = _unpack(file, "<" + code)
    return value


def _unpack(file: BinaryIO, layout: str) -> tuple[int, ...]:
    data = file.read(struct.calcsize(layout))
    if len(data) < struct.calcsize(layout):
        raise ValueError("it ends too early")
    return struct.unpack(layout, data)
