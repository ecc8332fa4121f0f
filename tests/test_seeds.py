"""The whole product on real parts: the default model over seeds/, through the chain, the page and the command line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import browsing, open_page, serving
from conftest import REPO, real_model

from assistant import api, settings, web
from assistant.chain import Assistant
from assistant.errors import EmptyQuestion, UnknownCollection
from assistant.records import Answer, Finished, Message, Retrieved, SentenceChecked, Token

pytestmark = pytest.mark.real

# Facts stated in seeds/: a question, words of which one has to be in the answer, and words the cited quotes must hold.
FACTS = [
    ("What rank did China have in the Global Innovation Index in 2024?", ["11"], ["11th"]),
    ("What was China's rank in the Global Innovation Index in 2012?", ["34"], ["34"]),
    ("How much did China spend on research and development in 2024?", ["3.6 trillion"], ["3.6 trillion yuan"]),
    ("How much is AstraZeneca investing in Beijing?", ["2.5 billion"], ["$2.5 billion"]),
    ("How many times was innovation mentioned in the recommendations for the 15th Five-Year Plan?", ["61"], ["61"]),
    ("How many countries take part in the first cooperation projects of China's space station?", ["17"], ["17"]),
    ("Which probe brought back samples from the far side of the moon?", ["Chang'e-6", "Chang’e-6"], ["Chang'e-6"]),
    ("How many science and technology clusters does China have in the top 100?", ["26"], ["26"]),
    ("What is the superconducting quantum computer prototype called?", ["Zuchongzhi"], ["Zuchongzhi"]),
    ("Which spokesperson said innovation is not about winning?", ["Lin"], ["Lin"]),
]


@pytest.fixture(scope="module")
def assistant(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Assistant]:
    real_model("qwen2.5-coder-1.5b")
    real_model("all-minilm-l6-v2")
    home = tmp_path_factory.mktemp("seeds")
    with Assistant.open(settings.load(home=home)) as opened:
        report = opened.ingest.add([REPO / "seeds"], "default")
        assert len(report.files) == 5
        yield opened


def documents(assistant: Assistant) -> dict[str, str]:
    infos = assistant.ingest.documents("default")
    return {info.id: assistant.ingest.document(info.id, "default").text for info in infos}


def check_form(assistant: Assistant, answer: Answer) -> None:
    """What every answer promises, whatever it says."""
    texts = documents(assistant)
    for citation in answer.citations:
        assert citation.quote == texts[citation.document_id][citation.start : citation.end]
        assert any(hit.chunk.document_id == citation.document_id for hit in answer.hits)
    for hit in answer.hits:
        assert hit.chunk.text == texts[hit.chunk.document_id][hit.chunk.start : hit.chunk.end]
    numbers = {citation.n for citation in answer.citations}
    assert {n for sentence in answer.sentences for n in sentence.citations} == numbers
    for sentence in answer.sentences:
        assert sentence.text + "".join(f" [{n}]" for n in sentence.citations) in answer.answer
    assert answer.timings.prompt_tokens > answer.timings.cached_tokens >= 0
    assert answer.timings.completion_tokens > 0


@pytest.fixture(scope="module")
def answers(assistant: Assistant) -> dict[str, Answer]:
    return {question: assistant.answer(question) for question, _, _ in FACTS}


def test_nine_of_ten_facts_are_right_and_their_quotes_hold_them(
    assistant: Assistant, answers: dict[str, Answer]
) -> None:
    wrong = {}
    for question, words, quoted in FACTS:
        answer = answers[question]
        check_form(assistant, answer)
        quotes = " ".join(citation.quote for citation in answer.citations)
        if not any(word in answer.answer for word in words) or not any(word in quotes for word in quoted):
            wrong[question] = (answer.answer, quotes)
    assert len(wrong) <= 1, wrong


def test_facts_are_supported_and_other_matters_are_no_answer(assistant: Assistant, answers: dict[str, Answer]) -> None:
    verdicts = [sentence.verdict for answer in answers.values() for sentence in answer.sentences]
    assert verdicts.count("supported") >= 0.8 * len(FACTS)
    assert "unsupported" not in verdicts
    others = ("Who invented the telephone?", "What is the population of Shanghai?", "How many moons does Mars have?")
    refused = [answer for answer in map(assistant.answer, others) if answer.abstained]
    assert len(refused) >= 2
    for answer in refused:
        assert answer.reason in ("not_supported", "out_of_scope")
        assert (answer.citations, answer.sentences) == ((), ())
        assert bool(answer.left_out) is (answer.reason == "not_supported")


def test_the_stream_gives_hits_first_and_joined_tokens_equal_the_answer(assistant: Assistant) -> None:
    events = list(assistant.stream("Who is Mao Ning?"))
    assert isinstance(events[0], Retrieved)
    assert isinstance(events[-1], Finished)
    answer = events[-1].answer
    assert "".join(event.text for event in events if isinstance(event, Token)) == answer.answer
    assert tuple(event.sentence for event in events if isinstance(event, SentenceChecked)) == answer.sentences
    assert events[0].hits == answer.hits


def test_a_follow_up_is_understood_from_the_conversation(assistant: Assistant) -> None:
    history = [
        Message("user", "What rank did China have in the Global Innovation Index in 2012?"),
        Message("assistant", "China ranked 34th in the Global Innovation Index in 2012. [1]"),
    ]
    answer = assistant.answer("And in 2019?", history=history)
    check_form(assistant, answer)
    assert "14" in answer.answer


def test_a_second_run_gives_the_same_answer(assistant: Assistant, answers: dict[str, Answer]) -> None:
    question = FACTS[0][0]
    assert assistant.answer(question).sentences == answers[question].sentences


def test_cancel_ends_an_answer_in_prefill(assistant: Assistant) -> None:
    cancel = threading.Event()
    events = assistant.stream("What do the sources say about robots, and about railways?", cancel=cancel)
    next(events)
    cancel.set()
    *_, last = events
    assert isinstance(last, Finished)
    assert last.answer.finish_reason == "cancelled"


def test_bad_questions_are_refused(assistant: Assistant) -> None:
    with pytest.raises(EmptyQuestion):
        assistant.answer(" \n")
    with pytest.raises(UnknownCollection, match="nowhere"):
        assistant.answer("Why?", collection="nowhere")


def test_the_chain_is_a_langchain_runnable(assistant: Assistant) -> None:
    message = assistant.runnable().invoke({"question": FACTS[0][0]})
    assert "11" in message.text
    assert message.usage_metadata is not None
    assert message.usage_metadata["output_tokens"] > 0


def test_the_page_answers_with_a_citation(assistant: Assistant) -> None:
    app = web.mount(api.create_app(assistant), assistant)
    with serving(app) as url, browsing() as browser:
        page = open_page(browser, url)
        page.ask(FACTS[0][0])
        assert "11" in page.answer()
        page.page.click("#now .marker >> nth=0")
        assert "11th" in page.lit_quote()
        page.check()


def test_nothing_is_fetched_after_set_up(assistant: Assistant, tmp_path: Path) -> None:
    """`assistant batch` in a process that has no network at all, not even loopback."""
    if not shutil.which("unshare") or subprocess.run(["unshare", "-rn", "true"], check=False).returncode:
        pytest.skip("needs the right to make a network namespace")
    line = json.dumps({"id": "1", "question": FACTS[0][0]})
    home = tmp_path / "home"
    command = ["unshare", "-rn", str(Path(sys.executable).with_name("assistant"))]
    environment = os.environ | {"ASSISTANT_HOME": str(home)}
    ingest = subprocess.run([*command, "ingest", str(REPO / "seeds")], env=environment, capture_output=True, text=True)
    assert ingest.returncode == 0, ingest.stderr
    batch = subprocess.run(
        [*command, "batch", "/dev/stdin"], input=line, env=environment, capture_output=True, text=True, check=True
    )
    answer = json.loads(batch.stdout)
    assert "11" in answer["answer"]
    assert answer["citations"][0]["quote"]
