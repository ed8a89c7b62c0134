"""`python -m muonscope gguf`: a run, or a folder of `muonscope export hf`, as a GGUF file for llama.cpp, written by the package `gguf`.

Facts about llama.cpp (its architectures, the order of rotated rows, its keys) are those of its conversion scripts and src/models."""

from __future__ import annotations

import argparse
import json
import math
import os
import sys
import tempfile
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ._gguf_tokenizer import Metadata, tokenizer_metadata
from ._library import Error
from ._program import StrPath, error_of, path_argument, run_program
from ._weights import Weights

_FILE_TYPES = {"f32": 0, "f16": 1, "bf16": 32}  # gguf.LlamaFileType


_SIZES = (
    "num_hidden_layers",
    "hidden_size",
    "intermediate_size",
    "num_attention_heads",
    "num_key_value_heads",
    "vocab_size",
    "max_position_embeddings",
)


class Tensor(NamedTuple):
    name: str  # in GGUF
    shape: Tuple[int, ...]
    source: str  # the tensor of the folder
    heads: int = 0  # rows of each of so many heads are reordered; 0: as they are
    values: Optional[np.ndarray] = None  # instead of a source


class Plan(NamedTuple):
    architecture: str
    metadata: Metadata
    tensors: List[Tensor]
    notes: List[str]


def _sizes(config: Dict[str, Any], where: str) -> Dict[str, int]:
    found = {name: config.get(name) for name in _SIZES}
    if found["num_key_value_heads"] is None:
        found["num_key_value_heads"] = found["num_attention_heads"]
    for name, value in found.items():
        if not isinstance(value, int) or value < 1:
            raise Error(f"{where}: {name} is {json.dumps(value)}, must be a whole number, at least 1")
    found["head_dim"] = config.get("head_dim") or found["hidden_size"] // found["num_attention_heads"]
    if found["head_dim"] % 2:
        raise Error(f"{where}: head_dim is {found['head_dim']}, must be even")
    return found


def _architecture(config: Dict[str, Any], where: str) -> str:
    """llama.cpp's name of it."""
    type_, activation = config.get("model_type"), config.get("hidden_act")
    if type_ not in ("llama", "qwen2", "qwen3"):
        raise Error(f"{where}: model_type {type_}: llama, qwen2 and qwen3 are written, which `muonscope export hf` makes")
    for name in ("attention_bias", "mlp_bias", "use_sliding_window"):
        if config.get(name):
            raise Error(f"{where}: {name} is true, which the models of muonscope have not")
    if activation == "silu":
        return type_
    if activation != "relu":
        raise Error(f"{where}: hidden_act {activation}: silu is written, and relu where each gate is its up: model.activation swiglu or relu2")
    if type_ != "llama":
        what, key = ("a norm of queries and keys", "qk_norm") if type_ == "qwen3" else ("biases of queries and keys", "qkv_bias")
        raise Error(
            f"{where}: llama.cpp has no architecture with relu(z)^2 and {what}. A run with model.activation swiglu, or with attention.{key} "
            "false, could be written; transformers has it"
        )
    return "arcee"


def _rope(config: Dict[str, Any], architecture: str, head_dim: int, where: str) -> Tuple[Metadata, List[Tensor]]:
    parameters = config.get("rope_parameters") or {"rope_theta": config.get("rope_theta", 10000.0), **(config.get("rope_scaling") or {})}
    base, type_ = float(parameters.get("rope_theta", 10000.0)), parameters.get("rope_type", parameters.get("type", "default"))
    made: Metadata = [("add_rope_freq_base", base), ("add_rope_dimension_count", head_dim)]
    if type_ == "default":
        return made, []
    factor = float(parameters["factor"])
    if type_ == "linear":
        return made + [("add_rope_scaling_type", type_), ("add_rope_scaling_factor", factor)], []
    if type_ != "llama3":
        raise Error(f"{where}: rope_type {type_}: default, linear and llama3 are written")
    if architecture.startswith("qwen"):
        key = "qk_norm" if architecture == "qwen3" else "qkv_bias"
        raise Error(
            f"{where}: llama.cpp's {architecture} has no rope_type llama3. A run with attention.rope_scaling linear or none, or with "
            f"attention.{key} false, could be written"
        )
    # By how much each frequency is divided (Llama 3.1): not at all where many waves fit into the older length, by all of it where few do.
    low, high = float(parameters["low_freq_factor"]), float(parameters["high_freq_factor"])
    waves = parameters["original_max_position_embeddings"] * base ** (-np.arange(0, head_dim, 2) / head_dim) / (2 * math.pi)
    between = np.clip((waves - low) / (high - low), 0, 1)
    values = (1 / ((1 - between) / factor + between)).astype(np.float32)
    return made, [Tensor("rope_freqs.weight", values.shape, "", values=values)]


def _tensors(config: Dict[str, Any], sizes: Dict[str, int], architecture: str) -> List[Tensor]:
    """llama.cpp rotates rows (2i, 2i + 1) of a head in `llama` and `arcee`, and (i, i + half) in `qwen2` and `qwen3`, as transformers does
    everywhere."""
    width, size, feed = sizes["hidden_size"], sizes["head_dim"], sizes["intermediate_size"]
    q, kv = sizes["num_attention_heads"], sizes["num_key_value_heads"]
    turned = architecture in ("llama", "arcee")
    made = [Tensor("token_embd.weight", (sizes["vocab_size"], width), "model.embed_tokens.weight")]
    for i in range(sizes["num_hidden_layers"]):
        parts = [
            ("attn_norm", (width,), "input_layernorm", 0),
            ("attn_q", (q * size, width), "self_attn.q_proj", q * turned),
            ("attn_k", (kv * size, width), "self_attn.k_proj", kv * turned),
            ("attn_v", (kv * size, width), "self_attn.v_proj", 0),
            ("attn_output", (width, q * size), "self_attn.o_proj", 0),
            ("ffn_norm", (width,), "post_attention_layernorm", 0),
            ("ffn_up", (feed, width), "mlp.up_proj", 0),
            ("ffn_down", (width, feed), "mlp.down_proj", 0),
        ]
        if architecture == "qwen3":
            parts += [("attn_q_norm", (size,), "self_attn.q_norm", 0), ("attn_k_norm", (size,), "self_attn.k_norm", 0)]
        if architecture != "arcee":
            parts += [("ffn_gate", (feed, width), "mlp.gate_proj", 0)]
        made += [Tensor(f"blk.{i}.{name}.weight", shape, f"model.layers.{i}.{source}.weight", heads) for name, shape, source, heads in parts]
        if architecture == "qwen2":
            biases = [("q", q), ("k", kv), ("v", kv)]
            made += [Tensor(f"blk.{i}.attn_{x}.bias", (n * size,), f"model.layers.{i}.self_attn.{x}_proj.bias") for x, n in biases]
    made.append(Tensor("output_norm.weight", (width,), "model.norm.weight"))
    if not config.get("tie_word_embeddings"):
        made.append(Tensor("output.weight", (sizes["vocab_size"], width), "lm_head.weight"))
    return made


def _check(weights: Weights, config: Dict[str, Any], tensors: List[Tensor], where: str) -> None:
    """The folder has these tensors, and no others but copies."""
    shapes, copies = weights.shapes(), []
    for tensor in tensors:
        if tensor.values is not None:
            continue
        if tensor.source not in shapes:
            raise Error(f"{where}: no tensor {tensor.source}: {tensor.shape} is wanted")
        if shapes[tensor.source] != tensor.shape:
            raise Error(f"{where}: {tensor.source} is {shapes[tensor.source]}, by config.json {tensor.shape}")
        if config["hidden_act"] == "relu" and ".up_proj." in tensor.source:
            gate = tensor.source.replace(".up_proj.", ".gate_proj.")
            copies.append((gate, tensor.source, "relu with a gate of its own is in no architecture of llama.cpp"))
    if config.get("tie_word_embeddings") and "lm_head.weight" in shapes:
        copies.append(("lm_head.weight", "model.embed_tokens.weight", "config.json says that they are tied"))
    for copy, source, why in copies:
        if copy not in shapes:
            raise Error(f"{where}: no tensor {copy}: {shapes[source]} is wanted")
        if not np.array_equal(weights.read(copy), weights.read(source)):
            raise Error(f"{where}: {copy} is not {source}: {why}")
    surplus = set(shapes) - {tensor.source for tensor in tensors} - {copy for copy, _, _ in copies}
    if surplus:
        raise Error(f"{where}: nothing takes the tensor {min(surplus)} {shapes[min(surplus)]}")


def make_plan(folder: Path, weights: Weights, *, run: Optional[Path] = None, ignore_normalizer: bool = False) -> Plan:
    """What a GGUF file of a Hugging Face folder holds.  run: that the folder was made of, for names and messages.

    muonscope.Error: what llama.cpp has no counterpart for, named."""
    where = str(run or folder / "config.json")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        if not isinstance(config, dict):
            raise ValueError("no object")
    except (OSError, ValueError) as error:
        raise Error(f"{where}: {error}") from error
    architecture, sizes = _architecture(config, where), _sizes(config, where)
    notes: List[str] = []
    metadata: Metadata = [
        ("add_name", (run or folder).resolve().name),
        ("add_vocab_size", sizes["vocab_size"]),
        ("add_context_length", sizes["max_position_embeddings"]),
        ("add_embedding_length", sizes["hidden_size"]),
        ("add_block_count", sizes["num_hidden_layers"]),
        ("add_feed_forward_length", sizes["intermediate_size"]),
        ("add_head_count", sizes["num_attention_heads"]),
        ("add_head_count_kv", sizes["num_key_value_heads"]),
        ("add_key_length", sizes["head_dim"]),
        ("add_value_length", sizes["head_dim"]),
    ]
    try:
        metadata.append(("add_layer_norm_rms_eps", float(config["rms_norm_eps"])))
        rope, tensors = _rope(config, architecture, sizes["head_dim"], where)
    except (KeyError, TypeError, ValueError) as error:
        raise Error(f"{where}: {type(error).__name__}: {error}") from error
    tensors = _tensors(config, sizes, architecture) + tensors
    _check(weights, config, tensors, str(run or folder))
    path = folder / "tokenizer.json"
    if path.exists():
        end = config["eos_token_id"] if isinstance(config.get("eos_token_id"), int) else None
        where = str(run / path.name if run else path)
        tokenizer = tokenizer_metadata(path, where, sizes["vocab_size"], end, run is not None, ignore_normalizer)
        if end is None:
            notes.append("no token ends a document: llama.cpp takes id 11 for one")
    else:
        tokenizer = [("add_tokenizer_model", "none")]
        notes.append("no tokenizer: it has none")
    return Plan(architecture, metadata + rope + tokenizer, tensors, notes)


def values_of(tensor: Tensor, weights: Weights) -> np.ndarray:
    """f32, in llama.cpp's order."""
    if tensor.values is not None:
        return tensor.values
    array = weights.read(tensor.source)
    if tensor.heads:
        array = array.reshape(tensor.heads, 2, -1, array.shape[1]).swapaxes(1, 2).reshape(array.shape)
    return np.ascontiguousarray(array)


def _encode(array: np.ndarray, type_: Any, name: str) -> np.ndarray:
    import gguf

    if type_ == gguf.GGMLQuantizationType.F16 and np.abs(array).max(initial=0) > np.finfo(np.float16).max:
        raise Error(f"{name}: {np.abs(array).max()} is beyond f16: choose --type bf16 or f32")
    return gguf.quants.quantize(array, type_)


def _write(plan: Plan, weights: Weights, out: Path, type_: str) -> None:
    import gguf

    writer = gguf.GGUFWriter(out, plan.architecture)
    try:
        for method, argument in plan.metadata + [("add_file_type", _FILE_TYPES[type_])]:
            getattr(writer, method)(gguf.RopeScalingType(argument) if method == "add_rope_scaling_type" else argument)
        kinds = []
        for tensor in plan.tensors:
            # Vectors are f32 in llama.cpp.
            kinds.append(gguf.GGMLQuantizationType[type_.upper() if len(tensor.shape) > 1 else "F32"])
            n_bytes = math.prod(tensor.shape) * (4 if kinds[-1] == gguf.GGMLQuantizationType.F32 else 2)
            writer.add_tensor_info(tensor.name, tensor.shape, np.dtype(np.float32), n_bytes, raw_dtype=kinds[-1])
        writer.write_header_to_file()
        writer.write_kv_data_to_file()
        writer.write_ti_data_to_file()
        for tensor, kind in zip(plan.tensors, kinds):
            writer.write_tensor_data(_encode(values_of(tensor, weights), kind, tensor.source))
    finally:
        writer.close()


def write_gguf(path: StrPath, out: StrPath, *, type: str = "f32", step: Optional[int] = None, ignore_normalizer: bool = False) -> str:
    """Writes OUT, complete or not at all; what is there is never touched.  Returns a line that says what was written.

    path: a run, of which the newest checkpoint, or that of `step`, is taken; or a folder of `muonscope export hf`.
    type: of the matrices: f32, f16 or bf16.  ImportError: no package gguf."""
    try:
        import gguf  # noqa: F401
    except ImportError as error:
        raise ImportError("gguf files are written by the package gguf: pip install 'muonscope[gguf]', or pip install gguf") from error
    path, out = Path(path), Path(out)
    if os.path.lexists(out):
        raise Error(f"{out} is there already: name a new file")
    is_run = not (path / "config.json").exists()
    if step is not None and not is_run:
        raise Error(f"{path} is a Hugging Face folder, which has no checkpoints: --step is for runs")
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        made = tempfile.TemporaryDirectory(prefix=".muonscope-", dir=out.parent)
    except OSError as error:
        raise Error(f"cannot write {out}: {error.strerror}") from error
    with made as scratch:
        folder, partial = path, Path(scratch) / out.name
        if is_run:
            folder = Path(scratch) / "hf"
            options = [] if step is None else [f"--step={step}"]
            done = run_program("export", "hf", path_argument(path), f"--out={path_argument(folder)}", *options)
            if done.returncode != 0:
                raise error_of(done)
        with Weights(folder) as weights:
            plan = make_plan(folder, weights, run=path if is_run else None, ignore_normalizer=ignore_normalizer)
            _write(plan, weights, partial, type)
        n_bytes = partial.stat().st_size
        os.rename(partial, out)
    notes = "".join(f"; {note}" for note in plan.notes)
    return f"{out}: {plan.architecture}, {len(plan.tensors)} tensors, matrices {type}, {n_bytes} bytes{notes}"


def main(arguments: Sequence[str]) -> None:
    parser = argparse.ArgumentParser(prog="muonscope gguf", description="Writes a GGUF file for llama.cpp.", allow_abbrev=False)
    parser.add_argument("path", metavar="RUN|FOLDER", help="a run, or a folder of `muonscope export hf`")
    parser.add_argument("out", metavar="OUT.gguf", help="a new file")
    parser.add_argument("--type", choices=list(_FILE_TYPES), default="f32", help="of the matrices (default f32)")
    parser.add_argument("--step", type=int, help="of a run: the checkpoint (default the newest)")
    parser.add_argument("--ignore_normalizer", action="store_true", help="leave out the tokenizer's normalizer, which llama.cpp has not")
    given = parser.parse_args(arguments)
    print(write_gguf(given.path, given.out, type=given.type, step=given.step, ignore_normalizer=given.ignore_normalizer))
    sys.stdout.flush()
