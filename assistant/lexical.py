"""The full-text index of one collection, kept in the library's database and changed in its transactions.

Scripts written without spaces have no words to be found at white space: there each character is indexed by itself, and
a question asks for pairs of neighbours. Marks are characters as letters are, since many scripts write vowels so, and
what is only another form of the same character ("２０２４") is the same (NFKC).
"""

from __future__ import annotations

import json
import logging
import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import pairwise

from assistant.database import Database
from assistant.schema import add_format_6

# A term in more than this share of the rows, or in more rows than this, tells little and costs the most: left out.
COMMON_SHARE = 0.25
COMMON_ROWS = 8000
FEW_ROWS = 50  # in no more than these a term costs nothing, and in a small collection it may be the one that tells
MOST_TERMS = 64  # of a long question, the rarest

_UNSPACED = (
    "\u0e00-\u0eff"  # Thai, Lao
    "\u1000-\u109f\u1780-\u17ff"  # Burmese, Khmer
    "\u3040-\u30ff\u31f0-\u31ff"  # Japanese syllables
    "\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\U00020000-\U0003ffff"  # Chinese characters
)
_CHARACTER = re.compile(f"([{_UNSPACED}])")
_TOKENIZER = "porter unicode61 remove_diacritics 2 categories 'L* N* Co Mn Mc'"
_log = logging.getLogger(__name__)
_RUN = re.compile(f"[{_UNSPACED}]+|[^\\s{_UNSPACED}]+")


class Words:
    """Which chunks share words with a question. Rows are known by numbers that the caller gives.

    There is one such index a collection (`name` is its own), so that a word's rarity is that in the collection. It
    keeps no text: to drop a row, give the text it was added with.
    """

    def __init__(self, database: Database, name: str) -> None:
        self._database = database
        self._table = f"words_{name}"

    def create(self) -> None:
        """Makes the index where there is none."""
        self._database.run(
            f"""CREATE VIRTUAL TABLE IF NOT EXISTS {self._table} USING fts5(
                text, content = '', tokenize = "{_TOKENIZER}")"""
        )

    def remove(self) -> None:
        """Takes the whole index away."""
        self._database.run(f"DROP TABLE IF EXISTS {self._table}")

    def add(self, rows: Iterable[tuple[int, str]]) -> None:
        self._database.run_many(
            f"INSERT INTO {self._table} (rowid, text) VALUES (?, ?)", [(row, _spaced(text)) for row, text in rows]
        )

    def drop(self, rows: Iterable[tuple[int, str]]) -> None:
        self._database.run_many(
            f"INSERT INTO {self._table} ({self._table}, rowid, text) VALUES ('delete', ?, ?)",
            [(row, _spaced(text)) for row, text in rows],
        )

    def match(self, question: str, n: int, size: int, within: Sequence[int] | None = None) -> dict[int, float]:
        """The `n` rows of `size` that share the rarest words with a question: row to BM25 score, best first.

        `within` are the rows to look at, None: all.
        """
        most = max(FEW_ROWS, min(int(size * COMMON_SHARE), COMMON_ROWS))
        counts = {term: self._count(term, most + 1) for term in _terms(question)}
        telling = [term for term, count in counts.items() if 0 < count <= most]
        # Where every term is common, all of them together still tell something.
        sought = telling or [term for term, count in counts.items() if count]
        rarest = sorted(sought, key=counts.__getitem__)[:MOST_TERMS]
        return self._ranked(" OR ".join(map(_quoted, rarest)), n, within) if rarest else {}

    def _count(self, term: str, most: int) -> int:
        """In how many rows a term is, counted up to `most`."""
        sql = f"SELECT count(*) FROM (SELECT 1 FROM {self._table} WHERE {self._table} MATCH ? LIMIT ?)"
        return int(self._database.read(sql, _quoted(term), most)[0][0])

    def _ranked(self, expression: str, n: int, within: Sequence[int] | None) -> dict[int, float]:
        # FTS5 gives BM25 negated, so that the best sorts first. Its own order, by rank, takes half as long again.
        # The plus keeps SQLite from searching row by row (500 ms for each thousand rows).
        chosen = "" if within is None else "AND +rowid IN (SELECT value FROM json_each(?))"
        scored = f"SELECT rowid, bm25({self._table}) AS bm25 FROM {self._table} WHERE {self._table} MATCH ? {chosen}"
        sql = f"SELECT rowid, -bm25 FROM ({scored}) ORDER BY bm25 LIMIT ?"
        return dict(self._database.read(sql, expression, *([] if within is None else [json.dumps(within)]), n))


def renew(database: Database) -> None:
    """Makes the indexes of all collections anew, from what the library holds, inside a transaction: format 5 has marks
    and one form of each character.
    """
    add_format_6(database)  # what is read below is written for the newest format
    [(chunks,)] = database.run("SELECT count(*) FROM chunks")
    _log.warning("The library's words are indexed anew, once: %d chunks.", chunks)
    for (collection,) in database.run("SELECT id FROM collections"):
        words = Words(database, str(collection))
        words.remove()
        words.create()
        for (document,) in database.run("SELECT id FROM documents WHERE collection = ?", collection):
            words.add(worded(database, document))


def worded(database: Database, document: int | None) -> list[tuple[int, str]]:
    """What the index has of a document's chunks, inside a transaction: row and text, with the document's title
    and the headings above, as a part of a long text seldom says what the whole is about.
    """
    titles = database.run("SELECT title FROM documents WHERE id = ?", document)
    title = f"{titles[0][0]}\n" if titles and titles[0][0] else ""
    rows = database.run("SELECT id, section, text FROM chunks WHERE document = ?", document)
    return [(row, title + (f"{section}\n" if section else "") + text) for row, section, text in rows]


def _spaced(text: str) -> str:
    """The text as the index reads it: characters of unspaced scripts stand alone."""
    return _CHARACTER.sub(r" \1 ", unicodedata.normalize("NFKC", text))


def _terms(question: str) -> list[str]:
    """The distinct terms of a question, in order: words, or pairs of characters with a space between."""
    found: dict[str, None] = {}
    question = unicodedata.normalize("NFKC", question).lower()
    for run in _RUN.findall("".join(char if _in_word(char) else " " for char in question)):
        if _CHARACTER.match(run) and len(run) > 1:
            found |= dict.fromkeys(f"{first} {second}" for first, second in pairwise(run))
        else:
            found[run] = None
    return list(found)


def _in_word(char: str) -> bool:
    """Letters, digits and the marks on them; many scripts write vowels as marks."""
    return char.isalnum() or unicodedata.category(char).startswith("M")


def _quoted(term: str) -> str:
    return f'"{term}"'
