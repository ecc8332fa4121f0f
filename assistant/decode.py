"""Bytes to characters: byte order marks, UTF-8, and a guess for what is older. The owner of charset-normalizer."""

from __future__ import annotations

import codecs
import re

from charset_normalizer import from_bytes

from assistant.errors import UnsupportedFile

BOMS = (  # UTF-32 first: its mark begins with that of UTF-16
    (b"\xff\xfe\x00\x00", "utf-32"),
    (b"\x00\x00\xfe\xff", "utf-32"),
    (b"\xef\xbb\xbf", "utf-8-sig"),
    (b"\xff\xfe", "utf-16"),
    (b"\xfe\xff", "utf-16"),
)
_NO_ENCODINGS = frozenset(["utf-7", "punycode", "idna", "unicode_escape", "raw_unicode_escape", "undefined"])
DAMAGED = "\N{REPLACEMENT CHARACTER}"  # stands for what could not be read
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_CONTROL = re.compile(r"[\x00-\x08\x0e-\x1a\x1c-\x1f\x7f]")  # what text has no use for; escape starts terminal colours
_MAX_CONTROL_SHARE = 0.02
_MAX_DAMAGE = 0.02  # of the characters that tell of UTF-8, the share that may be damaged; one may always be
# Labels by what they stand for in practice: WHATWG's Encoding Standard, as browsers read them.
_MEANT = {
    "ascii": "cp1252",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "iso8859-11": "cp874",
    "tis-620": "cp874",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "shift_jis": "cp932",
    "euc_kr": "cp949",
    "big5": "big5hkscs",
}
_C1 = re.compile(r"[\x80-\x84\x86-\x9f]")  # controls, but for a line end: letters of another encoding
_LITTLE = 100  # letters beyond ASCII; of fewer a guess is often wrong
_TELLING = 4  # so many characters that are valid must tell of UTF-8: fewer may be so by chance
_MAX_CHAOS = 0.2  # charset_normalizer's share of implausible characters above which a guess is not believed
_WESTERN = re.compile(r"[\x00-\x7f€‚„…†‰‘’“”•–—™ŠšŽžŒœŸ\xa0-¿À-ÿ]*")
_NOT_WESTERN = re.compile(r"[À-ÿŠšŽžŒœŸ]{3}|[^\W\d_][€‚„†‰•™¡-¨ª-¯±-¹»-¿]+[^\W\d_]|[¤¦¨¬¯¸]")


def text(data: bytes, name: str, stated: str | None = None) -> str:
    """The text alone of what `read` gives."""
    return read(data, name, stated)[0]


def read(data: bytes, name: str, stated: str | None = None) -> tuple[str, tuple[str, ...]]:
    """The text of a file called `name`, with line feeds as line ends and without null characters; and a note where its
    encoding had to be guessed from little text. `stated` is the encoding that the file itself names, which is believed
    where the bytes fit it.

    Raises UnsupportedFile for what is no text.
    """
    decoded, guessed = _stated(data, stated) if stated else None, None
    if decoded is None:
        decoded, guessed = _decode(data, name)
    control = len(_CONTROL.findall(decoded))
    if control > max(3, len(decoded) * _MAX_CONTROL_SHARE):
        raise not_text(name, f"{control} of its {len(decoded)} characters are control characters")
    return unified(decoded), _doubts(decoded, guessed) if guessed else ()


def modern(text: str) -> str:
    """Text that was decoded as Latin-1 in which the controls are what Windows-1252 has in their place."""
    return _C1.sub(lambda found: found[0].encode("latin-1").decode("cp1252", "replace"), text)


def damage(text: str) -> int:
    """How many characters of a text stand for what could not be read."""
    return text.count(DAMAGED) + len(_C1.findall(text))


def _doubts(decoded: str, encoding: str) -> tuple[str, ...]:
    letters = sum(not char.isascii() and char.isalpha() for char in decoded)
    note = f"Its encoding is not stated, and was guessed as {encoding} from {letters} letters."
    return (f"{note} If they are wrong, save it as UTF-8.",) if 0 < letters < _LITTLE else ()


def unified(text: str) -> str:
    """Text with line feeds as its only line ends, without null characters and half characters."""
    return valid(text.replace("\x00", "").replace("\r\n", "\n").replace("\r", "\n"))


def valid(text: str) -> str:
    """Text with a replacement character in the place of each half character (lone surrogate), which nothing can store.
    Its length and all offsets stay.
    """
    return _SURROGATE.sub(DAMAGED, text)


def not_text(name: str, reason: str) -> UnsupportedFile:
    return UnsupportedFile(f"{name} is not a text file: {reason}.", "Save it as text in UTF-8.")


def _stated(data: bytes, encoding: str) -> str | None:
    if any(data.startswith(mark) for mark, _ in BOMS) or b"\x00" in data:
        return None
    try:
        named = codecs.lookup(encoding).name
        if named in _NO_ENCODINGS:
            return None
        meant = _MEANT.get(named, named)
        return _latin(data) if meant == "cp1252" else data.decode(meant)
    except (LookupError, UnicodeError, ValueError):
        return None


def _latin(data: bytes) -> str | None:
    """Text that calls itself ASCII, Latin-1 or Windows-1252. Valid UTF-8 beyond ASCII is UTF-8, whatever it says of
    itself; a few bytes that stand for nothing are damage.
    """
    try:
        return data.decode()
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
    return text if text.count(DAMAGED) <= max(1, _MAX_DAMAGE * len(text)) else None


def _decode(data: bytes, name: str) -> tuple[str, str | None]:
    """The text, and its encoding where that is a guess."""
    encoding = next((encoding for mark, encoding in BOMS if data.startswith(mark)), None)
    if encoding is None and b"\x00" in data:
        encoding = _wide(data)
        if encoding is None:
            raise not_text(name, "it holds null bytes")
    try:
        return data.decode(encoding or "utf-8"), None
    except UnicodeDecodeError as error:
        mended = _mended(data, encoding == "utf-8-sig") if encoding in (None, "utf-8-sig") else None
        if mended is not None:
            return mended, None
        if encoding:
            raise not_text(name, f"it is marked as {encoding} but is not valid at byte {error.start}") from error
    return _guess(data, name)


def _mended(data: bytes, marked: bool) -> str | None:
    """UTF-8 of which a few bytes are damaged; None for what is rather in another encoding. Valid sequences of several
    bytes tell of UTF-8, as no other encoding has many of them; under a mark every character does.
    """
    text = data.decode("utf-8-sig", errors="replace")
    replaced = text.count(DAMAGED)
    telling = (len(text) if marked else sum(not char.isascii() for char in text)) - replaced
    damaged = replaced - data.count(DAMAGED.encode())
    return text if telling >= _TELLING and damaged <= max(1, _MAX_DAMAGE * telling) else None


def _wide(data: bytes) -> str | None:
    """UTF-16 without a mark, by the null bytes that letters and spaces of western texts have in every second place."""
    even, odd = data[::2].count(0), data[1::2].count(0)
    half = len(data) / 2
    if len(data) % 2 or max(even, odd) < 0.5 * half or min(even, odd) > 0.01 * half:
        return None
    return "utf-16-be" if even > odd else "utf-16-le"


def _guess(data: bytes, name: str) -> tuple[str, str]:
    """Text in an encoding from before Unicode, and which one. Windows-1252 comes first where its accents stand as in
    western European words: on short texts the statistics of charset_normalizer often take them for others.
    """
    western = data.decode("cp1252", errors="replace")
    if _WESTERN.fullmatch(western) and not _NOT_WESTERN.search(western) and len(_CONTROL.findall(western)) == 0:
        return western, "windows-1252"
    best = from_bytes(data, cp_exclusion=["utf_7"], threshold=_MAX_CHAOS).best()
    if best is None:
        raise not_text(name, "its characters fit no known encoding")
    return str(best), best.encoding
