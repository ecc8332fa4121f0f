"""How like a question each sentence of given passages is: what a search tells of those that it finds (`Hit.near`)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from assistant import late, models
from assistant.embedder import Embedder
from assistant.records import Hit, Span, headed
from assistant.settings import Settings


class Nearness:
    """Compares with one embedder; each text is read once."""

    def __init__(self, embedder: Embedder) -> None:
        self._embedder = embedder
        self._read: dict[str, tuple[bytes, list[Span]]] = {}

    @classmethod
    def open(cls, settings: Settings) -> Nearness:
        """With the embedder that the settings name. Raises UnknownModel, ModelMissing, ModelDamaged."""
        model = models.resolve(settings.models.embedder, settings.models.folder)
        return cls(Embedder(model.name, model.paths["model"], model.paths["tokenizer"], model.sha256))

    def of(self, question: str, hits: Sequence[Hit]) -> list[Hit]:
        """The hits, compared with the question where it can be."""
        if not late.comparable(question):
            return list(hits)
        tokens = self._embedder.read([question])[1][0]
        return [
            replace(hit, near=late.of_sentences([(tokens, 1.0)], hit.chunk, *self._tokens(headed(hit.chunk))))
            for hit in hits
        ]

    def _tokens(self, text: str) -> tuple[bytes, list[Span]]:
        if text not in self._read:
            (states,), (places,) = self._embedder.read([text])[1], self._embedder.places([text])
            self._read[text] = late.code(states), places
        return self._read[text]
