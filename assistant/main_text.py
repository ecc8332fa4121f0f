"""The main text of a web page: takes out of its tree what is hidden, and what stands around the text.

By element, role or name, and only where it holds no paragraphs; names of headings, paragraphs and cells tell nothing,
as programs make ids of headings from their words. In doubt text stays: on saved pages and filings a lost paragraph is
worse than a menu.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from assistant import markup
from assistant.markup import Element, local

_NO_TEXT_LIST = (
    "script style noscript template svg canvas iframe object embed applet audio video map input button select option "
    "textarea datalist progress meter head link meta base param source track dialog"
)
_NO_TEXT = frozenset(_NO_TEXT_LIST.split())
_AROUND = frozenset(["nav", "aside", "menu"])
_FRAME = frozenset(["header", "footer"])  # of a page they stand around; of an article they belong to it
_AROUND_ROLES_LIST = (
    "navigation banner contentinfo search complementary menu menubar toolbar dialog alertdialog tablist"
)
_AROUND_ROLES = frozenset(_AROUND_ROLES_LIST.split())
_HEADINGS = ("h1", "h2", "h3", "h4", "h5", "h6")
_LISTS = frozenset(["ul", "ol", "dl"])
_FOLDED = frozenset([*_HEADINGS, "summary", "dt"])  # what text that is folded away stands under
_TEXTS = frozenset([*_HEADINGS, "p", "li", "dt", "dd", "td", "th", "tr", "pre"])  # never judged by their names
_ANCHORS = frozenset(["a", "span"])  # their ids are places that links go to
_AROUND_NAMES = re.compile(
    r"(?:^|[\s_-])(?:(?:main|top|site|side|page|sub|global|mobile)?-?(?:nav|navi|navbar|navbox|navigation|menubar|"
    r"sidebar)|breadcrumbs?|site-?header|(?:site|page)?-?footer|pagination|pager|skip-?links?|toc|mw-editsection|"
    r"mw-jump-link|ambox|side-box|sistersitebox|printfooter|catlinks|noprint|toolbar)(?:$|[\s_-])",
    re.IGNORECASE,
)
# Words that name what stands around only by themselves ("social") or among words of layouts ("social-links"): in
# "social-security" they name a subject.
_PERHAPS_AROUND_LIST = (
    "menu submenu cookie cookies consent gdpr share sharing social related recommend recommended recommendations "
    "newsletter subscribe advert adverts ad ads banner promo popup modal login search"
)
_PERHAPS_AROUND = frozenset(_PERHAPS_AROUND_LIST.split())
_OF_LAYOUTS_LIST = (
    "main top site side page sub global mobile desktop header footer head foot bar box form field input button "
    "buttons btn link links icon icons list lists item items widget widgets wrapper wrap container inner outer "
    "toggle trigger post posts article articles story stories topic topics video videos reading entry entries pages "
    "content contents media network networks follow us signup sign up out in cta block module panel area row col "
    "left right bottom overlay dialog nav slot unit label js fixed sticky small large primary secondary user "
    "account wp elementor google leaderboard space notice message menu root layer window"
)
_OF_LAYOUTS = frozenset(_OF_LAYOUTS_LIST.split())
_CONSENT_LIST = "cookie cookies consent gdpr ccpa cookieconsent cookiebanner cookienotice cookielaw cookiebot onetrust"
_CONSENT = frozenset(_CONSENT_LIST.split())
_OF_CONSENT_LIST = "banner popup modal eu law policy privacy info alert prompt bot warning sdk preferences cmp cc"
_OF_CONSENT = _OF_LAYOUTS | frozenset(_OF_CONSENT_LIST.split())
_COOKIES = re.compile(r"cookie|クッキー|куки", re.IGNORECASE)
_PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])|\d+")  # of a name: "cookie-banner", "site_menu", "cookieBanner"
_ZERO = r"0(?![.\d]*[1-9])"
_HIDING = re.compile(rf"display\s*:\s*none|visibility\s*:\s*hidden|opacity\s*:\s*{_ZERO}")
_SIZE = re.compile(r"(?<![\w-])font-size\s*:\s*([^;]+)")
_RELATIVE = re.compile(r"[\d.]+\s*(?:em|ex|%)|inherit|smaller|larger")  # of the size around: nothing stays nothing
_LONG_PARAGRAPH = 200  # characters; a block with one is no menu
_MAIN_SHARE = 0.4  # of the text that must be in an element for it to be the main one


def length(element: Element) -> int:
    """How many characters of text an element holds."""
    return sum(len(part.strip()) for part in element.itertext())


# --- what is hidden


def drop_unseen(root: Element) -> int:
    """Takes out what is no text and what is hidden; gives the number of hidden characters."""
    hidden = 0
    for element in list(root.iter()):
        if local(element) == "button" and _is_heading_of(element):
            continue
        if local(element) in _NO_TEXT or local(element) == "ix:header":
            markup.drop(element)
        elif _is_hidden(element):
            hidden += length(element)
            markup.drop(element)
    return hidden + sum(_emptied(element) for element in root.iter() if _size(element) == "0")


def _is_heading_of(button: Element) -> bool:
    """Whether a button is all that a heading says, as where text is folded away. "Copy link" beside one is not."""
    heading = next(
        (each for each in _parents(button) if local(each) in _FOLDED or each.get("role") == "heading"), None
    )
    return heading is not None and length(heading) <= sum(length(each) for each in heading.iter("button"))


def _is_hidden(element: Element) -> bool:
    if local(element) in ("html", "body"):
        return False
    style = element.get("style")
    return (
        element.get("hidden") is not None
        or element.get("aria-hidden") == "true"
        or (style is not None and _HIDING.search(style.lower()) is not None)
    )


def _size(element: Element) -> str:
    """The size of letters that an element states: "0" for none, "" where it states no size of its own."""
    stated = _SIZE.findall((element.get("style") or "").lower())  # the last one counts
    if not stated:
        return (element.get("size") or "") if local(element) == "font" else ""
    if re.match(_ZERO, stated[-1]):
        return "0"
    return "" if _RELATIVE.match(stated[-1]) else stated[-1]


def _emptied(element: Element) -> int:
    """Takes out the text of an element down to where another size is stated: mails set the size 0 around their cells,
    against gaps, and the real one in them. Gives the number of characters.
    """
    taken = []
    below = [element]
    while below:
        part = below.pop()
        taken.append(part.text or "")
        part.text = _space(part.text)
        for child in part:
            taken.append(child.tail or "")
            child.tail = _space(child.tail)
            if not _size(child):
                below.append(child)
    return sum(len(text.strip()) for text in taken)


def _space(text: str | None) -> str:
    """What stays of text that is taken out: where it has space around it, words must not run together."""
    return " " if text and text != text.strip() else ""


# --- what stands around


def drop_around(root: Element) -> int:
    """Takes out menus and the like; gives the number of their characters."""
    whole = length(root)
    left_out = _drop_consent(root, whole)
    for element in list(root.iter()):
        if element.getparent() is None or local(element) in ("html", "body", "main", "article"):
            continue
        named = _is_named_around(element)
        if not named and not _is_around(element):
            continue
        size = length(element)
        if size < 0.5 * whole and not (named and _has_paragraph(element)):
            left_out += size
            markup.drop(element)
    return left_out


def _drop_consent(root: Element, whole: int) -> int:
    """Takes out what asks for consent to cookies, which is mostly a paragraph; gives the number of its characters."""
    named = filter(_asks_consent, root.iter("div", "section", "aside", "form", "footer", "header", "ul"))
    left_out = 0
    for element in markup.outermost(root, list(named)):
        if any(local(each) in ("article", "main") for each in _parents(element)):
            continue
        size = length(element)
        if size < 0.5 * whole and _COOKIES.search("".join(element.itertext())):
            left_out += size
            markup.drop(element)
    return left_out


def _asks_consent(element: Element) -> bool:
    """Whether an element's name says so, and nothing else: "cookie-banner", but neither "cookie-recipe" nor an id that
    is made of the element's heading.
    """
    name = element.get("id") or ""
    names = [*(element.get("class") or "").split(), *([] if _is_slug(name, element) else [name])]
    return any(_is_of(_parts(each), _CONSENT, _OF_CONSENT) for each in names)


def _parts(name: str) -> list[str]:
    return [part.lower() for part in _PART.findall(name)]


def _is_of(parts: list[str], kinds: frozenset[str], beside: frozenset[str]) -> bool:
    """Whether one of the parts of a name is of these kinds, and all others may stand beside it."""
    others = [part for part in parts if part not in kinds]
    return len(others) < len(parts) and all(part in beside or part.isdigit() for part in others)


def _is_around(element: Element) -> bool:
    """Whether an element stands around the text by its kind or role. An aside in the text is part of it, unless most
    of it are links.
    """
    tag = local(element)
    if element.get("role") in _AROUND_ROLES:
        return True
    if tag in _FRAME:
        return not _is_part(element) and not (tag == "header" and _is_title_block(element))
    if tag in _LISTS and 2 * _linked(element) > length(element):  # a menu beside the title
        header = next((each for each in _parents(element) if local(each) == "header"), None)
        return header is not None and not _is_part(header)
    return tag in _AROUND and not _is_in_text(element)


def _is_part(element: Element) -> bool:
    return any(local(parent) in ("article", "main", "section") for parent in _parents(element))


def _is_title_block(header: Element) -> bool:
    """Whether a header is a document's and no site's: a paragraph stands in it, or a heading that is no link. A site's
    says so in its name, or its page has another heading outside of headers.
    """
    if _has_paragraph(header):
        return True
    own = any(length(each) > _linked(each) for each in header.iter("h1"))
    if not own or _AROUND_NAMES.search(f"{header.get('class') or ''} {header.get('id') or ''}"):
        return False
    *_, page = _parents(header)
    others = (each for each in page.iter("h1") if length(each) and not _is_within(each, "header"))
    return next(others, None) is None


def _is_within(element: Element, tag: str) -> bool:
    return any(local(parent) == tag for parent in _parents(element))


def _is_in_text(element: Element) -> bool:
    return (
        local(element) == "aside"
        and any(local(parent) == "article" or _is_main(parent) for parent in _parents(element))
        and 2 * _linked(element) < length(element)
    )


def _is_named_around(element: Element) -> bool:
    """Whether an element stands around the text by its name alone. An id that is made of the words of the element's
    own heading, as Pandoc, Sphinx and Hugo do, is none.
    """
    tag, name = local(element), element.get("id") or ""
    if tag in _TEXTS or tag in _FRAME or (tag in _AROUND and not _is_in_text(element)):
        return False
    if _names_around(element.get("class") or "", element):
        return True
    return tag not in _ANCHORS and _names_around(name, element) and not _is_slug(name, element)


def _names_around(names: str, element: Element) -> bool:
    if not names:
        return False
    if _AROUND_NAMES.search(names):
        return True
    parts = [_parts(name) for name in names.split()]
    if any(_is_of(each, _PERHAPS_AROUND, _OF_LAYOUTS) for each in parts):
        return True
    named = any(not _PERHAPS_AROUND.isdisjoint(each) for each in parts)
    return named and 2 * _linked(element) > length(element)


def _is_slug(name: str, element: Element) -> bool:
    heading = next(element.iter(*_HEADINGS), None)
    return heading is not None and _bare("".join(heading.itertext())) == _bare(name)


def _bare(text: str) -> str:
    """The letters of a name or heading, without numbers before and behind it."""
    return re.sub(r"[\W_]+", "", text).lower().strip("0123456789")


def _has_paragraph(element: Element) -> bool:
    return any(_is_paragraph(part) for part in element.iter("p", "li", "td"))


def _is_paragraph(part: Element) -> bool:
    return length(part) - _linked(part) >= _LONG_PARAGRAPH


def _linked(element: Element) -> int:
    return sum(length(link) for link in element.iter("a"))


def _parents(element: Element) -> Iterator[Element]:
    parent = element.getparent()
    while parent is not None:
        yield parent
        parent = parent.getparent()


# --- the main element


def main(root: Element) -> Element:
    """The element that says it is the main one, or the only article: if it holds much of the text, and what would be
    left out has neither a paragraph nor a page's heading. Else the whole.
    """
    named = [each for each in root.iter("main", "div", "section", "td") if _is_main(each)]
    articles = list(root.iter("article"))
    candidates = named[:1] + (articles if len(articles) == 1 else [])
    whole = length(root)
    fitting = [each for each in candidates if length(each) >= _MAIN_SHARE * whole and not _is_text_outside(root, each)]
    return min(fitting, key=length, default=root)


def _is_text_outside(root: Element, element: Element) -> bool:
    known = {*element.iter(), *_parents(element)}
    outside = (each for each in root.iter("p", "li", "td", "h1") if each not in known)
    return any(length(each) > 0 if local(each) == "h1" else _is_paragraph(each) for each in outside)


def _is_main(element: Element) -> bool:
    return (
        local(element) == "main" or element.get("role") == "main" or element.get("id") in ("content", "main-content")
    )
