"""GGUF files beside the runs they are made of, by the reader of the package gguf and by llama.cpp.  Run by gguf.sh.
Usage: gguf_read.py PROGRAM RUN...      RUN.gguf and qwen3.f16.gguf, qwen3.bf16.gguf are there"""

import json
import subprocess
import sys
from pathlib import Path

import gguf
import numpy as np
from cyllama.llama import llama_cpp

from muonscope._gguf import make_plan, values_of
from muonscope._weights import Weights

PROMPTS, N_GREEDY = ("This License applies to", "the ", "GNU"), 50


def read(path):
    """Keys, and tensors as f32."""
    reader = gguf.GGUFReader(path)
    keys = {name: field.contents() for name, field in reader.fields.items()}
    tensors = {t.name: gguf.quants.dequantize(t.data, t.tensor_type).reshape(tuple(int(n) for n in reversed(t.shape))) for t in reader.tensors}
    return keys, tensors


def compare_file(program, run):
    """Every number is that of the plan, to the bit; half precisions are rounded once."""
    subprocess.run([program, "export", "hf", run, "--out", f"{run}.hf"], check=True, capture_output=True)
    with Weights(f"{run}.hf") as weights:
        plan = make_plan(Path(f"{run}.hf"), weights, run=Path(run))
        wanted = {tensor.name: values_of(tensor, weights) for tensor in plan.tensors}
    keys, tensors = read(f"{run}.gguf")
    assert tensors.keys() == wanted.keys(), set(tensors) ^ set(wanted)
    for name in wanted:
        np.testing.assert_array_equal(tensors[name], wanted[name], name)
    config = json.loads(Path(f"{run}.hf/config.json").read_text())
    architecture = keys["general.architecture"]
    assert architecture == plan.architecture and keys["general.name"] == run and keys["general.file_type"] == 0, keys
    assert keys[f"{architecture}.attention.head_count_kv"] == config["num_key_value_heads"], keys
    assert keys["tokenizer.ggml.pre"] == "smollm" and len(keys["tokenizer.ggml.tokens"]) == 608 and keys["tokenizer.ggml.add_bos_token"] is True
    if run == "qwen3":
        half = read(f"{run}.f16.gguf")[1]
        brain = read(f"{run}.bf16.gguf")[1]
        for name, array in wanted.items():
            # To the nearest of those whose low 16 bits are zero, of two the even one.
            bits = array.view(np.uint32).astype(np.uint64)
            near = ((bits + 0x7FFF + ((bits >> 16) & 1)) & 0xFFFF0000).astype(np.uint32).view(np.float32)
            np.testing.assert_array_equal(half[name], array.astype(np.float16).astype(np.float32) if array.ndim > 1 else array, name)
            np.testing.assert_array_equal(brain[name], near if array.ndim > 1 else array, name)
    return architecture


class Llama:
    """A file in llama.cpp, on one thread, with f32 in its cache."""

    def __init__(self, path):
        llama_cpp.disable_logging()
        self.model = llama_cpp.LlamaModel(path, llama_cpp.LlamaModelParams())
        self.vocabulary = self.model.get_vocab()
        parameters = llama_cpp.LlamaContextParams()
        parameters.n_ctx = 256
        parameters.n_threads = parameters.n_threads_batch = 1
        parameters.type_k = parameters.type_v = 0  # GGML_TYPE_F32
        parameters.flash_attn_type = 0  # off
        self.context = llama_cpp.LlamaContext(self.model, parameters)

    def greedy(self, prompt):
        """The ids after the first, which begins a document."""
        ids = self.vocabulary.tokenize(prompt, add_special=True, parse_special=False)
        sampler = llama_cpp.LlamaSampler()
        sampler.add_greedy()
        self.context.kv_cache_clear()
        done = 0
        for _ in range(N_GREEDY):
            self.context.decode(llama_cpp.llama_batch_get_one(ids[done:], done))
            done = len(ids)
            token = sampler.sample(self.context, -1)
            if self.vocabulary.is_eog(token):
                break
            ids.append(token)
        return ids[1:]


def compare_llama(program, run, architecture):
    llama = Llama(f"{run}.gguf")
    text = Path("text.txt").read_text(encoding="utf-8")
    other = "Grüße, 3000 Яблок!\n\n  x = f(12.5)\t\n\n\n  'tis 'S we'll  \n"
    for piece in (text[5000:9000], text[200000:204000], other):
        ours = subprocess.run([program, "tokenizer", "encode", "--tokenizer", f"{run}/tokenizer.json"], input=piece, check=True, text=True, capture_output=True)
        assert llama.vocabulary.tokenize(piece, add_special=False, parse_special=False) == [int(i) for i in ours.stdout.split()], piece
    for prompt in PROMPTS:
        ids = [str(i) for i in llama.greedy(prompt)]
        theirs = subprocess.run([program, "tokenizer", "decode", "--tokenizer", f"{run}/tokenizer.json", *ids], check=True, capture_output=True).stdout
        ours = subprocess.run([program, "generate", run, "--prompt", prompt, "--temperature", "0", "--tokens", str(N_GREEDY)], check=True, capture_output=True)
        print(f"{run} ({architecture}): {theirs}")
        assert theirs == ours.stdout.removesuffix(b"\n"), ours.stdout


def main():
    for run in sys.argv[2:]:
        compare_llama(sys.argv[1], run, compare_file(sys.argv[1], run))


main()
