"""What is on a page of a PDF beside its text: pictures, what is filled, and how the page looks. Uses pypdfium2."""

from __future__ import annotations

import ctypes
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pypdfium2 as pdfium  # type: ignore[import-untyped]
from pypdfium2 import raw

Box = tuple[float, float, float, float]  # left, bottom, right, top, in points
_Matrix = tuple[float, float, float, float, float, float]
Colour = tuple[int, int, int]

_WHITE = 250  # of 255, in each colour
_OPAQUE = 250  # of 255
_EVEN = 4  # shades of grey by which a place may differ and show nothing
_FAINT = 0.125  # of the contrast that letters would have; what has less of it is what stands around them
_GREY = (0.3, 0.59, 0.11)  # red, green and blue in a shade of grey
_ALIKE = 8  # shades by which two colours may differ, in each part, and look the same
_LONGEST_SIDE = 2_000  # pixels of a page that is drawn to see what text looks like; one for a point
_OBJECTS = 20_000  # objects of a page that are looked at
_DEEPEST = 5  # forms in forms
_SMALLEST = 3  # points; what is filled and less wide or high covers no letter
_FILLS = 1_000  # the largest ones of a page that are kept
_CLIPS, _POINTS = 8, 64  # paths that clip an object, and points of one, that are looked at
_PARTS, _SIDES = [ctypes.c_uint() for _ in range(4)], [ctypes.c_float() for _ in range(4)]  # made once, as it is slow
_BAND, _BANDS = 12, 1_300  # points; and how many, as the highest page has
_UNTURNED: _Matrix = (1, 0, 0, 1, 0, 0)


@dataclass(slots=True)
class _Fill:
    order: int  # what has a higher one is drawn over it
    box: Box
    colour: Colour | None  # None for a pattern or shading


@dataclass(slots=True)
class _Place:
    """Where the drawing of a text object stands."""

    order: int
    matrix: _Matrix
    clips: tuple[Box, ...]  # of the forms around it


class Drawn:
    """What is on a page beside text. It is drawn only where that has to tell whether something can be seen."""

    def __init__(self, page: pdfium.PdfPage) -> None:
        self._page = page
        self._shades: tuple[bytes, int, int, int] | None = None  # grey values, bytes a row, width, height
        self._texts: dict[int | None, _Place] = {}
        self._fills: list[_Fill] = []
        self._left = _OBJECTS
        self.pictures: list[Box] = []
        self.count = min(raw.FPDFPage_CountObjects(page), _OBJECTS)
        for number in range(self.count):
            shape = raw.FPDFPage_GetObject(page, number)
            if self._look(shape, _UNTURNED, (), 0) and (box := _bounds(shape)):
                self.pictures.append(box)
        self._bands: dict[int, list[_Fill]] = {}  # what is filled at each height, as few of many fills meet a text
        for fill in sorted(self._fills, key=lambda fill: _area(fill.box), reverse=True)[:_FILLS]:
            for band in _bands(fill.box[1], fill.box[3]):
                self._bands.setdefault(band, []).append(fill)

    def _look(self, shape: Any, matrix: _Matrix, clips: tuple[Box, ...], depth: int) -> bool:
        """Notes what an object is, and what is in it; says whether that is a picture."""
        self._left -= 1
        kind = raw.FPDFPageObj_GetType(shape)
        if kind == raw.FPDF_PAGEOBJ_TEXT:
            self._texts[key_of(shape)] = _Place(_OBJECTS - self._left, matrix, clips)
        elif kind in (raw.FPDF_PAGEOBJ_PATH, raw.FPDF_PAGEOBJ_SHADING):
            self._fills += _fill(shape, kind, matrix, _OBJECTS - self._left)
        elif kind == raw.FPDF_PAGEOBJ_FORM and depth < _DEEPEST:
            inner, around = _product(_matrix(shape), matrix), (*clips, *_clips(shape, matrix))
            count = max(0, min(raw.FPDFFormObj_CountObjects(shape), self._left))
            held = [
                self._look(raw.FPDFFormObj_GetObject(shape, number), inner, around, depth + 1)
                for number in range(count)
                if self._left > 0
            ]
            return any(held)
        return bool(kind == raw.FPDF_PAGEOBJ_IMAGE)

    def is_on_picture(self, x: float, y: float) -> bool:
        boxes = self.pictures
        return any(left - 2 <= x <= right + 2 and bottom - 2 <= y <= top + 2 for left, bottom, right, top in boxes)

    def covers(
        self, text: Any, key: int | None, colour: Colour | None, lines: tuple[float, float] | None
    ) -> list[Box]:
        """What may hide a text object of that colour, as it is filled over it, or beneath it in the same one. `lines`
        are the bottom and top of what is written level; of other texts they are looked up, which costs time.
        """
        place = self._texts.get(key) if self._bands else None
        if place is None:
            return []
        if lines is None:
            box = _bounds(text, place.matrix)
            lines = (box[1], box[3]) if box else (0.0, 0.0)
        return [
            fill.box
            for band in _bands(*lines)
            for fill in self._bands.get(band, ())
            if fill.order > place.order or (fill.colour and colour and _is_alike(fill.colour, colour))
        ]

    def clips(self, text: Any, key: int | None) -> list[Box]:
        """Outside of which nothing of a text object is drawn; none where they leave it whole."""
        place = self._texts.get(key)
        path = raw.FPDFPageObj_GetClipPath(text)
        if place is None or not (place.clips or (path and raw.FPDFClipPath_CountPaths(path) > 0)):
            return []
        box = _bounds(text, place.matrix)
        clips = (*place.clips, *_clips(text, place.matrix))
        return [clip for clip in clips if box is None or not _is_within(box, clip)]

    def is_blank(self, box: Box) -> bool:
        """Whether the page, drawn, is white all over a place."""
        return all(min(line) >= _WHITE for line in self._lines(box))

    def is_even(self, box: Box, colour: Colour | None) -> bool:
        """Whether the page, drawn, has one shade all over a place, or nothing near to a colour that would stand out:
        no letter of it can be seen there.
        """
        lines = list(self._lines(box))
        if not lines:
            return True
        darkest, lightest = min(map(min, lines)), max(map(max, lines))
        grey = sum(part * share for part, share in zip(colour, _GREY, strict=True)) if colour else lightest
        contrast = max(abs(grey - darkest), abs(grey - lightest))
        return lightest - darkest <= max(_EVEN, _FAINT * contrast if colour else 0)

    def _lines(self, box: Box) -> Iterator[bytes]:
        """The pixels of a place, line by line."""
        grey, stride, width, height = self._shades = self._shades or self._drawn()
        corners = [self._pixel(x, y, width, height) for x in (box[0], box[2]) for y in (box[1], box[3])]
        columns, lines = [x for x, _ in corners], [y for _, y in corners]
        left, right = max(0, min(columns)), min(width, max(columns) + 1)
        for line in range(max(0, min(lines)), min(height, max(lines) + 1)):
            if left < right:
                yield grey[line * stride + left : line * stride + right]

    def _drawn(self) -> tuple[bytes, int, int, int]:
        scale = min(1.0, _LONGEST_SIDE / max(1.0, *self._page.get_size()))
        bitmap = self._page.render(scale=scale, grayscale=True)
        return bytes(bitmap.buffer), bitmap.stride, bitmap.width, bitmap.height

    def _pixel(self, x: float, y: float, width: int, height: int) -> tuple[int, int]:
        column, line = ctypes.c_int(), ctypes.c_int()
        raw.FPDF_PageToDevice(self._page, 0, 0, width, height, 0, x, y, column, line)
        return column.value, line.value


def colour_of(shape: Any) -> tuple[int, int, int, int] | None:
    """Red, green, blue and opacity of what an object is filled with; None for patterns."""
    if not raw.FPDFPageObj_GetFillColor(shape, *_PARTS):
        return None
    return _PARTS[0].value, _PARTS[1].value, _PARTS[2].value, _PARTS[3].value


def is_white(colour: tuple[int, int, int, int]) -> bool:
    """Whether something of a colour is white, or not there at all."""
    return min(colour[:3]) >= _WHITE or colour[3] == 0


def key_of(shape: Any) -> int | None:
    """What tells an object from others; None for none."""
    return ctypes.addressof(shape.contents) if shape else None


def is_in(x: float, y: float, box: Box) -> bool:
    return box[0] <= x <= box[2] and box[1] <= y <= box[3]


# --- objects


def _fill(shape: Any, kind: int, matrix: _Matrix, order: int) -> Iterator[_Fill]:
    """What an object fills, where it can cover letters."""
    box = _bounds(shape, matrix)
    if box is None or box[2] - box[0] < _SMALLEST or box[3] - box[1] < _SMALLEST:
        return
    if kind == raw.FPDF_PAGEOBJ_SHADING:
        yield _Fill(order, box, None)
        return
    mode, stroke = ctypes.c_int(), ctypes.c_int()
    if not raw.FPDFPath_GetDrawMode(shape, mode, stroke) or mode.value == raw.FPDF_FILLMODE_NONE:
        return
    colour = colour_of(shape)
    if colour is None or colour[3] >= _OPAQUE:
        yield _Fill(order, box, colour[:3] if colour else None)


def _is_alike(one: Colour, other: Colour) -> bool:
    return abs(one[0] - other[0]) <= _ALIKE and abs(one[1] - other[1]) <= _ALIKE and abs(one[2] - other[2]) <= _ALIKE


def _clips(shape: Any, matrix: _Matrix) -> tuple[Box, ...]:
    """The boxes around the paths that clip an object."""
    path = raw.FPDFPageObj_GetClipPath(shape)
    count = min(raw.FPDFClipPath_CountPaths(path), _CLIPS) if path else 0
    return tuple(box for number in range(count) if (box := _clip(path, number, matrix)) is not None)


def _clip(path: Any, number: int, matrix: _Matrix) -> Box | None:
    count = raw.FPDFClipPath_CountPathSegments(path, number)
    if not 0 < count <= _POINTS:
        return None
    x, y = ctypes.c_float(), ctypes.c_float()
    points = []
    for at in range(count):
        if raw.FPDFPathSegment_GetPoint(raw.FPDFClipPath_GetPathSegment(path, number, at), x, y):
            points.append((x.value, y.value))
    return _around(points, matrix) if points else None


def _bounds(shape: Any, matrix: _Matrix = _UNTURNED) -> Box | None:
    if not raw.FPDFPageObj_GetBounds(shape, *_SIDES):
        return None
    left, bottom, right, top = (side.value for side in _SIDES)
    return (
        (left, bottom, right, top)
        if matrix is _UNTURNED
        else _around([(left, bottom), (left, top), (right, bottom), (right, top)], matrix)
    )


def _around(points: list[tuple[float, float]], matrix: _Matrix) -> Box:
    a, b, c, d, e, f = matrix
    xs = [a * x + c * y + e for x, y in points]
    ys = [b * x + d * y + f for x, y in points]
    return min(xs), min(ys), max(xs), max(ys)


def _matrix(shape: Any) -> _Matrix:
    matrix = raw.FS_MATRIX()
    if not raw.FPDFPageObj_GetMatrix(shape, matrix):
        return _UNTURNED
    return matrix.a, matrix.b, matrix.c, matrix.d, matrix.e, matrix.f


def _product(inner: _Matrix, outer: _Matrix) -> _Matrix:
    """What turns first as `inner` does, then as `outer`."""
    a, b, c, d, e, f = inner
    p, q, r, s, t, u = outer
    return a * p + b * r, a * q + b * s, c * p + d * r, c * q + d * s, e * p + f * r + t, e * q + f * s + u


def _bands(bottom: float, top: float) -> range:
    return range(max(-_BANDS, int(bottom // _BAND)), min(_BANDS, int(top // _BAND)) + 1)


def _area(box: Box) -> float:
    return (box[2] - box[0]) * (box[3] - box[1])


def _is_within(box: Box, around: Box) -> bool:
    left, bottom, right, top = around
    return left - 1 <= box[0] and bottom - 1 <= box[1] and box[2] <= right + 1 and box[3] <= top + 1
