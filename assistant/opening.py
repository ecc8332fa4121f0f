"""The language model, loading in a thread of its own while libraries are imported and the index is opened."""

from __future__ import annotations

from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace

from assistant import models
from assistant.engine import Engine
from assistant.probe import Probe
from assistant.settings import Settings
from assistant.tuning import engine_config


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
