"""Whether the words around a full stop tell that it ends a sentence, or belongs to an abbreviation or a number.

Nobody tells the language of most texts, so the rules of all languages hold together. Abbreviations of other languages
than English are those that no English sentence ends with; where a word is both, its capitals tell.
"""

from __future__ import annotations

import re
import unicodedata

from assistant.dates import is_month

_TITLES = (
    r"mr|mrs|ms|mx|dr|prof|messrs|mmes?|mlles?|sr|sra|srta|hon|rev|gen|lt|col|capt|sgt|cpl|cmdr|cdr|maj|adm|rep|sen|"
    r"gov|pres|mt|assoc|asst|atty|supt|insp|amb|"
    r"dra|dres|sr[at]?s|sres|srtas|dña|exc?m[oa]|ilm[oa]|gral|cnel|tte|pdte|lic|arq|profa|fco|"
    r"dott|dott\.ssa|prof\.ssa|proff|sigg|sig\.ra|avv|geom|egr|spett|mgr|dhr|mevr|drs|проф|акад|ул|"
    r"(?-i:[Ss]ig|Hrn?|Frl?|Dipl|Ing|MM|St[ao]|Eng|mons)"  # ING, HR, sto and the like are words
)
_IN_FRONT = (  # of what they shorten, or of what a thing is called
    r"e\.g|i\.e|vs|cf|viz|approx|resp|incl|esp|pte|pvt|"
    r"ca|bzw|vgl|ggf|evtl|inkl|einschl|zzgl|sog|sogen|bspw|ehem|entspr|allg|urspr|versch|geb|gest|gegr|verh|"
    r"aprox|ej|avda|de?pto|hnos|c[í]as?|cie|éd|ste|séc|cfr|см|"
    r"(?-i:Fa|Hrsg|Aufl|Cia|[Aa]v)"  # fa and CIA are words
)
_QUANTITIES = r"mln|mld|(?-i:Mio|Mrd|Tsd|Stdn?|Stk)"  # in front of what is counted; "mio" is Italian for mine
_NEVER_LAST = re.compile(rf"{_TITLES}|{_IN_FRONT}|{_QUANTITIES}", re.IGNORECASE)
_BEFORE_NUMBER = re.compile(
    r"nos?|nr|chap|ch|vols?|eqs?|figg?|figs|secs?|tab|paras?|pp?|pt|est|ed|artt?|arts|abs|p[áa]gg?|p[áa]gs|n[úu]ms?|"
    r"nrn|bde?|kap|cap|t[íi]t|ziff|rn|rz|abb|anm|jg|jahrg|\w*str|t[eé]l|r[eé]fs?|env|fls?|blz|стр?|гл|рис|табл|пп?|"
    r"max|min|mind|höchst|rd|ver",
    re.IGNORECASE,
)
_ORDINAL = re.compile(r"\d{1,2}")
_AFTER_ORDINAL = re.compile(r"jahrhundert\w*|jh|weltkrieg\w*|aufl|auflage|lebensjahr\w*|geburtstag\w*", re.IGNORECASE)
_VERB_OR_MONTH = frozenset(["may", "march"])  # in English, which has no full stop behind the day
_PLURAL = re.compile(r"([A-Z])\1")  # Spanish doubles the letters: EE. UU., RR. HH.
_ABBREVIATION = re.compile(
    r"al|etc|inc|ltd|co|corp|bros|dept|univ|assn|govt|inst|jr|st|ft|mon|tues?|wed|thu|thurs?|fri|sat|sun|"
    r"jan|feb|mar|apr|jun|jul|aug|sept?|oct|nov|dec|usw|usf|dgl|ecc|ltda|mill|[uv]ds?|\w|.*\..*",
    re.IGNORECASE,
)
_ACRONYM = re.compile(r"(?:[^\W\d_]\.)+[^\W\d_]")
_STARTER = re.compile(
    r"an?|the|this|that|these|those|s?he|it|they|we|you|i|his|her|its|their|our|my|there|here|one|some|many|most|"
    r"all|both|each|no|not|in|on|at|by|for|from|to|with|of|as|and|but|or|so|yet|if|when|while|after|before|since|"
    r"although|though|because|however|meanwhile|according|also|then|now|what|who|why|how|where|which",
    re.IGNORECASE,
)


def ends(last: str, following: str) -> bool | None:
    """Whether a full stop between these two words ends a sentence; None where they do not tell. `following` is ""
    where no word follows but a sign, such as "§".
    """
    if _NEVER_LAST.fullmatch(last) or (_BEFORE_NUMBER.fullmatch(last) and following[:1].isdigit()):
        return False
    if _is_initial(last) and following[:1].isupper():
        return False
    if _ORDINAL.fullmatch(last) and _follows_ordinal(following):
        return False
    if _PLURAL.fullmatch(last) and (following[:1].islower() or _PLURAL.fullmatch(following)):
        return False
    if following[:1].islower() and _ABBREVIATION.fullmatch(last):
        return False
    if _ACRONYM.fullmatch(last):
        return _STARTER.fullmatch(following) is not None if following else None
    return None


def _is_initial(word: str) -> bool:
    """Whether this is one capital letter of an alphabet other than Latin, whose initials sentencex knows."""
    return len(word) == 1 and word.isupper() and not unicodedata.name(word, "").startswith("LATIN")


def _follows_ordinal(word: str) -> bool:
    """Whether a number with a full stop before this word is an ordinal, as in "am 3. Oktober"."""
    if _AFTER_ORDINAL.fullmatch(word):
        return True
    return is_month(word) and word.casefold() not in _VERB_OR_MONTH
