"""A question in another language than the passages found for it: into which one it is put, to search once more. Pure.

The embedder knows English and little else, and words of one language are not those of another. So what is asked in
Chinese finds in English documents only what shares a name or a number with it.
"""

from __future__ import annotations

from collections.abc import Sequence

from assistant.languages import foreign, language

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


def target(question: str, texts: Sequence[str]) -> str | None:
    """The name of the texts' language where the question seems to be in another one; None where it is in theirs, and
    where that is not known.
    """
    context = "\n".join(texts)
    if not context or not foreign(question, context):
        return None
    theirs = language(context)
    return NAMES.get(theirs) if theirs != language(question) else None


def accepted(translation: str, texts: Sequence[str]) -> str:
    """What a model wrote as a translation, without quotation marks around it; "" where it is in no better language
    than the question was.
    """
    said = translation.strip().strip("\"“”'")
    return "" if foreign(said, "\n".join(texts)) else said
