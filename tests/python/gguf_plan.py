"""What `muonscope gguf` writes of the folders of `export hf`, and what it refuses, without the package gguf.  Run by package.sh."""

import json
import math
import os
import shutil
import subprocess
import unittest
from pathlib import Path

import numpy as np
from files import write_safetensors

import muonscope
from muonscope._gguf import make_plan, values_of, write_gguf
from muonscope._gguf_tokenizer import tokenizer_metadata
from muonscope._program import program
from muonscope._weights import Weights

LLAMA = ("--attention.qk_norm", "false", "--attention.merged", "false", "--model.activation", "swiglu")
GPT2 = {"type": "ByteLevel", "add_prefix_space": False, "use_regex": True}
DIGITS = {"type": "Digits", "individual_digits": True}
PATTERN = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}%s| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"


def run(name, *options):
    """A run of micro, and its folder NAME.hf."""
    base = [program(), "train", "--preset", "micro", "--steps", "2", "--tracker.enabled", "false", "--validation.every", "0", "--sample.tokens", "0"]
    subprocess.run([*base, "--run", name, *options], check=True, capture_output=True)
    subprocess.run([program(), "export", "hf", name, "--out", f"{name}.hf"], check=True, capture_output=True)


def plan_of(name, **options):
    with Weights(f"{name}.hf") as weights:
        plan = make_plan(Path(f"{name}.hf"), weights, **options)
        return plan, {tensor.name: values_of(tensor, weights) for tensor in plan.tensors}, {n: weights.read(n) for n in weights.shapes()}


def changed(name, new, **keys):
    """The folder NAME.hf as NEW.hf, with other keys in config.json."""
    shutil.copytree(f"{name}.hf", f"{new}.hf")
    config = json.loads(Path(f"{new}.hf/config.json").read_text())
    config.update(keys)
    Path(f"{new}.hf/config.json").write_text(json.dumps(config))
    return new


class Models(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        run("llama", *LLAMA, "--model.tied_head", "false", "--attention.rope_scaling", "llama3", "--attention.rope_original_length", "16", "--attention.rope_factor", "4")
        run("blueberry")
        run("qwen3", "--model.activation", "swiglu", "--attention.rope_scaling", "linear", "--attention.rope_factor", "3")
        run("arcee", "--attention.qk_norm", "false")
        run("qwen2", "--attention.qk_norm", "false", "--attention.qkv_bias", "true", "--model.activation", "swiglu")

    def test_llama(self):
        plan, made, folder = plan_of("llama")
        self.assertEqual(plan.architecture, "llama")
        config = json.loads(Path("llama.hf/config.json").read_text())
        # The checkpoint rotates pairs of neighbours, as llama.cpp does here: rows come back as they were.
        with Weights("llama/checkpoints/step_00000002/model.safetensors") as own:
            for i in range(config["num_hidden_layers"]):
                for letter in "qk":
                    rows = made[f"blk.{i}.attn_{letter}.weight"]
                    np.testing.assert_array_equal(rows, own.read(f"blocks.{i}.attention.{letter}.weight"))
                    self.assertFalse(np.array_equal(rows, folder[f"model.layers.{i}.self_attn.{letter}_proj.weight"]))
                for name, source in (("attn_v", "self_attn.v_proj"), ("attn_output", "self_attn.o_proj"), ("ffn_gate", "mlp.gate_proj"),
                                     ("ffn_up", "mlp.up_proj"), ("ffn_down", "mlp.down_proj"), ("attn_norm", "input_layernorm"),
                                     ("ffn_norm", "post_attention_layernorm")):
                    np.testing.assert_array_equal(made[f"blk.{i}.{name}.weight"], folder[f"model.layers.{i}.{source}.weight"])
        for name, source in (("token_embd", "model.embed_tokens"), ("output_norm", "model.norm"), ("output", "lm_head")):
            np.testing.assert_array_equal(made[f"{name}.weight"], folder[f"{source}.weight"])
        self.assertEqual(len(made), 1 + 9 * config["num_hidden_layers"] + 3)
        # Llama 3.1's angles, one by one.
        rope, factors = config["rope_parameters"], []
        for i in range(config["head_dim"] // 2):
            frequency = rope["rope_theta"] ** (-2 * i / config["head_dim"])
            wave = 2 * math.pi / frequency
            if wave < 16 / rope["high_freq_factor"]:
                factors.append(1)
            elif wave > 16 / rope["low_freq_factor"]:
                factors.append(rope["factor"])
            else:
                smooth = (16 / wave - rope["low_freq_factor"]) / (rope["high_freq_factor"] - rope["low_freq_factor"])
                factors.append(1 / ((1 - smooth) / rope["factor"] + smooth))
        np.testing.assert_allclose(made["rope_freqs.weight"], factors, rtol=1e-6)
        self.assertGreater(len(set(factors)), 1)

    def test_keys(self):
        plan, made, folder = plan_of("qwen3")
        config, keys = json.loads(Path("qwen3.hf/config.json").read_text()), dict(plan.metadata)
        self.assertEqual(plan.architecture, "qwen3")
        for key, name in (("vocab_size", "vocab_size"), ("context_length", "max_position_embeddings"), ("embedding_length", "hidden_size"),
                          ("block_count", "num_hidden_layers"), ("feed_forward_length", "intermediate_size"), ("head_count", "num_attention_heads"),
                          ("head_count_kv", "num_key_value_heads"), ("key_length", "head_dim"), ("value_length", "head_dim"),
                          ("rope_dimension_count", "head_dim"), ("layer_norm_rms_eps", "rms_norm_eps"), ("rope_freq_base", "rope_theta")):
            self.assertEqual(keys[f"add_{key}"], config[name], key)
        self.assertEqual((keys["add_rope_scaling_type"], keys["add_rope_scaling_factor"]), ("linear", 3))
        self.assertEqual((keys["add_name"], keys["add_tokenizer_model"], plan.notes), ("qwen3.hf", "none", ["no tokenizer: it has none"]))
        # Qwen3's halves are rotated there too: no row moves; the head is the embedding.
        for name, source in (("attn_q", "self_attn.q_proj"), ("attn_k_norm", "self_attn.k_norm"), ("attn_q_norm", "self_attn.q_norm")):
            np.testing.assert_array_equal(made[f"blk.1.{name}.weight"], folder[f"model.layers.1.{source}.weight"])
        self.assertNotIn("output.weight", made)

    def test_biases(self):
        plan, made, folder = plan_of("qwen2")
        self.assertEqual(plan.architecture, "qwen2")
        for letter in "qkv":
            for kind in ("weight", "bias"):
                np.testing.assert_array_equal(made[f"blk.0.attn_{letter}.{kind}"], folder[f"model.layers.0.self_attn.{letter}_proj.{kind}"])
        with self.assertRaisesRegex(muonscope.Error, "relu.* and biases of queries and keys. .*attention.qkv_bias false"):
            plan_of(changed("qwen2", "biased_relu", hidden_act="relu"))

    def test_relu_squared(self):
        plan, made, folder = plan_of("arcee")
        self.assertEqual(plan.architecture, "arcee")
        self.assertNotIn("blk.0.ffn_gate.weight", made)
        np.testing.assert_array_equal(made["blk.0.ffn_up.weight"], folder["model.layers.0.mlp.gate_proj.weight"])
        with self.assertRaisesRegex(muonscope.Error, "^blueberry: .*norm of queries and keys. A run with model.activation swiglu, or with attention.qk_norm false"):
            plan_of("blueberry", run=Path("blueberry"))

    def test_what_llama_cpp_lacks_is_named(self):
        for new, name, keys, message in (
            ("gpt", "llama", {"model_type": "gpt2"}, "model_type gpt2: llama, qwen2 and qwen3 are written"),
            ("biased", "llama", {"attention_bias": True}, "attention_bias is true"),
            ("gelu", "llama", {"hidden_act": "gelu"}, "hidden_act gelu: silu is written"),
            ("gated", "llama", {"hidden_act": "relu"}, "gate_proj.weight is not model.layers.0.mlp.up_proj.weight: relu with a gate of its own"),
            ("yarn", "llama", {"rope_parameters": {"rope_type": "yarn", "factor": 2.0}}, "rope_type yarn: default, linear and llama3"),
            ("angles", "qwen3", {"rope_parameters": {"rope_type": "llama3", "factor": 2.0}}, "qwen3 has no rope_type llama3. .*linear or none, or with attention.qk_norm false"),
            ("factor", "qwen3", {"rope_parameters": {"rope_type": "linear"}}, "config.json: KeyError: 'factor'"),
            ("sizes", "llama", {"intermediate_size": 60}, r"mlp.up_proj.weight is \(64, 32\), by config.json \(60, 32\)"),
            ("layers", "llama", {"num_hidden_layers": 3}, "no tensor model.layers.2.input_layernorm.weight"),
            ("fewer", "llama", {"num_hidden_layers": 1}, "nothing takes the tensor model.layers.1.input_layernorm.weight"),
            ("tied", "llama", {"tie_word_embeddings": True}, "lm_head.weight is not model.embed_tokens.weight: config.json says that they are tied"),
            ("none", "llama", {"hidden_size": None}, "hidden_size is null, must be a whole number"),
        ):
            with self.assertRaisesRegex(muonscope.Error, message):
                plan_of(changed(name, new, **keys))

    def test_weights(self):
        tensors = {"a": np.array([[1, 2], [3, np.inf]], "float64"), "b": np.array([0.1, 2], "float16")}
        write_safetensors("some.safetensors", tensors)
        with Weights("some.safetensors") as weights:
            self.assertEqual(weights.shapes(), {"a": (2, 2), "b": (2,)})
            np.testing.assert_array_equal(weights.read("b"), tensors["b"].astype("float32"))
            with self.assertRaisesRegex(muonscope.Error, r"a: element \(1, 1\) is inf"):
                weights.read("a")
        data = Path("llama.hf/model.safetensors").read_bytes()
        shutil.copytree("llama.hf", "cut.hf")
        Path("cut.hf/model.safetensors").write_bytes(data[:-10])
        for path, message in (("cut.hf", "model.safetensors"), ("nowhere", "nowhere")):
            with self.assertRaisesRegex(muonscope.Error, message):
                Weights(path)

    def test_nothing_is_half_written(self):
        before = sorted(os.listdir())
        with self.assertRaisesRegex((ImportError, muonscope.Error), "package gguf|^cannot write /proc/x.gguf: ."):
            write_gguf("llama.hf", "/proc/x.gguf")
        with self.assertRaisesRegex((ImportError, muonscope.Error), "package gguf|norm of queries and keys"):
            write_gguf("blueberry", "new.gguf")
        self.assertEqual(sorted(os.listdir()), before)


class Tokenizers(unittest.TestCase):
    def keys(self, vocabulary=9, end=0, is_run=True, ignore_normalizer=False, **changes):
        root = {
            "model": {"type": "BPE", "vocab": {"a": 1, "b": 2, "ab": 3}, "merges": ["a b"]},
            "added_tokens": [{"id": 0, "content": "<|endoftext|>", "special": True}, {"id": 5, "content": "<x>"}],
            "pre_tokenizer": {"type": "Sequence", "pretokenizers": [DIGITS, GPT2]},
            "normalizer": None,
            "post_processor": None,
        }
        root.update(changes)
        Path("tokenizer.json").write_text(json.dumps(root))
        return dict(tokenizer_metadata(Path("tokenizer.json"), "t.json", vocabulary, end, is_run, ignore_normalizer))

    def test_tokens(self):
        keys = self.keys()
        self.assertEqual(keys["add_token_list"], ["<|endoftext|>", "a", "b", "ab", "[PAD4]", "<x>", "[PAD6]", "[PAD7]", "[PAD8]"])
        self.assertEqual(keys["add_token_types"], [3, 1, 1, 1, 5, 4, 5, 5, 5])  # control, normal, unused, user-defined
        self.assertEqual((keys["add_tokenizer_model"], keys["add_tokenizer_pre"], keys["add_token_merges"]), ("gpt2", "smollm", ["a b"]))
        self.assertEqual((keys["add_bos_token_id"], keys["add_eos_token_id"], keys["add_add_bos_token"]), (0, 0, True))
        self.assertEqual(self.keys(model={"vocab": {"a": 0}, "merges": [["c", "d"]]})["add_token_merges"], ["c d"])

    def test_what_texts_begin_with(self):
        self.assertFalse(self.keys(is_run=False)["add_add_bos_token"])
        keys = self.keys(end=None)
        self.assertNotIn("add_eos_token_id", keys)
        self.assertFalse(keys["add_add_bos_token"])
        template = {
            "type": "TemplateProcessing",
            "single": [{"SpecialToken": {"id": "<x>"}}, {"Sequence": {"id": "A"}}],
            "special_tokens": {"<x>": {"ids": [5]}},
        }
        keys = self.keys(is_run=False, post_processor={"type": "Sequence", "processors": [GPT2, template]})
        self.assertEqual((keys["add_bos_token_id"], keys["add_eos_token_id"], keys["add_add_bos_token"]), (5, 0, True))
        template["single"].reverse()
        with self.assertRaisesRegex(muonscope.Error, "puts <x> around a text"):
            self.keys(post_processor=template)

    def test_pre_tokenizers(self):
        def split(pattern, **options):
            return {"type": "Split", "pattern": {"Regex": pattern}, "behavior": "Isolated", "invert": False, **options}

        level = {**GPT2, "use_regex": False}
        model = {"vocab": {"a": 0}, "merges": [], "ignore_merges": True}
        for steps, options, name in (
            ([GPT2], {}, "gpt-2"),
            ([split(PATTERN % "{1,3}"), level], {"model": model}, "llama-bpe"),
            ([split(PATTERN % "{1,3}"), level], {}, "smaug-bpe"),
            ([split(PATTERN % ""), level], {}, "qwen2"),
        ):
            self.assertEqual(self.keys(pre_tokenizer={"type": "Sequence", "pretokenizers": steps}, **options)["add_tokenizer_pre"], name)
        for steps, options, message in (
            ([split("x+"), level], {}, "for the pattern x\\+; known are those of gpt-2"),
            ([GPT2], {"model": model}, "with ignore_merges"),
            ([split("x", behavior="Removed"), level], {}, "no pre-tokenizer with the step .*Removed"),
            ([{**DIGITS, "individual_digits": False}, GPT2], {}, "no pre-tokenizer with the step .*Digits"),
            ([{**GPT2, "add_prefix_space": True}], {}, "add_prefix_space"),
            ([DIGITS], {}, "does not end in ByteLevel"),
        ):
            with self.assertRaisesRegex(muonscope.Error, message):
                self.keys(pre_tokenizer={"type": "Sequence", "pretokenizers": steps}, **options)

    def test_what_llama_cpp_lacks_is_named(self):
        for options, message in (
            ({"normalizer": {"type": "NFC"}}, "^t.json: llama.cpp has no normalizer, and this one has NFC; with --ignore_normalizer"),
            ({"vocabulary": 4}, "has 6 tokens, the model 4"),
            ({"model": {"type": "Unigram", "vocab": {}}}, "model Unigram"),
            ({"model": {"vocab": {}, "byte_fallback": True}}, "no byte_fallback"),
            ({"added_tokens": [{"id": 0, "content": "<m>", "lstrip": True}]}, "no lstrip, which the added token '<m>' has"),
            ({"post_processor": {"type": "BertProcessing"}}, "no post-processor BertProcessing"),
            ({"model": {}}, "is no tokenizer.json: KeyError: 'merges'"),
        ):
            with self.assertRaisesRegex(muonscope.Error, message):
                self.keys(**options)
        self.assertEqual(self.keys(normalizer={"type": "NFC"}, ignore_normalizer=True)["add_tokenizer_pre"], "smollm")


if __name__ == "__main__":
    unittest.main()
