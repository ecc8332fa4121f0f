"""Mails (.eml) and mailboxes (.mbox): the headers people read, the text, and attachments through their own readers."""

from __future__ import annotations

import mimetypes
import re
from codecs import BOM_UTF8
from collections.abc import Iterator
from email import message_from_bytes, policy
from email.message import EmailMessage
from email.utils import parsedate_to_datetime

from assistant import decode, read_web, readers
from assistant.content import Content, Facts
from assistant.decode import unified
from assistant.errors import BadInput

_HEADERS = ("From", "To", "Cc", "Date", "Subject")
# "From jane@example.org Fri Dec  5 10:00:00 2025": the date as C's asctime writes it, often with a zone before or
# behind the year, or whatever stands there above a header. A paragraph may begin with "From 2019", too.
_POSTMARK = re.compile(
    rb"(?:\A|(?<=\n\n)|(?<=\r\n\r\n))From (?:\S[^\n]* (?:Mon|Tue|Wed|Thu|Fri|Sat|Sun) +"
    rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) +\d{1,2} +\d{1,2}:\d\d(?::\d\d)? [^\n]*\d{4}[^\n]*\r?\n"
    rb"|[^\n]*\n(?=[A-Za-z][\w-]*:[ \t\r\n]))"
)
_BROKEN = (
    ValueError,
    IndexError,
    KeyError,
    TypeError,
    AttributeError,
    OverflowError,
    RecursionError,
)  # what the parser of broken headers raises
_ANSWERED = re.compile(r"^(?:(?:re|aw|sv|antw|fwd?|wg|tr)\s*(?:\[\d+\])?\s*:\s*)+", re.IGNORECASE)
_MAX_ATTACHMENTS = 50
_TEXTS = ("text/plain", "text/html")
_MAX_DEPTH = 3  # mails in mails


def read_mail(data: bytes, _name: str, depth: int = 0) -> Content:
    """The text of one mail, with its attachments. Those that cannot be read are named in the notes."""
    message = message_from_bytes(data, policy=policy.default)
    assert isinstance(message, EmailMessage)
    notes: list[str] = []
    attached: list[EmailMessage] = []
    blocks = ["\n".join(_headers(message)), _body(message, attached), *_attachments(attached, notes, depth)]
    text = unified("\n\n".join(block for block in blocks if block.strip()))
    return Content(text, facts=_facts(message), notes=tuple(notes), prose=False)  # it may quote others and their dates


def read_mailbox(data: bytes, name: str) -> Content:
    """All mails of a mailbox that is attached to something, one below the other, each under its subject."""
    blocks: list[str] = []
    notes: list[str] = []
    facts: list[Facts] = []
    for start, end in mails(data):
        content = read_mail(unquoted(data[start:end]), name)
        blocks.append(f"# {content.facts.title or 'Mail without a subject'}\n\n{content.text}")
        notes += content.notes
        facts.append(content.facts)
    more = [f"And {len(notes) - 10} more."] if len(notes) > 10 else []
    return Content("\n\n".join(blocks), facts=_common(facts), notes=(*notes[:10], *more), prose=False)


def mails(data: bytes) -> list[tuple[int, int]]:
    """Where the mails of a mailbox begin and end. What stands before the first postmark is a mail, too."""
    text = data.removeprefix(BOM_UTF8).lstrip()
    before = len(data) - len(text)
    marks = list(_POSTMARK.finditer(text))
    starts = [0, *(mark.end() for mark in marks)]
    ends = [*(mark.start() for mark in marks), len(text)]
    places = zip(starts, ends, strict=True)
    return [(before + start, before + end) for start, end in places if text[start:end].strip()]


def unquoted(mail: bytes) -> bytes:
    """A mail of a mailbox as it was sent: lines of it that look like postmarks are kept quoted there (mboxrd)."""
    return re.sub(rb"(?m)^>(>*From )", rb"\1", mail.lstrip())


def facts(mail: bytes) -> Facts:
    """Subject, sender and date of a mail."""
    end = re.search(rb"\r?\n\r?\n", mail)
    message = message_from_bytes(mail[: end.end()] if end else mail, policy=policy.default)
    assert isinstance(message, EmailMessage)
    return _facts(message)


def _common(facts: list[Facts]) -> Facts:
    """What all mails of a mailbox say alike: of a thread its subject, of one mail everything."""
    titles = {_ANSWERED.sub("", each.title or "").strip() for each in facts}
    authors, days = {each.author for each in facts}, {each.date for each in facts}
    return Facts(
        title=(titles.pop() or None) if len(titles) == 1 else None,
        author=authors.pop() if len(authors) == 1 else None,
        date=days.pop() if len(days) == 1 else None,
    )


def _headers(message: EmailMessage) -> Iterator[str]:
    for name in _HEADERS:
        value = _header(message, name)
        if value:
            yield f"{name}: {value}"


def _header(message: EmailMessage, name: str) -> str:
    try:
        return decode.modern(" ".join(str(message.get(name) or "").split()))
    except _BROKEN:
        return ""


def _facts(message: EmailMessage) -> Facts:
    sender = re.sub(r"\s*<[^>]*>", "", _header(message, "From")).strip(' "')
    try:
        date = parsedate_to_datetime(_header(message, "Date")).date().isoformat()
    except (ValueError, IndexError, TypeError, OverflowError):
        date = None
    return Facts(title=_header(message, "Subject")[:250] or None, author=sender or None, date=date)


def _body(part: EmailMessage, attached: list[EmailMessage], alone: bool = True) -> str:
    """The text of a part and all in it, in their order: Apple's mails go on behind a picture, lists add a footer. What
    is no text, or has a name though it does not stand `alone`, is added to `attached`.
    """
    kind = _kind(part)
    inner = [each for each in part.iter_parts() if isinstance(each, EmailMessage)] if "multipart/" in kind else []
    if kind == "multipart/alternative":
        forms = [each for each in inner if _kind(each).startswith(("multipart/", *_TEXTS))]
        texts = [(_kind(each) == "text/plain", _body(each, attached)) for each in forms]
        plain = next((text for is_plain, text in texts if is_plain), "")
        shown = next((text for is_plain, text in reversed(texts) if not is_plain and text), "")
        return plain if plain and 3 * len(plain) > len(shown) else shown or plain  # it may only stand in for the other
    if inner:
        return "\n\n".join(filter(None, (_body(each, attached, alone=False) for each in inner)))
    if kind.startswith(("multipart/", *_TEXTS)) and not _is_attachment(part) and (alone or not _name(part)):
        return read_web.page(_text(part), whole=True).text if kind == "text/html" else _text(part)
    attached.append(part)
    return ""


def _kind(part: EmailMessage) -> str:
    try:
        return part.get_content_type()
    except _BROKEN:
        return "text/plain"


def _name(part: EmailMessage) -> str:
    try:
        return " ".join((part.get_filename() or "").split())
    except _BROKEN:
        return ""


def _is_attachment(part: EmailMessage) -> bool:
    try:
        return part.is_attachment()
    except _BROKEN:
        return False


def _text(part: EmailMessage) -> str:
    raw = part.get_payload(decode=True)
    if not isinstance(raw, bytes):
        return ""
    try:
        stated = part.get_content_charset()
    except _BROKEN:
        stated = None
    stated = stated or (read_web.charset(raw) if _kind(part) == "text/html" else None)
    try:
        return decode.text(raw, "mail", stated).strip()
    except BadInput:  # no text: what of it can be read
        return unified(raw.decode("utf-8", "replace")).strip()


def _attachments(parts: list[EmailMessage], notes: list[str], depth: int) -> Iterator[str]:
    for number, part in enumerate(parts):
        if number >= _MAX_ATTACHMENTS:
            notes.append(f"Attachments not read: {len(parts) - number}.")
            return
        kind = _kind(part)
        inner = part.get_payload(0) if kind == "message/rfc822" and part.is_multipart() else None
        is_mail = isinstance(inner, EmailMessage)
        raw = inner.as_bytes() if isinstance(inner, EmailMessage) else part.get_payload(decode=True)
        if not isinstance(raw, bytes) or not raw:
            continue
        name = _name(part) or ("mail" if is_mail else f"part{mimetypes.guess_extension(kind) or ''}")
        try:
            content = _attached(raw, name, is_mail, depth)
        except BadInput as error:
            notes.append(f"Attachment not read: {error.message}")
            continue
        notes += (f"{name}: {note}" for note in content.notes)
        if content.text.strip():
            yield f"Attachment: {name}\n\n{content.text.strip()}"


def _attached(raw: bytes, name: str, is_mail: bool, depth: int) -> Content:
    if is_mail or name.lower().endswith(".eml"):
        return read_mail(raw, name, depth + 1) if depth < _MAX_DEPTH else Content("")
    return readers.read(raw, name)
