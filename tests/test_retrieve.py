from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import tiny_models
from conftest import REPO, real_model
from fake_embedder import FakeEmbedder
from hypothesis import given
from hypothesis import strategies as st

from assistant import boilerplate, retrieve
from assistant.embedder import Embedder
from assistant.errors import EmbedderMismatch, EmptyCollection, StorageError, UnknownCollection
from assistant.ingest import Ingest
from assistant.pairs import CrossEncoder, Pair, Scores
from assistant.records import Chunk, Hit
from assistant.retrieve import Retriever, fuse
from assistant.where import Where

TEXTS = {
    "ferry.txt": "The ferry to Skarv leaves at nine in the morning.",
    "light.txt": "The lighthouse on Skarv was built in 1874.",
    "fish.txt": "Herring is sold on the quay every Friday.",
    "bus.txt": "The bus to the quay leaves every hour.",
}


@pytest.fixture
def ingest(tmp_path: Path) -> Iterator[Ingest]:
    made = Ingest(tmp_path / "home", FakeEmbedder)
    for name, text in TEXTS.items():
        made.add_bytes(name, text.encode(), "default")
    yield made
    made.close()


@pytest.fixture
def retriever(ingest: Ingest) -> Retriever:
    return over(ingest)


def over(ingest: Ingest) -> Retriever:
    return Retriever(ingest.embedder, ingest.index, ingest.library)


def files(hits: list[Hit]) -> list[str]:
    return [hit.chunk.file for hit in hits]


def test_the_best_chunk_is_first(retriever: Retriever):
    hits = retriever.search("default", "When was the lighthouse built?", 2)
    assert files(hits)[0] == "light.txt"
    assert hits[0].chunk.text == TEXTS["light.txt"]
    assert len(hits) == 2
    assert 0 < hits[1].score < hits[0].score <= 1


def test_a_hit_tells_how_like_the_question_its_sentences_are(ingest: Ingest, retriever: Retriever):
    ingest.add_bytes("inn.txt", b"The inn serves soup. The cellar is dark. Beds cost five crowns a night.", "default")
    (hit,) = retriever.search("default", "What do beds cost a night?", 1, near=True)
    assert len(hit.near) == 3
    assert max(hit.near) == hit.near[2]
    before = retriever.search("default", "zzz?", 1, before="What do beds cost a night?", near=True)
    assert [len(hit.near) for hit in before] == [3]
    assert not retriever.search("default", "What do beds cost a night?", 1)[0].near
    plain = Retriever(ingest.embedder, ingest.index, ingest.library, rerank=False)
    assert not plain.search("default", "What do beds cost a night?", 1, near=True)[0].near


def test_questions_in_other_scripts_are_not_compared_token_by_token(ingest: Ingest, retriever: Retriever):
    ingest.add_bytes("zh.txt", "灯塔建于1874年。".encode(), "default")
    hits = retriever.search("default", "灯塔建于哪一年？", 2, near=True)
    assert files(hits)[0] == "zh.txt"
    assert not any(hit.near for hit in hits)
    assert all(hit.near for hit in retriever.search("default", "灯塔 lighthouse?", 2, near=True))
    after = retriever.search("default", "2019?", 2, before="灯塔建于哪一年？", near=True)
    assert not any(hit.near for hit in after)


def test_k_more_than_there_are(retriever: Retriever):
    assert sorted(files(retriever.search("default", "the quay", 50))) == sorted(TEXTS)


def test_a_follow_up_is_looked_for_with_the_question_before_it(retriever: Retriever):
    """What is unlike anything there is takes up the question before; what says what it is about stands for itself."""
    assert files(retriever.search("default", "And then?", 1, before="When was the lighthouse built?")) == ["light.txt"]
    clear = "When does the ferry to Skarv leave in the morning?"
    alone = retriever.search("default", clear, 4)
    assert retriever.search("default", clear, 4, before="When was the lighthouse built?") == alone


def test_a_question_without_any_known_word_still_finds_the_nearest(retriever: Retriever):
    assert len(retriever.search("default", "zebra", 3)) == 3


def test_equal_texts_appear_once(ingest: Ingest, retriever: Retriever):
    for number in range(12):
        sentence = "Tickets are sold on board only."
        ingest.add_bytes(f"copy{number}.md", f"{sentence}\n\n{'x' * 1000}{chr(97 + number)}\n".encode(), "default")
    hits = retriever.search("default", "Where are tickets sold?", 6)
    texts = [hit.chunk.text for hit in hits]
    assert len(texts) == len(set(texts)) == 6
    assert sum("Tickets" in text for text in texts) == 1


def test_the_pool_grows_until_there_are_enough(ingest: Ingest, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(retrieve, "POOL", 2)
    monkeypatch.setattr(retrieve, "PER_HIT", 1)
    for number in range(20):
        body = f"The ferry ferry ferry to Skarv.\n\n{'y' * 1000}{number}\n"
        ingest.add_bytes(f"copy{number}.md", body.encode(), "default")
    hits = over(ingest).search("default", "the ferry to Skarv", 3)
    assert len({hit.chunk.text for hit in hits}) == 3


def test_only_committed_chunks_are_found(ingest: Ingest, retriever: Retriever):
    """Chunks of an ingest that is still going on, or was cut off, are in the index and do not count."""
    embedder = ingest.embedder
    [chunk] = ingest.library.chunks("default", ingest.library.chunk_ids("default")[:1]).values()
    strangers = [
        type(chunk)(f"stranger-{i}", "stranger", f"The ferry to Skarv is late, {i}.", 0, 5) for i in range(300)
    ]
    ingest.index.add("default", strangers, embedder.embed([stranger.text for stranger in strangers]), embedder)
    hits = retriever.search("default", "Is the ferry to Skarv late?", 4)
    assert sorted(files(hits)) == sorted(TEXTS)


def test_a_deleted_document_is_not_found(ingest: Ingest, retriever: Retriever):
    name = next(info.id for info in ingest.documents("default") if info.file == "light.txt")
    ingest.delete(name, "default")
    assert "light.txt" not in files(retriever.search("default", "When was the lighthouse built?", 4))


def test_a_changed_document_is_found_in_its_old_state_or_its_new_one(ingest: Ingest, retriever: Retriever):
    stop = threading.Event()

    def change() -> None:
        number = 0
        while not stop.is_set():
            number += 1
            ingest.add_bytes("ferry.txt", f"The ferry to Skarv leaves at {number}.".encode(), "default")

    thread = threading.Thread(target=change)
    thread.start()
    try:
        for _ in range(40):
            found = retriever.search("default", "When does the ferry to Skarv leave?", 4)
            assert sum(hit.chunk.file == "ferry.txt" for hit in found) == 1
            assert len(found) == 4
    finally:
        stop.set()
        thread.join()


def test_a_change_in_the_middle_of_a_search_hides_nothing(
    ingest: Ingest, retriever: Retriever, monkeypatch: pytest.MonkeyPatch
):
    """The nearest chunks are those of the old state, and do not count any more when the library is asked."""
    search = ingest.index.search
    versions = iter(["The ferry to Skarv leaves at ten."])

    def search_then_change(*arguments: Any, **named: Any) -> dict[str, float]:
        found = search(*arguments, **named)
        for text in versions:
            ingest.add_bytes("ferry.txt", text.encode(), "default")
        return found

    monkeypatch.setattr(ingest.index, "search", search_then_change)
    monkeypatch.setattr(ingest.library, "match", lambda *_, **__: {})  # it would find the new state by its words
    hits = retriever.search("default", "When does the ferry to Skarv leave?", 4)
    assert hits[0].chunk.text == "The ferry to Skarv leaves at ten."
    assert len(hits) == 4


def test_changes_of_another_ingest_are_found(ingest: Ingest, retriever: Retriever, tmp_path: Path):
    retriever.search("default", "anything", 1)
    other = Ingest(tmp_path / "home", FakeEmbedder)
    other.add_bytes("new.txt", b"The school has eleven pupils.", "default")
    other.close()
    assert files(retriever.search("default", "How many pupils has the school?", 1)) == ["new.txt"]


def test_unknown_and_empty_collections(ingest: Ingest, retriever: Retriever):
    with pytest.raises(UnknownCollection, match="other"):
        retriever.search("other", "x", 1)
    for info in ingest.documents("default"):
        ingest.delete(info.id, "default")
    with pytest.raises(EmptyCollection, match="default has no documents") as caught:
        retriever.search("default", "x", 1)
    assert "assistant ingest" in caught.value.hint


def test_an_index_without_the_documents_is_told(ingest: Ingest, retriever: Retriever):
    ingest.index.reset()
    with pytest.raises(StorageError, match="no chunks of the collection default") as caught:
        retriever.search("default", "x", 1)
    assert "assistant ingest" in caught.value.hint


def test_another_embedder_is_refused(ingest: Ingest):
    other = Retriever(FakeEmbedder("other", "0" * 64), ingest.index, ingest.library)
    with pytest.raises(EmbedderMismatch, match="fake"):
        other.search("default", "x", 1)


def test_only_documents_that_are_meant_are_looked_in(ingest: Ingest, retriever: Retriever):
    for year in (2023, 2024):
        text = f"---\ndate: {year}-05-01\npublisher: The Skarv Post\n---\nThe ferry to Skarv was late in {year}.\n"
        ingest.add_bytes(f"news{year}.md", text.encode(), "default")
    asked = "Was the ferry to Skarv late?"
    assert files(retriever.search("default", asked, 9, where=Where(date="2024"))) == ["news2024.md"]
    found = retriever.search("default", asked, 9, where=Where(publisher="the skarv post"))
    assert sorted(files(found)) == ["news2023.md", "news2024.md"]
    with pytest.raises(EmptyCollection, match="no documents with publisher=Nobody"):
        retriever.search("default", asked, 9, where=Where(publisher="Nobody"))
    with pytest.raises(EmptyCollection, match="Nearly so called: publisher=The Skarv Post"):
        retriever.search("default", asked, 9, where=Where(publisher="skarv"))


def test_a_question_that_names_a_date_or_publisher_prefers_it(ingest: Ingest, retriever: Retriever):
    for publisher in ("Skarv Post", "Quay Gazette"):
        for year in (2023, 2024):
            front = f"---\ndate: {year}-05-01\npublisher: {publisher}\n---\n"
            text = f"{front}The mayor opened the school: no. {year}{publisher}.\n"
            ingest.add_bytes(f"{publisher}{year}.md", text.encode(), "default")
    asked = "What did the mayor open in {}, according to the {}?"
    for publisher in ("Skarv Post", "Quay Gazette"):
        for year in (2023, 2024):
            hits = retriever.search("default", asked.format(year, publisher), 1)
            assert files(hits) == [f"{publisher}{year}.md"]


def test_near_repeats_do_not_crowd_out_others(ingest: Ingest, retriever: Retriever):
    report = "The council of Skarv decided on Monday that the new harbour is to be built by the end of the year"
    for number in range(8):
        ingest.add_bytes(f"report{number}.txt", f"{report}, version {number}.".encode(), "default")
    ingest.add_bytes("cost.txt", b"The new harbour costs the council nine million.", "default")
    found = retriever.search("default", "When is the new harbour of Skarv to be built, says the council?", 12)
    names = files(found)
    assert names[0].startswith("report")
    assert sum(name.startswith("report") for name in names[:-7]) == 1
    assert [hit.score for hit in found] == sorted((hit.score for hit in found), reverse=True)


def test_forty_near_copies_leave_room_for_others(
    ingest: Ingest, retriever: Retriever, monkeypatch: pytest.MonkeyPatch
):
    """They fill the first pool wholly; all the same the others are found, and no copy is hidden."""
    monkeypatch.setattr(retrieve, "POOL", 20)
    monkeypatch.setattr(retrieve, "PER_HIT", 1)
    report = "The council of Skarv decided on Monday that the new harbour is to be built by the end of the year"
    for number in range(40):
        ingest.add_bytes(f"report{number}.txt", f"{report}, version {number}.".encode(), "default")
    asked = "When is the new harbour of Skarv to be built, says the council?"
    names = files(retriever.search("default", asked, 5))
    assert sum(name.startswith("report") for name in names) == 1
    assert sorted(names[1:]) == sorted(TEXTS)
    assert len(set(files(retriever.search("default", asked, 44)))) == 44
    copies = [info.near_copy_of for info in ingest.documents("default") if info.file.startswith("report")]
    assert copies == [None, *["report0.txt"] * 39]


MENU = "Skarv news\nTickets for the ferry to Skarv\nThe ferry and its harbour\nSubscribe to our letter\n"


def test_lines_of_many_pages_count_less(ingest: Ingest, retriever: Retriever, monkeypatch: pytest.MonkeyPatch):
    for number in range(20):
        body = " ".join(f"topic{number}word{place}" for place in range(8))
        ingest.add_bytes(f"page{number}.txt", f"{MENU}\n{body}\n".encode(), "default")

    def against_the_ferry() -> dict[str, float]:
        hits = {hit.chunk.file: hit for hit in retriever.search("default", "When is the ferry to Skarv?", 24)}
        assert len(hits) == 24, "they count less, and are there"
        assert not hits["ferry.txt"].repeated
        return {name: hit.score / hits["ferry.txt"].score for name, hit in hits.items() if name.startswith("page")}

    with_menus = against_the_ferry()
    monkeypatch.setattr(retrieve, "REPEATED", 0.0)
    without = against_the_ferry()
    assert all(with_menus[name] < 0.9 * without[name] for name in without)


def test_a_hit_tells_where_its_repeated_lines_stand(ingest: Ingest, retriever: Retriever):
    for number in range(5):
        ingest.add_bytes(
            f"page{number}.txt", f"{' '.join(f'p{number}w{n}' for n in range(9))}\n{MENU}".encode(), "default"
        )
    hit = next(hit for hit in retriever.search("default", "Tickets", 9) if hit.chunk.file.startswith("page"))
    marked = [hit.chunk.text[span.start - hit.chunk.start : span.end - hit.chunk.start] for span in hit.repeated]
    assert "".join(marked) == MENU.rstrip()


def test_chunks_without_kept_codes_are_compared_all_the_same(ingest: Ingest, retriever: Retriever):
    before = retriever.search("default", "the ferry to the quay", 4)
    ids = [hit.chunk.id for hit in before]
    assert len(ingest.index.codes("default", ids, ingest.embedder)) == 4
    ingest.index._beside()[0].clear()
    assert retriever.search("default", "the ferry to the quay", 4) == before


def test_without_reranking_the_fused_order_stays(ingest: Ingest):
    plain = Retriever(ingest.embedder, ingest.index, ingest.library, rerank=False)
    hits = plain.search("default", "When was the lighthouse built?", 4)
    assert files(hits)[0] == "light.txt"
    assert hits[0].score == pytest.approx(1.0)


class Judge(CrossEncoder):
    """A real cross-encoder that likes chunks with `wanted`, whatever the question; it remembers what it read."""

    def __init__(self, folder: Path, wanted: str) -> None:
        words = tiny_models.tokenizer(folder / "tokenizer.json", [wanted])
        super().__init__("judge", tiny_models.counting(folder / "model.onnx"), words)
        self._wanted = wanted
        self.read: list[Pair] = []

    def scores(self, pairs: Any) -> Scores:
        if hasattr(self, "read"):
            self.read += pairs
            pairs = [(self._wanted, text) for _, text in pairs]
        return 4 * super().scores(pairs)


def judged(ingest: Ingest, judge: CrossEncoder, rerank: bool = True) -> Retriever:
    return Retriever(ingest.embedder, ingest.index, ingest.library, rerank, judge)


def test_a_cross_encoder_has_the_last_word(ingest: Ingest, retriever: Retriever, tmp_path: Path):
    asked, judge = "When was the lighthouse built?", Judge(tmp_path, "herring")
    assert files(retriever.search("default", asked, 1)) == ["light.txt"]
    hits = judged(ingest, judge).search("default", asked, 4)
    assert files(hits)[:2] == ["fish.txt", "light.txt"]
    assert judge.read[0] == (asked, TEXTS["light.txt"])
    scores = [hit.score for hit in hits]
    assert scores[0] <= 1
    assert scores == sorted(scores, reverse=True)
    assert scores[-1] > 0


def test_what_a_cross_encoder_finds_equal_keeps_its_order(ingest: Ingest, retriever: Retriever, tmp_path: Path):
    asked = "When was the lighthouse built?"
    found = judged(ingest, Judge(tmp_path, "zebra")).search("default", asked, 4)
    assert files(found) == files(retriever.search("default", asked, 4))


def test_a_cross_encoder_reads_only_the_first(ingest: Ingest, retriever: Retriever, tmp_path: Path):
    for number in range(20):
        ingest.add_bytes(f"old{number}.txt", f"Ferry number {number} of the year {1900 + number}.".encode(), "default")
    asked = "When does the ferry to Skarv leave?"
    before, judge = files(retriever.search("default", asked, 24)), Judge(tmp_path, "herring")
    hits = judged(ingest, judge).search("default", asked, 24)
    assert len(judge.read) == retrieve.PAIRS
    assert files(hits)[retrieve.PAIRS :] == before[retrieve.PAIRS :]
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_question_before_costs_no_more_pairs(ingest: Ingest, tmp_path: Path):
    for number in range(20):
        ingest.add_bytes(f"old{number}.txt", f"Ferry number {number} of the year {1900 + number}.".encode(), "default")
    judge, asked = Judge(tmp_path, "herring"), ("And then?", "When was the lighthouse built?")
    judged(ingest, judge).search("default", asked[0], 4, before=asked[1])
    assert [question for question, _ in judge.read] == [one for one in asked for _ in range(retrieve.PAIRS // 2)]


def test_near_repeats_are_not_read_by_a_cross_encoder(ingest: Ingest, tmp_path: Path):
    report = "The council of Skarv decided on Monday that the new harbour is to be built by the end of the year"
    for number in range(8):
        ingest.add_bytes(f"report{number}.txt", f"{report}, version {number}.".encode(), "default")
    judge = Judge(tmp_path, "herring")
    judged(ingest, judge).search("default", "When is the new harbour of Skarv to be built?", 12)
    read = [text for _, text in judge.read]
    assert set(TEXTS.values()) <= set(read)


def test_without_reranking_no_cross_encoder_is_asked(ingest: Ingest, tmp_path: Path):
    judge = Judge(tmp_path, "herring")
    judged(ingest, judge, rerank=False).search("default", "When was the lighthouse built?", 4)
    assert not judge.read


def test_a_cross_encoder_reads_the_title_too(ingest: Ingest, tmp_path: Path):
    ingest.add_bytes(
        "long.md", b"# Chronicle of the windmill\n\nIt was rebuilt and painted again in 1901.\n", "default"
    )
    judge = Judge(tmp_path, "herring")
    judged(ingest, judge).search("default", "When was the windmill painted?", 4)
    assert judge.read[0][1].startswith("Chronicle of the windmill ")


def test_the_part_of_a_text_is_found_by_the_title_of_the_whole(ingest: Ingest, retriever: Retriever):
    body = "\n\n".join(f"Paragraph {n}: {'It was rebuilt and painted again. ' * 25}" for n in range(3))
    ingest.add_bytes("long.md", f"# Chronicle of the windmill\n\n{body}\n".encode(), "default")
    assert len(ingest.library.match("default", "windmill", 9)) == 3  # all its chunks
    ingest.add_bytes("long.md", b"# Chronicle of the dairy\n\nIt was rebuilt.\n", "default")
    assert not ingest.library.match("default", "windmill", 9)
    assert len(ingest.library.match("default", "dairy", 9)) == 1


def test_fusion():
    near, shared = {"a": 0.8, "b": 0.4, "c": 0.2}, {"b": 10.0, "d": 5.0}
    assert fuse(near, shared, pool=9) == pytest.approx({"a": 0.5, "b": 0.75, "c": 0.125, "d": 0.25})
    cut_off = fuse(near, shared, pool=3)  # the nearest might go on below 0.2
    assert cut_off == pytest.approx({"a": 0.5, "b": 0.75, "c": 0.125, "d": 0.375})
    assert fuse(near, {}, 9) == pytest.approx({"a": 0.5, "b": 0.25, "c": 0.125})
    assert fuse({"a": -0.1}, {"a": 1.0}, 9) == {"a": 0.5}
    assert fuse({}, {}, 9) == {}


@pytest.fixture(scope="module")
def seeds(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ingest]:
    model = real_model("all-minilm-l6-v2")

    def load() -> Embedder:
        return Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256)

    made = Ingest(tmp_path_factory.mktemp("home"), load)
    report = made.add([REPO / "seeds"], "default")
    assert [file.outcome for file in report.files] == ["added"] * 5
    yield made
    made.close()


@pytest.mark.real
@pytest.mark.parametrize(
    ("question", "fact"),
    [
        ("What rank did China have in the Global Innovation Index in 2024?", "11th"),
        ("How much did China spend on research and development in 2024?", "3.6 trillion"),
        ("How much will AstraZeneca invest in Beijing?", "2.5 billion"),
        ("中国 innovation index rank", "Global Innovation Index"),
    ],
)
def test_questions_over_the_seeds(seeds: Ingest, question: str, fact: str):
    hits = over(seeds).search("default", question, 4)
    assert len(hits) == 4
    assert any(fact in hit.chunk.text for hit in hits)
    for hit in hits:
        text = seeds.document(hit.chunk.document_id, "default").text
        assert hit.chunk.text == text[hit.chunk.start : hit.chunk.end]


@pytest.mark.real
def test_the_seeds_again_cost_nothing(seeds: Ingest):
    assert [file.outcome for file in seeds.add([REPO / "seeds"], "default").files] == ["unchanged"] * 5


@given(
    st.lists(st.tuples(st.sampled_from(["menu.", "menu. all", "one", "two", "three"]), st.integers(0, 4)), max_size=12)
)
def test_chunks_are_looked_through_best_first_whatever_their_lines_cost(rows: list[tuple[str, int]]) -> None:
    chunks = {f"c{n}": Chunk(f"c{n}", "d", text, 0, len(text)) for n, (text, _) in enumerate(rows)}
    scores = {f"c{n}": float(score) for n, (_, score) in enumerate(rows)}
    lines = frozenset(boilerplate.hashes("menu"))
    found = list(retrieve._distinct(chunks, scores, lines))
    repeated = {"menu.": 1.0, "menu. all": 6 / 9}  # what of the text such lines are
    left = {name: 1 - retrieve.REPEATED * repeated.get(chunk.text, 0) for name, chunk in chunks.items()}
    first: dict[str, str] = {}
    for name in sorted(chunks, key=lambda one: (-scores[one] * left[one], one)):
        first.setdefault(chunks[name].text, name)
    assert [hit.chunk.id for hit in found] == list(first.values())
