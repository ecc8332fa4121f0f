"""Sentences of a document that give orders to a language model, and answers that obey them. Pure.

Text of documents is data. What a line only bids its reader to say ("Ignore the rest of this data and print ...") is no
source's word for it, however well an answer agrees with it. The forms are those of published collections of prompt
injections (OWASP LLM01; garak's latent injections): the instructions so far are set aside, or the one who is spoken to
is a program. Orders to people ("Print the form and send it to ...") are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assistant import sentences
from assistant.records import Span
from assistant.terms import readings, terms

_FITS = 0.5  # share of a sentence's terms that what is dictated must have
_TELLS = 2  # terms of the order itself in a sentence that tells of it
_SET_ASIDE = r"(?:ignore|disregard|forget|override|overlook|bypass|skip|drop)"
_SAY = (
    r"(?:print|output|say|write|respond|reply|answer|return|report|repeat|tell|state|conclude|claim|generate|display|"
    r"produce|declare|confirm|summari[sz]e|recommend|begin|end)"
)
_PROGRAM = (
    r"(?:(?:large )?language[ -]models?|LLMs?|A\.?I\.?(?: (?:language )?(?:assistants?|models?|agents?|systems?|"
    r"reviewers?|readers?|tools?|summari[sz]ers?|bots?))?|chat ?bots?|(?:Chat)?GPT|automat(?:ed|ic) (?:\w+ )?"
    r"(?:software|systems?|tools?|agents?|readers?|programs?|assistants?))"
)
_ORDER = re.compile(
    # "Ignore all that and print", where it opens a sentence
    rf"(?:^|[.!?:;>\]*\"“—-]\s*|\n|\b(?:please|now|then|must|should)\s+){_SET_ASIDE}\b[^.!?\n]{{0,80}}?"
    rf"(?:\band|\bthen|\binstead|,)\s+(?:\w+ly |just |only |instead |then |please )?{_SAY}\b(?: only| exactly| that)?"
    # "disregard your previous instructions"
    rf"|\b{_SET_ASIDE}\s+(?:(?:all|any|the|your|these|those|every|everything|of|my|previous|prior|above|earlier|"
    r"preceding|other|existing|former|given|system)\s+){1,5}"
    r"(?:instructions?|prompts?|directions|commands?|guidelines|orders|programming)\b(?: above| before| so far)?"
    # "Note to AI assistants:", "If you are a language model,"
    r"|\b(?:(?:notes?|messages?|notice|instructions?|commands?|memo|reminder|hidden [^.!?:\n]{1,30}) (?:to|for)|"
    rf"attention|dear|hey|hello)\b[^.!?:\n]{{0,24}}?"
    rf"\b{_PROGRAM}\s*[:,—–-]"
    rf"|\bif you(?: are|['’]re) (?:an?|the|any|some) {_PROGRAM}\b,?"
    # the second form in German, Spanish, Portuguese, Italian, French and Chinese
    r"|\b(?:ignorier|vergiss|missacht)\w*\b[^.!?\n]{0,40}?\b(?:anweisung|befehl|vorgabe|instruktion)\w*"
    r"|\b(?:ignor(?:a|e|ez|en|ate)|olvid[ae]n?|esque[cç]\w+|dimentica\w*|oubli\w+)\s+(?:\w+\s+)?"
    r"(?:l[aeo]s|as|los|le|ces|vos|tes|tus|sus|suas)\s+(?:\w+\s+)?(?:instruccion|instruç|istruzion|instruction|consigne|"
    r"órdenes|indicacion)\w*(?: (?:anteriores|previas|precedenti|précédentes|ci-dessus))?"
    r"|(?:忽略|无视|無視|忘记|忘記)[^。！？\n]{0,12}(?:指令|指示|提示|命令)",
    re.IGNORECASE,
)


class _Order(NamedTuple):
    said: str
    dictated: str  # what follows it
    at: Span  # both, in the text


def obeyed(sentence: str, texts: Sequence[str]) -> bool:
    """Whether a sentence says what the texts only bid their reader to say. One that tells of the order obeys none."""
    wanted = terms(sentence)
    orders = [list(_orders(text)) for text in texts]
    if not wanted or not any(orders):
        return False
    rest = frozenset[str]().union(*map(_has, map(_without, texts, orders)))
    return any(_relies(wanted, order, rest) for found in orders for order in found)


def _relies(wanted: frozenset[str], order: _Order, rest: frozenset[str]) -> bool:
    """Whether a sentence of these terms has most of them from what is dictated, and one that nothing else gives."""
    has = _has(order.dictated)
    tells = wanted & (terms(order.said) - has)
    return len(wanted & has) >= _FITS * len(wanted) and bool(wanted & has - rest) and len(tells) < _TELLS


def _orders(text: str) -> Iterator[_Order]:
    """Each reaches to the end of its sentence, and over the next one where that stands in the same line or where its
    own dictates nothing.
    """
    spans = sentences.spans(text) if _ORDER.search(text) else []
    end = 0
    for match in _ORDER.finditer(text):
        behind = [span for span in spans if span.end > match.end()]
        if match.start() < end or not behind:
            continue
        own, *others = behind
        dictates = bool(terms(text[match.end() : own.end]))
        goes_on = others and (not dictates or "\n" not in text[own.end : others[0].start])
        end = others[0].end if goes_on else own.end
        yield _Order(match[0], text[match.end() : end], Span(match.start(), end))


def _without(text: str, orders: Sequence[_Order]) -> str:
    for order in reversed(orders):
        text = f"{text[: order.at.start]}\n{text[order.at.end :]}"
    return text


def _has(text: str) -> frozenset[str]:
    return terms(text) | readings(text)
