"""llama.cpp's products of matrices, as compiled here with the kernels in requirements/, against its plain ones."""

from __future__ import annotations

import ctypes
import platform
from pathlib import Path

import numpy as np
import pytest
from conftest import REPO
from numpy.typing import NDArray

import assistant.engine.backend  # noqa: F401  (first of all that loads llama.cpp)

import llama_cpp  # isort: skip

GEMM = "ggml_gemm_q4_K_8x8_q8_K"
THEIRS = "_of_llama_cpp"  # what llama.cpp's own are called where ours stand in their place
K_QUANTS = (
    "Q2_K",
    "Q3_K",
    "Q4_K",
    "Q5_K",
    "Q6_K",
    "IQ4_XS",
    "IQ3_XXS",
    "IQ3_S",
    "IQ2_XXS",
    "IQ2_XS",
    "IQ2_S",
    "IQ1_S",
)
PLAIN = 7  # columns, the most for which llama.cpp does not take the tiled kernel

Floats = NDArray[np.float32]


class Memory(ctypes.Structure):
    """ggml_init_params."""

    _fields_ = (("mem_size", ctypes.c_size_t), ("mem_buffer", ctypes.c_void_p), ("no_alloc", ctypes.c_bool))


def _library(name: str) -> ctypes.CDLL:
    folder = Path(llama_cpp.__file__).parent / "lib"
    files = [*folder.glob(f"lib{name}.so"), *folder.glob(f"lib{name}.dylib"), *folder.glob(f"{name}.dll")]
    if not files:
        pytest.skip(f"llama.cpp's library {name} is not in {folder}")
    return ctypes.CDLL(str(files[0]))


@pytest.fixture(scope="module")
def cpu() -> ctypes.CDLL:
    library = _library("ggml-cpu")
    library.ggml_cpu_init()  # fills the table of half floats that the plain product reads
    library.ggml_graph_compute_with_ctx.argtypes = (ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)
    return library


@pytest.fixture(scope="module")
def base() -> ctypes.CDLL:
    library = _library("ggml-base")
    pointer, size, whole = ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int64
    for name, result, arguments in (
        ("ggml_init", pointer, (Memory,)),
        ("ggml_free", None, (pointer,)),
        ("ggml_new_tensor_2d", pointer, (pointer, ctypes.c_int, whole, whole)),
        ("ggml_mul_mat", pointer, (pointer, pointer, pointer)),
        ("ggml_new_graph", pointer, (pointer,)),
        ("ggml_build_forward_expand", None, (pointer, pointer)),
        ("ggml_get_data", pointer, (pointer,)),
        ("ggml_row_size", size, (ctypes.c_int, whole)),
        ("ggml_quantize_chunk", size, (ctypes.c_int, pointer, pointer, whole, whole, whole, pointer)),
    ):
        getattr(library, name).restype, getattr(library, name).argtypes = result, arguments
    return library


def _extreme_columns(rng: np.random.Generator, count: int, width: int) -> Floats:
    """[count, width], of which the first are all -127, all 127 but for one, and 0 once they have 8 bits."""
    columns = rng.standard_normal((count, width)).astype(np.float32)
    columns[:3] = [[1], [-1], [0]]
    columns[1, ::256] = 1  # what is largest in a block, and first, becomes -127
    return columns


def _product(base: ctypes.CDLL, cpu: ctypes.CDLL, kind: int, weights: bytes, columns: Floats) -> Floats:
    """[columns, rows], by llama.cpp."""
    count, width = columns.shape
    rows = len(weights) // base.ggml_row_size(kind, width)
    context = base.ggml_init(Memory(64 << 20, None, False))
    left = base.ggml_new_tensor_2d(context, kind, width, rows)
    right = base.ggml_new_tensor_2d(context, llama_cpp.GGML_TYPE_F32, width, count)
    ctypes.memmove(base.ggml_get_data(left), weights, len(weights))
    ctypes.memmove(base.ggml_get_data(right), np.ascontiguousarray(columns).ctypes.data, columns.nbytes)
    product, graph = base.ggml_mul_mat(context, left, right), base.ggml_new_graph(context)
    base.ggml_build_forward_expand(graph, product)
    assert cpu.ggml_graph_compute_with_ctx(context, graph, 2) == 0
    data = ctypes.string_at(base.ggml_get_data(product), 4 * count * rows)
    base.ggml_free(context)
    return np.frombuffer(data, np.float32).reshape(count, rows)


@pytest.mark.parametrize("name", K_QUANTS)
@pytest.mark.parametrize(("width", "rows", "count"), [(256, 16, 9), (512, 16, 12), (768, 40, 16), (1536, 272, 83)])
def test_tiled_products(base: ctypes.CDLL, cpu: ctypes.CDLL, name: str, width: int, rows: int, count: int) -> None:
    rng, kind = np.random.default_rng(count), getattr(llama_cpp, f"GGML_TYPE_{name}")
    values = rng.standard_normal((rows, width)).astype(np.float32)
    values[:4] = 1  # codes as large as the type has: of types with a minimum, of symmetric ones, and their opposites
    values[0, ::32] = 0
    values[1, ::16] = -1
    values[2:4] = -values[:2]
    weights = ctypes.create_string_buffer(rows * base.ggml_row_size(kind, width))
    importance = np.ones(width, np.float32)
    base.ggml_quantize_chunk(kind, values.ctypes.data, weights, 0, rows, width, importance.ctypes.data)
    columns = _extreme_columns(rng, count, width)
    found = _product(base, cpu, kind, weights.raw, columns)
    few = [_product(base, cpu, kind, weights.raw, columns[at : at + PLAIN]) for at in range(0, count, PLAIN)]
    plain = np.vstack(few)
    np.testing.assert_allclose(found, plain, rtol=0, atol=1e-5 * float(np.abs(plain).max()))


def _repacked(rng: np.random.Generator, rows: int, width: int) -> bytes:
    """Random weights in llama.cpp's block_q4_Kx8: scales and minima of blocks, packed ones of subblocks, codes."""
    blocks = rows // 8 * width // 256
    ends = (rng.random((blocks, 16)) * 0.01).astype(np.float16).view(np.uint8)
    return np.hstack([ends, rng.integers(0, 256, (blocks, 96 + 1024), np.uint8)]).astype(np.uint8).tobytes()


def _columns(cpu: ctypes.CDLL, values: Floats) -> bytes:
    """Activations in llama.cpp's block_q8_Kx4, four columns together."""
    found = b""
    for first in range(0, len(values), 4):
        four = np.ascontiguousarray(values[first : first + 4])
        out = ctypes.create_string_buffer(1168 * four.shape[1] // 256)
        cpu.ggml_quantize_mat_q8_K_4x8(ctypes.c_void_p(four.ctypes.data), out, ctypes.c_int64(four.shape[1]))
        found += out.raw
    return found


@pytest.mark.parametrize(("width", "rows", "count"), [(256, 8, 4), (512, 24, 12), (1536, 16, 132), (256, 8, 260)])
def test_products_of_repacked_weights(cpu: ctypes.CDLL, width: int, rows: int, count: int) -> None:
    if not hasattr(cpu, GEMM) or not hasattr(cpu, f"{GEMM}_generic"):
        pytest.skip(f"this build of llama.cpp has no {GEMM}")
    rng = np.random.default_rng(width + count)
    weights = _repacked(rng, rows, width)
    columns = _extreme_columns(rng, count, width)
    values, found = _columns(cpu, columns), np.zeros((2, count, rows), np.float32)
    for out, name in zip(found, (GEMM, f"{GEMM}_generic"), strict=True):
        at = ctypes.c_void_p(out.ctypes.data)
        getattr(cpu, name)(width, at, ctypes.c_size_t(rows), weights, values, count, rows)
    np.testing.assert_allclose(found[0], found[1], rtol=0, atol=1e-5 * float(np.abs(found[1]).max()))


def _dot(cpu: ctypes.CDLL, name: str, width: int, weights: bytes, column: bytes) -> float:
    out, none = ctypes.c_float(), ctypes.c_size_t(0)
    getattr(cpu, name)(width, ctypes.byref(out), none, weights, none, column, none, 1)
    return out.value


def _quantized(cpu: ctypes.CDLL, name: str, values: Floats) -> bytes:
    """A column of activations as llama.cpp's block_q8_K."""
    out = ctypes.create_string_buffer(292 * len(values) // 256)
    getattr(cpu, name)(ctypes.c_void_p(values.ctypes.data), out, ctypes.c_int64(len(values)))
    return out.raw


@pytest.mark.parametrize("name", ["Q4_K", "Q6_K"])
@pytest.mark.parametrize("width", [256, 1536, 8960])
def test_products_of_a_row_are_llama_cpps_to_the_last_bit(
    base: ctypes.CDLL, cpu: ctypes.CDLL, name: str, width: int
) -> None:
    ours = f"ggml_vec_dot_{name.replace('Q', 'q')}_q8_K"
    if not hasattr(cpu, f"{ours}{THEIRS}"):
        pytest.skip(f"this build of llama.cpp has no {ours} of ours")
    rng, kind = np.random.default_rng(width), getattr(llama_cpp, f"GGML_TYPE_{name}")
    rows = 9
    values = rng.standard_normal((rows, width)).astype(np.float32)
    values[0], values[1], values[1, ::32] = 1, -1, 0
    size = base.ggml_row_size(kind, width)
    weights = ctypes.create_string_buffer(rows * size)  # the last row's prefetching goes beyond its end
    importance = np.ones(width, np.float32)
    base.ggml_quantize_chunk(kind, values.ctypes.data, weights, 0, rows, width, importance.ctypes.data)
    for values in _extreme_columns(rng, 5, width):
        column = _quantized(cpu, "quantize_row_q8_K", np.ascontiguousarray(values))
        for row in range(rows):
            at = weights.raw[row * size : (row + 1) * size]
            assert _dot(cpu, ours, width, at, column) == _dot(cpu, f"{ours}{THEIRS}", width, at, column)


def test_quantized_columns_are_llama_cpps_to_the_last_bit(cpu: ctypes.CDLL) -> None:
    if not hasattr(cpu, f"quantize_row_q8_K{THEIRS}"):
        pytest.skip("this build of llama.cpp has no quantize_row_q8_K of ours")
    rng = np.random.default_rng(5)
    columns = [*_extreme_columns(rng, 40, 1536), np.zeros(256, np.float32)]
    columns[6][:512] = np.tile([1.5, -1.5], 256)  # two are largest: the first one counts
    columns[7][:256] = np.arange(256) / 2 - 40.5  # and halves are rounded to even codes
    columns[8] *= 1e-30
    for values in columns:
        assert _quantized(cpu, "quantize_row_q8_K", values) == _quantized(cpu, f"quantize_row_q8_K{THEIRS}", values)


def test_the_kernels_are_in_the_build(cpu: ctypes.CDLL) -> None:
    build = REPO / ".venv" / ".build"
    if platform.machine() not in ("x86_64", "AMD64") or not build.exists() or "ASSISTANT_KERNELS" in build.read_text():
        pytest.skip("this build is not to have them")
    assert all(hasattr(cpu, f"{name}{THEIRS}") for name in (GEMM, "ggml_vec_dot_q4_K_q8_K", "quantize_row_q8_K"))
