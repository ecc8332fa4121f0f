"""Cross-encoders of a few kilobytes, made by code: real ONNX files and tokenizers whose scores can be counted by hand.

A score is how many words of one text the other has, less those that it lacks. Words that the tokenizer does not know
count for nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Literal

import onnx
from onnx import TensorProto, helper
from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
_INPUTS = ("input_ids", "attention_mask", "token_type_ids")


def tokenizer(path: Path, texts: Iterable[str], pair: bool = True) -> Path:
    """Knows the words of `texts`, without case. As files of real models do, it asks for padding and truncation."""
    words = sorted({word for text in texts for word in re.findall(r"\w+|[^\w\s]", text.lower())})
    vocabulary = {word: number for number, word in enumerate([*SPECIAL, *words])}
    made = Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]"))
    made.add_special_tokens(list(SPECIAL))
    made.normalizer = normalizers.Lowercase()
    made.pre_tokenizer = pre_tokenizers.Whitespace()
    if pair:
        made.post_processor = processors.TemplateProcessing(
            single="[CLS] $A [SEP]",
            pair="[CLS] $A [SEP] $B:1 [SEP]:1",
            special_tokens=[("[CLS]", vocabulary["[CLS]"]), ("[SEP]", vocabulary["[SEP]"])],
        )
    made.enable_padding(length=64)
    made.enable_truncation(8)
    path.parent.mkdir(parents=True, exist_ok=True)
    made.save(str(path))
    return path


def counting(path: Path, asks: Literal["first", "second"] = "first", classes: int = 1, yes: int = 0) -> Path:
    """Output `yes` is the score of the words of the text that `asks`; the other outputs are 0. Output [1, classes]."""
    own = "second" if asks == "first" else "first"
    nodes = [
        *_floats("is_second", "token_type_ids"),
        helper.make_node("Sub", ["one", "is_second"], ["is_first"]),
        helper.make_node("Greater", ["input_ids", "last_special"], ["known"]),
        *_floats("word", "known"),
        helper.make_node("Mul", ["word", f"is_{asks}"], ["asked"]),
        helper.make_node("Mul", ["word", f"is_{own}"], ["had"]),
        helper.make_node("Unsqueeze", ["input_ids", "axis_2"], ["rows"]),
        helper.make_node("Unsqueeze", ["input_ids", "axis_1"], ["columns"]),
        helper.make_node("Equal", ["rows", "columns"], ["equal"]),
        *_floats("same", "equal"),
        helper.make_node("Unsqueeze", ["had", "axis_1"], ["having"]),
        helper.make_node("Mul", ["same", "having"], ["met"]),
        helper.make_node("ReduceMax", ["met", "axis_2"], ["found"], keepdims=0),
        helper.make_node("Mul", ["found", "two"], ["twice"]),
        helper.make_node("Sub", ["twice", "one"], ["sign"]),
        helper.make_node("Mul", ["asked", "sign"], ["each"]),
        helper.make_node("ReduceSum", ["each", "axis_1"], ["score"], keepdims=1),
        helper.make_node("Sub", ["score", "score"], ["zero"]),
        helper.make_node("Concat", ["score" if n == yes else "zero" for n in range(classes)], ["logits"], axis=1),
    ]
    return _save(path, nodes, _INPUTS, ["batch", classes])


def measuring(path: Path) -> Path:
    """Of each token the outputs are 0 and its own number: [1, tokens, 2]. It takes no token types."""
    nodes = [
        helper.make_node("Unsqueeze", ["input_ids", "axis_2"], ["column"]),
        *_floats("number", "column"),
        helper.make_node("Sub", ["number", "number"], ["zero"]),
        helper.make_node("Concat", ["zero", "number"], ["logits"], axis=2),
    ]
    return _save(path, nodes, _INPUTS[:2], ["batch", "tokens", 2])


def _floats(name: str, given: str) -> list[onnx.NodeProto]:
    return [helper.make_node("Cast", [given], [name], to=TensorProto.FLOAT)]


def _save(path: Path, nodes: list[onnx.NodeProto], inputs: Iterable[str], output: list[str | int]) -> Path:
    constants = [
        helper.make_tensor("one", TensorProto.FLOAT, [], [1.0]),
        helper.make_tensor("two", TensorProto.FLOAT, [], [2.0]),
        helper.make_tensor("axis_1", TensorProto.INT64, [1], [1]),
        helper.make_tensor("axis_2", TensorProto.INT64, [1], [2]),
        helper.make_tensor("last_special", TensorProto.INT64, [], [len(SPECIAL) - 1]),
    ]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.INT64, ["batch", "tokens"]) for name in inputs],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, output)],
        constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=9)
    onnx.checker.check_model(model)
    path.parent.mkdir(parents=True, exist_ok=True)
    onnx.save(model, str(path))
    return path
