"""Reading ahead in the background: what is read when, and that it ends."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from conftest import wait_until
from fake_assistant import FakeAssistant

from assistant import reader as reader_room
from assistant.errors import EngineFailed
from assistant.reader import Reader, Reading
from assistant.settings import Settings


@pytest.fixture
def fake(tmp_path: Path) -> FakeAssistant:
    return FakeAssistant(Settings(home=tmp_path, engine={"reuse": "chunks"}))


@pytest.fixture
def reader(fake: FakeAssistant) -> Iterator[Reader]:
    reader = Reader(fake)
    yield reader
    reader.close()


def test_at_the_start_every_collection_is_read_the_default_one_first(fake, reader):
    fake.ingest.add_bytes("note.txt", b"A note.", "another")
    fake.ingest._collections["empty"] = {}
    reader.start()
    wait_until(lambda: fake.read == ["default", "another"])
    wait_until(lambda: reader.state is None)
    assert reader.stats() == {"chunks": 0, "chunks_done": 0}


def test_what_comes_later_is_read_too_each_collection_once(fake, reader):
    fake.reading_s = 30
    reader.start()
    wait_until(lambda: reader.state)
    for collection in ("notes", "default", "notes"):
        fake.ingest.add_bytes("note.txt", b"A note.", collection)
        reader.wake(collection)
    assert list(reader._wanted) == ["notes", "default"]


def test_how_far_it_is_shows(fake, reader, monkeypatch):
    states = []

    def stated(*told: Any) -> Reading:
        states.append(Reading(*told))
        return states[-1]

    monkeypatch.setattr(reader_room, "Reading", stated)
    reader.start()
    wait_until(lambda: fake.read == ["default"])
    wait_until(lambda: reader.state is None)
    assert [Reading("default", 0, 2), Reading("default", 1, 2)] == states[:2]


def test_errors_go_to_the_log_and_the_next_collection_is_read(fake, reader, caplog, monkeypatch):
    monkeypatch.setattr(reader_room, "_PAUSE_S", 0.01)
    fake.error = EngineFailed("A step failed.")
    reader.start()
    wait_until(lambda: "could not be read ahead" in caplog.text)
    assert caplog.text.count("is tried again: A step failed.") == 3
    fake.error = None
    reader.wake("nowhere")
    reader.wake("default")
    wait_until(lambda: fake.read == ["default"])
    wait_until(lambda: reader.state is None)


def test_a_collection_is_read_on_after_a_failed_step(fake, reader, caplog, monkeypatch):
    monkeypatch.setattr(reader_room, "_PAUSE_S", 0.2)
    fake.error = EngineFailed("A step failed.")
    reader.start()
    wait_until(lambda: "is tried again" in caplog.text)
    fake.error = None
    wait_until(lambda: fake.read == ["default"])


def test_closing_does_not_wait_for_another_try(fake, reader, caplog):
    fake.error = EngineFailed("A step failed.")
    reader.start()
    wait_until(lambda: "is tried again" in caplog.text)
    began = time.monotonic()
    reader.close()
    assert time.monotonic() - began < 2
    assert not reader._thread.is_alive()


def test_closing_stops_it_at_once(fake, reader):
    fake.reading_s = 30
    reader.start()
    wait_until(lambda: reader.state)
    began = time.monotonic()
    reader.close()
    reader.close()
    assert time.monotonic() - began < 2
    assert fake.read == []
    assert not reader._thread.is_alive()


def test_without_reuse_of_chunks_it_does_nothing(tmp_path):
    fake = FakeAssistant(Settings(home=tmp_path, engine={"reuse": "exact"}))
    reader = Reader(fake)
    before = threading.active_count()
    reader.start()
    reader.wake("default")
    reader.close()
    assert threading.active_count() == before
    assert fake.read == []
    assert reader.state is None
