"""Streamed text to sentences with citations, and spans that are exact for any text."""

from __future__ import annotations

import re
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assistant.cite import Citer
from assistant.draft import Check, Draft, VerbatimDraft, Written
from assistant.records import Chunk, Hit, Pending, SentenceChecked, Token, Verdict
from assistant.sentences import spans
from assistant.terms import terms

TEXT = (
    "The Northern Line opened in 1890. It carried 5.1 million passengers in its first year, far more than planned. "
    "Engineers led by Ada Marsh had dug for four years. In 1924 the line was extended to Morden."
)
LONG = (  # enough words to tell in which language they are
    "Passengers complained about heat, noise and narrow platforms, while newspapers praised quick journeys beneath "
    "crowded streets. Several companies competed with horse buses, trams, ferries and railways across both banks. "
    "Later governments merged them, ordered bigger carriages, replaced wooden escalators, painted tunnels, cut trees "
    "beside depots, printed diagrams, hired conductors and finally sold advertising inside every lift."
)
OTHER = "Opened in 1890, the Northern Line was dug under Ada Marsh. A museum shows the first train."


def hit(text: str, document: str = "doc", start: int = 0, **fields: str) -> Hit:
    chunk = Chunk(f"{document}-{start}", document, text, start, start + len(text), file=f"{document}.txt", **fields)
    return Hit(chunk, 1.0)


def write(pieces: list[str], hits: list[Hit], question: str = "When did it open?") -> tuple[Draft, str, list[str]]:
    draft = Draft(Citer(question, hits))
    events = [event for piece in pieces for event in draft.feed(piece)] + list(draft.flush())
    shown = "".join(event.text for event in events if isinstance(event, Token))
    return draft, shown, [event.sentence.text for event in events if isinstance(event, SentenceChecked)]


def test_each_sentence_is_tied_to_the_source_sentence_that_carries_it() -> None:
    draft, shown, _ = write(["The line opened in 1890. It was extended to ", "Morden in 1924."], [hit(TEXT)])
    assert shown == "The line opened in 1890. [1] It was extended to Morden in 1924. [2]"
    assert [c.quote for c in draft.citations] == [
        "The Northern Line opened in 1890.",
        "In 1924 the line was extended to Morden.",
    ]


def test_two_documents_that_say_the_same_are_cited_together() -> None:
    draft, _, _ = write(["The Northern Line opened in 1890."], [hit(TEXT), hit(OTHER, "other")])
    assert {c.document_id for c in draft.citations} == {"doc", "other"}


def test_the_weight_of_terms_does_not_depend_on_their_order() -> None:
    """Sets have another order in each process, and of two equally good spans another one would be cited."""
    citer = Citer("When did it open?", [hit(TEXT), hit(LONG, "other")])
    wanted = sorted(terms(f"{TEXT} {LONG}"))
    orders = [wanted, wanted[::-1], *([*wanted[n:], *wanted[:n]] for n in range(1, 40))]
    assert len({citer._weigh(order) for order in orders}) == 1


def test_what_the_best_span_leaves_is_tied_to_another_one() -> None:
    said = "The Northern Line opened in 1890, and a museum in Hull shows a train."
    draft, _, _ = write([said], [hit(TEXT), hit("A museum in Hull shows the oldest train.", "other")])
    quotes = {citation.quote for citation in draft.citations}
    assert quotes == {"The Northern Line opened in 1890.", "A museum in Hull shows the oldest train."}
    draft, _, _ = write(["The Northern Line opened in 1890, as everybody knows."], [hit(TEXT), hit(OTHER, "other")])
    assert {citation.document_id for citation in draft.citations} == {"doc", "other"}
    assert len(draft.citations) == 2


def test_what_no_source_carries_has_no_citation() -> None:
    draft, shown, _ = write(["Bananas are rich in potassium."], [hit(TEXT)])
    assert draft.citations == ()
    assert shown == "Bananas are rich in potassium."


def test_another_number_is_not_covered_by_the_same_words() -> None:
    draft, _, _ = write(["It carried 9.7 million passengers."], [hit(TEXT)])
    assert all("5.1" not in c.quote or len(c.quote) == 0 for c in draft.citations) or not draft.citations


@pytest.mark.parametrize("said", ["La línea fue abierta en el año 1890.", "这条线路于1890年开通。"])
def test_a_sentence_in_another_language_is_tied_to_the_source_with_its_numbers(said: str) -> None:
    """Its words are in no source, however right it is."""
    text = "The Northern Line opened in 1890. It was extended to Morden in 1924. Ada Marsh led the engineers. " + LONG
    carried, none, named = (
        write([one], [hit(text)], "¿Cuándo?")[0]
        for one in (said, said.replace("1890", "1850"), "Ada Marsh era la jefa de los ingenieros de la obra.")
    )
    assert [citation.quote for citation in carried.citations] == ["The Northern Line opened in 1890."]
    assert not none.citations
    assert not named.citations


def test_a_short_answer_is_placed_by_the_question() -> None:
    draft, _, _ = write(
        ["1924."], [hit(TEXT + " A strike in 1924 closed many mines.")], "When was it extended to Morden?"
    )
    assert "Morden" in draft.citations[0].quote


def test_markers_of_the_model_are_dropped_and_ours_stand_in_their_place() -> None:
    draft, shown, _ = write(["The line opened in 1890 [", "7]. It was ", "dug for four years[3]."], [hit(TEXT)])
    assert shown == "The line opened in 1890. [1] It was dug for four years. [2]"
    assert [sentence.citations for sentence in draft.sentences] == [(1,), (2,)]


@pytest.mark.parametrize(
    "text",
    [
        "The first argument is sys.argv[1] and the pair is [0, 1].",
        "The interval was [12, 34] in both groups.",
        "The range is [5,10] metres.",
        "Write x = [1, 2] and then a[2] or foo()[2] or names['a'][1] there.",
        "The matrix is [[1, 2], [2, 1]].",
        "Write `value [1]` and no more.",
        "Take [3] spoons.",
        "In [2019] and [1987] it was the [source code] of `[^1]` and `[Source 1]`.",
        "Write x = [1], [2] there.",
    ],
)
def test_brackets_that_are_no_markers_stay(text: str) -> None:
    for pieces in ([text], list(text)):
        assert write(pieces, [hit("Rain fell."), hit("Snow fell.", "other")])[1] == text


@pytest.mark.parametrize(
    ("text", "clean"),
    [
        ("Trams [1] came, and ships [2].", "Trams came, and ships."),
        ("Trams came. [1] Ships came [7]. Carts[1][2]!", "Trams came. Ships came. Carts!"),
        ("Trams came [1, 2].\nShips [1]\ncame", "Trams came.\nShips\ncame"),
        ("Trams came [1], [2]. Ships [1], and carts [7], [8].", "Trams came. Ships, and carts."),
        ("As [1] and [2] say, trams came [1] & [2].", "As say, trams came."),
        ("Trams came【1】【2】. Ships [Source 1] came [source 1, Source 2].", "Trams came. Ships came."),
        ("Trams came [^1]. Ships[^2]", "Trams came. Ships"),
    ],
)
def test_markers_are_known_by_their_place(text: str, clean: str) -> None:
    for pieces in ([text], list(text)):
        assert write(pieces, [hit("Rain fell."), hit("Snow fell.", "other")])[1] == clean


def test_the_number_of_an_item_is_no_claim() -> None:
    begun: list[str] = []

    def begin(sentence: str) -> Check:
        begun.append(sentence)
        return Late("supported")

    draft = Draft(Citer("Who?", [hit(TEXT)]), begin)
    text = "1. Engineers were led by Ada Marsh.\n2. They had dug for four years.\n7. Giants came."
    list(draft.feed(text))
    list(draft.flush())
    assert begun == ["Engineers were led by Ada Marsh.", "They had dug for four years.", "7. Giants came."]
    assert [sentence.text[:3] for sentence in draft.sentences] == ["1. ", "2. ", "7. "]
    assert [len(sentence.citations) for sentence in draft.sentences] == [1, 1, 0]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("2,500", "2500"),
        ("1,5", "1.5"),
        ("1.234.567", "1,234,567"),
        ("1.234,5", "1,234.5"),
        ("11th", "11"),
        ("是。", "是"),
    ],
)
def test_terms_that_are_written_in_two_ways_are_one(one: str, other: str) -> None:
    assert terms(one) == terms(other) != frozenset()
    assert terms("1,5") != terms("15")


def test_a_span_that_carries_enough_is_found_behind_one_that_only_fits_the_question() -> None:
    source = "Opening dates of the line are disputed by the museum. The bridge was painted green."
    draft, _, _ = write(["Its bridge was painted green."], [hit(source)], "What are the opening dates of the line?")
    assert [c.quote for c in draft.citations] == ["The bridge was painted green."]


def test_the_name_of_the_publisher_alone_carries_nothing() -> None:
    draft, _, _ = write(["Transit News."], [hit("Rain fell.", publisher="Transit News")], "Who reported it?")
    assert draft.citations == ()


def test_what_only_restates_the_question_weighs_little() -> None:
    source = "Chop the onions. Simmer for 55 minutes. Serve with 20 slices of bread after 30 minutes."
    question = "How long do I simmer the soup?"
    draft, _, _ = write(["The soup should be simmered for 55 minutes."], [hit(source)], question)
    assert [c.quote for c in draft.citations] == ["Simmer for 55 minutes."]
    draft, _, _ = write(["The soup should be simmered for 90 minutes."], [hit(source)], question)
    assert draft.citations == ()


def test_an_answer_that_is_one_marker_and_an_empty_one() -> None:
    for text in ("[1]", "", "  \n"):
        draft, shown, sentences = write([text], [hit(TEXT)])
        assert (shown, sentences, draft.citations) == ("", [], ())


def test_an_answer_of_three_thousand_words() -> None:
    said = ["The line opened in 1890.", "It was extended to Morden in 1924.", "Bananas are yellow."]
    text = " ".join(said * 201)
    assert len(text.split()) > 3000
    draft, shown, sentences = write([text[at : at + 9] for at in range(0, len(text), 9)], [hit(TEXT)])
    assert sentences == said * 201
    assert re.sub(r" \[\d\]", "", shown) == text
    assert len(draft.citations) == 2


def test_an_answer_of_three_thousand_words_without_an_end() -> None:
    text = " ".join(["the line opened in the year 1890 and"] * 400)
    for pieces in ([text], [text[at : at + 9] for at in range(0, len(text), 9)]):
        draft, shown, sentences = write(pieces, [hit(TEXT)])
        assert sentences == [text]
        assert shown == draft.text == text + " [1]"
        assert draft.citations[0].quote.startswith("The Northern Line opened in 1890.")


def test_of_a_source_without_sentence_ends_a_part_is_quoted() -> None:
    filler = "platforms tunnels conductors escalators advertising carriages newspapers " * 8
    source = f"{filler}the northern line opened in 1890 {filler}"
    draft, _, _ = write(["The northern line opened in 1890."], [hit(source, start=7)])
    (citation,) = draft.citations
    assert "opened in 1890" in citation.quote
    assert len(citation.quote) <= 2 * 500
    assert citation.quote == (" " * 7 + source)[citation.start : citation.end]


def test_hits_in_another_language() -> None:
    source = "Die Linie wurde 1890 eröffnet. Ada Marsh leitete den Bau. 线路于1924年延长。"
    draft, _, sentences = write(["The line opened in 1890. Bananas are yellow. 1924年延长。"], [hit(source)])
    assert sentences == ["The line opened in 1890.", "Bananas are yellow.", "1924年延长。"]
    assert all(citation.quote in source for citation in draft.citations)
    assert draft.sentences[1].citations == ()
    assert "线路于1924年延长。" in {citation.quote for citation in draft.citations}


def test_words_of_the_publisher_are_carried_by_its_documents() -> None:
    draft, _, _ = write(["According to Transit News, the line opened in 1890."], [hit(TEXT, publisher="Transit News")])
    assert len(draft.citations) == 1


def test_terms_fold_case_plural_possessive_ordinals_and_separators() -> None:
    assert terms("China's rankings: 11th, 2,500") == terms("china ranking 11 2500")
    assert terms("人工智能") & terms("智能手机")


@given(st.text(min_size=1, max_size=300), st.integers(0, 50), st.lists(st.text(max_size=30), max_size=8))
def test_quotes_are_exactly_the_text_of_their_span(source: str, start: int, pieces: list[str]) -> None:
    text = " " * start + source
    draft, _, _ = write([*pieces, source[:80]], [hit(source, start=start)])
    for citation in draft.citations:
        assert citation.quote == text[citation.start : citation.end]


answers = st.text(alphabet="ab A.!?。 \n[]12,\"'", max_size=120)


@given(answers, st.randoms())
def test_the_shown_text_does_not_depend_on_how_it_came(answer: str, random: object) -> None:
    pieces, rest = [], answer
    while rest:
        cut = random.randint(1, 6)  # type: ignore[attr-defined]
        pieces.append(rest[:cut])
        rest = rest[cut:]
    whole, shown, sentences = write([answer], [hit(TEXT)])
    chopped, shown_chopped, sentences_chopped = write(pieces, [hit(TEXT)])
    assert shown == shown_chopped == whole.text == chopped.text
    assert sentences == sentences_chopped
    visible = re.sub(r"\s", "", "".join(sentences))
    assert re.sub(r"[\s\d\[\],]", "", answer) == re.sub(r"[\d\[\],]", "", visible)


def verbatim(pieces: list[str]) -> tuple[VerbatimDraft, list]:
    draft = VerbatimDraft(Citer("When did it open?", [hit(TEXT)]))
    return draft, [event for piece in pieces for event in draft.feed(piece)] + list(draft.flush())


def test_json_stays_as_it_was_written_and_its_values_are_cited() -> None:
    pieces = ['{"opened": 1890, "not": [1], ', '"then": ["It was extended to Morden in 1924. [7]"], "b": true} ']
    draft, events = verbatim(pieces)
    assert draft.text == "".join(pieces) == "".join(e.text for e in events if isinstance(e, Token))
    assert [sentence.text for sentence in draft.sentences] == [draft.text]
    assert {c.quote for c in draft.citations} >= {"In 1924 the line was extended to Morden."}
    assert draft.sentences[0].citations == tuple(c.n for c in draft.citations)
    assert isinstance(events[-1], SentenceChecked)


def test_short_values_of_an_object_are_cited_together() -> None:
    other = hit("Ada Marsh wrote a book. The museum opened in 1955.", "other")
    draft = VerbatimDraft(Citer("Who dug for how long?", [hit(TEXT), other]))
    list(draft.feed('{"engineer": "Ada Marsh", "years": "four years"}'))
    list(draft.flush())
    assert [c.quote for c in draft.citations] == ["Engineers led by Ada Marsh had dug for four years."]


def test_json_that_broke_off_is_cited_as_text() -> None:
    draft, _ = verbatim(['{"then": "In 1924 the line was extended to Mord'])
    assert [c.quote for c in draft.citations] == ["In 1924 the line was extended to Morden."]


def test_nothing_written_is_no_sentence() -> None:
    draft, events = verbatim([])
    assert (draft.text, draft.sentences, events) == ("", [], [])


class Late:
    """A check whose verdict is there when somebody says so."""

    def __init__(self, verdict: Verdict, done: bool = True) -> None:
        self.done, self._verdict = done, verdict

    def verdict(self) -> Verdict:
        self.done = True
        return self._verdict


def strict(pieces: list[str], checks: dict[str, Late]) -> tuple[Draft, list[Written]]:
    def begin(sentence: str) -> Check:
        return next((check for word, check in checks.items() if word in sentence), Late("supported"))

    draft = Draft(Citer("When did it open?", [hit(TEXT)]), begin, strict=True)
    return draft, [event for piece in pieces for event in draft.feed(piece)] + list(draft.flush())


def shown(events: list[Written]) -> str:
    return "".join(event.text for event in events if isinstance(event, Token))


def test_strict_text_is_pending_until_its_verdict_is_there() -> None:
    late = Late("supported", done=False)
    draft, events = strict(["The line opened ", "in 1890. It carried", " 5.1 million passengers."], {"opened": late})
    pending = [event.text for event in events if isinstance(event, Pending)]
    assert pending[0] == "The line opened"
    assert pending[-1] == ""
    first = next(place for place, event in enumerate(events) if isinstance(event, Token))
    assert all(not isinstance(event, Token) for event in events[:first])
    assert draft.text == shown(events)
    assert draft.text == "The line opened in 1890. [1] It carried 5.1 million passengers. [2]"
    assert [sentence.verdict for sentence in draft.sentences] == ["supported", "supported"]


def test_strict_leaves_out_what_no_source_supports_and_numbers_only_what_stays() -> None:
    draft, events = strict(
        ["The line opened in 1890. It was dug by giants for four years. It was extended to Morden in 1924."],
        {"giants": Late("unsupported")},
    )
    assert shown(events) == "The line opened in 1890. [1] It was extended to Morden in 1924. [2]"
    assert draft.failed == ["It was dug by giants for four years."]
    assert [citation.n for citation in draft.citations] == [1, 2]


def test_verdicts_come_in_the_order_of_the_sentences() -> None:
    _, events = strict(
        ["It opened in 1890. It was extended to Morden in 1924. And ", "more."],
        {"1890": Late("supported", done=False), "1924": Late("supported")},
    )
    checked = [event.sentence.text for event in events if isinstance(event, SentenceChecked)]
    assert checked == ["It opened in 1890.", "It was extended to Morden in 1924.", "And more."]


def test_nothing_is_left_where_all_fails() -> None:
    draft, events = strict(["Bananas are yellow."], {"Bananas": Late("unsupported")})
    assert (draft.text, draft.sentences, draft.citations) == ("", [], ())
    assert events[-1] == Pending("")


def test_a_second_try_adds_only_what_is_new() -> None:
    draft, _ = strict(["The line opened in 1890. Giants dug it."], {"Giants": Late("unsupported")})
    again = "The line opened in 1890. Giants dug it. It was extended to Morden in 1924."
    events = [*draft.feed(again), *draft.flush()]
    assert draft.text == "The line opened in 1890. [1] It was extended to Morden in 1924. [2]"
    assert shown(events) == " It was extended to Morden in 1924. [2]"
    assert draft.failed == ["Giants dug it."]


def test_a_second_try_that_only_speaks_of_what_failed_is_not_heard() -> None:
    draft, _ = strict(["Giants dug the line for years."], {"Giants": Late("unsupported")})
    list(draft.feed("The sources do not say that giants dug the line for years."))
    list(draft.flush())
    assert (draft.text, draft.failed) == ("", ["Giants dug the line for years."])


def test_another_number_is_something_new() -> None:
    draft, _ = strict(["It carried 9.7 million passengers in its first year."], {"9.7": Late("unsupported")})
    list(draft.feed("It carried 5.1 million passengers in its first year."))
    list(draft.flush())
    assert draft.text == "It carried 5.1 million passengers in its first year. [1]"


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("It was dug by the engineer Tom Marsh for years.", "It was dug by the engineer Ada Marsh for years."),
        ("The line was dug by giants in four years near Hull.", "The line was not dug in four years."),
    ],
)
def test_another_name_or_a_denial_is_something_new(first: str, second: str) -> None:
    draft, _ = strict([first], {first: Late("unsupported")})
    list(draft.feed(second))
    list(draft.flush())
    assert draft.text.startswith(second)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("The patients' heart rate rose after treatment.", "The patients' heart rate fell after treatment."),
        ("Merkel opened the meeting in the town hall.", "Macron opened the meeting in the town hall."),
        ("It opened in June.", "It opened in May."),
        ("It opened in May 2024.", "It opened in 2024."),
        ("Trains may stop at the new platform.", "Trains must stop at the new platform."),
        ("The cut was from 5 to 3 percent.", "The cut was from 3 to 5 percent."),
        ("Profits rose by 5% in the first quarter.", "Profits rose by 5 in the first quarter."),
        ("The line was closed in winter.", "According to the sources, the line was not closed in winter."),
        ("线路在冬天关闭。", "线路在夏天关闭。"),
    ],
)
def test_a_second_try_that_corrects_a_word_is_heard(first: str, second: str) -> None:
    for verdict, stands in (("supported", [second]), ("unsupported", [])):
        checks = {first: Late("unsupported"), second: Late(verdict)}  # type: ignore[arg-type]
        draft, _ = strict([first], checks)
        events = [*draft.feed(second), *draft.flush()]
        assert [sentence.text for sentence in draft.sentences] == stands
        assert draft.failed == [first, *([] if stands else [second])]
        assert shown(events).startswith(second if stands else "")


def test_lines_without_a_word_go_with_what_they_stand_before() -> None:
    draft, events = strict(["---\n\nBananas are yellow.\n\n---"], {"Bananas": Late("unsupported")})
    assert (draft.text, draft.sentences, draft.failed) == ("", [], ["Bananas are yellow."])
    draft, events = strict(["---\n\nThe line opened in 1890.\n\n---"], {})
    assert draft.text == shown(events) == "---\n\nThe line opened in 1890. [1]\n\n---"
    draft, events = strict(["So be it."], {})
    assert draft.text == shown(events) == "So be it."


@pytest.mark.parametrize("text", ["---", "...", "[1].", "[1], [2].", "[1] and [2].", "【1】。", "[Source 1]", "[^1]."])
def test_where_no_letter_is_written_nothing_stands(text: str) -> None:
    draft, events = strict(list(text), {})
    assert (draft.text, draft.sentences, shown(events)) == ("", [], "")


def test_what_leans_on_a_sentence_that_failed_is_left_out_with_it() -> None:
    giants = {"giants": Late("unsupported")}
    said = "The line opened in 1890. It was dug by giants. {} It was extended to Morden in 1924."
    for leaning in ("This made them angry.", "Das war teuer.", "Eso fue caro.", "这使他们很生气。"):
        draft, _ = strict([said.format(leaning)], giants)
        assert draft.failed == ["It was dug by giants.", leaning]
        assert draft.text == "The line opened in 1890. [1] It was extended to Morden in 1924. [2]"
    for own in ("This line carried 5.1 million passengers.", "Das Bauwerk war teuer.", "这条线路很长。"):
        draft, _ = strict([said.format(own)], giants)
        assert draft.failed == ["It was dug by giants."]
    draft, _ = strict(["The line opened in 1890. This was planned. " + said.format("")], giants)
    assert draft.failed == ["It was dug by giants."]


def test_what_leans_on_a_sentence_that_failed_in_both_tries_is_left_out_too() -> None:
    giants = {"Giants": Late("unsupported")}
    draft, _ = strict(["Giants dug it."], giants)
    list(draft.feed("The giants dug it. This made them angry. The line opened in 1890."))
    list(draft.flush())
    assert draft.failed == ["Giants dug it.", "This made them angry."]
    assert [sentence.text for sentence in draft.sentences] == ["The line opened in 1890."]
    draft, _ = strict(["The line opened in 1890. Giants dug it."], giants)
    list(draft.feed("This was in 1890 near Hull."))
    list(draft.flush())
    assert draft.failed == ["Giants dug it."]  # another try does not go on where the first one ended


def test_what_is_given_up_leaves_what_stands() -> None:
    draft, _ = strict(["The line opened in 1890. Giants dug it."], {"Giants": Late("unsupported")})
    events = [*draft.feed("It was extended to Morden in 1924. It was"), *draft.give_up()]
    assert events[-1] == Pending("")
    assert draft.text.startswith("The line opened in 1890. [1]")
    assert "It was" not in draft.text.removesuffix("It was extended to Morden in 1924. [2]")
    assert list(draft.flush()) == []


def test_unchecked_sentences_stand_and_say_so() -> None:
    draft, events = strict(["The line opened in 1890."], {"opened": Late("unchecked")})
    assert shown(events) == "The line opened in 1890. [1]"
    assert draft.sentences[0].verdict == "unchecked"


def test_a_json_answer_is_as_good_as_its_worst_statement() -> None:
    def begin(sentence: str) -> Check:
        return Late("unsupported" if "1999" in sentence else "supported")

    for text, verdict in (('{"opened": "in 1890"}', "supported"), ('[{"opened": "in 1999"}]', "unsupported")):
        draft = VerbatimDraft(Citer("When did it open?", [hit(TEXT)]), begin, strict=True)
        list(draft.feed(text))
        list(draft.flush())
        assert (draft.text, draft.sentences[0].verdict) == (text, verdict)


@given(st.lists(answers, max_size=6), st.integers(0, 2))
def test_strict_text_is_what_was_shown_whatever_fails(pieces: list[str], fails: int) -> None:
    verdicts: list[Verdict] = ["supported", "unsupported", "unchecked"]
    checks = iter(range(1000))
    draft = Draft(
        Citer("When?", [hit(TEXT)]), lambda _: Late(verdicts[(next(checks) + fails) % 3], done=fails > 0), strict=True
    )
    events = [event for piece in pieces for event in draft.feed(piece)] + list(draft.flush())
    assert shown(events) == draft.text
    assert all(sentence.text in draft.text for sentence in draft.sentences)


@pytest.mark.parametrize(
    ("verdict", "strict", "near", "cited"),
    [
        ("supported", True, 0, (1,)),
        ("supported", True, None, ()),
        ("unchecked", True, 0, ()),
        ("supported", False, 0, ()),
    ],
)
def test_what_no_words_carry_is_tied_to_the_nearest_sentence(
    verdict: Verdict, strict: bool, near: int | None, cited: tuple[int, ...]
) -> None:
    asked: list[list[str]] = []

    def nearest(_: str, texts: Sequence[str]) -> int | None:
        asked.append(list(texts))
        return near

    said = "Trains began to run underground."
    draft = Draft(Citer("?", [hit(TEXT)]), lambda _: Late(verdict), strict, nearest)
    list(draft.feed(said))
    list(draft.flush())
    assert [sentence.citations for sentence in draft.sentences] == [cited]
    if cited:
        assert asked == [[TEXT[span.start : span.end] for span in spans(TEXT)]]
        assert draft.text == f"{said} [1]"


def test_what_words_carry_asks_for_nothing_nearer() -> None:
    def nearest(*_: object) -> int | None:
        raise AssertionError

    draft = Draft(Citer("?", [hit(TEXT)]), lambda _: Late("supported"), True, nearest)
    list(draft.feed("The Northern Line opened in 1890."))
    list(draft.flush())
    assert draft.sentences[0].citations == (1,)
