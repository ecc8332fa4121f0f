"""What the page shows, from plain values: every text escaped, every quote exact."""

from __future__ import annotations

from dataclasses import replace
from html.parser import HTMLParser

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.records import (
    Answer,
    Chunk,
    Citation,
    CollectionInfo,
    DocumentInfo,
    FileOutcome,
    Finished,
    Hit,
    Message,
    Pending,
    Retrieved,
    Sentence,
    SentenceChecked,
    Timings,
    Token,
)
from assistant.render import (
    MOST_LISTED,
    collection_choices,
    documents_html,
    locate,
    outcomes_html,
    status_html,
    turn_html,
    turns_html,
    welcome_html,
)
from assistant.render_sources import Passage, passages, quoted, sources_html
from assistant.turns import Turn, advance, history, news, phase

TEXT = "Skarv lies far out. The lighthouse was built in 1874. Its lamp is seen from 21 miles."
EVIL = '<script>alert(1)</script><img src=x onerror="alert(2)"> ![a](https://example.org/a.png) ${1+1} {{value}} \'"&'
OURS = {"article", "blockquote", "button", "details", "div", "footer", "h2", "h3", "li", "mark", "p", "section"}
OURS |= {"s", "span", "strong", "summary", "ul"}
INERT = {"class", "title", "role", "tabindex", "type", "open", "aria-label", "aria-hidden"}


class Seen(HTMLParser):
    """The tags and attributes of some HTML, the text it shows, and the text and numbers of its marks."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: list[tuple[str, str]] = []
        self.text = ""
        self.marks: list[tuple[set[int], str]] = []
        self._open: list[str] = []
        self.feed(html)
        self.close()
        assert not self._open

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        self._open.append(tag)
        if tag == "mark":
            self.marks.append(({int(n) for n in dict(attrs)["data-n"].split()}, ""))

    def handle_endtag(self, tag):
        assert self._open.pop() == tag

    def handle_data(self, data):
        self.text += data
        if self._open and self._open[-1] == "mark":
            numbers, text = self.marks[-1]
            self.marks[-1] = (numbers, text + data)

    def marked(self, n: int) -> str:
        return "".join(text for numbers, text in self.marks if n in numbers)

    def assert_harmless(self) -> None:
        assert set(self.tags) <= OURS
        names = {name for name, _ in self.attributes}
        assert all(name in INERT or name.startswith("data-") for name in names)


def chunk(start=0, end=None, document="d1", text=TEXT, **facts) -> Chunk:
    end = len(text) if end is None else end
    facts = {"file": "skarv.txt", "title": "Skarv", "publisher": "The Gazette", "date": "2025-01-31"} | facts
    return Chunk(f"{document}-{start}-{end}", document, text[start:end], start, end, **facts)


def cite(n: int, quote: str, document="d1", text=TEXT) -> Citation:
    start = text.index(quote)
    facts = (document, "skarv.txt", "Skarv", "The Gazette", "2025-01-31", 3)
    return Citation(n, *facts, start, start + len(quote), quote)


def finished(text="It was built in 1874. [1]", *, hits=(), citations=(), sentences=(), **more) -> Turn:
    facts = {"abstained": False, "reason": None, "timings": Timings(), "model": "m", "finish_reason": "stop"} | more
    answer = Answer("When?", text, sentences=sentences, citations=citations, hits=hits, **facts)
    return advance(Turn(1, "When?"), Finished(answer))


# ---- escaping


def test_nothing_that_others_wrote_becomes_markup():
    hit = Hit(chunk(text=EVIL, title=EVIL, publisher=EVIL, file=EVIL, date=EVIL), 1.0)
    citation = replace(cite(1, EVIL, text=EVIL), title=EVIL)
    turn = finished(
        f"{EVIL} [1]", hits=(hit,), citations=(citation,), sentences=(Sentence(EVIL, "unsupported", (1,)),)
    )
    info = DocumentInfo('"><b>', EVIL, EVIL, EVIL[:100], EVIL, EVIL, EVIL, 5, 1, EVIL)
    parts = [
        turn_html(replace(turn, question=EVIL)),
        turn_html(replace(turn, failure=(EVIL, EVIL))),
        status_html(EVIL),
        turn_html(Turn(1, "When?", pending=EVIL, hits=())),
        turn_html(finished("It is so.", left_out=(EVIL,))),
        turn_html(finished(EVIL, abstained=True, reason="no_hits", hits=(hit,))),
        sources_html(finished("None.", abstained=True, reason="no_hits", hits=(hit,))),
        sources_html(replace(turn, question=EVIL)),
        sources_html(replace(turn, citations=())),
        documents_html([info]),
        welcome_html([info]),
        outcomes_html([FileOutcome(EVIL, "failed", detail=EVIL)], EVIL),
    ]
    for html in parts:
        Seen(html).assert_harmless()
        assert "alert(1)" in Seen(html).text  # shown as it is, not dropped


@given(st.text(), st.text(), st.text())
def test_any_text_is_shown_and_stays_text(question, answer, title):
    turn = finished(answer, hits=(Hit(chunk(title=title), 1.0),))
    seen, sources = Seen(turn_html(replace(turn, question=question))), Seen(sources_html(turn))
    seen.assert_harmless()
    sources.assert_harmless()
    assert question in seen.text
    assert answer in seen.text
    assert title in sources.text


# ---- quotes


@given(st.data())
def test_marks_of_a_number_are_its_quote_exactly(data):
    text = data.draw(st.text(alphabet="ab <&\n\"'é中", min_size=1, max_size=60))
    spans = data.draw(
        st.lists(st.tuples(st.integers(0, len(text) - 1), st.integers(1, len(text))).map(sorted), max_size=4)
    )
    citations = tuple(
        Citation(n, "d1", "f", None, None, None, None, start, end, text[start:end])
        for n, (start, end) in enumerate(spans, start=1)
        if start < end
    )
    seen = Seen(quoted(Passage(chunk(0, len(text), text=text), citations)))
    assert seen.text == text
    assert {citation.n: seen.marked(citation.n) for citation in citations} == {c.n: c.quote for c in citations}


def test_overlapping_quotes_share_a_mark():
    first, second = cite(1, "The lighthouse was built in 1874."), cite(2, "built in 1874. Its lamp")
    seen = Seen(quoted(Passage(chunk(), (first, second))))
    assert [numbers for numbers, _ in seen.marks] == [{1}, {1, 2}, {2}]
    assert seen.marked(2) == second.quote


def test_a_quote_that_reaches_over_the_chunk_is_shown_whole():
    inside = chunk(20, 45)
    wide = cite(1, "far out. The lighthouse was built in 1874. Its lamp")
    cited, _ = passages([Hit(inside, 1.0)], [wide])
    seen = Seen(quoted(cited[0]))
    assert seen.marked(1) == seen.text == wide.quote


def test_passages_are_cited_ones_by_number_then_the_others_in_prompt_order():
    a, b, c = chunk(0, 20), chunk(20, 54), chunk(54, len(TEXT))
    cited, read = passages(
        [Hit(a, 1), Hit(b, 2), Hit(c, 3)], [cite(2, "built in 1874"), cite(1, "Its lamp"), cite(3, "The light")]
    )
    assert [passage.chunk for passage in cited] == [c, b]
    assert [citation.n for citation in cited[1].citations] == [2, 3]
    assert [passage.chunk for passage in read] == [a]


def test_a_quote_goes_to_the_chunk_of_its_own_document():
    other, own = chunk(document="d2"), chunk(document="d1")
    cited, read = passages([Hit(other, 9), Hit(own, 1)], [cite(1, "built in 1874")])
    assert [passage.chunk.document_id for passage in cited + read] == ["d1", "d2"]


def test_a_quote_outside_all_hits_is_shown_by_itself():
    cited, read = passages([Hit(chunk(0, 10), 1)], [cite(1, "Its lamp")])
    assert quoted(cited[0]) == '<mark data-n="1">Its lamp</mark>'
    assert len(read) == 1


def test_a_source_names_where_it_comes_from():
    turn = finished(hits=(Hit(chunk(page=2), 1),), citations=(cite(1, "built in 1874"),))
    text = Seen(sources_html(turn)).text
    for fact in ("1", "Skarv", "The Gazette", "2025-01-31", "skarv.txt", "page 3"):
        assert fact in text


# ---- answers


def test_a_known_number_is_a_button_and_an_unknown_one_is_text():
    html = turn_html(finished("Built. [1] Not [7] [1a] a[0].", citations=(cite(1, "built in 1874"),)))
    seen = Seen(html)
    assert seen.tags.count("button") == 1
    assert ("aria-label", "Source 1: Skarv") in seen.attributes
    assert "Built. [1] Not [7] [1a] a[0]." in seen.text


def test_a_marker_is_text_until_its_citation_is_known():
    turn = advance(advance(Turn(1, "When?"), Retrieved(())), Token("Built in 1874. [1]"))
    assert "<button" not in turn_html(turn)
    turn = advance(turn, SentenceChecked(Sentence("Built in 1874.", "unchecked", (1,)), (cite(1, "built in 1874"),)))
    assert "<button" in turn_html(turn)


@given(st.lists(st.text(alphabet="abc .,", min_size=1).filter(str.strip), max_size=5), st.sampled_from(["", " [1]"]))
def test_sentences_are_found_in_the_answer(texts, marker):
    answer = "\n".join(text + marker for text in texts)
    found = locate(answer, [Sentence(text) for text in texts])
    letters = [[letter for letter in text if not letter.isspace()] for text in texts]
    assert [[letter for letter in answer[a:b] if not letter.isspace()] for a, b, _ in found] == letters


def test_a_sentence_is_found_around_its_marker_and_a_missing_one_is_left_out():
    answer = "It was built [1] in 1874.\nSeen from afar."
    found = locate(answer, [Sentence("It was built in 1874."), Sentence("Nowhere."), Sentence("Seen from  afar.")])
    assert [answer[start:end] for start, end, _ in found] == ["It was built [1] in 1874.", "Seen from afar."]


@pytest.mark.parametrize(
    ("verdict", "words"),
    [("supported", "1 sentence in the sources"), ("unsupported", "not in the sources"), ("unchecked", "not checked")],
)
def test_each_verdict_is_told_in_words(verdict, words):
    turn = finished("Built in 1874.", sentences=(Sentence("Built in 1874.", verdict),))
    seen = Seen(turn_html(turn))
    assert words in seen.text
    assert ("class", f"sentence {verdict}") in seen.attributes


def test_verdicts_differ_without_colour_and_are_heard():
    sentences = (Sentence("Old.", "supported"), Sentence("Of gold.", "unsupported"), Sentence("Tall.", "unchecked"))
    html = turn_html(finished("Old. Of gold. Tall.", sentences=sentences))
    text = Seen(html).text
    assert "Old.✓ In the sources" in text
    assert "Not in the sources: Of gold.✗ not in the sources" in text
    assert "Not checked: Tall.? not checked" in text
    assert '<s class="said">Of gold.</s>' in html
    for part in ("1 sentence in the sources", "1 sentence not in the sources", "1 sentence not checked"):
        assert part in text


def test_that_nothing_was_checked_is_said_once():
    sentences = (Sentence("Old.", "unchecked"), Sentence("Tall.", "unchecked"))
    for answered in (True, False):
        turn = finished("Old. Tall.", sentences=sentences)
        text = Seen(turn_html(turn if answered else replace(turn, answer=None))).text
        assert text.count("not checked") == 1
        assert "This answer was not checked against the sources." in text
        assert "Not checked" not in text
    assert phase(finished("Old. Tall.", sentences=sentences)).endswith("It was not checked.")


def test_a_sentence_with_sources_is_a_button_and_its_only_marker_no_second_stop():
    citations = (cite(1, "built in 1874"), cite(2, "Its lamp"))
    sentences = (
        Sentence("Old.", "supported", (1,)),
        Sentence("Seen.", "supported", (1, 2)),
        Sentence("Tall.", "unchecked"),
    )
    html = turn_html(finished("Old. [1] Seen. [1] [2] Tall.", citations=citations, sentences=sentences))
    assert html.count('role="button"') == 2
    assert 'data-at="0" role="button" tabindex="0" data-cites="1">' in html
    assert 'data-at="9" role="button" tabindex="0" data-cites="1 2">' in html
    assert html.count('tabindex="-1">[1]') == html.count('Skarv">[1]') == html.count('Skarv">[2]') == 1
    text = Seen(html).text
    assert "Old.✓ In source 1 [1]" in text
    assert "Seen.✓ In sources 1, 2 [1] [2]" in text


def test_a_citation_that_is_not_known_yet_leads_nowhere():
    turn = advance(Turn(1, "When?", hits=()), Token("Old."))
    html = turn_html(advance(turn, SentenceChecked(Sentence("Old.", "supported", (1,)), ())))
    assert "role" not in html
    assert "In the sources" in html


def test_an_index_in_code_is_no_marker():
    html = turn_html(finished("Read argv[1]. [1]", citations=(cite(1, "built in 1874"),)))
    assert Seen(html).tags.count("button") == 1
    assert "Read argv[1]. [1]" in Seen(html).text


# ---- what nothing has checked


def test_what_is_pending_stands_behind_what_was_said_and_apart_from_it():
    turn = advance(Turn(1, "When?", hits=()), Pending("It is of"))
    assert "Not yet checked: It is ofchecking…" in Seen(turn_html(turn)).text
    turn = replace(turn, text="Built in 1874.")
    html = turn_html(turn)
    assert 'Built in 1874.</span> <span class="pending">' in html
    assert Seen(html).text.endswith("Built in 1874. Not yet checked: It is ofchecking…")
    assert "waiting" not in html
    for over in (replace(turn, failure=("x", "y")), advance(turn, Pending("")), finished("Built in 1874.")):
        assert "of" not in Seen(turn_html(over)).text.partition("first word")[0]


def test_phases_of_a_checked_answer():
    turn = Turn(1, "When?", hits=())
    told = [phase(turn)]
    for event in (
        *(Pending("Bu"), Pending("Built."), Pending(""), Token("Built."), SentenceChecked(Sentence("Built."), ())),
        *(Pending(" Of"), Pending(" Of gold."), Pending("")),
    ):
        told.append(phase(advance(turn, event)))
        turn = advance(turn, event)
    assert told == ["Reading 0 passages…", *["Checking…"] * 3, "Answering…", *["Built."] * 4]


def test_a_sentence_that_is_taken_away_leaves_the_waiting_line():
    turn = advance(advance(Turn(1, "When?", hits=()), Pending("Of gold.")), Pending(""))
    assert '<p class="waiting">Checking…' in turn_html(turn)


@given(st.lists(st.sampled_from(["Pend", "", "Token", "Sentence."]), max_size=20))
def test_a_screen_reader_hears_each_sentence_once_and_no_token(steps):
    turn = Turn(1, "When?", hits=())
    heard: list[str] = []
    for n, step in enumerate(steps):
        event = {"Token": Token("x"), "Sentence.": SentenceChecked(Sentence(f"S{n}.", "supported"), ())}.get(
            step, Pending(step)
        )
        after = advance(turn, event)
        heard.append(news(turn, after))
        turn = after
    said = " ".join(filter(None, heard))
    assert [word for word in said.split() if word.startswith("S")] == [sentence.text for sentence in turn.sentences]
    assert said.count("Checking…") <= 1
    last = advance(turn, Finished(finished("Whole.", sentences=turn.sentences).answer))
    assert news(turn, last) == "Answer complete, 0 citations."


def test_news_of_several_sentences_and_the_end_come_together():
    turn = advance(Turn(1, "When?", hits=()), Token("Old. Of gold."))
    sentences = (Sentence("Old.", "supported"), Sentence("Of gold.", "unsupported"))
    done = finished("Old. Of gold.", sentences=sentences, left_out=("Tall.",))
    assert news(turn, done) == ("Old. Not in the sources: Of gold. Answer complete, 0 citations. 1 sentence left out.")
    assert news(done, done) == ""


@pytest.mark.parametrize(
    ("texts", "words"),
    [
        ((), ""),
        (("Of gold.",), "1 sentence left out: no source says it"),
        (("Of gold.", "Tall."), "2 sentences left out: no source says them"),
    ],
)
def test_what_was_left_out_is_told_folded(texts, words):
    html = turn_html(finished("Built in 1874.", left_out=texts))
    assert words in Seen(html).text
    assert html.count("<s>") == len(texts)
    assert ("left out" in html) == bool(texts)
    assert " open" not in html


@pytest.mark.parametrize(
    ("reason", "words"),
    [
        ("no_hits", "Nothing in the documents is close"),
        ("not_supported", "do not answer"),
        ("out_of_scope", "do not seem to answer"),
        (None, "do not answer"),
    ],
)
def test_an_abstention_is_no_answer_and_its_passages_are_no_sources(reason, words):
    turn = finished(
        "No idea. Near is Skarv.",
        sentences=(Sentence("No idea."),),
        hits=(Hit(chunk(), 1), Hit(chunk(document="d2"), 1)),
        abstained=True,
        reason=reason,
        left_out=("Of gold.",),
    )
    html = turn_html(turn)
    assert f"<strong>No answer.</strong> {phase(turn).split('. ')[1]}" in html
    assert words in Seen(html).text
    assert '<div class="answer abstained">No idea. Near is Skarv.</div>' in html
    assert "1 sentence left out" in html
    assert not {"sentence", "marker", "verdict"} & {value for name, value in Seen(html).attributes if name == "class"}
    assert "checked" not in html
    sources = sources_html(turn)
    assert "They do not answer the question: suggestions, not sources." in sources
    assert 'class="sources suggested"' in sources
    assert sources.count("<details") == 2
    assert sources.count(" open>") == 1
    assert "No passage is near" in sources_html(finished("None.", abstained=True, reason=reason))


def test_what_was_read_but_not_cited_is_folded_beneath():
    turn = finished(hits=(Hit(chunk(0, 20), 1), Hit(chunk(20, 85), 2)), citations=(cite(1, "built in 1874"),))
    html = sources_html(turn)
    assert "Also read, not cited (1)" in html
    assert '<details class="read" data-key="read-1">' in html
    assert html.index("<mark") < html.index("Also read")


def test_waiting_says_what_is_done():
    turn = Turn(1, "When?")
    assert "Searching the documents…" in turn_html(turn)
    turn = advance(turn, Retrieved((Hit(chunk(), 1),)))
    assert "Reading 1 passage…" in Seen(turn_html(turn)).text
    assert "12 s" in Seen(turn_html(turn, waited_s=12.3)).text
    assert "Reading" not in Seen(turn_html(advance(turn, Token("It")))).text


@pytest.mark.parametrize(("dropped", "words"), [(0, ""), (1, "The oldest turn no"), (3, "The oldest 3 turns no")])
def test_turns_that_no_longer_fit_are_told(dropped, words):
    text = Seen(turn_html(finished(dropped_turns=dropped))).text
    assert words in text
    assert ("oldest" in text) == bool(dropped)


def test_timings_are_told():
    timings = Timings(ttft_s=0.84, decode_tok_s=16.6, prompt_tokens=1263, cached_tokens=1100, completion_tokens=40)
    text = Seen(turn_html(finished(timings=replace(timings, queue_s=0.24, prefill_s=0.58)))).text
    for fact in (
        *("first word after 0.8 s", "waited 0.2 s", "wrote 40 tokens, 17 tokens/s"),
        "prompt 1,263 tokens, 1,100 cached, read in 0.6 s",
    ):
        assert fact in text
    text = Seen(turn_html(finished(timings=replace(timings, queue_s=0.09, prefill_s=0.01)))).text
    assert "1,100 cached" in text
    assert "waited" not in text
    assert "read in" not in text


def test_of_an_answer_that_never_came_no_speed_is_told():
    text = Seen(turn_html(finished(timings=Timings(prompt_tokens=9, completion_tokens=0)))).text
    assert "prompt 9 tokens" in text
    assert "wrote" not in text


@pytest.mark.parametrize(("reason", "words"), [("cancelled", "Stopped."), ("length", "length limit")])
def test_an_answer_cut_short_says_so(reason, words):
    assert words in Seen(turn_html(finished(finish_reason=reason))).text


def test_a_failure_is_told_with_its_hint():
    text = Seen(turn_html(Turn(1, "When?", failure=("Too many questions.", "Ask again soon.")))).text
    assert "Too many questions. Ask again soon." in text
    assert "Searching" not in text


# ---- the conversation


def test_all_tokens_joined_are_the_text_and_the_answer_replaces_them():
    turn = Turn(1, "When?")
    for event in (Retrieved((), 2), Token("Built "), Token("in 1874.")):
        turn = advance(turn, event)
    assert (turn.text, turn.dropped_turns, turn.done) == ("Built in 1874.", 2, False)
    done = finished("Whole.")
    assert (done.text, done.done) == ("Whole.", True)


def test_a_citation_of_two_sentences_is_kept_once():
    turn = Turn(1, "When?")
    for _ in range(2):
        turn = advance(turn, SentenceChecked(Sentence("Built.", "unchecked", (1,)), (cite(1, "built in 1874"),)))
    assert len(turn.citations) == 1
    assert len(turn.sentences) == 2


def test_a_screen_reader_is_told_sentence_by_sentence():
    turn = advance(advance(Turn(1, "When?"), Retrieved(())), Token("Built in 1874. Seen"))
    assert phase(turn) == "Answering…"
    turn = advance(turn, SentenceChecked(Sentence("Built in 1874."), ()))
    assert phase(turn) == "Built in 1874."
    assert phase(finished()) == "Answer complete, 0 citations."
    assert phase(finished(abstained=True, reason="no_hits")).startswith("No answer. Nothing in the documents is close")


def test_history_leaves_out_what_failed_or_never_came():
    good, failed, empty = finished("Yes."), replace(finished("Ye"), failure=("x", "y")), finished("")
    assert history([good, failed, empty]) == [Message("user", "When?"), Message("assistant", "Yes.")]


def test_turns_come_in_order():
    html = turns_html([Turn(1, "First?"), Turn(2, "Second?")])
    assert html.index("First?") < html.index("Second?")


# ---- documents


def info(n: int, title: str | None = "A title") -> DocumentInfo:
    return DocumentInfo(f"id{n}", f"/x/{n}.txt", f"{n}.txt", title, None, None, None, 1234, 2, "")


def test_examples_come_from_the_titles_there_are():
    html = welcome_html([info(1, None), info(2, "On eels"), info(3, "x" * 500)])
    assert Seen(html).tags.count("button") == 1
    assert "What does “On eels” say?" in html
    assert "Add text files" in welcome_html([])


def test_each_document_can_be_deleted_by_its_id():
    seen = Seen(documents_html([info(1), info(2, None)]))
    assert [value for name, value in seen.attributes if name == "data-delete"] == ["id1", "id2"]
    assert "1,234 characters" in seen.text
    assert ("aria-label", "Delete 2.txt") in seen.attributes


def test_a_long_list_is_cut_and_says_so():
    seen = Seen(documents_html([info(n) for n in range(MOST_LISTED + 7)]))
    assert seen.tags.count("li") == MOST_LISTED
    assert "and 7 more" in seen.text


def test_outcomes_are_told():
    outcomes = [
        FileOutcome("upload/a.txt", "added", "id", 3),
        FileOutcome("b.bin", "failed", detail="It is no text."),
        FileOutcome("upload/c.txt", "unchanged", "id"),
        FileOutcome("D", "removed"),
    ]
    text = Seen(outcomes_html(outcomes, "Reading 3 of 4")).text
    for words in ("a.txt added, 3 passages", "b.bin was not added: It is no text.", "c.txt was here", "D was deleted"):
        assert words in text
    assert "Reading 3 of 4" in text
    assert outcomes_html([]) == ""


def test_the_default_collection_can_always_be_chosen():
    known = CollectionInfo("papers", 1, 9, "e")
    assert collection_choices([known], "papers") == [("papers (1 document)", "papers")]
    assert collection_choices([known], "default") == [
        ("default (empty)", "default"),
        ("papers (1 document)", "papers"),
    ]
