"""Formulas of Office (OMML, ISO/IEC 29500-1 part 22) as a line of text: x^2, (a+b)/c, √(x), ∑_(i=1)^n. Pure."""

from __future__ import annotations

from assistant.markup import Element, local

_INVISIBLE = dict.fromkeys(range(0x2061, 0x2065))  # operators that are not shown: "applied to", "times"


def formula(element: Element) -> str:
    """The formula in `element` and all below it."""
    return " ".join(_all(element).translate(_INVISIBLE).split())


def _all(element: Element) -> str:
    return "".join(_one(child) for child in element)


def _one(element: Element) -> str:
    tag = local(element)
    if tag == "t":
        return element.text or ""
    if tag.endswith("pr"):  # properties: rPr, ctrlPr, fPr
        return ""
    writer = {
        "f": lambda: f"{_part(element, 'num')}/{_part(element, 'den')}",
        "ssup": lambda: f"{_part(element, 'e')}^{_part(element, 'sup')}",
        "ssub": lambda: f"{_part(element, 'e')}_{_part(element, 'sub')}",
        "ssubsup": lambda: f"{_part(element, 'e')}_{_part(element, 'sub')}^{_part(element, 'sup')}",
        "rad": lambda: f"{_degree(element)}√{_part(element, 'e')}",
        "nary": lambda: f"{_sign(element)}{_limits(element)} {_plain(element, 'e')}",
        "d": lambda: _bracketed(element),
        "m": lambda: _matrix(element),
        "func": lambda: f"{_plain(element, 'fname')} {_plain(element, 'e')}",
        "limlow": lambda: f"{_plain(element, 'e')}_{_part(element, 'lim')}",
        "limupp": lambda: f"{_plain(element, 'e')}^{_part(element, 'lim')}",
    }.get(tag)
    return writer() if writer else _all(element)


def _child(element: Element, tag: str) -> Element | None:
    return next((child for child in element if local(child) == tag), None)


def _plain(element: Element, tag: str) -> str:
    child = _child(element, tag)
    return _all(child).strip() if child is not None else ""


def _part(element: Element, tag: str) -> str:
    """A part in brackets, if it is more than one sign or number."""
    text = _plain(element, tag)
    bracketed = text.startswith("(") and text.endswith(")") and text.count("(") == 1
    return text if len(text) < 2 or text.replace(".", "").isalnum() or bracketed else f"({text})"


def _value(element: Element, properties: str, tag: str, default: str) -> str:
    within = _child(element, properties)
    found = _child(within, tag) if within is not None else None
    if found is None:
        return default
    return next((value for name in _VALUES if (value := found.get(name)) is not None), default)


_VALUES = (
    "{http://schemas.openxmlformats.org/officeDocument/2006/math}val",
    "{http://purl.oclc.org/ooxml/officeDocument/math}val",
)


def _sign(element: Element) -> str:
    return _value(element, "narypr", "chr", "∫")


def _limits(element: Element) -> str:
    below, above = _part(element, "sub"), _part(element, "sup")
    return (f"_{below}" if below else "") + (f"^{above}" if above else "")


def _degree(element: Element) -> str:
    degree = _plain(element, "deg")
    return f"[{degree}]" if degree else ""


def _bracketed(element: Element) -> str:
    inside = ", ".join(_all(child).strip() for child in element if local(child) == "e")
    return f"{_value(element, 'dpr', 'begchr', '(')}{inside}{_value(element, 'dpr', 'endchr', ')')}"


def _matrix(element: Element) -> str:
    rows = (
        ", ".join(_all(cell).strip() for cell in row if local(cell) == "e") for row in element if local(row) == "mr"
    )
    return f"[{'; '.join(rows)}]"
