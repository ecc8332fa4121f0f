"""The performance-critical core: prompts in segments go in, text comes out. Knows nothing of documents or HTTP."""

import os

# Read by GNU OpenMP when llama.cpp loads it. By its default a thread that waits for others spins for milliseconds,
# several hundred times a token; with any other program on the same cores a token then takes up to 30 times as long.
os.environ.setdefault("GOMP_SPINCOUNT", "5000")

from assistant.engine.engine import Engine
from assistant.engine.grammar import schema_grammar
from assistant.engine.template import Turn
from assistant.engine.types import Done, EngineConfig, Params, Piece, Segment

__all__ = ["Done", "Engine", "EngineConfig", "Params", "Piece", "Segment", "Turn", "schema_grammar"]
