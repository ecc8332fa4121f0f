"""Tables: .csv and .tsv, and the sheets of .xlsx, .xlsb, .xls and .ods. The owner of python-calamine."""

from __future__ import annotations

import csv
import datetime
import io
import re
import zipfile
from collections import Counter
from collections.abc import Collection, Iterator
from functools import partial
from typing import TYPE_CHECKING, Any

from assistant import decode, rows
from assistant.content import Content, Facts
from assistant.errors import DamagedFile, EncryptedFile, UnreadableFile
from assistant.packed import Packed

if TYPE_CHECKING:
    from python_calamine import CalamineSheet

_DELIMITERS = ";,\t|"  # of two that fit alike the first
_DECIMAL = re.compile(r"(?<=\d),(?=\d)")
_SAMPLE_LINES = 50
# A cell with a formula and nothing kept of what it comes to; a text that is empty (t="str") is a value.
_UNCOUNTED = re.compile(
    rb"<(?:\w+:)?c\b(?![^>]*\bt=[\"']str[\"'])[^>]*>\s*<(?:\w+:)?f\b(?:[^>]*/>|[^>]*>[^<]*</(?:\w+:)?f>)"
    rb"\s*(?:<(?:\w+:)?v\s*/>|<(?:\w+:)?v>\s*</(?:\w+:)?v>)?\s*</(?:\w+:)?c>"
)
_WIDEST = 2_000  # cells of a row that are read
_MOST_CELLS = 20_000_000  # of a sheet, empty ones among them: calamine keeps room for each
_CELL = re.compile(  # one that holds something
    rb"<(?:\w+:)?c\b[^>]*?\br=[\"'](?P<column>[A-Z]{1,3})(?P<row>\d{1,7})[\"'][^>]*(?<!/)>.*?</(?:\w+:)?c>", re.DOTALL
)
csv.field_size_limit(2**31 - 1)


def read_delimited(data: bytes, name: str) -> Content:
    """The rows of a file of separated values. Raises UnsupportedFile for what is no text."""
    text, doubts = decode.read(data, name)
    delimiter = "\t" if name.lower().endswith((".tsv", ".tab")) else _delimiter(text)
    try:
        table = list(_cells(text, delimiter))
    except csv.Error as error:
        raise DamagedFile(f"{name} is damaged: {error}.", "Save it again with the program it is from.") from error
    return Content("\n".join(rows.lines(table)), notes=doubts, prose=False)


def _cells(text: str, delimiter: str) -> Iterator[list[str]]:
    """The cells of each row. Between tabs a quote is mostly a character (5" pipe): where quotes do not balance in each
    line, none is taken to open a cell, as that would have everything up to the next one.
    """
    quotes = delimiter != "\t" or all(line.count('"') % 2 == 0 for line in text.split("\n"))
    return csv.reader(
        io.StringIO(text, newline=""),
        delimiter=delimiter,
        quoting=csv.QUOTE_MINIMAL if quotes else csv.QUOTE_NONE,
    )


def _delimiter(text: str) -> str:
    """The separator that gives most lines of the beginning the same number of cells, more than one. Commas that all
    stand between digits are decimal ones where semicolons fit as well.
    """
    sample = "\n".join(text.split("\n", _SAMPLE_LINES)[:_SAMPLE_LINES])

    def score(delimiter: str) -> tuple[float, int]:
        widths = Counter(len(row) for row in _cells(sample, delimiter) if row)
        width, times = widths.most_common(1)[0] if widths else (1, 0)
        return (times / sum(widths.values()), width) if width > 1 else (0.0, 0)

    scores = {delimiter: score(delimiter) for delimiter in _DELIMITERS}
    if scores[";"][0] >= scores[","][0] > 0 and len(_DECIMAL.findall(sample)) == sample.count(","):
        scores.pop(",")
    best = max(scores, key=lambda delimiter: scores[delimiter])
    return best if scores[best][0] > 0 else ","


def read_sheets(data: bytes, name: str) -> Content:
    """The rows of all sheets. Raises DamagedFile, EncryptedFile and UnreadableFile."""
    import python_calamine

    packed = Packed(data, name) if data.startswith(b"PK") else None
    data, astray = (_bounded(packed) if packed else None) or (data, 0)
    try:
        book = python_calamine.load_workbook(io.BytesIO(data))
        parts = [part for sheet in book.sheets_metadata if (part := _sheet(book.get_sheet_by_name(sheet.name)))]
        hidden = sum("Visible" not in str(sheet.visible) for sheet in book.sheets_metadata)
    except python_calamine.PasswordError as error:
        raise EncryptedFile(f"{name} is encrypted: it needs a password.", "Save a copy without a password.") from error
    except (python_calamine.CalamineError, ValueError, OSError) as error:
        raise DamagedFile(
            f"{name} is damaged: {error}.", "Open it with the program it is from and save it again."
        ) from error
    notes = [f"Hidden sheets, read as well: {hidden}."] if hidden else []
    notes += [f"Cells too far from the others, not read: {astray:,}."] if astray else []
    charts = len(list(packed.matching("xl/charts/chart", ".xml"))) if packed else 0
    notes += [f"Charts not read: {charts:,}."] if charts else []
    formulas = _uncounted(packed) if packed else 0
    notes += (
        [f"Formulas without a value, not read: {formulas:,}. Save it with a spreadsheet program."] if formulas else []
    )
    facts = Facts()
    if packed:
        from assistant.read_office import core_facts

        facts = core_facts(packed, name)
    return Content("\n\n".join(parts), facts=facts, notes=tuple(notes), prose=False)


def _bounded(packed: Packed) -> tuple[bytes, int] | None:
    """The file without cells that stand so far from the others that the sheet between them would fill the memory, and
    their number; None where there are none.
    """
    changed: dict[str, bytes] = {}
    astray = 0
    for name in packed.matching("xl/worksheets/", ".xml"):
        try:
            sheet = packed.read(name)
        except UnreadableFile:
            continue
        highest = max((int(found["row"]) for found in _CELL.finditer(sheet)), default=0)
        columns = {found["column"] for found in _CELL.finditer(sheet)}
        if highest * max(map(_column, columns), default=0) <= _MOST_CELLS:
            continue
        kept = {letters for letters in columns if _column(letters) <= _WIDEST}
        highest = _MOST_CELLS // max(map(_column, kept), default=1)
        changed[name] = _CELL.sub(partial(_within, highest=highest, columns=kept), sheet)
        astray += len(_CELL.findall(sheet)) - len(_CELL.findall(changed[name]))
    return (_repacked(packed, changed), astray) if changed else None


def _column(letters: bytes) -> int:
    number = 0
    for letter in letters:
        number = 26 * number + letter - ord("A") + 1
    return number


def _within(cell: re.Match[bytes], highest: int, columns: Collection[bytes]) -> bytes:
    return cell[0] if int(cell["row"]) <= highest and cell["column"] in columns else b""


def _repacked(packed: Packed, changed: dict[str, bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name in packed.names():
            archive.writestr(name, changed[name] if name in changed else packed.read(name))
    return out.getvalue()


def _uncounted(packed: Packed) -> int:
    """How many formulas have no value: programs that write sheets without counting leave that to others."""
    count = 0
    for name in packed.matching("xl/worksheets/", ".xml"):
        try:
            count += len(_UNCOUNTED.findall(packed.read(name)))
        except UnreadableFile:  # beyond the limits of what we unpack ourselves
            continue
    return count


def _sheet(sheet: CalamineSheet) -> str:
    table = [[_shown(value) for value in row[:_WIDEST]] for row in sheet.to_python(skip_empty_area=False)]
    for (top, left), (bottom, _) in _merged(sheet):
        for row in table[top + 1 : bottom + 1]:  # a cell over several rows says the same in each
            if left < len(row) and not row[left]:
                row[left] = table[top][left]
    text = "\n".join(rows.lines(table))
    return f"# {sheet.name}\n\n{text}" if text else ""


def _merged(sheet: CalamineSheet) -> Iterator[tuple[tuple[int, int], tuple[int, int]]]:
    height, width = sheet.total_height, sheet.total_width
    for top, bottom in sheet.merged_cell_ranges or ():
        if bottom[0] < height and top[1] < width:
            yield top, bottom


def _shown(value: Any) -> str:
    """A cell's value as people write it: whole numbers without a fraction, dates as in ISO 8601."""
    if isinstance(value, bool):
        return "TRUE" if value else "FALSE"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else f"{value:.12g}"
    if isinstance(value, datetime.datetime):
        midnight = value.time() == datetime.time()
        return (
            value.date().isoformat()
            if midnight
            else value.isoformat(" ", "minutes" if not value.second else "seconds")
        )
    return str(value)
