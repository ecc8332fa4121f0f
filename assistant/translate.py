"""A question in another language than the passages found for it: into which one it is put, to search once more. Pure.

The embedder knows English and little else, and words of one language are not those of another. So what is asked in
Chinese finds in English documents only what shares a name or a number with it.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from assistant.languages import STRANGE, absent, language, likelihood, small_parts

NAMES = {  # those that language models of the catalog know well, by the code that py3langid gives
    "ar": "Arabic",
    "cs": "Czech",
    "da": "Danish",
    "de": "German",
    "el": "Greek",
    "en": "English",
    "es": "Spanish",
    "fi": "Finnish",
    "fr": "French",
    "he": "Hebrew",
    "hi": "Hindi",
    "hu": "Hungarian",
    "id": "Indonesian",
    "it": "Italian",
    "ja": "Japanese",
    "ko": "Korean",
    "nl": "Dutch",
    "no": "Norwegian",
    "pl": "Polish",
    "pt": "Portuguese",
    "ro": "Romanian",
    "ru": "Russian",
    "sv": "Swedish",
    "th": "Thai",
    "tr": "Turkish",
    "uk": "Ukrainian",
    "vi": "Vietnamese",
    "zh": "Chinese",
}

_FEW = 2  # words without which a question's language is not known
_PROSE = 8  # words without which a text's is not: a list of names
_UNLIKELY = 0.01  # that one is in the other's language; 0 of 1,500 questions are below it in their own (docs/lab.md)
_LONGEST = 500  # characters of a question that is translated: a longer one finds by its names and numbers
_LONGER = 8  # times as long as a question in few characters, such as Chinese, its translation may be
_MARKS = '"“”「」'


def spoken(question: str, before: str) -> str:
    """What tells the language of a question: one of a few words takes after the question before."""
    return question if len(small_parts(question)) >= _FEW else f"{before} {question}"


def target(question: str, texts: Sequence[str], before: str = "") -> str | None:
    """The name of the language of most of the texts, where the question is in another one; None where it is in theirs,
    where that is not known, and for a question that is too long.
    """
    asked = spoken(question, before)
    lacking = [text for text in texts if _lacks_words(asked, text)]
    if 2 * len(lacking) <= len(texts) or len(f"{before}{question}") > _LONGEST:
        return None
    if absent(small_parts(asked), "\n".join(lacking)) < STRANGE:
        return None  # as a rule, and at once: what tells languages takes half a second to load
    strange = [text for text in lacking if _unlikely(asked, text)]
    found = Counter(map(language, strange)).most_common(1)
    if not found or 2 * len(strange) <= len(texts):
        return None
    theirs, count = found[0]
    return NAMES.get(theirs) if 2 * count > len(strange) else None


def other(asked: str, text: str) -> bool:
    """Whether a text is in another language than what is asked: surely, as neither can be in the other's. Lists, menus
    and code can be in any.
    """
    return _lacks_words(asked, text) and _unlikely(asked, text)


def _lacks_words(asked: str, text: str) -> bool:
    """Whether a text, in sentences, has hardly any word of what is asked."""
    parts = small_parts(asked)
    return len(parts) >= _FEW and len(small_parts(text)) >= _PROSE and absent(parts, text) >= STRANGE


def _unlikely(asked: str, text: str) -> bool:
    own, theirs = language(asked), language(text)
    return own != theirs and likelihood(asked, theirs) < _UNLIKELY and likelihood(text, own) < _UNLIKELY


def accepted(said: str, question: str, texts: Sequence[str]) -> tuple[str, str] | None:
    """A translation as the model wrote it: the last of its lines, and what stands before that. None for what can be
    none: what is in the question's language or in another one than most texts, and what is far too long.
    """
    lines = [line.strip().strip(_MARKS) for line in said.strip().splitlines() if line.strip()]
    whole = " ".join(lines)
    if not lines or len(lines) > question.count("\n") + 1 or len(whole) > _LONGER * len(question):
        return None
    fitting = sum(not other(whole, text) for text in texts)
    if language(whole) == language(question) or 2 * fitting <= len(texts):
        return None
    return lines[-1], "\n".join(lines[:-1])
