"""Kept cells: limits, damage, and the longest common prefix."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.engine.store import KVStore, PrefixCache, key, shared


def test_what_was_put_is_there_for_the_next_process(tmp_path: Path) -> None:
    KVStore(tmp_path, 1000, 1000).put("ab1", b"cells")
    store = KVStore(tmp_path, 1000, 1000)
    assert store.has("ab1")
    assert store.get("ab1") == b"cells"
    assert store.get("ab2") is None


@pytest.mark.parametrize("damage", ["cut", "flip", "foreign", "empty"])
def test_a_damaged_file_is_dropped(tmp_path: Path, damage: str) -> None:
    KVStore(tmp_path, 1000, 1000).put("ab1", b"cells of a chunk")
    (path,) = tmp_path.glob("*/*.kv")
    raw = path.read_bytes()
    path.write_bytes({"cut": raw[:-3], "flip": raw[:-1] + b"X", "foreign": b"hello" * 9, "empty": b""}[damage])
    store = KVStore(tmp_path, 1000, 1000)
    assert store.get("ab1") is None
    assert not path.exists()
    store.put("ab1", b"anew")
    assert KVStore(tmp_path, 1000, 1000).get("ab1") == b"anew"


def test_what_can_only_be_read_is_found(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    KVStore(tmp_path, 1000, 1000).put("ab1", b"cells")

    def refused(*_: object) -> None:
        raise PermissionError(30, "Read-only file system")

    monkeypatch.setattr(os, "utime", refused)
    store = KVStore(tmp_path, 1000, 1000)
    assert store.has("ab1")
    assert store.get("ab1") == b"cells"
    assert not store.trouble


def test_both_limits_are_kept_and_the_least_used_goes_first(tmp_path: Path) -> None:
    store = KVStore(tmp_path, 250, 500)
    for number in range(10):
        store.put(f"a{number}", bytes([number]) * 100)
        memory, disk = store.usage()
        assert memory <= 250
        assert disk <= 500
        assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 500
    assert store.get("a9") == bytes([9]) * 100
    assert not store.has("a0")


def test_a_disk_is_full_only_of_what_was_used_since(tmp_path: Path) -> None:
    """Cells of another model, or of documents that are gone, give way to those that are read ahead."""
    before = KVStore(tmp_path, 0, 1000)
    for number in range(8):
        before.put(f"old{number}", bytes(100))
    assert before.disk_full
    for path in tmp_path.glob("*/*.kv"):
        os.utime(path, (1, 1))
    store = KVStore(tmp_path, 0, 1000)
    put = 0
    while not store.disk_full:
        store.put(f"new{put}", bytes(100))
        put += 1
    assert put == 8
    assert all(store.has(f"new{number}") for number in range(put))


def test_what_is_looked_for_counts_as_used(tmp_path: Path) -> None:
    KVStore(tmp_path, 0, 300).put("a1", bytes(250))
    (path,) = tmp_path.glob("*/*.kv")
    os.utime(path, (1, 1))
    store = KVStore(tmp_path, 0, 250)
    assert not store.disk_full
    assert store.has("a1")
    assert store.disk_full


def test_what_another_process_wrote_counts_and_half_files_go(tmp_path: Path) -> None:
    one, other = KVStore(tmp_path, 0, 10_000), KVStore(tmp_path, 0, 10_000)
    for number in range(80):
        (one if number % 2 else other).put(f"{number:02}", bytes(400))
    assert sum(path.stat().st_size for path in tmp_path.glob("*/*")) <= 11_000
    half = tmp_path / "00" / "x.part"
    half.write_bytes(bytes(100))
    KVStore(tmp_path, 0, 10_000)
    assert half.exists()
    os.utime(half, (1, 1))
    KVStore(tmp_path, 0, 10_000)
    assert not half.exists()


def test_what_is_larger_than_memory_pushes_nothing_out(tmp_path: Path) -> None:
    store, cache = KVStore(None, 100, 0), PrefixCache(100)
    store.put("a", bytes(60))
    store.put("b", bytes(101))
    assert store.has("a")
    assert not store.has("b")
    cache.put((1,), bytes(60))
    cache.put((2,), bytes(101))
    assert (1,) in cache
    assert (2,) not in cache


def test_a_disk_that_cannot_be_written_is_said_and_costs_nothing_else(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    store = KVStore(tmp_path / "file", 1000, 1000)
    store.put("ab1", b"cells")
    assert store.get("ab1") == b"cells"
    assert "file" in store.trouble


def test_keys_differ_by_model_prefix_and_tokens() -> None:
    keys = {key("a", [1], [2]), key("b", [1], [2]), key("a", [1, 2], []), key("a", [], [1, 2]), key("a", [1], [2, 2])}
    assert len(keys) == 5


tokens = st.lists(st.integers(0, 2), max_size=12).map(tuple)


@given(tokens, tokens)
def test_shared_counts_the_common_prefix(a: tuple[int, ...], b: tuple[int, ...]) -> None:
    n = shared(a, b)
    assert a[:n] == b[:n]
    assert n == min(len(a), len(b)) or a[n] != b[n]


@given(st.lists(tokens, max_size=8), tokens, st.integers(0, 12))
def test_the_longest_prefix_is_found(entries: list[tuple[int, ...]], prompt: tuple[int, ...], most: int) -> None:
    cache = PrefixCache(10_000)
    for entry in entries:
        cache.put(entry, bytes(len(entry)))
    best = max((shared(entry, prompt) for entry in entries if len(entry) <= most), default=0)
    found = cache.longest(prompt, most)
    assert (found[0] if found else 0) == best


def test_the_prefix_cache_keeps_its_limit() -> None:
    cache = PrefixCache(250)
    for number in range(9):
        cache.put((number,), bytes(100))
    assert (8,) in cache
    assert (7,) in cache
    assert (6,) not in cache
