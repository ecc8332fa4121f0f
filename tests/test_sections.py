"""Sections: which headings a place of a text stands under, and that chunks, words and prompt know them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from fake_embedder import FakeEmbedder

from assistant import sections
from assistant.chunks import split
from assistant.ingest import Ingest
from assistant.library import Library
from assistant.prompt import Prompts
from assistant.records import Chunk, Document, Hit
from assistant.retrieve import Retriever

BODY = ("The rank of the device rose by one place. " * 40).strip()


def headings(text: str, file: str = "a.md") -> list[tuple[int, str, str]]:
    """Level, words, and the line that each begins with."""
    found = sections.read(text, file).headings
    return [(one.level, one.text, text[one.start :].split("\n")[0]) for one in found]


def document(text: str, title: str | None = None, file: str = "a.md") -> Document:
    return Document("d1", "d1" * 32, f"/x/{file}", file, text, title)


@pytest.mark.parametrize(
    ("text", "file", "expected"),
    [
        ("# One\n\ntext\n\n### Two ##\n", "a.md", [(1, "One"), (3, "Two")]),
        ("# One\n", "page.html", [(1, "One")]),
        ("## The **[Aurora](x.md)** `A1` {#aurora}\n", "a.md", [(2, "The Aurora A1")]),
        ("One\n===\n\nTwo words\n---------\n", "a.txt", [(1, "One"), (2, "Two words")]),
        ("text\nits last line\n---\n\n---\n\n***\n", "a.md", []),
        ("```sh\n# no\n~~~\n# no\n```\n# yes\n", "a.md", [(1, "yes")]),
        ("---\ntitle: x\n---\n# One\n", "a.md", [(1, "One")]),
        ("+++\n# no\n+++\n# One\n", "a.md", [(1, "One")]),
        ("===\nOne\n===\n\nTwo\n~~~\n\nThree\n~~~~~\n\nFour\n----\n# no\n", "a.rst",
         [(1, "One"), (2, "Two"), (2, "Three"), (3, "Four")]),
        ("== One\n=== Two\n# no\n", "a.adoc", [(2, "One"), (3, "Two")]),
        ("* One\n** Two\n", "a.org", [(1, "One"), (2, "Two")]),
        ("* One\n#hashtag\n# \n", "a.md", []),
        ("# a comment\n", "a.py", []),
        ("| a |\n|---|\n\na  b\n=  =\n", "a.md", []),
    ],
)  # fmt: skip
def test_headings_by_form(text: str, file: str, expected: list[tuple[int, str]]):
    assert [(level, words) for level, words, _ in headings(text, file)] == expected


def test_a_heading_begins_with_the_line_above_it():
    assert headings("text\n\n=====\nTitle\n=====\n", "a.rst") == [(1, "Title", "=====")]


def test_a_path_is_what_stands_above():
    text = "# Handbook\n\n## Products\n\n### Aurora\n\nRed.\n\n### Cumulus\n\nBlue.\n\n## Service\n\nGreen."
    above = sections.read(text, "a.md", "Handbook")
    paths = [above.path(text.index(word)) for word in ("# Hand", "### A", "Red", "### C", "Blue", "## S", "Green")]
    assert paths == [None, "Products", "Products > Aurora", "Products", "Products > Cumulus", None, "Service"]


def test_a_path_is_short_and_keeps_the_nearest_heading():
    text = f"# {'Outer ' * 12}\n## {'Middle ' * 8}\n### Inner\ntext\n# {'long ' * 90}\nend"
    above = sections.read(text, "a.md")
    assert above.path(text.index("text")) == f"{('Middle ' * 8).strip()} > Inner"
    last = above.path(text.index("end")) or ""
    assert last.startswith("long long")
    assert len(last) <= sections.MAX_CHARS


@pytest.mark.parametrize("line", ["a\n", "# a\n", "a\n---\n\n", "---\n", "# # # ", "[(", "`", "```\n", " \n"])
def test_a_megabyte_of_anything_is_read(line: str):
    sections.read(line * (1_000_000 // len(line)), "a.md").path(999_999)


def test_a_chunk_knows_its_section():
    text = f"# Handbook\n\n## Aurora\n\n{BODY}\n\n## Cumulus\n\n{BODY}"
    chunks = split(document(text, "Handbook"), 1000, 0)
    found = [(chunk.text[:10], chunk.section) for chunk in chunks]
    assert found == [("# Handbook", None), ("The rank o", "Aurora"), ("## Cumulus", None), ("The rank o", "Cumulus")]


def test_a_text_without_headings_has_no_sections():
    assert {chunk.section for chunk in split(document(f"A title\n\n{BODY}\n\n{BODY}", file="a.txt"), 500, 0)} == {None}


def manual() -> str:
    devices = (("Aurora", 36), ("Borealis", 24), ("Cumulus", 12))
    parts = ("The filters", "The fans", "The cables", "The lids", "The feet", "The doors", "The hoses", "The lamps")
    steps = "are cleaned with a dry cloth once a month, and looked at by a trained person once a year. " * 4
    blocks = [f"{part} {steps}".strip() for part in parts]
    about = [[f"## {name}", *blocks, f"The warranty is {months} months.", "Keep it dry."] for name, months in devices]
    return "\n\n".join(["# Handbook", "Three devices.", *(block for device in about for block in device)])


@pytest.mark.parametrize("device", ["Aurora", "Borealis", "Cumulus"])
def test_the_right_section_answers(tmp_path: Path, device: str):
    """Each warranty stands far behind its section's heading."""
    ingest = Ingest(tmp_path / "home", FakeEmbedder)  # type: ignore[arg-type, return-value]
    (tmp_path / "manual.md").write_text(manual(), "utf-8")
    ingest.add([tmp_path / "manual.md"], "default")
    retriever = Retriever(ingest.embedder, ingest.index, ingest.library)
    best = retriever.search("default", f"How long is the warranty of the {device}?", 4)[0].chunk
    assert (best.section, "The warranty is" in best.text) == (device, True)
    ingest.close()


def test_a_chunk_is_embedded_under_its_headings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    read, texts = FakeEmbedder.read, list[str]()
    monkeypatch.setattr(FakeEmbedder, "read", lambda self, given: (texts.extend(given), read(self, given))[1])
    ingest = Ingest(tmp_path / "home", FakeEmbedder)  # type: ignore[arg-type, return-value]
    ingest.add_bytes("a.md", f"# Handbook\n\n## Aurora\n\n{BODY}".encode(), "default")
    chunks = ingest.library.chunks("default", ingest.library.chunk_ids("default")).values()
    ingest.close()
    assert texts == [("Aurora\n" if chunk.section else "") + chunk.text for chunk in chunks]
    assert {chunk.section for chunk in chunks} == {None, "Aurora"}


def test_words_of_the_section_are_indexed_and_forgotten(tmp_path: Path):
    library = Library(tmp_path / "library.sqlite3")
    library.begin("default", "m")
    text = "# Aurora\n\nSome text."
    whole = document(text)
    library.commit("default", whole, "/x/a.md", [Chunk("d1-10-20", "d1", "Some text.", 10, 20, section="Aurora")], "r")
    assert list(library.match("default", "aurora", 9)) == ["d1-10-20"]
    assert library.chunks("default", ["d1-10-20"])["d1-10-20"].section == "Aurora"
    library.detach("default", ["/x/a.md"])
    assert library.match("default", "aurora", 9) == {}
    library.close()


@pytest.mark.parametrize(
    ("section", "head"), [("Products > Aurora", "Source: T, Products > Aurora, P, 2020"), (None, "Source: T, P, 2020")]
)
def test_the_prompt_names_the_section(section: str | None, head: str):
    chunk = Chunk("d", "d", "Some text.", 0, 10, title="T", publisher="P", date="2020", section=section)
    count: Callable[[str], int] = len
    prompt = Prompts().build("Why?", [], [Hit(chunk, 1.0)], count, 10_000, 0)
    assert prompt.messages[1].blocks[1].text == f"{head}\nSome text.\n\n"
