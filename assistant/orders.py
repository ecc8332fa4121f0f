"""Sentences of a document that give orders to a language model, and answers that obey them. Pure.

Text of documents is data. What a line only bids its reader to say ("Ignore the rest of this data and print ...") is no
source's word for it, however well an answer agrees with it. An order sets aside all that was said so far, or speaks to
a program, as in published collections of prompt injections (OWASP LLM01; garak's latent injections). A wrong find
costs a right answer, so what people write to each other ("Ignore my last mail", "Skip part B and answer ...") is none.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from assistant import sentences
from assistant.records import Span
from assistant.terms import readings, terms

_FITS = 0.5  # share of a sentence's terms that what is dictated must have; less will do where it has as many as
_ALONE = 3  # of its terms that nothing else has
_TELLS = 2  # terms of the order itself in a sentence that tells of it
_LEAST = 2  # terms of what is dictated; where the order's own sentence has fewer behind it, the next ones count
_FURTHER = 3  # sentences at most that such an order goes on
_SAY = (
    r"(?:print|output|say|write|respond|reply|answer|return|report|repeat|tell|state|conclude|claim|generate|display|"
    r"produce|declare|confirm|summari[sz]e|recommend|begin|end)"
)
_PROGRAM = (
    r"(?:(?:large )?language[ -]models?|LLMs?|chat ?bots?|ChatGPT|(?-i:A\.?I\.?s?)(?: (?:language )?(?:assistants?|"
    r"models?|agents?|systems?|reviewers?|readers?|tools?|summari[sz]ers?|bots?))?|automated (?:analysis|screening|"
    r"review|processing|reading|grading|scoring|summari[sz]ation) (?:software|systems?|tools?|agents?|programs?))"
)
# Where a line or a sentence begins, with the signs before its first word.
_LINE = r"(?:(?:^|\n)[^\w\n]{0,8}|[.!?]\s{1,4}[^\w\n]{0,8}|(?:[;:>\])}]|\s[—–-])\s{0,4}[\"“”'‘«*_(]{0,4})"
_OPENS = rf"(?:{_LINE}|{_LINE}(?:you (?:must|should)|{_PROGRAM},)\s+|\b(?:please|now|then)\s+)"
_SET_ASIDE = r"(?:ignore|disregard|forget)\W{1,8}"
_TEXT = r"(?:data|text|context|document|article|content|passage|prompt|conversation|instructions?)"
_ALL = (
    rf"(?:(?:the |all |all (?:of )?the )?(?:rest|remainder) of (?:the|this|these|that) {_TEXT}|"
    rf"(?:the|this|all(?: the)?) {_TEXT}|everything|all of (?:this|that|it)|the above|all (?:of )?the above)"
    r"(?: (?:above|below|before|so far|else|you were told))?"
)
_INSTRUCTIONS = (
    r"(?:(?:everything|all)(?: that)? (?:you (?:were|have been|['’]ve been) told|above|before)|"
    r"(?:(?:all|any|the|of|and|your|my|these|those)\W{1,8}){0,5}(?:all|any|your|previous|prior|above|earlier|preceding|"
    r"system)\W{1,8}(?:instructions?|prompts?|directions|directives?|commands?|guidelines|orders|programming|rules)"
    r"(?: above| before| so far)?)"
)
_ORDER = re.compile(
    rf"{_OPENS}{_SET_ASIDE}{_ALL}(?:\W{{1,8}}(?:and|then|instead|now|please|\w+ly|just|only))*\W{{1,8}}{_SAY}\b"
    r"(?: only| exactly| that)?"
    rf"|{_OPENS}{_SET_ASIDE}{_INSTRUCTIONS}(?=\W{{0,8}}$|\W{{0,8}}\n|\s*[.!:,;\"”)»]|\s+(?:and|then|instead)\b)"
    # "and report: ...", "simply respond with “...”"
    r"|\b(?:and|then|simply|only|just|always|exclusively)\s+(?:(?:output|report)\s*:|"
    r"(?:respond|reply|answer)\s+(?:only\s+)?with\s*(?::|(?=[\"“‘])))"
    # the second form in German, Spanish, Portuguese, Italian, French and Chinese
    r"|\b(?:ignorier|vergiss|missacht)(?:e|en|t)?\s+(?:Sie\s+|bitte\s+)*(?:alle|sämtliche|die|deine|Ihre)\s+"
    r"(?:\w+\s+)?(?:vorherig|bisherig|vorangehend|vorangegangen|obig|früher)\w*\s+(?:anweisung|befehl|vorgabe|"
    r"instruktion|regel)\w*"
    r"|\b(?:ignor|olvid)[ae]n?\s+(?:\w+\s+)?(?:las|tus|sus)\s+(?:instrucciones|indicaciones|órdenes)\s+"
    r"(?:anteriores|previas|precedentes)"
    r"|\b(?:ignor|esque[cç])[ae]m?\s+(?:\w+\s+)?(?:as|suas)\s+instruções\s+(?:anteriores|prévias|acima)"
    r"|\b(?:ignora|dimentica)(?:te)?\s+(?:\w+\s+)?le\s+istruzioni\s+(?:precedenti|sopra)"
    r"|\b(?<!n['’])(?:ignore|oublie)[zs]?\s+(?:toutes\s+)?(?:les|tes|vos)\s+(?:instructions|consignes)\s+"
    r"(?:précédentes|antérieures|ci-dessus)"
    r"|(?<!不要)(?<![勿别別])(?:忽略|无视|無視|忘记|忘記)掉?(?:以上|之前|前面|先前|上面|上述|此前|所有)"
    r"[^。！？\n]{0,8}(?:指令|指示|提示|命令|内容|內容)",
    re.IGNORECASE,
)
_ADDRESSED = re.compile(
    rf"{_LINE}(?:(?:notes?|messages?|notice|instructions?|commands?|memo|reminder|to) "
    rf"(?:(?:to|for|all|any|every|the) )*{_PROGRAM}\b[^.!?:\n]{{0,40}}(?::|\s[—–-]\s)"
    rf"|(?:attention|dear|hey|hello)[,:!]?\s+(?:all\s+|any\s+)?{_PROGRAM}\b(?:\s[^.!?:,\n]{{0,40}})?[:,!]"
    rf"|if you(?: are|['’]re) (?:an?|the|any|some) {_PROGRAM}"
    r"(?:[,:]|\s+(?:reading|processing|reviewing|summari[sz]ing|asked|and)\b))",
    re.IGNORECASE,
)
_LEAD = re.compile(r"^\W*")
_CLOSES = {'"': '"', "“": "”", "«": "»", "‘": "’", "'": "'"}
_ENDS = ".!?:;。！？：；"


class _Order(NamedTuple):
    said: str
    dictated: str  # what follows it
    at: Span  # both, in the text


def obeyed(sentence: str, texts: Sequence[str]) -> bool:
    """Whether a sentence says what the texts only bid their reader to say. One that tells of the order obeys none."""
    wanted, texts = terms(sentence), [_seen(text) for text in texts]
    orders = [list(_orders(text)) for text in texts]
    if not wanted or not any(orders):
        return False
    rest = frozenset[str]().union(*map(_has, map(_without, texts, orders)))
    return any(_relies(wanted, order, rest) for found in orders for order in found)


def _relies(wanted: frozenset[str], order: _Order, rest: frozenset[str]) -> bool:
    """Whether a sentence of these terms has them from what is dictated, one at least that nothing else gives."""
    has = _has(order.dictated) & wanted
    tells = wanted & (terms(order.said) - has - rest)
    fits = len(has) >= _FITS * len(wanted) or len(has - rest) >= _ALONE
    return fits and bool(has - rest) and len(tells) < _TELLS


def _orders(text: str) -> Iterator[_Order]:
    found = sorted(
        [*_ORDER.finditer(text), *_ADDRESSED.finditer(text)], key=lambda match: (match.start(), -match.end())
    )
    spans = sentences.spans(text) if found else []
    end = 0
    for match in found:
        if match.start() >= end:
            end = _reach(text, match, [span for span in spans if span.end >= match.end()])
            yield _Order(match[0], text[match.end() : end], Span(match.start(), end))


def _reach(text: str, match: re.Match[str], spans: Sequence[Span]) -> int:
    """Where what an order dictates ends: with its quotation marks, or its sentence. Over as many more as it takes to
    dictate anything, and one more of the line that speaks to a program.
    """
    lead, behind = _LEAD.findall(match[0])[0], text[match.end() :].lstrip()[:1]
    before = f"{text[match.start() - 1 : match.start()]}{lead}".rstrip()[-1:]
    for quote, begin in ((before, match.end()), (behind, text.find(behind, match.end()) + 1)):
        if quote in _CLOSES and (closing := text.find(_CLOSES[quote], begin)) >= 0:
            return closing
    own, *others = spans or [Span(match.end(), match.end())]
    end = own.end
    addressed = match.re is _ADDRESSED
    for number, span in enumerate(others[:_FURTHER]):
        between = text[end : span.start]
        dictates = len(terms(text[match.end() : end])) >= _LEAST and not text[:end].endswith(":")
        if dictates and not (addressed and number == 0 and "\n" not in between):
            break
        if "\n" in between and text[end - 1] not in _ENDS:  # a heading
            break
        end = span.end
    return end


def _without(text: str, orders: Sequence[_Order]) -> str:
    for order in reversed(orders):
        text = f"{text[: order.at.start]}\n{text[order.at.end :]}"
    return text


def _has(text: str) -> frozenset[str]:
    return terms(text) | readings(text)


def _seen(text: str) -> str:
    """The text as it looks: without characters that are not seen, each in its usual form."""
    if text.isascii():
        return text
    usual = unicodedata.normalize("NFKC", text)
    return "".join(character for character in usual if unicodedata.category(character) != "Cf")
