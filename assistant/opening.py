"""Models on their way: the language model, loading in a thread of its own while libraries are imported and the index
is opened, and those that the settings may name beside it.
"""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Literal

from assistant import models
from assistant.engine import Engine
from assistant.errors import ModelDamaged, ModelMissing
from assistant.probe import Probe
from assistant.settings import Settings
from assistant.tuning import engine_config

if TYPE_CHECKING:
    from assistant.pairs import CrossEncoder


@dataclass(frozen=True, slots=True)
class Loading:
    """A model on its way. Whoever starts it closes it, unless it was handed to `Assistant.open`."""

    name: str
    sha256: str
    engine: Future[Engine]

    @classmethod
    def start(cls, settings: Settings) -> Loading:
        """Raises ModelMissing, ModelDamaged and BadInput at once; what llama.cpp says of the file comes with the
        engine.
        """
        llm = models.resolve(settings.models.llm, settings.models.folder, "llm")
        probe = Probe.of(llm.sha256) if settings.trust.mode != "off" else None
        config = replace(engine_config(settings, llm.sha256), watch_layer=probe.layer if probe else None)
        pool = ThreadPoolExecutor(1)
        engine = pool.submit(Engine.open, llm.paths["model"], config)
        pool.shutdown(wait=False)
        return cls(llm.name, llm.sha256, engine)

    def close(self) -> None:
        """Waits until it is loaded, and closes it."""
        if not self.engine.exception():
            self.engine.result().close()


def cross_encoder(settings: Settings, role: Literal["reranker", "checker"]) -> CrossEncoder | None:
    """The model that the settings name for a role; None where they name none.

    Raises UnknownModel, ModelMissing and ModelDamaged.
    """
    name: str = getattr(settings.models, role)
    if not name:
        return None
    from assistant.pairs import CrossEncoder  # onnxruntime takes a while to import

    try:
        local, model = models.resolve(name, settings.models.folder, role), models.catalog[name]
        assert model.pairing is not None  # each of these roles has one
        return CrossEncoder(
            name,
            local.paths["model"],
            local.paths["tokenizer"],
            tokens=model.context_tokens,
            threads=settings.engine.threads,
            **asdict(model.pairing),
        )
    except (ModelMissing, ModelDamaged) as error:
        raise type(error)(error.message, f'{error.hint} Or do without it: set models.{role} to "".') from error
