"""The benchmark: its prompts, its arithmetic, and what happens when an engine dies. The tiny model runs once."""

from __future__ import annotations

import importlib.util
import json
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from conftest import REPO, real_model
from test_tuning import entry

from assistant.errors import BadInput
from assistant.models import LocalModel
from assistant.records import Message
from assistant.settings import Settings
from evals import bench, bench_report, bench_start, peer_process, peers
from evals.bench_prompts import Asker, Drawer, Text, plain, texts
from evals.bench_report import Sample
from evals.peer_process import PeerFailed, Pipe, Runner
from evals.peers import LLAMA, NAMES, OURS, SERVER, Answer

WORDS = Text("words.txt", tuple(f" w{number}".encode() for number in range(400)))


def count(text: str) -> int:
    return len(text.split())


def asker(size: int = 50) -> Asker:
    return Asker(Drawer([WORDS], size), count, 8192)


# Prompts


def test_no_passage_begins_where_another_did() -> None:
    drawer = Drawer([WORDS], 50)
    hits = [hit for _ in range(60) for hit in drawer.hits()]
    assert len({hit.chunk.text.split()[0] for hit in hits}) == len(hits)
    assert {len(hit.chunk.text.split()) for hit in hits} == {50}


def test_the_same_passages_are_drawn_in_every_run() -> None:
    assert Drawer([WORDS], 50).hits() == Drawer([WORDS], 50).hits()


def test_too_little_text_is_said() -> None:
    drawer = Drawer([WORDS], 398)
    with pytest.raises(BadInput, match="too little text"):
        drawer.hits(4)


def test_a_folder_without_documents_is_said(tmp_path: Path) -> None:
    with pytest.raises(BadInput, match="has no "):
        texts(tmp_path, lambda text: [text.encode()])


def test_passages_begin_at_words_and_hold_whole_characters() -> None:
    text = Text("half.txt", (b"a", b"b", b" \xc3", b"\xa9", b" c"))
    found = [Drawer([text], 2, seed).hits(1)[0].chunk.text for seed in range(10)]
    assert set(found) == {"ab", "é"}


def test_every_engine_gets_the_same_text() -> None:
    hits = asker().hits()
    wire = asker().prompt("Why?", hits, [Message("user", "Who?"), Message("assistant", "Nobody.")])
    named = [name for message in wire for _, name in message["blocks"] if name]
    assert named == [hit.chunk.id for hit in hits]
    assert [message["role"] for message in plain(wire)] == ["system", "user", "assistant", "user"]
    assert all(hit.chunk.text in plain(wire)[1]["content"] for hit in hits)
    assert len(asker().reading(hits)) == len(hits)


# Arithmetic


def reply(*answers: Answer, wall_s: float = 2.0) -> dict:
    return {"wall_s": wall_s, "cpu_s": 2 * wall_s, "answers": [peers.asdict(answer) for answer in answers]}


def test_values_of_a_single_answer() -> None:
    one = reply(Answer("text", prompt_tokens=2000, cached_tokens=400, tokens=11, ttft_s=4.0, decode_s=5.0))
    assert bench.values("cold", one) == {
        "ttft_s": 4.0,
        "prefill_tok_s": 400.0,
        "cached_share": 0.2,
        "cores": 2.0,
        "prompt_tokens": 2000,
    }
    assert bench.values("decode", one) == {"tok_s": 2.0, "cores": 2.0}


def test_an_answer_of_one_token_has_no_speed() -> None:
    assert bench.values("decode", reply(Answer("", 10, 0, 1, 1.0, 0.0))) == {"tok_s": None, "cores": 2.0}


def test_values_of_several_users() -> None:
    both = reply(Answer("a", 10, 0, 6, 1.0), Answer("b", 10, 0, 4, 3.0))
    assert bench.values("users2", both) == {"tok_s": 5.0, "worst_ttft_s": 3.0}


def samples(case: str, metric: str, **seconds: list[float]) -> list[Sample]:
    return [Sample(case, name, n, {metric: one}) for name, row in seconds.items() for n, one in enumerate(row)]


def test_a_ratio_is_the_median_over_pairs() -> None:
    found = samples("warm", "ttft_s", ours=[1.0, 2.0, 30.0], llama=[2.0, 8.0, 10.0])
    assert bench_report.ratio(found, "warm", "ttft_s", LLAMA) == 0.5
    assert bench_report.median(found, "warm", "ttft_s", LLAMA) == 8.0


def test_a_repetition_that_one_engine_lacks_is_no_pair() -> None:
    found = samples("warm", "ttft_s", ours=[1.0, 2.0], llama=[2.0])
    assert bench_report.ratio(found, "warm", "ttft_s", LLAMA) == 0.5
    assert bench_report.ratio(found, "warm", "ttft_s", SERVER) is None


def test_the_promised_ratios_are_there() -> None:
    names = set(bench_report.ratios([]))
    assert names >= {
        *("ttft_warm_vs_llama", "ttft_warm_vs_server", "ttft_cold_vs_llama", "decode_vs_server"),
        *("users4_tok_s_vs_server", "users4_worst_ttft_vs_server"),
    }


def test_the_table_shows_what_was_not_measured_as_a_dash() -> None:
    found = samples("decode", "tok_s", ours=[10.0], llama=[5.0])
    rows = bench_report.rows(found)
    assert rows[0] == ("long answer", "tokens a second", "10.00", "5.00", "2.00", "-", "-", "1")
    assert rows[1][2:] == ("-", "-", "-", "-", "-", "0")
    assert len(bench_report.HEADINGS) == len(rows[0])


def test_notes_tell_what_makes_a_comparison_unequal() -> None:
    ours = {"reason": None, "repack": "on", "version": "1", "system": "CPU : AVX2 = 1 | AVX512 = 1 | "}
    dead = {"reason": "its process was ended by SIGSEGV", "repack": "off: crashed with it", "version": None}
    notes = bench_report.notes({OURS: ours, LLAMA: dead, SERVER: ours | {"system": "CPU : AVX2 = 1 | "}})
    assert "SIGSEGV" in notes[0]
    assert "weight repacking off: crashed with it" in notes[1]
    assert "without AVX512" in notes[2]


def test_unknown_cases_are_refused_and_needed_ones_implied() -> None:
    with pytest.raises(BadInput, match="frozen"):
        bench.Options(only=("frozen",))
    assert bench.Options(only=("followup",)).cases == {"followup", "cold"}
    assert bench.Options().cases == set(bench.CASES)


def test_the_estimate_grows_with_the_work() -> None:
    first = {name: reply(Answer("a", 330, 0, 24, ttft_s=3.0, decode_s=2.0)) for name in NAMES}
    short, whole = bench.Options(repeats=1, only=("cold",)), bench.Options()
    assert 0 < bench.estimate_s(short, first) < bench.estimate_s(whole, first)


def test_what_ran_is_told_with_its_source(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "read", lambda *args: entry())
    config = {
        "batch_tokens": 64,
        "draft_tokens": 2,
        "kv_type": "q8_0",
        "flash_attention": "on",
        "repack_weights": True,
    }
    told = bench._ran(config | {"queue": 1}, Settings(engine={"batch_tokens": 64}), LocalModel("m", "llm", {}, ""))
    assert {name: told[name] for name in config} == config
    assert "queue" not in told
    assert (told["sources"]["batch_tokens"], told["sources"]["draft_tokens"]) == ("setting", "tuning")
    assert told["sources"].keys() >= config.keys()


@pytest.mark.parametrize("case", bench_report.CASES)
def test_each_repetition_of_a_case_has_another_order(case: str) -> None:
    asked: list[str] = []

    class Fake:
        def __init__(self, name: str) -> None:
            self.name = name

        def do(self, job: dict) -> None:
            asked.append(self.name)

    run = bench.Bench(bench.Options(), {name: Fake(name) for name in NAMES}, asker())
    for repetition in range(len(NAMES)):
        run.measure(case, repetition, bench.everyone([[]]))
    size = len(NAMES)
    orders = [tuple(asked[at : at + size]) for at in range(0, len(asked), size)]
    assert len(set(orders)) == len({first for first, *_ in orders}) == size


def test_four_users_are_measured_in_every_repetition() -> None:
    whole, named, other = bench.Options(), bench.Options(only=("users",)), bench.Options(only=("cold",))
    assert [bench.several(whole, repetition) for repetition in range(3)] == [[2, 4], [4], [4, 8]]
    assert bench.several(bench.Options(repeats=1), 0) == [2, 4, 8]
    assert bench.several(named, 2) == [2, 4, 8]
    assert bench.several(other, 0) == []


def test_the_start_is_measured_in_a_home_like_the_users(tmp_path: Path) -> None:
    home = tmp_path / "mine"
    home.mkdir()
    bench_start._copy_choices(home, tmp_path / "bare")
    (home / "assistant.toml").write_text("[retrieve]\nk = 3\n")
    (home / "tuning.json").write_text("[]")
    (home / "notes.txt").write_text("private")
    bench_start._copy_choices(home, tmp_path / "full")
    assert [path.name for path in (tmp_path / "bare").iterdir()] == []
    assert {path.name for path in (tmp_path / "full").iterdir()} == {"assistant.toml", "tuning.json"}


# Processes

PROGRAM = """
import json, os, signal, sys
print("here I am", file=sys.stderr, flush=True)
for line in sys.stdin:
    job = json.loads(line)
    if job.get("die", job.get("repack")):
        os.kill(os.getpid(), signal.SIGSEGV)
    print(json.dumps({"version": "1"} if "repack" in job else {"did": job["op"]}), flush=True)
"""


def runner(tmp_path: Path, program: str) -> Runner:
    def start(name: str, log: Path) -> Pipe:
        return Pipe([sys.executable, "-c", program], log)

    return Runner(LLAMA, {}, tmp_path / "log", start)


def test_a_crash_with_repacking_is_survived_without(tmp_path: Path) -> None:
    peer = runner(tmp_path, PROGRAM)
    assert peer.do({"op": "ask"}) == {"did": "ask"}
    assert (peer.repack, peer.reason) == ("off: crashed with it", "")
    peer.close()
    assert (tmp_path / "log").read_text() == 2 * "here I am\n"  # what the first one said is still there


def test_only_ours_runs_with_our_spin_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "5000")
    monkeypatch.setattr(peer_process, "SPIN_COUNT_IS_OURS", True)
    counts = [peer_process._environment(name)["GOMP_SPINCOUNT"] for name in NAMES]
    assert counts == ["5000", "300000", "300000"]
    monkeypatch.setattr(peer_process, "SPIN_COUNT_IS_OURS", False)  # but the user's
    assert {peer_process._environment(name)["GOMP_SPINCOUNT"] for name in NAMES} == {"5000"}


def test_a_crash_without_repacking_ends_the_peer_and_says_why(tmp_path: Path) -> None:
    peer = runner(tmp_path, PROGRAM)
    assert peer.do({"op": "ask", "die": True}) is None
    assert "SIGSEGV" in peer.reason
    assert peer.do({"op": "ask"}) is None


def test_what_a_peer_lacks_is_its_reason(tmp_path: Path) -> None:
    peer = runner(tmp_path, """input(); print('{"error": "no such library"}')""")
    assert not peer.open()
    assert peer.reason == "no such library"
    assert peer.repack == "on"


def test_a_peer_that_hangs_is_ended(tmp_path: Path) -> None:
    pipe = Pipe([sys.executable, "-c", "import time; time.sleep(60)"], tmp_path / "log")
    with pytest.raises(PeerFailed, match="no answer within"):
        pipe.call({}, timeout_s=0.2)


def test_a_peer_ends_with_its_stdin(tmp_path: Path) -> None:
    pipe = peer_process._start(LLAMA, tmp_path / "log")
    assert pipe._process.stdin
    pipe._process.stdin.close()
    assert pipe._process.wait(timeout=60) == 0


def test_an_engine_that_cannot_open_says_so() -> None:
    def missing(job: dict) -> peers.Peer:
        raise RuntimeError("xllamacpp cannot be imported")

    told: list[dict] = []
    peers.serve(missing, iter([{}]), told.append)
    assert told == [{"error": "RuntimeError: xllamacpp cannot be imported"}]


def test_several_users_ask_at_once() -> None:
    class Fake:
        def facts(self) -> dict:
            return {}

        def answer(self, prompt: list, max_tokens: int, on_text: object) -> Answer:
            on_text()
            return Answer(prompt[0], 1, 0, 2)

    told = peers.together(Fake(), [["a"], ["b"]], 8)
    assert [answer["text"] for answer in told["answers"]] == ["a", "b"]
    assert all(0 <= answer["ttft_s"] <= told["wall_s"] for answer in told["answers"])


# For real


@pytest.mark.real
def test_the_tiny_model_runs_beside_its_peers(capfd: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    real_model("smollm2-135m")
    options = bench.Options(repeats=1, model="smollm2-135m", only=("followup", "memory"), documents=REPO / "seeds")
    bench.main(options, False, tmp_path / "result.json")
    out, _ = capfd.readouterr()
    result = json.loads(out.splitlines()[-1])
    assert json.loads((tmp_path / "result.json").read_text()) == result
    assert result["ttft_cold_vs_llama"] > 0
    assert result["medians"]["followup"]["cached_share"][OURS] > 0.8
    assert result["rss_gb"] > 0
    assert result["kv_mb_per_1000_tokens"] > 0
    assert result["ttft_warm_vs_llama"] is None
    if importlib.util.find_spec("xllamacpp") is None:
        assert "xllamacpp" in result["engines"][SERVER]["reason"]
        pytest.skip("xllamacpp is not installed: `make bench` installs it")
    assert result["ttft_cold_vs_server"] > 0


@pytest.mark.slow
@pytest.mark.real
def test_an_interruption_leaves_no_process(tmp_path: Path) -> None:
    real_model("smollm2-135m")
    command = [sys.executable, "-m", "evals.bench", "--model", "smollm2-135m", "--repeats", "50", "--only", "cold"]
    with subprocess.Popen(command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, text=True) as running:
        assert running.stderr
        next(line for line in running.stderr if "cold 1" in line)
        children = psutil.Process(running.pid).children(recursive=True)
        running.send_signal(signal.SIGINT)
        rest = running.stderr.read()
        assert running.wait(timeout=60) == 130
    assert "Traceback" not in rest
    assert children
    assert not psutil.wait_procs(children, timeout=10)[1]
