"""Small PDFs for tests, written by hand after ISO 32000."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence

Text = tuple[float, float, str]  # left, baseline, text


def show(texts: Sequence[Text], size: float = 10, before: str = "") -> str:
    """A page's drawing of texts in Helvetica; `before` are operators that stand before each."""
    shown = []
    for left, baseline, text in texts:
        escaped = text.replace("\\", r"\\").replace("(", r"\(").replace(")", r"\)")
        shown.append(f"BT {before} /F1 {size} Tf {left} {baseline} Td ({escaped}) Tj ET")
    return "\n".join(shown)


IMAGE = "q 500 0 0 700 50 50 cm /Im1 Do Q"  # covers the page


def pdf(
    pages: Sequence[str],
    info: str = "",
    extra: str = "",
    packed: Callable[[bytes], bytes] | None = None,
    meant: dict[str, str] | None = None,
    more: dict[int, str] | None = None,
) -> bytes:
    """A PDF with these drawings as pages of 612 by 792 points. `info` are entries of the information dictionary.

    With `packed` the drawings are compressed, and stored as what it makes of the result. `meant` says, as a
    font's ToUnicode does, which characters those of the drawings stand for. `more` are further objects, by numbers
    from 100 on.
    """
    kids = " ".join(f"{10 + 2 * number} 0 R" for number in range(len(pages)))
    objects: dict[int, str | bytes] = {
        1: "<< /Type /Catalog /Pages 2 0 R >>",
        2: f"<< /Type /Pages /Kids [{kids}] /Count {len(pages)} >>",
        3: "<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
        4: "<< /Type /XObject /Subtype /Image /Width 1 /Height 1 /ColorSpace /DeviceGray /BitsPerComponent 8 "
        "/Length 1 >>\nstream\n0\nendstream",
        5: f"<< {info} >>",
        **(more or {}),
    }
    if meant:
        pairs = "\n".join(f"<{ord(sign):02x}> <{text.encode('utf-16-be').hex()}>" for sign, text in meant.items())
        cmap = (
            "/CIDInit /ProcSet findresource begin begincmap 1 begincodespacerange <00> <ff> endcodespacerange\n"
            f"{len(meant)} beginbfchar\n{pairs}\nendbfchar endcmap end"
        )
        objects[6] = f"<< /Length {len(cmap)} >>\nstream\n{cmap}\nendstream"
        objects[3] = str(objects[3]).replace(" >>", " /ToUnicode 6 0 R >>")
    for number, drawing in enumerate(pages):
        resources = "<< /Font << /F1 3 0 R >> /XObject << /Im1 4 0 R >> >>"
        objects[10 + 2 * number] = (
            f"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 612 792] /Resources {resources} "
            f"/Contents {11 + 2 * number} 0 R {extra} >>"
        )
        data = drawing.encode("cp1252")
        if packed:
            data = packed(zlib.compress(data))
        entry = b" /Filter /FlateDecode" if packed else b""
        objects[11 + 2 * number] = b"<< /Length %d%s >>\nstream\n%s\nendstream" % (len(data), entry, data)
    out = b"%PDF-1.4\n"
    places: dict[int, int] = {}
    for number, content in objects.items():
        places[number] = len(out)
        data = content if isinstance(content, bytes) else content.encode("cp1252")
        out += b"%d 0 obj\n%s\nendobj\n" % (number, data)
    table = len(out)
    highest = max(objects)
    out += f"xref\n0 {highest + 1}\n0000000000 65535 f \n".encode()
    for number in range(1, highest + 1):
        place = places.get(number)
        out += (f"{place:010} 00000 n \n" if place else "0000000000 65535 f \n").encode()
    return out + f"trailer << /Size {highest + 1} /Root 1 0 R /Info 5 0 R >>\nstartxref\n{table}\n%%EOF\n".encode()
