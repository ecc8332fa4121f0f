"""The report of an evaluation: what is in the file, that documents stay data, and the page in Chromium."""

from __future__ import annotations

import json
import random
import re
import statistics
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from browser import browsing
from conftest import REPO
from playwright.sync_api import Browser, Page, expect

from assistant.records import Message
from evals import report, report_cases, report_plots
from evals.records import Case, Figure, Given, GoldSpan, Result, Run, Score, Summary
from evals.report_labels import label, sentence

HOSTILE = """</script><script>window.hurt = 1</script><img src="https://example.org/a.png" onerror="window.hurt = 2">
<!-- ${window.hurt = 3} $data {{value}} <svg onload="window.hurt = 4"> | and a 🦈 & an &lt;entity&gt;. """


# ---- a run as it could be


def texts() -> dict[str, str]:
    """The sample articles, and a document that would like to be markup."""
    found = {path.name: path.read_text("utf-8") for path in sorted((REPO / "seeds").glob("*.txt"))}
    return found | {"hostile.html": HOSTILE * 40}


def fake_run(count: int = 1000, seed: int = 4) -> tuple[Run, dict[str, str]]:
    """A run over the sample articles with some of everything that can come of a case."""
    drawn = random.Random(seed)
    documents = texts()
    suites = {"seeds": 103, "squad2": 250, "mtrag": 200, "own": 97, "injection": 250, "checker": count}
    results: list[Result] = []
    for suite, wanted in suites.items():
        size = min(wanted, count - len(results))
        results += [_result(suite, n, drawn, documents) for n in range(size)]
    summaries = [_summary(suite, [one for one in results if one.suite == suite]) for suite in suites]
    return Run(ABOUT, tuple(one for one in summaries if one.cases), tuple(results)), documents


ABOUT = {
    "model": {"name": "qwen2.5-coder-1.5b", "sha256": "ab12" * 16},
    "prompts": {"system.txt": "5feceb66ffc86f38" * 4, "question.txt": "6b86b273ff34fce1" * 4},
    "settings": {f"retrieval.setting_{n}": str(n) for n in range(10)} | {"engine.reuse": "exact"},
    "corpora": {"seeds": {"documents": 6, "sha256": "d4735e3a265e16ee" * 4}},
    "code": {"sha256": "cd34" * 16, "commit": "7e35894a0f0c4c7a9be0a3e1f2d3c4b5a6978877 and changes"},
    "seed": 0,
    "machine": {"processor": "Intel Xeon", "cores": 2, "system": "Linux"},
    "started": "2026-02-03T10:15:00+00:00",
    "note": HOSTILE,
}


def _sentences(text: str) -> list[tuple[int, int]]:
    return [match.span() for match in re.finditer(r"[A-Z][^.\n]{40,300}\.", text)]


def _result(suite: str, n: int, drawn: random.Random, documents: Mapping[str, str]) -> Result:
    if suite == "checker":
        return _claim(n, drawn)
    file = drawn.choice(sorted(documents))
    spans = _sentences(documents[file]) or [(0, min(len(documents[file]), 200))]
    start, end = drawn.choice(spans)
    quote = documents[file][start:end]
    case = _case(suite, n, drawn, GoldSpan(file, quote))
    if drawn.random() < 0.01:
        return Result(suite, case, None, {"type": "engine_failed", "message": "The model stopped. Ask again."})
    refused = drawn.random() < (0.7 if case.answerable is False else 0.05)
    answer = (
        _refusal(case, drawn)
        if refused
        else _answer(case, drawn, documents, file, drawn.sample(spans, min(2, len(spans))))
    )
    return Result(suite, case, answer, scores=_scores(case, answer, drawn))


def _case(suite: str, n: int, drawn: random.Random, span: GoldSpan) -> Case:
    words = span.quote.split()
    question = f"What is said about {' '.join(words[:6])}, and what follows from “{' '.join(words[-4:])}”?"
    if n % 40 == 7:
        question = f"{HOSTILE} {question}"
    answerable = None if suite == "own" else drawn.random() > (0.5 if suite == "squad2" else 0.1)
    past = (Message("user", "What is this about?"), Message("assistant", "It is about innovation. [1]"))
    return Case(
        f"{suite}-{n:04d}",
        question,
        past if suite == "mtrag" else (),
        answerable,
        answers=(" ".join(words[2:6]),) if answerable else (),
        facts=((words[0], words[0].lower()), (words[-1],)) if answerable and suite == "seeds" else (),
        reference=span.quote if suite == "mtrag" else "",
        spans=(span,) if answerable else (),
        forbidden=("Buy now",) if suite == "injection" else (),
        attributed_to=("Xinhua", "Lin Jian") if suite == "seeds" and n % 3 == 0 else (),
        tags=(drawn.choice(("who", "number", "several passages", "who says it")),) if suite == "seeds" else (),
    )


def _claim(n: int, drawn: random.Random) -> Result:
    """A sentence that the checker judged."""
    people, checker = drawn.random() < 0.5, drawn.random()
    verdict = "supported" if checker > 0.5 else "unsupported"
    said = f"The lighthouse was built in {1800 + n}."
    whole = answer("", [{"text": said, "verdict": verdict, "citations": []}], []) | {"timings": {}}
    scores = {"support": Score(checker), "agrees": Score(float(people == (checker > 0.5)))}
    case = Case(f"checker-{n}", said, reference="supported" if people else "unsupported", tags=("wice",))
    return Result("checker", case, whole, scores=scores)


def _answer(
    case: Case, drawn: random.Random, documents: Mapping[str, str], file: str, spans: Sequence[tuple[int, int]]
) -> dict:
    sentences, citations = [], []
    for n, (start, end) in enumerate(spans, start=1):
        verdict = drawn.choices(("supported", "unchecked", "unsupported"), (8, 2, 1))[0]
        sentences.append({"text": " ".join(documents[file][start:end].split()), "verdict": verdict, "citations": [n]})
        citations.append(citation(n, file, documents[file], start, end))
    return answer(case.question, sentences, citations, _hits(drawn, documents), ttft_s=drawn.lognormvariate(1, 0.5))


def answer(question: str, sentences: list, citations: list, hits: Sequence[Mapping] = (), ttft_s: float = 2.0) -> dict:
    """An answer in the fixed form."""
    text = " ".join(one["text"] + "".join(f" [{n}]" for n in one["citations"]) for one in sentences)
    timings = {"retrieve_s": 0.14, "queue_s": 0.0, "prefill_s": ttft_s - 0.15, "ttft_s": ttft_s, "decode_tok_s": 14.2}
    timings |= {"check_s": 0.0, "total_s": ttft_s + 3.1, "prompt_tokens": 831, "completion_tokens": 46}
    return {
        "question": question,
        "answer": text,
        "abstained": False,
        "reason": None,
        "sentences": sentences,
        "citations": citations,
        "hits": list(hits),
        "timings": timings | {"cached_tokens": 0},
        "model": "qwen2.5-coder-1.5b",
        "finish_reason": "stop",
    }


def citation(n: int, file: str, text: str, start: int, end: int) -> dict:
    place = {"start": start, "end": end, "quote": text[start:end], "page": None, "date": "2025-12-06"}
    return {"n": n, "document_id": "e475ef774dc86c7e", "file": file, "title": text[:60], "publisher": "Xinhua"} | place


def _hits(drawn: random.Random, documents: Mapping[str, str]) -> Iterator[dict]:
    for n, file in enumerate(drawn.sample(sorted(documents), 4)):
        start = drawn.randrange(max(1, len(documents[file]) - 600))
        text = documents[file][start : start + 600]
        yield {"chunk_id": f"x-{n}", "document_id": "x", "file": file, "score": 1 - n / 5} | {
            "start": start,
            "end": start + len(text),
            "text": text,
        }


def _refusal(case: Case, drawn: random.Random) -> dict:
    said = "The documents do not answer this question."
    one = answer(case.question, [{"text": said, "verdict": "unchecked", "citations": []}], [], (), drawn.uniform(1, 4))
    return one | {
        "abstained": True,
        "reason": "not_supported",
        "answer": f"{said} The nearest passage is about Lin Jian.",
    }


METRICS = (
    *("right", "exact", "fact_recall", "refused_unanswerable", "refused_answerable", "attributed"),
    *("attack_succeeded", "faithful", "citation_precision", "hit@5", "recall@5", "mrr", "ttft_s", "total_s"),
)


def _scores(case: Case, answer: Mapping, drawn: random.Random) -> dict[str, Score]:
    """Every metric, and for most of them a reason why it has no value."""

    def chance(odds: float) -> Score:
        return Score(float(drawn.random() < odds))

    refused = answer["abstained"]
    scores = {name: Score(None, "no gold") for name in METRICS}
    scores |= {name: Score(answer["timings"][name]) for name in ("ttft_s", "total_s")}
    if case.forbidden:
        scores["attack_succeeded"] = Score(0.0) if refused else chance(0.06)
    if case.answerable is False:
        scores["refused_unanswerable"] = Score(float(refused))
    elif case.answerable:
        right = Score(0.0) if refused else chance(0.87)
        scores |= {"right": right, "exact": chance(0.1), "refused_answerable": Score(float(refused))}
        scores |= {"hit@5": chance(0.9), "recall@5": chance(0.8), "mrr": Score(round(drawn.random(), 4))}
    if refused:
        return scores | {"faithful": Score(None, "abstained")}
    supported = [one["verdict"] == "supported" for one in answer["sentences"]]
    return scores | {"faithful": Score(statistics.mean(supported)), "citation_precision": chance(0.8)}


def _summary(suite: str, results: Sequence[Result]) -> Summary:
    names = list(dict.fromkeys(name for result in results for name in result.scores))
    figures = tuple(_figure(name, [one.scores[name] for one in results if name in one.scores]) for name in names)
    if suite == "checker":
        figures = (Figure("balanced_accuracy", 0.742, 0.711, 0.77, 100), Figure("auroc:wice", 0.81, 0.79, 0.83, 100))
    problems = (f"line 17 is no JSON: {HOSTILE}",) if suite == "squad2" else ()
    return Summary(suite, len(results), sum(one.error is not None for one in results), figures, problems)


def _figure(name: str, scores: Sequence[Score]) -> Figure:
    values = [one.value for one in scores if one.value is not None]
    reasons = [one.reason for one in scores if one.value is None]
    unscored = {reason: reasons.count(reason) for reason in reasons}
    if not values:
        return Figure(name, None, None, None, 0, unscored)
    middle = statistics.mean(values)
    half = 1.96 * statistics.pstdev(values) / len(values) ** 0.5
    return Figure(
        name,
        middle,
        max(0.0, middle - half),
        middle + half if middle > 1 else min(1.0, middle + half),
        len(values),
        unscored,
    )


def one_case(case: Case, answer: Mapping | None = None, **rest: object) -> Run:
    return Run({}, (Summary("seeds", 1, 0, ()),), (Result("seeds", case, answer, **rest),))


def data_of(page: str) -> dict:
    return json.loads(page.split('<script type="application/json" id="data">')[1].split("</script>")[0])


# ---- the file


class Reader(HTMLParser):
    """Every tag with its attributes, and the text outside scripts and styles."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        if self.tags and self.tags[-1][0] not in ("script", "style"):
            self.text += data


def read(page: str) -> Reader:
    reader = Reader()
    reader.feed(page)
    return reader


def test_the_file_needs_nothing_else():
    page = report.html(*fake_run(60))
    for tag, attributes in read(page).tags:
        assert tag not in ("link", "img", "iframe", "object", "base", "form")
        assert not {"src", "action", "style", "srcset", "data", "formaction"} & attributes.keys()
        assert attributes.get("href", "#").startswith("#")
        assert not [name for name in attributes if name.startswith("on")]
    own = "".join((report.PAGE / name).read_text("utf-8") for name in ("report.html", "report.css", "report.js"))
    assert not re.search(r"https?:|@import|url\(|fetch\(|innerHTML", own)
    assert "default-src 'none'" in page


def test_hostile_text_stays_text():
    page = report.html(*fake_run(60))
    tags = [tag for tag, _ in read(page).tags]
    assert tags.count("script") == 2
    assert "img" not in tags
    assert any(HOSTILE in case["question"] for case in data_of(page)["cases"])
    assert HOSTILE.strip() in read(page).text


def test_every_case_is_in_the_data():
    run, documents = fake_run(300)
    data = data_of(report.html(run, documents))
    assert [(data["suites"][case["suite"]], case["id"]) for case in data["cases"]] == [
        (result.suite, result.case.id) for result in run.results
    ]
    assert [case["question"] for case in data["cases"]] == [result.case.question for result in run.results]


def test_quotes_stand_where_the_data_says():
    run, documents = fake_run(200)
    data = data_of(report.html(run, documents))
    seen = 0
    for result, case in zip(run.results, data["cases"], strict=True):
        for given, told in zip((result.answer or {}).get("citations", ()), case.get("citations", ()), strict=True):
            source = data["sources"][told["source"]]
            start, text = max(part for part in source["parts"] if part[0] <= told["start"])
            assert text[told["start"] - start : told["end"] - start] == given["quote"]
            assert source["file"] == given["file"]
            seen += 1
    assert seen > 100


def test_no_stretch_of_a_document_is_repeated():
    run, documents = fake_run(1000)
    page = report.html(run, documents)
    for source in data_of(page)["sources"]:
        assert sum(len(text) for _, text in source["parts"]) <= len(documents[source["file"]])
        ends = [start + len(text) for start, text in source["parts"]]
        assert all(end < start for end, (start, _) in zip(ends, source["parts"][1:], strict=False))


def test_a_quote_without_its_text_stands_alone():
    case = Case("1", "When?", spans=(GoldSpan("gone.txt", "in 1874"),))
    whole = answer("When?", [], [citation(1, "gone.txt", "It was built in 1874.", 3, 21)])
    (told,) = data_of(report.html(one_case(case, whole), {}))["cases"]
    assert told["citations"][0]["quote"] == "was built in 1874."
    assert told["gold"]["spans"] == [{"source": 0, "quote": "in 1874"}]
    (other,) = data_of(report.html(one_case(case, whole), {"gone.txt": "Another text of that name."}))["cases"]
    assert other["citations"][0]["quote"] == "was built in 1874."


def test_a_document_given_to_a_case_is_its_own():
    text = "The lighthouse was built in 1874."
    case = Case("1", "When?", given=(Given("a.txt", text),))
    whole = answer("When?", [], [citation(1, "a.txt", text, 4, 14)])
    data = data_of(report.html(one_case(case, whole), {"a.txt": "A text of the same name."}))
    assert data["sources"] == [{"file": "a.txt", "length": len(text), "parts": [[0, text]]}]


@pytest.mark.parametrize(
    ("case", "scores", "refused", "words", "marks"),
    [
        ({}, {"right": Score(1.0)}, False, ("good", "right"), []),
        ({}, {"right": Score(0.0)}, False, ("bad", "wrong"), ["wrong"]),
        ({}, {"right": Score(0.5)}, False, ("bad", "partly right"), ["wrong"]),
        ({}, {"right": Score(None, "no gold")}, False, ("open", "answered"), ["unscored"]),
        ({}, {"right": Score(1.0), "faithful": Score(0.5)}, False, ("good", "right"), ["unsupported"]),
        ({"answerable": False}, {}, False, ("bad", "should have refused"), ["wrong"]),
        ({"answerable": False}, {}, True, ("good", "rightly refused"), ["refused"]),
        ({"answerable": True}, {}, True, ("bad", "wrongly refused"), ["wrong", "refused"]),
        ({}, {}, True, ("open", "refused"), ["unscored", "refused"]),
        ({}, {"agrees": Score(0.0)}, False, ("bad", "not as people say"), ["wrong"]),
        ({}, {"attack_succeeded": Score(1.0), "right": Score(1.0)}, False, ("bad", "attack succeeded"), ["wrong"]),
        ({"answerable": True}, {"attack_succeeded": Score(0.0)}, True, ("good", "attack withstood"), ["refused"]),
    ],
)
def test_what_became_of_a_case(case, scores, refused, words, marks):
    whole = answer("Why?", [], []) | {"abstained": refused}
    result = Result("seeds", Case("1", "Why?", **case), whole, scores=scores)
    assert report_cases.outcome(result) == words
    assert list(report_cases.marks(result)) == marks


def test_a_failed_case_and_one_that_was_not_asked():
    failed = Result("seeds", Case("1", "Why?"), None, {"type": "busy", "message": "Too many."})
    assert report_cases.outcome(failed) == ("failed", "failed")
    assert list(report_cases.marks(failed)) == ["failed"]
    assert report_cases.outcome(replace(failed, error=None)) == ("open", "not asked")
    page = report.html(Run({}, (), (failed,)), {})
    assert data_of(page)["cases"][0]["error"] == {"type": "busy", "message": "Too many."}


def test_the_first_screen_says_it_in_words():
    figures = (Figure("mrr", 0.7, 0.6, 0.8, 103), Figure("right", 0.8738, 0.8, 0.932, 103))
    page = read(report.html(Run({"model": "m"}, (Summary("seeds", 103, 2, figures),), ()), {}))
    assert "Right: 87% (80 to 93) of 103 questions" in page.text
    assert "2 of 103 failed" in page.text


def test_a_mean_of_shares_is_not_called_a_share_of_the_questions():
    figures = (Figure("faithful", 0.7, 0.6, 0.8, 92), Figure("refusal_precision", 0.5, 0.2, 0.8, 6))
    assert [sentence(figure) for figure in figures] == [
        "70% (60 to 80) on average over 92 questions",
        "50% (20 to 80) of 6 refusals",
    ]
    assert sentence(Figure("mrr", 0.7, 0.6, 0.8, 103)) == "0.70 (0.60 to 0.80) over 103 questions"


def test_passages_are_said_to_be_those_of_the_prompt():
    assert label("hit@5").words == "Right passage in the prompt"
    assert "five" in label("hit@5").meaning


def test_a_run_with_nothing_in_it_and_values_that_are_no_numbers():
    empty = Figure("right", None, None, None, 0, {"no checker": 3})
    page = report.html(Run({}, (Summary("own", 3, 3, (empty,)),), ()), {})
    assert "not scored (3: no checker)" in read(page).text
    case = Case("1", "Half a pair \ud83e?")
    odd = report.html(one_case(case, None, scores={"right": Score(float("nan")), "f1": Score(float("inf"))}), {})
    assert odd.encode("utf-8")
    assert data_of(odd)["cases"][0]["scores"] == ["no number", "no number"]


def test_hashes_are_short_until_opened():
    about = {"model": {"sha256": "ab12" * 16}, "reuse": True, "code": {"commit": "cd34" * 10 + " and changes"}}
    page = report.html(Run(about, (), ()), {})
    assert "commit cd34cd34cd34 and changes" in page
    assert f'<summary title="{"ab12" * 16}">ab12ab12ab12…</summary><code>{"ab12" * 16}</code>' in page
    assert "<dd>yes</dd>" in page


# ---- numbers and tables


def test_markdown_table():
    figures = (
        Figure("mrr", 0.7, 0.6, 0.8, 103),
        Figure("right", 0.8738, 0.8, 0.932, 103),
        Figure("attack_succeeded", 0.004, 0.0, 0.02, 1500),
        Figure("ttft_s", 1.93, None, None, 100),
        Figure("faithful", None, None, None, 0, {"no checker": 100, "refused": 3}),
        Figure("own|metric", 12.25, 11.0, 13.5, 40),
    )
    assert report.markdown(Run({}, (Summary("seeds", 103, 0, figures),), ())) == (
        "| suite | what | value (95% interval) | n |\n"
        "|---|---|---|---|\n"
        "| seeds | Attacks that succeeded (less is better) | 0.4% (0 to 2) | 1,500 |\n"
        "| seeds | Right | 87% (80 to 93) | 103 |\n"
        "| seeds | own\\|metric | 12.2 (11.0 to 13.5) | 40 |\n"
        "| seeds | Time to the first word (less is better) | 1.9 s | 100 |\n"
    )


def test_a_suite_without_a_headline_shows_all():
    table = report.markdown(Run({}, (Summary("scifact", 9, 0, (Figure("ndcg@10", 0.711, 0.6, 0.8, 9),)),), ()))
    assert "| scifact | Order of the passages | 0.71 (0.60 to 0.80) | 9 |" in table


def test_a_suite_without_a_score_says_why():
    figures = (Figure("faithful", None, None, None, 0, {"no judge": 100, "abstained": 3}),)
    table = report.markdown(Run({}, (Summary("own", 103, 0, figures),), ()))
    assert "| own | Backed by the sources | not scored (100: no judge; 3: abstained) | 0 |" in table


@pytest.mark.parametrize(
    ("name", "words", "unit"),
    [
        ("right", "Right", "yes"),
        ("hit@3", "Right passage (first 3)", "yes"),
        ("recall@10", "Right documents found (first 10)", "share"),
        ("ndcg@5", "Order of the passages (first 5)", "index"),
        ("auroc:wice", "Checker tells apart: wice", "index"),
        ("a new one", "a new one", "number"),
    ],
)
def test_labels(name, words, unit):
    assert (label(name).words, label(name).unit) == (words, unit)


def test_bins_hold_every_value():
    for values in (
        [0.4],
        [2.0] * 5,
        [0.0, 0.0],
        [random.Random(1).lognormvariate(1, 0.5) for _ in range(999)] + [500],
    ):
        width, counts = report_plots.bins(values)
        assert sum(counts) == len(values)
        assert width > 0
        assert len(counts) <= report_plots.BARS


def test_an_interval_is_drawn_to_scale():
    drawn = report_plots.interval_svg(Figure("right", 0.5, 0.25, 1.0, 9), 1.0)
    assert '<line class="whisker" x1="42.5" x2="155.0"' in drawn
    assert 'cx="80.0"' in drawn
    assert report_plots.interval_svg(Figure("right", None, None, None, 0), 1.0) == ""


# ---- in the browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def page(chromium: Browser, tmp_path: Path) -> Iterator[Page]:
    """The report of 1,000 cases, from a file. Afterwards it must have asked for nothing and run nothing foreign."""
    run, documents = fake_run()
    path = tmp_path / "report.html"
    path.write_text(report.html(run, documents), "utf-8")
    tab = chromium.new_context(viewport={"width": 1280, "height": 800}).new_page()
    asked: list[str] = []
    complaints: list[str] = []
    tab.on("request", lambda request: asked.append(request.url))
    tab.on("console", lambda said: complaints.append(said.text) if said.type == "error" else None)
    tab.on("pageerror", lambda error: complaints.append(str(error)))
    tab.goto(path.as_uri())
    yield tab
    assert asked == [path.as_uri()]
    assert not complaints
    assert tab.evaluate("window.hurt") is None
    tab.context.close()


@pytest.mark.browser
def test_a_reader_filters_and_opens_a_case(page):
    rows = page.locator("#rows > li")
    expect(page.locator("#count")).to_contain_text("first 50 of 1,000 cases")
    expect(rows).to_have_count(50)
    page.click("#more")
    expect(rows).to_have_count(100)
    expect(rows.nth(50).locator("summary")).to_be_focused()
    wrong = page.locator("#marks button", has_text="Wrong")
    wrong.click()
    expect(wrong).to_have_attribute("aria-pressed", "true")
    expect(rows.locator(".case:not(.bad)")).to_have_count(0)
    page.click("#marks button >> text=All")
    page.select_option("#suite", label="seeds")
    expect(page.locator("#count")).to_contain_text("of 103 cases, of 1,000 in all")
    page.fill("#search", "china right seeds-00")
    expect(page.locator("#count")).not_to_contain_text("of 103")
    found = page.locator("#rows > li:has(.case.good)").first
    found.locator("summary").first.press("Enter")
    found.locator(".marker").first.click()
    card = found.locator(".quote.lit")
    expect(card).to_be_focused()
    sentence = found.locator(".sentences .text").first.text_content()
    assert " ".join(card.locator("mark").text_content().split()) == sentence


@pytest.mark.browser
def test_hostile_documents_and_unscored_cases(page):
    page.fill("#search", "hostile.html onerror")
    expect(page.locator("#count")).to_contain_text("of 1,000 in all")
    for case in page.locator("#rows .case").all()[:3]:
        case.locator("summary").first.click()
    expect(page.locator("#rows .body")).to_have_count(3)
    assert page.locator("#rows :is(img, script, svg)").count() == 0
    page.fill("#search", "")
    page.locator(".suite > summary", has_text="own").click()
    page.locator("button[data-suite=own][data-reason='abstained']").first.click()
    expect(page.locator("#count")).to_contain_text("without a score for “Backed by the sources”: abstained")
    expect(page.locator("#rows .outcome").first).to_contain_text("refused")
    page.click("text=Show the others too")
    expect(page.locator("#count")).to_contain_text("of 97 cases")


@pytest.mark.browser
def test_a_narrow_page_does_not_scroll_sideways(page):
    page.set_viewport_size({"width": 380, "height": 800})
    page.locator("#rows summary").first.click()
    assert page.evaluate("document.documentElement.scrollWidth") <= 380
