"""PDF: which of a file's streams are not whole. PDFium reads what it can of them and says nothing of the rest."""

from __future__ import annotations

import re
import zlib
from collections.abc import Iterator

_START = re.compile(rb"(?<!end)stream\r?\n")
_FLATE = re.compile(rb"/Filter\s*\[?\s*/FlateDecode\b")
_PICTURE = re.compile(rb"/Subtype\s*/Image\b")
_DICTIONARY = 4096  # bytes before a stream in which its dictionary is looked for
_BLOCK = 1 << 20  # bytes decoded at a time, and then forgotten
_MOST = 1 << 30  # bytes decoded of one file; what is behind them is not checked


def broken(data: bytes) -> tuple[int, int]:
    """How many of the compressed streams of an unencrypted PDF break off or do not decode, and how many there are.

    Streams are found by their keywords (ISO 32000-1, 7.3.8), not by the cross-reference table, which may be damaged
    too. Only Flate streams (7.4.4) are looked at, as only they tell, and no pictures, as these hold no text.
    """
    left, bad, count = _MOST, 0, 0
    for start, end in _flate(data):
        whole, size = _decoded(data[start:end], left)
        left -= size
        if left <= 0:
            break
        count += 1
        bad += not whole
    return bad, count


def _flate(data: bytes) -> Iterator[tuple[int, int]]:
    """Where the Flate streams start and end."""
    for keyword in _START.finditer(data):
        before = data[max(0, keyword.start() - _DICTIONARY) : keyword.start()].rpartition(b"obj")[2]
        if _FLATE.search(before) and not _PICTURE.search(before):
            end = data.find(b"endstream", keyword.end())
            yield keyword.end(), end if end >= 0 else len(data)


def _decoded(stream: bytes, most: int) -> tuple[bool, int]:
    """Whether a zlib stream (RFC 1950) is whole, and how many bytes came of it, `most` at most.

    A wrong checksum at its end counts, a missing one does not: there are programs that leave it out.
    """
    try:
        ended, size = _inflated(stream, zlib.MAX_WBITS, most)
        if not ended:
            ended, size = _inflated(stream[2:], -zlib.MAX_WBITS, most)  # without header and checksum
    except zlib.error:
        return False, 0
    return ended, size


def _inflated(stream: bytes, window: int, most: int) -> tuple[bool, int]:
    """Whether the last block was there, and how many bytes came. Raises zlib.error."""
    decoder = zlib.decompressobj(window)
    size, rest = 0, stream
    while not decoder.eof and size < most:
        block = decoder.decompress(rest, _BLOCK)
        size += len(block)
        rest = decoder.unconsumed_tail
        if not block and not rest:
            break
    return decoder.eof, size
