"""Whether a short text is the name of a person, a news outlet or an institution: by its form, never by a guess."""

from __future__ import annotations

import re

_LONGEST = 60  # characters
_WIRES = re.compile(
    r"(?:the\s+)?(?:associated press|canadian press|press trust of india|reuters|xinhua|bloomberg|kyodo|jiji|yonhap|"
    r"bernama|antara|interfax|tass|dpa|efe|ansa|afp|agence france-presse|pr ?newswire|business ?wire|globe ?newswire|"
    r"anadolu|ap|upi|pti|ani|ians|apa|aa|aap|cna|vna|pna|wam|spa|irna|epa|bbc|cnn|npr)(?:\s+news)?",
    re.IGNORECASE,
)
_MEDIA_WORD = (
    "Times|News|Daily|Press|Agency|Journal|Herald|Gazette|Tribune|Telegraph|Chronicle|Magazine|Newswire|Wire|Newspaper|"
    "Broadcasting|Television|TV|Radio|Media|Post|Weekly"
)
_EDITION = "Online|Global|Network|Service|Group|International|English|Asia|Europe|Today|Now"
_MEDIA = re.compile(
    rf"(?:.*\b(?:{_MEDIA_WORD})(?: (?:{_EDITION}))?|"
    r"(?:.* )?(?:Times|Journal|Voice|Radio Free|Press Trust) (?:of )?\w+|"
    r"The Daily \w+|Daily (?:Mail|Mirror|Express|Star|Beast))"
)
_THE_MEDIA = re.compile(
    r"The (?:\w+ )?(?:Guardian|Economist|Observer|Independent|Sun|Star|Globe|Mirror|Standard|Atlantic|Mail|Review|"
    r"Conversation|Verge|Hill)"
)
_OUTLETS = re.compile(
    r"cgtn|cctv|cnbc|nhk|rfi|dw|deutsche welle|al jazeera|politico|axios|forbes|caixin|nikkei asia|le monde|el país|"
    r"der spiegel|die zeit|la repubblica|ecns|[\w-]+\.(?:com|cn|org|net)",
    re.IGNORECASE,
)
_CJK_MEDIA = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]{1,10}(?:社|报|報|网|網|新闻|新聞|电视台|電視台|杂志|雜誌|周刊)")
_INSTITUTION = re.compile(
    r".*\b(?:University|Institute|Commission|Association|Foundation|Council|Laboratory|Inc\.?|Ltd\.?|LLC|Corp\.?|"
    r"Corporation|Company|Group|plc|GmbH|AG|S\.A\.?)|"
    r"(?:.* )?(?:University|Institute|Ministry|Department|Bank) (?:of|for) .*"
)
_GENERIC = re.compile(
    r"news|latest|more|related|top|daily|weekly|our|the|all|world|business|press|breaking|media|post|local|sports|radio|"
    r"release|contacts?|social|good|bad|journal|inquiries|enquiries|kit|agency|magazine|group|company|department",
    re.IGNORECASE,
)
_SMALL_WORDS = frozenset(["of", "the", "and", "for", "in", "on", "de", "la", "le", "du", "&"])
_NOT_A_PUBLISHER = re.compile(
    r"https?:|www\.|@|\b(?:data|calculations?|estimates?|survey|table|figure|compiled|analysis|various|own)\b",
    re.IGNORECASE,
)
_PARTICLES = frozenset(["de", "da", "di", "du", "van", "von", "der", "den", "la", "le", "el", "al", "bin", "ibn", "y"])
_CAPITALISED = re.compile(r"[^\W\d_a-zß-öø-ÿ][^\W\d_]*\.?(?:[-'’.][^\W\d_]+\.?)*")
_CJK_PERSON = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff·]{2,8}")
_NOT_A_PERSON = re.compile(
    r"\b(?:staff|editors?|editorial|reporters?|desk|team|board|writers?|correspondents?|contributors?|admin|guest|"
    r"(?:mon|tues|wednes|thurs|fri|satur|sun)day|january|february|march|april|june|july|august|september|october|"
    r"november|december|default|design|numbers|invitation|law|hand)\b",
    re.IGNORECASE,
)


def is_outlet(text: str) -> bool:
    """Whether `text` is the name of a news agency, paper or station and nothing else."""
    text = text.strip()
    if any(form.fullmatch(text) for form in (_WIRES, _OUTLETS, _CJK_MEDIA, _THE_MEDIA)):
        return True
    return _MEDIA.fullmatch(text) is not None and _is_proper(text)


def is_institution(text: str) -> bool:
    """Whether `text` is the name of a company, university, authority or the like and nothing else."""
    text = text.strip()
    return _INSTITUTION.fullmatch(text) is not None and _is_proper(text)


def is_wire(text: str) -> bool:
    """Whether `text` names a news agency whose reports and photos other publishers reprint."""
    return _WIRES.fullmatch(text.strip()) is not None


def publisher(text: str) -> str | None:
    """The publisher that a field or credit such as "Source: Xinhua" gives, if it looks like a name."""
    name = text.strip(" .,;|-–—()（）[]\"'")
    words = name.split()
    if not name or len(name) > _LONGEST or len(words) > 8 or _NOT_A_PUBLISHER.search(name):
        return None
    if not any(character.isalpha() for character in name) or name.islower():
        return None
    return name


def signature(text: str) -> str | None:
    """The author that a field such as "Author: Jane" gives, without addresses; None if that leaves no name."""
    name = re.sub(r"[<(\[（].*?[>)\]）]|\S+@\S+", "", text).strip(" .,;|-–—\"'")
    wordless = not any(character.isalpha() for character in name)
    return None if wordless or len(name) > 2 * _LONGEST or re.search(r"https?:|\d", name) else name


def people(text: str) -> str | None:
    """One or more personal names, as they are written, without addresses and roles; None if they are not names."""
    text = re.sub(r"[<(\[（].*?[>)\]）]", "", text).strip(" .,;|-–—")
    parts = [part.strip() for part in re.split(r"\s*(?:,|;|、|&|\band\b)\s*", text) if part.strip()]
    if not parts or len(text) > 4 * _LONGEST or not all(is_person(part) for part in parts):
        return None
    return text


def is_person(text: str) -> bool:
    """Whether `text` has the form of one personal name: two to five capitalised words, or a short one in Chinese or
    Japanese script.
    """
    if _CJK_PERSON.fullmatch(text):
        return not _CJK_MEDIA.fullmatch(text)
    words = text.split()
    if not 2 <= len(words) <= 5 or _NOT_A_PERSON.search(text) or _WIRES.fullmatch(text):
        return False
    if is_institution(text) or re.search(r"\b(?:News|Times|Daily|Press|Agency|Media|Magazine|Newswire)\b", text):
        return False
    named = all(_CAPITALISED.fullmatch(word) or word.lower() in _PARTICLES for word in words)
    return named and _CAPITALISED.fullmatch(words[0]) is not None


def _is_proper(text: str) -> bool:
    """Whether this is a short run of capitalised words, not all of them generic."""
    words = re.findall(r"[\w.'’&-]+", text)
    if not 1 <= len(words) <= 6 or len(text) > _LONGEST or re.search(r"[:;!?|/,\d]", text):
        return False
    capitalised = all(word[0].isupper() or word.lower() in _SMALL_WORDS for word in words) and words[0][0].isupper()
    return capitalised and not all(_GENERIC.fullmatch(word.strip(".")) for word in words)
