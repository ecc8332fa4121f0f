"""Settings: which source wins, and what a wrong value is answered with."""

from __future__ import annotations

from pathlib import Path

import pytest

from assistant import settings
from assistant.errors import BadSettings, StorageError


@pytest.fixture(autouse=True)
def _own_folders(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ASSISTANT_HOME", str(tmp_path / "home"))
    for name in ("ASSISTANT_CONFIG", "ASSISTANT_MODELS__FOLDER"):
        monkeypatch.delenv(name, raising=False)


def test_later_sources_win_and_each_origin_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "home").mkdir()
    (tmp_path / "home/assistant.toml").write_text("[retrieve]\nk = 1\n[answer]\nseed = 1\n[chunks]\nmax_chars = 301\n")
    (tmp_path / "assistant.toml").write_text("[retrieve]\nk = 2\n[answer]\nseed = 2\n")
    monkeypatch.setenv("ASSISTANT_ANSWER__SEED", "3")
    overrides = {"server": {"port": 9}}
    loaded = settings.load(**overrides)
    assert (loaded.retrieve.k, loaded.answer.seed, loaded.chunks.max_chars, loaded.server.port) == (2, 3, 301, 9)
    sources = {origin.key: origin.source for origin in settings.origins(loaded, overrides)}
    assert sources["retrieve.k"] == "assistant.toml"
    assert sources["chunks.max_chars"] == str(tmp_path / "home/assistant.toml")
    assert sources["answer.seed"] == "environment"
    assert sources["server.port"] == "command line"
    assert sources["server.host"] == "default"


@pytest.mark.parametrize(
    ("variable", "value"),
    [("ASSISTANT_RETRIEVE__K", "many"), ("ASSISTANT_RETRIEVE__K", "0"), ("ASSISTANT_ENGINE__TREADS", "2")],
)
def test_a_wrong_value_is_named_with_its_source(variable: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(variable, value)
    with pytest.raises(BadSettings, match=rf"{value}.*environment") as caught:
        settings.load()
    assert variable.split("__")[1].lower() in str(caught.value)


def test_broken_toml_is_named(tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text("[retrieve\n")
    with pytest.raises(BadSettings, match=r"assistant\.toml"):
        settings.load()


def test_the_api_key_is_never_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_SERVER__API_KEY", "hunter2")
    assert "hunter2" not in str(settings.origins(settings.load()))


def test_save_keeps_the_rest_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "home").mkdir()
    path = tmp_path / "home/assistant.toml"
    path.write_text("# mine\n[answer]\nseed = 7 # lucky\n")
    assert settings.save("models.llm", "other") == path
    assert settings.load().models.llm == "other"
    assert "# mine" in path.read_text()
    assert "# lucky" in path.read_text()


def test_save_where_nothing_can_be_written_is_said(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file where the folder should be")
    with pytest.raises(StorageError, match=r"assistant\.toml"):
        settings.save("models.llm", "other")


@pytest.mark.parametrize(("value", "taken"), [("true", "on"), ("false", "off"), ('"auto"', "auto"), ('"on"', "on")])
def test_a_switch_takes_booleans_too(value: str, taken: str, tmp_path: Path) -> None:
    (tmp_path / "assistant.toml").write_text(f"[engine]\nrepack_weights = {value}\n")
    assert settings.load().engine.repack_weights == taken


def test_a_switch_takes_booleans_from_the_environment_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ASSISTANT_ENGINE__REPACK_WEIGHTS", "False")
    assert settings.load().engine.repack_weights == "off"
    monkeypatch.setenv("ASSISTANT_ENGINE__REPACK_WEIGHTS", "maybe")
    with pytest.raises(BadSettings, match="repack_weights = 'maybe'"):
        settings.load()


def test_q8_cells_without_flash_attention_are_refused() -> None:
    with pytest.raises(BadSettings, match=r"kv_type q8_0 needs flash attention, and engine\.flash_attention is off"):
        settings.load(engine={"kv_type": "q8_0", "flash_attention": "off"})
    assert settings.load(engine={"kv_type": "q8_0"}).engine.kv_type == "q8_0"
