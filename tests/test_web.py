"""The page: its handlers over the fake assistant, and the whole of it in Chromium."""

from __future__ import annotations

import asyncio
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from browser import Visit, browsing, open_page, serving
from conftest import wait_until
from fake_assistant import LIGHTHOUSE, MODEL_NAME, FakeAssistant
from playwright.sync_api import Browser, expect

from assistant.api import create_app
from assistant.errors import Busy, EngineFailed
from assistant.headers import POLICY
from assistant.reader import Reader, Reading
from assistant.render import reading_html
from assistant.settings import Settings
from assistant.web import FRAME_S, Asking, Page, mount

QUESTION = "When was the lighthouse on Skarv built?"
FIRST = "The lighthouse on Skarv was built in 1874."
ANSWER = f"{FIRST} [1] Its lamp is seen from 21 nautical miles. [2]"
HOSTILE = """<script>window.hurt = 1</script><img src="https://example.org/a.png" onerror="window.hurt = 2">
![picture](https://example.org/b.png) [link](https://example.org) ${window.hurt = 3} {{value}} lighthouse.
"""


@pytest.fixture
def fake(tmp_path: Path) -> FakeAssistant:
    return FakeAssistant(Settings(home=tmp_path))


# ---- handlers


def asked(page: Page, question: str, turns: list | None = None) -> list[dict]:
    async def drain() -> list[dict]:
        return [update async for update in page.ask(question, turns or [], "default")]

    return asyncio.run(drain())


def test_an_answer_streams_and_joins_the_session(fake):
    page = Page(fake)
    updates = asked(page, f"  {QUESTION} ")
    assert updates[0][page.box] == ""
    assert QUESTION in updates[0][page.now]
    (turn,) = updates[-1][page.turns]
    assert (turn.question, turn.text) == (QUESTION, ANSWER)
    assert "built in 1874" in updates[-1][page.now_sources]


def test_an_answer_on_the_page_counts_in_the_metrics_and_one_over_http_only_once(fake, monkeypatch):
    pages: list[Page] = []

    class Seen(Page):
        def __init__(self, *given: Any) -> None:
            super().__init__(*given)
            pages.append(self)

    monkeypatch.setattr("assistant.web.Page", Seen)
    with serving(mount(create_app(fake), fake)) as url:
        asked(pages[0], QUESTION)
        assert "assistant_ttft_seconds_count 1.0" in httpx.get(f"{url}metrics").text
        question = {"messages": [{"role": "user", "content": QUESTION}]}
        assert httpx.post(f"{url}v1/chat/completions", json=question).is_success
        assert "assistant_ttft_seconds_count 2.0" in httpx.get(f"{url}metrics").text


def test_a_second_question_carries_the_first_along(fake):
    page = Page(fake)
    turns = asked(page, QUESTION)[-1][page.turns]
    updates = asked(page, "And how far is it seen?", turns)
    assert [message.content for message in fake.calls[1].history] == [QUESTION, ANSWER]
    assert QUESTION in updates[0][page.past]
    assert QUESTION not in updates[0][page.now]
    assert len(updates[-1][page.turns]) == 2


def test_updates_are_paced(fake):
    fake.ingest.add_bytes("long.txt", ("word " * 400 + ".").encode(), "default")
    fake.token_delay_s = 0.002
    page = Page(fake)
    began = time.monotonic()
    updates = asked(page, "word")
    took = time.monotonic() - began
    assert "word " * 400 in updates[-1][page.turns][0].text + " "
    assert 3 <= len(updates) <= took / FRAME_S + 4


def test_sources_are_sent_only_when_they_change(fake):
    fake.token_delay_s = 0.06
    page = Page(fake)
    updates = asked(page, QUESTION)
    sent = [update[page.now_sources] for update in updates if page.now_sources in update]
    assert len(updates) > 10
    assert len(sent) <= 4  # begun, searched, cited, finished


@pytest.mark.parametrize(
    ("knob", "message"),
    [
        ({"error": Busy("Too many questions at once.", "Ask again soon.")}, "Too many questions at once. Ask again"),
        ({"error_after": (3, EngineFailed("The model stopped.", "Ask again."))}, "The model stopped. Ask again."),
    ],
)
def test_an_error_is_told_in_the_talk(fake, knob, message):
    vars(fake).update(knob)
    page = Page(fake)
    last = asked(page, QUESTION)[-1]
    shown = last[page.now].replace("</strong>", "")
    assert message in shown
    assert QUESTION in shown
    assert message in last[page.status]


def test_a_bug_is_told_and_goes_to_the_log(fake):
    fake.error = ZeroDivisionError("a bug")
    page = Page(fake)
    seen: list[dict] = []

    async def drain() -> None:
        async for update in page.ask(QUESTION, [], "default"):
            seen.append(update)

    with pytest.raises(ZeroDivisionError):
        asyncio.run(drain())
    assert "The assistant failed." in seen[-1][page.now]
    assert "a bug" not in seen[-1][page.now]


def test_reading_ahead_shows_in_one_line_and_only_where_there_is_some(tmp_path):
    for reuse, timers in (("exact", 0), ("chunks", 1)):
        page = Page(FakeAssistant(Settings(home=tmp_path, engine={"reuse": reuse})))
        assert sum(type(block).__name__ == "Timer" for block in page.blocks.blocks.values()) == timers
    assert "Reading documents ahead: 12 of 40 chunks" in reading_html(Reading("notes", 12, 40))
    assert reading_html(None) == ""


def test_an_added_document_wakes_the_reader(fake, tmp_path):
    reader = Reader(fake)
    page = Page(fake, reader)
    path = tmp_path / "note.txt"
    path.write_text("A note.")
    list(page.add([str(path)], "notes"))
    assert list(reader._wanted) == ["notes"]


def test_an_empty_question_asks_nothing(fake):
    page = Page(fake)
    assert asked(page, " \n ") == [{page.box: ""}]
    assert not fake.calls


def test_two_users_stream_side_by_side_and_one_that_leaves_stops(fake):
    fake.token_delay_s = 0.05
    page = Page(fake)

    async def leave_early() -> None:
        stream = page.ask(QUESTION, [], "default")
        for _ in range(6):
            await anext(stream)
        await stream.aclose()

    async def both() -> None:
        async def stay() -> None:
            assert [update async for update in page.ask(QUESTION, [], "default")]

        await asyncio.gather(stay(), leave_early())

    asyncio.run(both())
    wait_until(lambda: fake.active == 0)
    assert fake.most_active == 2
    assert fake.cancelled == 1


def test_stop_is_seen_while_the_prompt_is_read(fake):
    fake.prefill_s = 30
    page = Page(fake)

    async def stop() -> list[dict]:
        seen = []
        async for update in page.ask(QUESTION, [], "default"):
            seen.append(update)
            if "Reading" in update.get(page.now, ""):
                seen[0][page.asking].cancel.set()
        return seen

    began = time.monotonic()
    last = asyncio.run(stop())[-1]
    assert time.monotonic() - began < 5
    assert "Stopped." in last[page.now]


def test_uploads_are_ingested_one_by_one(fake, tmp_path):
    good, bad = tmp_path / "eel.md", tmp_path / "eel.exe"
    good.write_text("Eels. They swim.")
    bad.write_bytes(b"\0")
    page = Page(fake)
    told = [update[page.outcomes] for update in page.add([str(bad), str(good)], "default")]
    assert "Reading 2 of 2: eel.md" in told[1]
    assert "eel.exe</span> was not added: eel.exe is of a kind" in told[-1]
    assert "eel.md</span> added, 1 passage" in told[-1]
    assert "Eels" in [info.title for info in fake.ingest.documents("default")]


def test_two_who_upload_the_same_file_share_gradios_copy_of_it(fake, tmp_path):
    shared, gone = tmp_path / "eel.md", tmp_path / "gone.md"
    shared.write_text("Eels. They swim.")
    page = Page(fake)
    for became in ("added, 1 passage", "was here already"):
        *_, last = (update[page.outcomes] for update in page.add([str(gone), str(shared)], "default"))
        assert "gone.md</span> was not added: The upload cannot be read: No such file" in last
        assert f"eel.md</span> {became}" in last


def test_the_library_shows_the_chosen_collection(fake):
    fake.ingest.add_bytes("eel.md", b"Eels. They swim.", "fish")
    page = Page(fake)
    shown = page.show_library("fish", [], None)
    assert "Eels" in shown[page.documents]
    assert "What does “Eels” say?" in shown[page.now]
    assert page.now not in page.show_library("fish", [], Asking())  # an answer is being shown there
    assert "no documents" in page.show_library("nowhere", [], None)[page.documents]


# ---- the server


@pytest.fixture
def url(fake: FakeAssistant) -> Iterator[str]:
    with serving(mount(create_app(fake), fake)) as address:
        yield address


def test_the_page_forbids_other_hosts_and_leaves_the_api_alone(url):
    page = httpx.get(url)
    assert page.status_code == 200
    assert page.headers["content-security-policy"] == POLICY
    assert page.headers["referrer-policy"] == "no-referrer"
    api = httpx.get(f"{url}health")
    assert api.json()
    assert "content-security-policy" not in api.headers
    assert httpx.get(f"{url}v1/models").json()["data"][0]["id"] == MODEL_NAME


def test_the_page_says_why_nothing_is_checked(fake):
    def shown() -> str:
        return str(Page(fake).blocks.get_config_file())

    assert "not checked" not in shown()
    fake.unchecked = "Answers are not checked. <b> is not installed."
    assert "Answers are not checked. &lt;b&gt; is not installed." in shown()


def test_analytics_are_off(fake):
    assert os.environ["GRADIO_ANALYTICS_ENABLED"] == "False"
    assert not Page(fake).blocks.analytics_enabled


def test_with_a_key_the_page_asks_for_it(tmp_path):
    fake = FakeAssistant(Settings(home=tmp_path, server={"api_key": "sesame"}))
    with serving(mount(create_app(fake), fake)) as url, httpx.Client() as client:
        assert client.get(f"{url}config").status_code == 401
        wrong = client.post(f"{url}login", data={"username": "me", "password": "x"})
        assert wrong.status_code == 400
        right = client.post(f"{url}login", data={"username": "me", "password": "sesame"})
        assert right.status_code == 200
        assert client.get(f"{url}config").status_code == 200


def test_an_open_tab_does_not_hold_up_the_end(fake):
    with serving(mount(create_app(fake), fake)) as url:
        beats = threading.Thread(target=lambda: httpx.get(f"{url}gradio_api/heartbeat/abc", timeout=30))
        beats.start()
        time.sleep(0.5)
        ends = time.monotonic()
    beats.join()
    assert time.monotonic() - ends < 2


# ---- in the browser


@pytest.fixture(scope="module")
def chromium() -> Iterator[Browser]:
    with browsing() as browser:
        yield browser


@pytest.fixture
def visit(chromium: Browser, url: str) -> Iterator[Callable[..., Visit]]:
    """Opens tabs on the page. Afterwards none may have asked another host or complained."""
    visits: list[Visit] = []

    def open_tab(**options: object) -> Visit:
        visits.append(open_page(chromium, url, **options))
        return visits[-1]

    yield open_tab
    for one in visits:
        one.check()
        one.page.context.close()


@pytest.mark.browser
def test_a_question_is_answered_and_its_marker_opens_the_quote(fake, visit):
    fake.token_delay_s = 0.08
    tab = visit()
    tab.ask(QUESTION)
    expect(tab.page.locator("#now .answer")).to_contain_text("The lighthouse on")
    expect(tab.page.locator("#now .answer .writing")).to_be_visible()
    expect(tab.page.locator("#stop")).to_be_visible()
    assert tab.answer() == ANSWER
    tab.page.click("#now .marker >> nth=1")
    assert tab.lit_quote() == "Its lamp is seen from 21 nautical miles."
    expect(tab.page.locator("#sources article.lit h3")).to_contain_text("The lighthouse on Skarv was built in 1874")
    tab.page.click("#now .sentence >> nth=0")
    assert tab.lit_quote() == FIRST
    expect(tab.page.locator("#question textarea")).to_have_value("")
    expect(tab.page.locator("#send")).to_be_visible()


@pytest.mark.browser
def test_the_keyboard_reaches_a_quote_and_comes_back(visit):
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    tab.page.focus("#now .marker >> nth=0")
    tab.page.keyboard.press("Enter")
    expect(tab.page.locator("#sources article.lit")).to_be_focused()
    assert tab.lit_quote() == FIRST
    tab.page.keyboard.press("Escape")
    expect(tab.page.locator("#now .marker >> nth=0")).to_be_focused()


@pytest.mark.browser
def test_the_keyboard_reaches_a_quote_while_text_is_selected(visit):
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    tab.page.focus("#now .marker >> nth=0")
    tab.page.evaluate("window.getSelection().selectAllChildren(document.querySelector('#now .question'))")
    tab.page.keyboard.press("Enter")
    assert tab.lit_quote() == FIRST


@pytest.mark.browser
def test_a_copied_answer_is_without_what_a_screen_reader_hears(fake, visit):
    fake.trust = "strict"
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    tab.page.evaluate("document.activeElement.blur()")  # or what is copied would be the question's selection
    tab.page.evaluate("window.getSelection().selectAllChildren(document.querySelector('#now .answer'))")
    tab.page.keyboard.press("Control+C")
    tab.page.focus("#question textarea")
    tab.page.keyboard.press("Control+V")
    expect(tab.page.locator("#question textarea")).to_have_value(re.compile(re.escape(FIRST)))
    copied = tab.page.input_value("#question textarea")
    assert "Answer:" not in copied
    assert "In source" not in copied


@pytest.mark.browser
def test_text_runs_from_the_side_of_its_script(visit):
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    shown = "#sources .shown"
    for part in ("#now .question", "#now .answer", f"{shown} .about", f"{shown} h3", f"{shown} blockquote"):
        expect(tab.page.locator(part).first).to_have_css("unicode-bidi", "plaintext")
        expect(tab.page.locator(part).first).to_have_css("text-align", "start")


@pytest.mark.browser
def test_what_nothing_has_checked_shows_as_such_and_what_no_source_says_is_left_out(fake, visit):
    fake.trust, fake.invented, fake.token_delay_s = "strict", "It is of gold.", 0.3
    tab = visit()
    tab.page.evaluate(
        """() => {
          window.heard = [];
          const status = () => document.querySelector("#status [role=status]").textContent;
          new MutationObserver(() => { if (status() !== window.heard.at(-1)) window.heard.push(status()); })
            .observe(document.getElementById("status"), { childList: true, subtree: true, characterData: true });
          const half = () => document.querySelector("#now .pending")?.textContent.includes("It is of");
          new MutationObserver(() => { window.half ||= half(); })  // it stands there for a third of a second
            .observe(document.getElementById("now"), { childList: true, subtree: true, characterData: true });
        }"""
    )
    tab.ask(QUESTION)
    expect(tab.page.locator("#now .pending")).to_contain_text("The lighthouse")
    expect(tab.page.locator("#now .checking")).to_have_text("checking…")
    expect(tab.page.locator("#now .sentence")).to_have_count(0)
    expect(tab.page.locator("#now .sentence.supported")).to_have_text(f"{FIRST}✓ In source 1")
    tab.page.wait_for_function("window.half")
    assert tab.answer() == ANSWER
    expect(tab.page.locator("#now .pending, #now .checking")).to_have_count(0)
    heard = list(filter(None, tab.page.evaluate("window.heard")))
    assert heard[0] == "Searching the documents…"
    assert heard.count("Checking…") == 1
    assert sum(FIRST in text for text in heard) == 1
    assert heard[-1].endswith("Answer complete, 2 citations. 1 sentence left out.")
    left_out = tab.page.locator("#now .left-out")
    expect(left_out.locator("s")).to_be_hidden()
    left_out.locator("summary").focus()
    tab.page.keyboard.press("Enter")
    expect(left_out.locator("s")).to_have_text("It is of gold.")
    expect(left_out.locator("s")).to_have_css("text-decoration-line", "line-through")


@pytest.mark.browser
def test_in_show_mode_what_no_source_says_is_struck_through(fake, visit):
    fake.trust, fake.invented, fake.verdicts = "show", "It is of gold.", ("supported", "unchecked")
    tab = visit()
    tab.ask(QUESTION)
    assert "It is of gold." in tab.answer()
    for verdict, line, words in (
        ("supported", "none", "✓"),
        ("unsupported", "line-through", "✗ not in the sources"),
        ("unchecked", "underline", "? not checked"),
    ):
        sentence = tab.page.locator(f"#now .sentence.{verdict}")
        expect(sentence.locator(".said")).to_have_css("text-decoration-line", line)
        expect(sentence.locator(".verdict")).to_have_text(words)
        expect(sentence.locator(".verdict")).to_be_visible()
    expect(tab.page.locator("#now .sentence.unsupported")).not_to_have_attribute("tabindex", "0")
    expect(tab.page.locator("#now .note")).to_have_count(0)


@pytest.mark.browser
def test_an_answer_that_nothing_checked_says_so_once(fake, visit):
    fake.trust, fake.verdicts = "strict", ("unchecked",)
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    expect(tab.page.locator("#now .turn")).to_contain_text("This answer was not checked against the sources.")
    expect(tab.page.locator("#now .verdict")).to_have_count(0)
    expect(tab.page.locator("#now footer")).not_to_contain_text("checked")


@pytest.mark.browser
def test_pointing_at_a_sentence_marks_its_quote_and_moves_nothing(fake, visit):
    fake.trust = "strict"
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    tab.page.hover("#now .sentence >> nth=1")
    expect(tab.page.locator("#sources mark.hint")).to_have_text("Its lamp is seen from 21 nautical miles.")
    expect(tab.page.locator("#sources mark.lit")).to_have_count(0)
    tab.page.hover("#now .marker >> nth=0")
    expect(tab.page.locator("#sources mark.hint")).to_have_text(FIRST)
    tab.page.hover("#now .question")
    expect(tab.page.locator("#sources .hint")).to_have_count(0)


@pytest.mark.browser
def test_the_keyboard_walks_from_sentence_to_sentence(fake, visit):
    fake.trust = "strict"
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    first, second = (tab.page.locator(f"#now .sentence >> nth={n}") for n in (0, 1))
    tab.page.focus("#question textarea")
    tab.page.keyboard.press("Shift+Tab")
    expect(second).to_be_focused()
    tab.page.keyboard.press("Shift+Tab")
    expect(first).to_be_focused()
    expect(tab.page.locator("#sources mark.hint")).to_have_text(FIRST)
    for key in ("Enter", "Space"):
        tab.page.keyboard.press(key)
        expect(tab.page.locator("#sources article.lit")).to_be_focused()
        assert tab.lit_quote() == FIRST
        tab.page.keyboard.press("Escape")
        expect(first).to_be_focused()
    expect(tab.page.get_by_role("button", name=f"{FIRST} In source 1")).to_be_focused()
    tab.page.keyboard.press("Tab")
    expect(second).to_be_focused()


@pytest.mark.browser
def test_focus_stays_on_a_sentence_while_more_of_them_come(fake, visit):
    fake.trust, fake.token_delay_s = "strict", 0.15
    tab = visit()
    tab.ask(QUESTION)
    first = tab.page.locator("#now .sentence >> nth=0")
    first.focus()
    tab.page.evaluate("window.kept = document.activeElement")
    assert tab.answer() == ANSWER
    expect(first).to_be_focused()
    assert tab.page.evaluate("window.kept === document.activeElement")  # so a screen reader goes on where it is


@pytest.mark.browser
def test_an_abstention_offers_passages_that_are_no_sources(fake, visit):
    fake.trust, fake.abstains, fake.invented = "strict", "not_supported", "It is of gold."
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    heading = tab.page.get_by_role("heading", name="No answer. The documents do not answer this question.")
    expect(heading).to_be_visible()
    expect(tab.page.locator("#now .answer.abstained")).to_contain_text("Nearest is")
    expect(tab.page.locator("#now :is(.sentence, .marker, .verdict)")).to_have_count(0)
    expect(tab.page.locator("#now .left-out")).to_contain_text("1 sentence left out")
    expect(tab.page.get_by_role("heading", name="Nearest passages")).to_be_visible()
    expect(tab.page.get_by_role("heading", name="Sources")).to_be_hidden()
    expect(tab.page.locator("#sources")).to_contain_text("They do not answer the question: suggestions, not sources.")
    expect(tab.page.locator("#sources details.passage >> nth=0")).to_contain_text(LIGHTHOUSE)
    fake.abstains = None
    tab.ask(QUESTION)
    expect(tab.page.locator("#now .sentence")).to_have_count(2)
    expect(tab.page.get_by_role("heading", name="Sources")).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_every_state_can_be_read(fake, visit, scheme):
    fake.trust, fake.invented, fake.verdicts = "show", "It is of gold.", ("supported", "unchecked")
    tab = visit(scheme=scheme)
    tab.ask(QUESTION)
    tab.answer()
    states = ".supported .verdict", ".unsupported .said", ".unsupported .verdict", ".unchecked .verdict", ".marker"
    told = {state: tab.contrast(f"#now {state}") for state in states}
    tab.page.click("#now .sentence >> nth=0")
    told |= {
        part: tab.contrast(part)
        for part in ("#now .sentence.lit .said", "#now .sentence.lit .verdict", "#now .marker.lit", "mark.lit")
    }
    fake.trust, fake.token_delay_s = "strict", 0.3
    tab.ask(QUESTION)
    for part in ("#now .pending", "#now .checking"):
        tab.page.wait_for_selector(part)
        told[part] = tab.contrast(part)
    fake.token_delay_s = 0
    tab.page.wait_for_selector("#now footer")
    tab.page.click("#now .left-out summary")
    told |= {part: tab.contrast(f"#now .left-out {part}") for part in ("summary", "s")}
    fake.abstains = "no_hits"
    tab.ask(QUESTION)
    tab.page.wait_for_selector("#now .no-answer")
    told |= {part: tab.contrast(part) for part in ("#now .no-answer", "#now .abstained", ".suggested .empty")}
    assert {part: ratio for part, ratio in told.items() if ratio < 4.5} == {}  # WCAG 2.2, 1.4.3


@pytest.mark.browser
@pytest.mark.parametrize(("prefill_s", "token_delay_s"), [(30, 0), (0, 0.5)])
def test_stop_ends_a_slow_answer(fake, visit, prefill_s, token_delay_s):
    fake.prefill_s, fake.token_delay_s = prefill_s, token_delay_s
    tab = visit()
    tab.ask(QUESTION)
    expect(tab.page.locator("#now .turn")).to_contain_text("Reading 2 passages" if prefill_s else "The lighthouse")
    tab.page.fill("#question textarea", "The next question")
    tab.page.press("#question textarea", "Enter")  # while an answer comes, Enter sends nothing and loses nothing
    tab.page.click("#stop")
    expect(tab.page.locator("#now footer")).to_contain_text("Stopped.")
    expect(tab.page.locator("#send")).to_be_visible()
    expect(tab.page.locator("#question textarea")).to_have_value("The next question")
    assert fake.cancelled == 1
    assert len(fake.calls) == 1


@pytest.mark.browser
def test_a_reload_in_the_middle_stops_the_answer_and_starts_anew(fake, visit):
    fake.token_delay_s = 0.4
    tab = visit()
    tab.ask(QUESTION)
    expect(tab.page.locator("#now .answer")).to_contain_text("The lighthouse")
    tab.page.reload()
    expect(tab.page.locator("#now .welcome")).to_be_visible()
    tab.complaints.clear()  # the page that went away told of its broken connection
    wait_until(lambda: fake.active == 0)
    assert fake.cancelled == 1
    fake.token_delay_s = 0
    tab.ask(QUESTION)
    assert tab.answer() == ANSWER
    assert fake.calls[-1].history == ()


@pytest.mark.browser
def test_each_tab_has_its_own_conversation_and_both_stream_at_once(fake, visit):
    fake.token_delay_s = 0.1
    one, other = visit(), visit()
    one.ask(QUESTION)
    other.ask("How many boats are in the harbour?")
    assert one.answer() == ANSWER
    assert "311 boats" in other.answer()
    assert fake.most_active == 2
    one.ask("And when did the keeper leave?")
    wait_until(lambda: len(fake.calls) == 3)
    assert [message.content for message in fake.calls[2].history] == [QUESTION, ANSWER]


@pytest.mark.browser
def test_an_older_marker_brings_its_own_sources_back(visit):
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    tab.ask("How many boats are in the harbour?")
    expect(tab.page.locator("#now .answer")).to_contain_text("311 boats")
    tab.answer()
    expect(tab.page.locator("#sources .sources.shown")).to_contain_text("harbour.txt")
    tab.page.click("#past .marker >> nth=0")
    assert tab.lit_quote() == FIRST
    expect(tab.page.locator("#sources .sources.shown")).to_have_count(1)


@pytest.mark.browser
def test_new_chat_forgets_the_talk_and_stops_what_runs(fake, visit):
    tab = visit()
    tab.ask(QUESTION)
    tab.answer()
    fake.token_delay_s = 0.4
    tab.ask("And how far is it seen?")
    expect(tab.page.locator("#now .question")).to_contain_text("how far")
    expect(tab.page.locator("#now .answer")).to_contain_text("The lighthouse")
    tab.page.click("#new-chat")
    expect(tab.page.locator("#now .welcome")).to_be_visible()
    expect(tab.page.locator("#past .turn")).to_have_count(0)
    wait_until(lambda: fake.active == 0)
    fake.token_delay_s = 0
    tab.page.wait_for_timeout(500)
    expect(tab.page.locator("#now .welcome")).to_be_visible()  # the old answer does not come back
    tab.ask(QUESTION)
    assert tab.answer() == ANSWER
    assert fake.calls[-1].history == ()


@pytest.mark.browser
def test_a_question_that_fails_is_not_lost(fake, visit):
    fake.error = Busy("Too many questions at once.", "Ask again soon.")
    tab = visit()
    tab.ask(QUESTION)
    expect(tab.page.locator("#now .failure")).to_contain_text("Too many questions at once. Ask again soon.")
    expect(tab.page.locator("#question textarea")).to_have_value(QUESTION)
    fake.error = None
    tab.page.press("#question textarea", "Enter")
    assert tab.answer() == ANSWER


@pytest.mark.browser
def test_a_document_is_data_and_never_runs(fake, visit):
    fake.ingest.delete(next(info.id for info in fake.ingest.documents("default")), "default")
    fake.ingest.add_bytes("<img src=x onerror=hurt()>.md", HOSTILE.encode(), "default")
    tab = visit()
    tab.ask(f"lighthouse {HOSTILE}")
    tab.answer()
    tab.page.click("#sources summary >> nth=0")
    assert tab.page.evaluate("window.hurt") is None
    assert tab.page.locator("#panes :is(#talk, #sources, #library) :is(img, script, a)").count() == 0
    expect(tab.page.locator("#sources")).to_contain_text("<script>window.hurt = 1</script>")


@pytest.mark.browser
def test_documents_are_added_and_deleted(fake, visit, tmp_path):
    paper = tmp_path / "eel.md"
    paper.write_text("Eels. They swim.")
    tab = visit()
    tab.page.set_input_files("#upload input[type=file]", paper)
    expect(tab.page.locator("#outcomes")).to_contain_text("eel.md added, 1 passage")
    expect(tab.page.locator("#documents li")).to_have_count(3)
    tab.page.once("dialog", lambda dialog: dialog.dismiss())
    tab.page.click("[aria-label='Delete Eels']")
    expect(tab.page.locator("#documents li")).to_have_count(3)
    tab.page.once("dialog", lambda dialog: dialog.accept())
    tab.page.click("[aria-label='Delete Eels']")
    expect(tab.page.locator("#outcomes")).to_contain_text("Eels was deleted")
    expect(tab.page.locator("#documents li")).to_have_count(2)
    assert len(fake.ingest.documents("default")) == 2


@pytest.mark.browser
def test_another_collection_is_asked_when_chosen(fake, visit):
    fake.ingest.add_bytes("eel.md", b"Eels. They swim.", "fish")
    tab = visit()
    tab.page.click("#collection input")
    tab.page.get_by_role("option", name="fish (1 document)").click()
    expect(tab.page.locator("#documents li")).to_have_count(1)
    tab.page.click(".example")
    expect(tab.page.locator("#question textarea")).to_have_value("What does “Eels” say?")
    tab.page.press("#question textarea", "Enter")
    assert "They swim." in tab.answer()
    assert fake.calls[-1].collection == "fish"


@pytest.mark.browser
def test_a_narrow_page_does_not_scroll_sideways_and_shows_the_quote(visit):
    tab = visit(width=400, height=800)
    tab.ask(QUESTION)
    tab.answer()
    assert tab.page.evaluate("document.documentElement.scrollWidth") <= 400
    tab.page.click("#now .marker >> nth=0")
    assert tab.lit_quote() == FIRST
    expect(tab.page.locator("#sources mark.lit")).to_be_in_viewport()
    tab.page.click("#sources .lit .back")
    expect(tab.page.locator("#now .marker >> nth=0")).to_be_in_viewport()
    tab.page.click("#docs-toggle")
    expect(tab.page.locator("#documents")).to_contain_text("lighthouse.txt")


@pytest.mark.browser
def test_a_server_that_stops_ends_the_answer_and_says_so(fake, chromium):
    fake.prefill_s = 60
    with serving(mount(create_app(fake), fake)) as url:
        tab = open_page(chromium, url)
        tab.ask(QUESTION)
        expect(tab.page.locator("#now .waiting")).to_contain_text("Reading")
        ends = time.monotonic()
    assert time.monotonic() - ends < 10  # neither the answer's minute nor the server's patience
    assert fake.cancelled == 1
    expect(tab.page.locator("#now .failure")).to_contain_text("The server was stopped.")
    tab.page.context.close()


@pytest.mark.browser
def test_older_answers_are_not_drawn_again_while_one_streams(fake, visit):
    tab = visit()
    for number in range(3):
        tab.ask(f"{QUESTION} {number}")
        expect(tab.page.locator("#now .question")).to_contain_text(f"built? {number}")
        tab.answer()
    fake.token_delay_s = 0.1
    tab.ask("And again?")
    expect(tab.page.locator("#past .turn")).to_have_count(3)
    expect(tab.page.locator("#now .answer")).to_contain_text("The lighthouse")
    tab.page.evaluate(
        """() => {
          window.drawn = { past: 0, now: 0 };
          for (const id of ["past", "now"]) {
            new MutationObserver((all) => { window.drawn[id] += all.length; })
              .observe(document.getElementById(id), { childList: true, subtree: true, characterData: true });
          }
        }"""
    )
    tab.answer()
    drawn = tab.page.evaluate("window.drawn")
    assert drawn["now"] > 3
    assert drawn["past"] == 0


def test_the_fake_says_what_the_tests_expect():
    assert LIGHTHOUSE.startswith(FIRST)
