"""Models in ONNX form, ready to run: the session and the tokenizer of a file, loaded alike for all that use them."""

from __future__ import annotations

from pathlib import Path

import onnxruntime  # type: ignore[import-untyped]
import psutil
from tokenizers import Tokenizer

from assistant.errors import ModelDamaged


def load_session(model: str, path: Path) -> onnxruntime.InferenceSession:
    """`model` is what an error calls it. Raises ModelDamaged when the file is none."""
    onnxruntime.disable_telemetry_events()
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.inter_op_num_threads = 1
    # Spinning threads would take the cores from the language model while nothing is being computed.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    try:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # the library's errors share no base class but Exception
        raise damaged(model, path, error) from error


def load_tokenizer(model: str, path: Path) -> Tokenizer:
    """Without the padding that the file asks for. Raises ModelDamaged when the file is none."""
    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises bare Exception
        raise damaged(model, path, error) from error
    tokenizer.no_padding()
    return tokenizer


def threads(wanted: int) -> int:
    """How many runs go side by side, each on a thread of its own; 0: one a physical core."""
    return wanted or psutil.cpu_count(logical=False) or 1


def damaged(model: str, path: Path, error: object) -> ModelDamaged:
    return ModelDamaged(f"The {model} cannot be loaded from {path}: {error}.", "Run `assistant models verify`.")
