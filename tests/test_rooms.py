"""The owner table: which room may import which library, and which rooms may import which."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent / "assistant"

OWNERS = {
    "charset_normalizer": {"decode"},
    "chromadb": {"index"},
    "fastapi": {"api", "listen", "web"},
    "filelock": {"ingest", "models", "shared_folder"},
    "gradio": {"web"},
    "huggingface_hub": {"hub"},
    "PIL": {"read_picture"},
    "jinja2": {"engine.template"},
    "langchain_core": {"chain", "runnables"},
    "llama_cpp": {"engine.gpus", "engine.grammar", "engine.logs", "engine.sampler", "engine.watch"},
    "onnxruntime": {"sessions"},
    "lxml": {"markup"},
    "platformdirs": {"settings"},
    "prometheus_client": {"metrics"},
    "psutil": {"doctor", "engine.backend", "sandbox", "sessions", "tuning"},
    "pydantic_settings": {"settings"},
    "pypdfium2": {"pdf_drawn", "pdf_page", "read_pdf"},
    "python_calamine": {"read_tables"},
    "rich": {"terminal"},
    "py3langid": {"languages"},
    "sentencex": {"sentences"},
    "sqlite3": {"database"},
    "starlette": {"api"},
    "striprtf": {"read_rich"},
    "tokenizers": {"embedder", "pairs", "sessions"},
    "tomlkit": {"settings"},
    "tomllib": {"settings"},
    "typer": {"cli", "cli_bench", "cli_doctor", "cli_documents", "cli_eval", "cli_models"},
    "uvicorn": {"listen"},
    "watchfiles": {"ingest"},
}

LEAVES = {"records", "errors", "question", "sentences", "where"}
# What each stage may import beside leaves. The first names are the rooms that wire stages together.
STAGES = {
    "documents": {"content", "decode", "formats", "metadata", "sandbox"},
    "metadata": {"dates", "front_matter", "names", "statements"},
    "chunks": {"sections"},
    "embedder": {"sessions"},
    "pairs": {"sessions"},
    "index": {"flat", "late", "shared_folder"},
    "flat": {"database"},
    "late": {"database"},
    "library": {"database", "filters", "lexical", "repeats", "schema", "unread"},
    "filters": {"database"},
    "repeats": {"boilerplate", "database", "likeness", "schema"},
    # it is handed the first four, and names their types
    "retrieve": {"embedder", "index", "library", "pairs", "boilerplate", "hints", "late", "likeness"},
    "terms": {"dates", "languages", "numerals"},
    "numerals": set(),
    "passages": {"dates", "terms"},
    "prompt": {"passages"},
    "languages": set(),
    "translate": {"languages"},
    "cite": {"languages", "terms"},
    "evidence": {"dates", "terms"},
    "logistic": set(),
    "probe": set(),
    "check": {"conflict", "evidence", "languages", "logistic", "orders", "probe"},
    "groundedness": {"pairs", "terms"},
    "abstain": {"passages"},
    "conflict": {"cite", "dates", "evidence", "numerals", "terms"},
    "attribution": {"dates", "names", "terms"},
    "orders": {"terms"},
    "pertinent": {"dates", "terms"},
    "draft": {"attribution", "cite", "conflict", "evidence", "markers", "terms"},
    "walk": {"formats"},
}
WIRING = {"chain", "finding", "ingest", "ingest_run", "opening", "runnables", "writing"}
DOORS = {"cli", "cli_bench", "cli_doctor", "cli_documents", "cli_eval", "cli_models", "web", "api", "batch", "doctor"}
WIRED = WIRING | {
    "models",
    "settings",
    "tesseract",
    "tuning",
    "wire",
}  # what doors may import, beside each other, leaves and their own helpers
DOOR_HELPERS = {
    *("bridge", "guard", "listen", "metrics", "openai_errors", "openai_wire", "sse"),
    *("headers", "reader", "render", "render_sources", "turns"),
    "imports",
    "terminal",
}


def modules() -> dict[str, ast.Module]:
    return {
        ".".join(path.relative_to(ROOT).with_suffix("").parts): ast.parse(path.read_text("utf-8"))
        for path in sorted(ROOT.rglob("*.py"))
    }


def imported(tree: ast.Module) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


def rooms_imported(tree: ast.Module) -> set[str]:
    """First part of each `assistant.ROOM` import."""
    return {name.split(".")[1] for name in imported(tree) if name.startswith("assistant.")}


MODULES = modules()


@pytest.mark.parametrize("library", OWNERS)
def test_only_its_owner_imports_a_library(library: str) -> None:
    users = {
        name for name, tree in MODULES.items() if any(f"{used}.".startswith(f"{library}.") for used in imported(tree))
    }
    assert users <= OWNERS[library]


def test_records_and_errors_import_none_of_ours() -> None:
    assert not rooms_imported(MODULES["records"])
    assert not rooms_imported(MODULES["errors"])


@pytest.mark.parametrize("stage", sorted(STAGES))
def test_a_stage_imports_leaves_and_what_is_its_own(stage: str) -> None:
    assert rooms_imported(MODULES[stage]) <= LEAVES | STAGES[stage]


@pytest.mark.parametrize("name", sorted(set(MODULES) - WIRING - set(STAGES)))
def test_only_the_wiring_imports_stages(name: str) -> None:
    assert not rooms_imported(MODULES[name]) & set(STAGES)


@pytest.mark.parametrize("door", sorted(DOORS))
def test_doors_hold_no_pipeline(door: str) -> None:
    assert rooms_imported(MODULES[door]) <= LEAVES | WIRED | DOORS | DOOR_HELPERS


def test_the_engine_knows_nothing_of_documents_or_doors() -> None:
    for name in (name for name in MODULES if name.startswith("engine.")):
        assert rooms_imported(MODULES[name]) <= {"engine", "errors"}, name


@pytest.mark.parametrize("name", sorted(MODULES))
def test_rooms_stay_small(name: str) -> None:
    tree = MODULES[name]
    lines = max((node.end_lineno or 0 for node in ast.walk(tree) if hasattr(node, "end_lineno")), default=0)
    assert lines <= 370
    functions = (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef))
    assert not [f.name for f in functions if (f.end_lineno or 0) - f.lineno > 50]
