"""What a layer of the model holds when it is about to write: a look at one tensor while llama.cpp computes it.

llama.cpp asks a callback about each tensor of a step (`cb_eval`); all but a few steps it is told "no" at once, which
costs well under a millisecond. llama.cpp's own way to hidden states gives the last layer's only, and computes the
logits of every token for them. On a GPU the callback would end the replay of graphs, so there it is not set.
"""

from __future__ import annotations

import ctypes
import logging
from collections.abc import Callable
from typing import Any

import numpy as np
from llama_cpp._ggml import libggml as ggml
from numpy.typing import NDArray

Hidden = NDArray[np.float32]

log = logging.getLogger(__name__)

ggml.ggml_get_name.argtypes, ggml.ggml_get_name.restype = [ctypes.c_void_p], ctypes.c_char_p
ggml.ggml_get_data.argtypes, ggml.ggml_get_data.restype = [ctypes.c_void_p], ctypes.c_void_p
ggml.ggml_nelements.argtypes, ggml.ggml_nelements.restype = [ctypes.c_void_p], ctypes.c_int64


class Watch:
    """Keeps what `layer`, counted from 0, gave out for the tokens of the latest step, while somebody wants it.

    `wanted` is by how many; `width` the length of a hidden state.
    """

    def __init__(self, layer: int, width: int) -> None:
        self.wanted = 0
        self._name = f"l_out-{layer}".encode()
        self._width = width
        self._rows = np.empty((0, width), np.float32)
        self._callback: Any = None  # llama.cpp holds no reference to it

    def attach(self, params: Any) -> None:
        """Has a context that is made with `params` call us."""
        self._callback = type(params.cb_eval)(self._see)
        params.cb_eval = self._callback

    def row(self, index: int) -> Hidden | None:
        """The hidden state of the token at `index` of the latest step; None where nothing was seen of it."""
        return self._rows[index] if index < len(self._rows) else None

    def _see(self, tensor: int, asks: bool, _data: int) -> bool:
        """Asked first whether the tensor is of interest, then, if so, with its values there; True: go on."""
        if asks:
            return self.wanted > 0 and ggml.ggml_get_name(tensor) == self._name
        size = ggml.ggml_nelements(tensor)
        values = ctypes.cast(ggml.ggml_get_data(tensor), ctypes.POINTER(ctypes.c_float))
        self._rows = np.ctypeslib.as_array(values, (size,)).reshape(-1, self._width).copy()
        return True


class Look:
    """One look at a watch, at the first token that is sampled."""

    def __init__(self, watch: Watch, tell: Callable[[Hidden], bool]) -> None:
        self._watch: Watch | None = watch
        self._tell = tell
        watch.wanted += 1

    def goes_on(self, index: int) -> bool:
        """Tells what was seen, the first time only, and returns the answer to it. True where nothing was seen, and
        where telling it failed, as an exception here would end the answer.
        """
        hidden = self._watch.row(index) if self._watch else None
        self.close()
        try:
            return hidden is None or self._tell(hidden)
        except Exception:
            log.exception("Who watched an answer begin failed.")
            return True

    def close(self) -> None:
        if self._watch:
            self._watch.wanted -= 1
        self._watch = None
