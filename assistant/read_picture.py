"""Pictures of pages (.png, .jpg, .tif, .gif) by OCR. The owner of Pillow."""

from __future__ import annotations

import io
from functools import partial

from PIL import Image, ImageOps

from assistant import ocr as ocr_room
from assistant.content import Content
from assistant.decode import unified
from assistant.errors import DamagedFile
from assistant.tesseract import Ocr, Picture

_FORMATS = ("GIF", "JPEG", "PNG", "TIFF")
_PAGE_INCHES = 11.7  # longer side of A4, which a picture is taken to show that does not say how large it is
_DPI = (70, 600)  # what is believed; screens and cameras say 1 or 72 of anything
_MAX_PAGES = 2_000  # of a TIFF


def read(data: bytes, name: str, ocr: Ocr | None = None) -> Content:
    """The text of a picture, of a TIFF that of all its pages. Raises ScannedFile (OcrMissing where OCR is) and
    DamagedFile.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=_FORMATS)
        count = min(getattr(image, "n_frames", 1), _MAX_PAGES) if image.format == "TIFF" else 1
        found = ocr_room.recognise(range(1, count + 1), partial(_draw, image), ocr)
    except Image.DecompressionBombError as error:
        raise DamagedFile(f"{name} is refused: {error}", "Save it with fewer pixels.") from error
    except (OSError, ValueError, SyntaxError, EOFError) as error:  # what Pillow raises for broken files
        raise DamagedFile(
            f"{name} is damaged: it is not a whole picture.", "Open it with a picture viewer and save it again."
        ) from error
    if not found.texts:
        raise found.error(name, count)
    starts: list[int] = []
    text = ""
    for number in range(1, count + 1):
        starts.append(len(text))
        text += f"{unified(found.texts[number])}\n\n" if number in found.texts else ""
    return Content(text.rstrip(), tuple(starts) if count > 1 else (), notes=tuple(found.notes(count)))


def _draw(image: Image.Image, number: int) -> Picture:
    """A page, counted from 1: upright, in grey, on white where it is transparent."""
    image.seek(number - 1)
    page = ImageOps.exif_transpose(image)
    if page.has_transparency_data:
        page = page.convert("RGBA")
        page = Image.alpha_composite(Image.new("RGBA", page.size, "white"), page)
    page = page.convert("L")
    page.thumbnail((ocr_room.LONGEST_SIDE, ocr_room.LONGEST_SIDE))
    stated = image.info.get("dpi", (0, 0))[0] * max(page.size) / max(image.size)
    dpi = stated if _DPI[0] < stated <= _DPI[1] else max(page.size) / _PAGE_INCHES
    return Picture(page.tobytes(), *page.size, max(_DPI[0], min(_DPI[1], round(dpi))))
