"""The tables of the library. The full-text indexes beside them belong to `lexical`."""

from __future__ import annotations

from assistant.boilerplate import LEAST
from assistant.database import Database

VERSION = 6  # of the tables, the full-text indexes and the hashes in `repeats` together

# What `repeats` keeps: format 3 has it beside the tables of format 2.
REPEATS = (
    """CREATE TABLE copies (document INTEGER PRIMARY KEY, collection INTEGER NOT NULL, original INTEGER,
        sketch BLOB NOT NULL, lines BLOB NOT NULL)""",
    "CREATE INDEX copies_by_original ON copies (collection, original)",
    """CREATE TABLE sketches (collection INTEGER, hash INTEGER, document INTEGER,
        PRIMARY KEY (collection, hash, document)) WITHOUT ROWID""",
    """CREATE TABLE lines (collection INTEGER, hash INTEGER, documents INTEGER NOT NULL,
        PRIMARY KEY (collection, hash)) WITHOUT ROWID""",
    f"CREATE INDEX lines_of_many ON lines (collection, documents) WHERE documents >= {LEAST}",
)

# What `filters` reads instead of the documents, whose texts lie before these columns. Format 4 has it.
FACTS = "CREATE INDEX documents_by_facts ON documents (collection, document_id, title, publisher, author, date)"

# What `unread` keeps. Format 6 has it, and the sections of chunks.
UNREAD = (
    """CREATE TABLE unread (id INTEGER PRIMARY KEY, collection INTEGER NOT NULL, document INTEGER NOT NULL,
        name TEXT NOT NULL, reason TEXT NOT NULL)""",
    "CREATE INDEX unread_by_document ON unread (document)",
)

SCHEMA = (
    """CREATE TABLE collections (
        id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, embedder TEXT NOT NULL,
        chunks INTEGER NOT NULL DEFAULT 0, generation INTEGER NOT NULL DEFAULT 0,
        unfinished INTEGER NOT NULL DEFAULT 0)""",
    """CREATE TABLE documents (
        id INTEGER PRIMARY KEY, collection INTEGER NOT NULL REFERENCES collections,
        document_id TEXT NOT NULL, sha256 TEXT NOT NULL, revision TEXT NOT NULL, text TEXT NOT NULL,
        characters INTEGER NOT NULL, title TEXT, publisher TEXT, author TEXT, date TEXT, pages TEXT NOT NULL,
        ingested_at TEXT NOT NULL, UNIQUE (collection, document_id))""",
    # A path is bytes: file names need not be valid in any encoding. `shown` is for people.
    """CREATE TABLE sources (
        id INTEGER PRIMARY KEY, collection INTEGER NOT NULL REFERENCES collections,
        path BLOB NOT NULL, shown TEXT NOT NULL, file TEXT NOT NULL,
        document INTEGER NOT NULL REFERENCES documents, UNIQUE (collection, path))""",
    "CREATE INDEX sources_by_document ON sources (document)",
    """CREATE TABLE chunks (
        id INTEGER PRIMARY KEY, collection INTEGER NOT NULL REFERENCES collections,
        document INTEGER NOT NULL REFERENCES documents, chunk_id TEXT NOT NULL,
        text TEXT NOT NULL, "start" INTEGER NOT NULL, "end" INTEGER NOT NULL, page INTEGER, section TEXT,
        UNIQUE (collection, chunk_id))""",
    "CREATE INDEX chunks_by_document ON chunks (document)",
    *REPEATS,
    FACTS,
    *UNREAD,
)


def add_format_6(database: Database) -> None:
    """Makes room for sections and for what of archives was not read, inside a transaction. There is nothing in it
    until the documents are read again.
    """
    if not database.run("SELECT 1 FROM pragma_table_info('chunks') WHERE name = 'section'"):
        database.run("ALTER TABLE chunks ADD COLUMN section TEXT")
        for statement in UNREAD:
            database.run(statement)
