"""The performance-critical core: prompts in segments go in, text comes out. Knows nothing of documents or HTTP."""

from assistant.engine.engine import Engine, Weighing
from assistant.engine.grammar import schema_grammar
from assistant.engine.template import Turn
from assistant.engine.types import MAX_STOP_CHARS, Done, EngineConfig, Params, Piece, Segment

__all__ = [
    "MAX_STOP_CHARS",
    "Done",
    "Engine",
    "EngineConfig",
    "Params",
    "Piece",
    "Segment",
    "Turn",
    "Weighing",
    "schema_grammar",
]
