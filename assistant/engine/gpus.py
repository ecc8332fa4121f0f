"""Which GPUs this build of llama.cpp sees."""

from __future__ import annotations

import ctypes
from pathlib import Path

from llama_cpp._ggml import libggml as ggml

from assistant.engine import logs
from assistant.engine.logs import llama

_GPU_TYPES = (1, 2)  # GGML_BACKEND_DEVICE_TYPE_GPU and _IGPU of ggml-backend.h


def gpu_facts() -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The GPU libraries that this build of llama.cpp has ("cuda", say), and the names of the GPUs they see.

    llama_supports_gpu_offload() is false both without a library and without a device, so the libraries' files tell
    which it is. The list of devices is ggml's own, which the bindings do not declare.
    """
    files = Path(llama.__file__).with_name("lib").glob("*ggml-*")
    built = {file.name.split("ggml-")[1].split(".")[0] for file in files} & {"cuda", "vulkan", "metal", "hip"}
    logs.keep()  # else a GPU library's greeting ends on stderr
    if not llama.llama_supports_gpu_offload():
        return tuple(sorted(built)), ()
    names = []
    ggml.ggml_backend_dev_get.restype = ctypes.c_void_p
    ggml.ggml_backend_dev_description.restype = ctypes.c_char_p
    for number in range(ggml.ggml_backend_dev_count()):
        device = ctypes.c_void_p(ggml.ggml_backend_dev_get(ctypes.c_size_t(number)))
        if ggml.ggml_backend_dev_type(device) in _GPU_TYPES:
            names.append(ggml.ggml_backend_dev_description(device).decode("utf-8", "replace"))
    return tuple(sorted(built)), tuple(names)
