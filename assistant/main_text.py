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
_TEXTS = frozenset([*_HEADINGS, "p", "li", "dt", "dd", "td", "th", "tr", "pre"])  # never judged by their names
_ANCHORS = frozenset(["a", "span"])  # their ids are places that links go to
_AROUND_NAMES = re.compile(
    r"(?:^|[\s_-])(?:(?:main|top|site|side|page|sub|global|mobile)?-?(?:nav|navi|navbar|navbox|navigation|menu|menubar|"
    r"sidebar)|breadcrumbs?|site-?header|(?:site|page)?-?footer|cookies?|consent|gdpr|shar(?:e|ing)|social|related|"
    r"recommend(?:ed|ations)?|newsletter|subscribe|adverts?|ads?|banner|promo|pagination|pager|skip-?links?|toc|"
    r"mw-editsection|mw-jump-link|printfooter|catlinks|noprint|metadata|popup|modal|toolbar|login|search)(?:$|[\s_-])",
    re.IGNORECASE,
)
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
        if local(element) in _NO_TEXT or local(element) == "ix:header":
            markup.drop(element)
        elif _is_hidden(element):
            hidden += length(element)
            markup.drop(element)
    return hidden + sum(_emptied(element) for element in root.iter() if _size(element) == "0")


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
    left_out = 0
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


def _is_around(element: Element) -> bool:
    """Whether an element stands around the text by its kind or role. An aside in the text is part of it, unless most
    of it are links.
    """
    tag = local(element)
    if element.get("role") in _AROUND_ROLES:
        return True
    if tag in _FRAME:
        return not any(local(parent) in ("article", "main", "section") for parent in _parents(element))
    return tag in _AROUND and not _is_in_text(element)


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
    if _AROUND_NAMES.search(element.get("class") or ""):
        return True
    return tag not in _ANCHORS and _AROUND_NAMES.search(name) is not None and not _is_slug(name, element)


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
