"""Every setting, its default and where its value came from. The only reader of environment and TOML.

Later sources win: defaults, `HOME/assistant.toml`, `./assistant.toml` (or the file `ASSISTANT_CONFIG` names),
environment `ASSISTANT_<SECTION>__<KEY>`, then what the command line passes to `load`.
"""

from __future__ import annotations

import os
import re
import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

import tomlkit
from platformdirs import user_data_path
from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    field_validator,
    model_validator,
)
from pydantic_core import PydanticCustomError
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
    SettingsError,
)

from assistant.errors import BadSettings, StorageError

CONFIG_NAME = "assistant.toml"


def _expanded(path: Path) -> Path:
    try:
        return path.expanduser().absolute()
    except RuntimeError as error:  # "~nobody/x"
        raise ValueError(f"{path}: {error}") from error


Folder = Annotated[Path, AfterValidator(_expanded)]

_BOOLEANS = {"true": "on", "1": "on", "false": "off", "0": "off"}


def _switched(value: object) -> object:
    """A boolean, which some of these settings were once, as "on" or "off". The environment has it as text."""
    return _BOOLEANS.get(str(value).lower(), value)


Switch = Annotated[Literal["auto", "on", "off"], BeforeValidator(_switched)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class ModelsSection(Section):
    folder: Folder = Field(
        default_factory=lambda: user_data_path("assistant-models", appauthor=False),
        description="where model files lie; shared by every ASSISTANT_HOME",
    )
    llm: str = Field("qwen2.5-coder-1.5b", description="catalog name, or path of a GGUF file")
    embedder: str = Field("all-minilm-l6-v2", description="catalog name of the embedding model")
    reranker: str = Field(
        "", description='catalog name of a cross-encoder; "": chunks are compared token by token only'
    )
    checker: str = Field("", description='catalog name of a groundedness model; "": the check does without')
    offline: bool = Field(False, description="true forbids `models pull` any network use")


class ChunksSection(Section):
    max_chars: int = Field(
        1000, ge=200, le=8000, description="longest chunk, in characters of English; others and digits count more"
    )
    overlap_chars: int = Field(0, ge=0, description="characters two neighbouring chunks share; at most half of them")

    @model_validator(mode="after")
    def _check(self) -> ChunksSection:
        if self.overlap_chars > self.max_chars // 2:
            raise ValueError(f"overlap_chars {self.overlap_chars} is more than half of max_chars {self.max_chars}")
        return self


class ReadSection(Section):
    ocr: Literal["auto", "off"] = Field("auto", description="auto: scans are read where tesseract is installed")
    ocr_languages: str = Field("eng", description="of scans, by tesseract's names, joined by +: eng+deu")

    @field_validator("ocr_languages")
    @classmethod
    def _check_languages(cls, value: str) -> str:
        if not re.fullmatch(r"\w[\w-]*(?:\+\w[\w-]*)*", value, re.ASCII):
            raise PydanticCustomError(
                "ocr_languages", "Input should be tesseract's names of languages joined by +, such as eng or eng+deu"
            )
        return value


class RetrieveSection(Section):
    k: int = Field(4, ge=1, le=50, description="hits that go into the prompt")
    rerank: bool = Field(
        True, description="compare the best chunks with the question: token by token, then by models.reranker"
    )


class EngineSection(Section):
    context_tokens: int = Field(8192, ge=512, description="KV cells shared by all sequences")
    max_sequences: int = Field(4, ge=1, le=64, description="answers generated side by side")
    queue: int = Field(16, ge=1, description="requests that may wait before Busy")
    threads: int = Field(0, ge=0, description="0: as `doctor --tune` found, else as many as physical cores")
    batch_tokens: int = Field(0, description="tokens of prompt read in one step, 16 to 2048; 0: as tuned, else 128")
    repack_weights: Switch = Field("auto", description="llama.cpp's use_extra_bufts; auto: as tuned, else off")
    flash_attention: Switch = Field("auto", description="auto: as tuned, else as llama.cpp chooses")
    kv_type: Literal["auto", "f16", "q8_0"] = Field("auto", description="of KV cells; auto: as tuned, else f16")
    drafts: Switch = Field("auto", description="guess tokens from the prompt; auto: as tuned, else off")
    gpu_layers: int = Field(-1, ge=-1, description="layers on the GPU, where there is one; -1: all")
    reuse: Literal["exact", "chunks"] = Field(
        "chunks",
        description="chunks: documents are read ahead, and the first word comes sooner; exact: common prefixes only",
    )
    cache_memory_mb: int = Field(512, ge=0, description="what the engine keeps of chunks, and as much again of talks")
    cache_disk_mb: int = Field(4096, ge=0, description="what it keeps of chunks in ASSISTANT_HOME/kv")

    @field_validator("batch_tokens")
    @classmethod
    def _check_batch(cls, value: int) -> int:
        if value and not 16 <= value <= 2048:
            # a ValueError would be told without the key and its source
            raise PydanticCustomError("batch_tokens", "Input should be 0, or from 16 to 2048")
        return value

    @model_validator(mode="after")
    def _check_cells(self) -> EngineSection:
        if self.kv_type == "q8_0" and self.flash_attention == "off":
            raise ValueError(
                "engine.kv_type q8_0 needs flash attention, and engine.flash_attention is off: set it to on or auto, "
                "or engine.kv_type to f16"
            )
        return self


class AnswerSection(Section):
    max_tokens: int = Field(512, ge=1, description="longest answer, in tokens; at most half the context")
    temperature: float = Field(0.0, ge=0.0, le=2.0)
    seed: int = Field(0, ge=0, lt=2**32 - 1, description="of the draw, where the temperature is above 0")
    timeout_s: float = Field(0.0, ge=0.0, description="after so many seconds an answer ends as it is; 0: never")
    history_tokens: int = Field(1024, ge=0, description="budget of the conversation so far; the oldest turns go first")


class TrustSection(Section):
    mode: Literal["strict", "show", "off"] = Field(
        "strict",
        description="strict: what no source says is left out; show: it is marked; off: nothing is checked",
    )


class ServerSection(Section):
    host: str = "127.0.0.1"
    port: int = Field(7860, ge=0, le=65535)
    api_key: SecretStr = Field(SecretStr(""), description="when set, the API asks for `Authorization: Bearer KEY`")
    max_upload_mb: int = Field(100, ge=1)


class Settings(BaseSettings):
    """All settings. `Settings()` reads every source; keyword arguments win over all of them.

    Raises pydantic's ValidationError; `load` turns it into BadSettings.
    """

    model_config = SettingsConfigDict(
        env_prefix="ASSISTANT_", env_nested_delimiter="__", extra="forbid", frozen=True, env_ignore_empty=True
    )

    home: Folder = Field(
        default_factory=lambda: user_data_path("assistant", appauthor=False),
        description="the one folder for documents, index and choices",
    )
    collection: str = Field("default", description="collection used when none is named")
    models: ModelsSection = ModelsSection()
    read: ReadSection = ReadSection()
    chunks: ChunksSection = ChunksSection()
    retrieve: RetrieveSection = RetrieveSection()
    engine: EngineSection = EngineSection()
    answer: AnswerSection = AnswerSection()
    trust: TrustSection = TrustSection()
    server: ServerSection = ServerSection()

    @model_validator(mode="after")
    def _check(self) -> Settings:
        if self.answer.max_tokens > self.engine.context_tokens // 2:
            half = f"half of engine.context_tokens {self.engine.context_tokens}"
            raise ValueError(f"answer.max_tokens {self.answer.max_tokens} is more than {half}")
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        files = [InitSettingsSource(settings_cls, _read_toml(path)) for path in reversed(config_files())]
        return (init_settings, env_settings, *files)


@dataclass(frozen=True, slots=True)
class Origin:
    """One setting as `assistant doctor` prints it. `source` names where the value came from."""

    key: str  # "section.key", or "key" at top level
    value: Any
    source: str


def load(**overrides: Any) -> Settings:
    """The settings, with `overrides` (nested mappings, as from the command line) on top.

    Raises BadSettings naming each wrong key, its value and the source it came from.
    """
    try:
        return Settings(**overrides)
    except SettingsError as error:
        raise BadSettings(f"{error}.", "A section is set key by key: ASSISTANT_RETRIEVE__K=6.") from error
    except ValidationError as error:
        lines = [_explain(dict(problem), overrides) for problem in error.errors()]
        raise BadSettings("; ".join(lines) + ".", "Correct it there.") from error


def origins(settings: Settings, overrides: Mapping[str, Any] | None = None) -> list[Origin]:
    """Each setting with its value and its source, in the order of declaration."""
    where = _sources(overrides or {})
    values = _flatten(settings.model_dump())
    return [Origin(key, value, where.get(key, "default")) for key, value in values]


def config_files() -> list[Path]:
    """The TOML files that exist, weakest first. Raises BadSettings when ASSISTANT_CONFIG names none."""
    named = os.environ.get("ASSISTANT_CONFIG")
    if named and not Path(named).is_file():
        raise BadSettings(f"ASSISTANT_CONFIG names {named}, which is not a file.", "Correct it or unset it.")
    candidates = [home_config(), Path(named) if named else Path(CONFIG_NAME)]
    return [path for path in candidates if path.is_file()]


def home_config() -> Path:
    """Path of the settings file inside ASSISTANT_HOME, whether or not it exists."""
    home = os.environ.get("ASSISTANT_HOME")
    if not home:
        return user_data_path("assistant", appauthor=False) / CONFIG_NAME
    return Path(os.path.expanduser(home)) / CONFIG_NAME  # noqa: PTH111 - it leaves "~nobody" to the check of `home`


def save(key: str, value: str | int | float | bool) -> Path:
    """Writes `section.key = value` to the settings file in ASSISTANT_HOME, keeping the rest of it as it is.

    Returns the file's path. Raises StorageError when it cannot be written.
    """
    path = home_config()
    section, _, name = key.partition(".")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        document = tomlkit.parse(path.read_text("utf-8")) if path.is_file() else tomlkit.document()
        table = document.setdefault(section, tomlkit.table())
        table[name] = value
        draft = path.with_suffix(".toml.part")
        draft.write_text(tomlkit.dumps(document), "utf-8")
        draft.replace(path)
    except OSError as error:
        raise StorageError(f"Cannot write {path}: {error.strerror}.", "Check the folder's permissions.") from error
    return path


def _read_toml(path: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(path.read_text("utf-8"))
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise BadSettings(f"{path} cannot be read as TOML: {error}.", "Correct that line.") from error


def _sources(overrides: Mapping[str, Any]) -> dict[str, str]:
    layers: list[tuple[str, Mapping[str, Any]]] = [(str(path), _read_toml(path)) for path in config_files()]
    layers.append(("environment", EnvSettingsSource(Settings)()))
    layers.append(("command line", overrides))
    return {key: name for name, values in layers for key, _ in _flatten(values)}


def _flatten(values: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def _explain(problem: Mapping[str, Any], overrides: Mapping[str, Any]) -> str:
    key = ".".join(str(part) for part in problem["loc"])
    if problem["type"] == "value_error":  # of a check over several settings
        return str(problem["ctx"]["error"])
    sources = _sources(overrides)
    source = next((where for name, where in sources.items() if f"{name}.".startswith(f"{key}.")), "default")
    if problem["type"] == "extra_forbidden":
        return f"There is no setting {key} (= {problem['input']!r}, from {source})"
    return f"Setting {key} = {problem['input']!r} (from {source}): {problem['msg']}"
