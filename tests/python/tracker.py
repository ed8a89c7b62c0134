"""What Tracker promises, with a model of NumPy arrays.  Run by package.sh."""

import csv
import ctypes
import json
import os
import subprocess
import sys
import unittest
from pathlib import Path
from unittest import mock

import numpy as np
from files import write_safetensors

import muonscope
from muonscope._matrices import parameters_of

WIDTH = 24


def model_of(seed=3):
    """A GPT as nanoGPT names it, and what is not tracked."""
    rng = np.random.default_rng(seed)
    shapes = {"transformer.wte.weight": (40, WIDTH)}
    for i in range(2):
        for name, shape in (("attn.c_attn", (3 * WIDTH, WIDTH)), ("attn.c_proj", (WIDTH, WIDTH)), ("mlp.c_fc", (48, WIDTH)), ("mlp.c_proj", (WIDTH, 48))):
            shapes[f"transformer.h.{i}.{name}.weight"] = shape
        shapes[f"transformer.h.{i}.ln_1.weight"] = (WIDTH,)
    return {name: rng.standard_normal(shape).astype("float32") for name, shape in shapes.items()}


def train(path, steps=6, every=3, **options):
    """Steps that shrink the weights and add noise; returns the weights after each step."""
    model, rng = model_of(), np.random.default_rng(5)
    states = [{name: array.copy() for name, array in model.items()}]
    with muonscope.Tracker(model, path, every=every, tokens_per_step=128, heads=4, head_size=6, **options) as tracker:
        for _ in range(steps):
            tracker.before_step()
            for array in model.values():
                array *= 0.99
                array += 0.01 * rng.standard_normal(array.shape).astype("float32")
            tracker.after_step(loss=3 / (tracker.step + 1), lr=0.1)
            states.append({name: array.copy() for name, array in model.items()})
    return states


def lines(path, name="spectra"):
    with open(f"{path}/{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Optimizer:
    """PyTorch's hooks; a step takes a tenth of the weights."""

    def __init__(self, names, model, **group):
        self.param_groups = [{"params": [model[name] for name in names], "lr": 0.1, **group}]
        self.hooks = {"before": {}, "after": {}}

    def _register(self, when, hook):
        key, hooks = object(), self.hooks[when]
        hooks[key] = hook
        return type("Handle", (), {"remove": lambda _: hooks.pop(key)})()

    def register_step_pre_hook(self, hook):
        return self._register("before", hook)

    def register_step_post_hook(self, hook):
        return self._register("after", hook)

    def step(self):
        for hook in list(self.hooks["before"].values()):
            assert hook(self, (), {}) is None
        for array in self.param_groups[0]["params"]:
            array *= 0.9
        for hook in list(self.hooks["after"].values()):
            assert hook(self, (), {}) is None


def program(*arguments):
    return subprocess.run([sys.executable, "-m", "muonscope", *arguments], capture_output=True, text=True, check=False)


class Tracker(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.states = train("run")

    def test_figures_of_w_are_those_of_analyze(self):
        self.assertEqual(sorted({line["step"] for line in lines("run")}), [0, 3, 6])
        for step in (0, 3, 6):
            os.makedirs(f"at{step}", exist_ok=True)
            write_safetensors(f"at{step}/model.safetensors", self.states[step])
            with open(f"at{step}/config.json", "w", encoding="utf-8") as file:
                json.dump({"num_attention_heads": 4, "hidden_size": WIDTH}, file)
            analyzed = {(a["layer"], a["projection"]): a for a in muonscope.analyze(f"at{step}") if a["layer"] is not None}
            found = [line for line in lines("run") if line["step"] == step]
            self.assertEqual(sorted((line["layer"], line["projection"]) for line in found), sorted(analyzed))
            self.assertEqual(sorted({p for _, p in analyzed}), ["down", "k", "o", "q", "up", "v"])
            for line in found:
                other = analyzed[line["layer"], line["projection"]]
                for key in ("sigma_top", "sigma_quantiles", "stable_rank", "spectral_entropy", "orthogonality_error", "rows", "cols"):
                    self.assertEqual(line[key], other[key], key)

    def test_the_update_is_that_of_the_step(self):
        last = [line for line in lines("run") if line["step"] == 6]
        for line in last:
            if line["projection"] == "up":
                name = f"transformer.h.{line['layer']}.mlp.c_fc.weight"
                before, after = (self.states[step][name].astype("float64") for step in (5, 6))
                self.assertAlmostEqual(line["update_ratio"], np.linalg.norm(after - before) / np.linalg.norm(before), 12)
            for key in ("grad_norm", "update_norm", "noise_null", "ceiling", "alignment_momentum_left", "growth_bound"):
                self.assertIsNone(line[key], key)
            self.assertIsNotNone(line["growth"])
            self.assertEqual(line["tokens"], 6 * 128)

    def test_commands_read_the_folder(self):
        train("other", config={"optimizer.name": "adamw"})
        for arguments in (("report", "run"), ("compare", "run", "other"), ("export", "csv", "run")):
            done = program(*arguments)
            self.assertEqual(done.returncode, 0, (arguments, done.stderr))
        done = program("plot", "run", "--only", "loss", "--only", "norm_heatmap", "--format", "svg")
        self.assertEqual(done.returncode, 0, done.stderr)
        with open("run/csv/runs.csv", encoding="utf-8") as file:
            config = next(csv.DictReader(file))
        known = {key: value for key, value in config.items() if value}
        self.assertEqual(known, {"run": "run", "seed": "1", "train.seed": "1", "train.steps": "6", "tracker.every": "3"})
        with open("run/report.html", encoding="utf-8") as file:
            page = file.read()
        self.assertIn("its configuration is not shown", page)
        self.assertNotIn("muon.momentum", page)
        self.assertIn("Made by muonscope.Tracker", Path("run/config.yaml").read_text(encoding="utf-8"))

    def test_compare_does_not_take_what_is_not_known_for_defaults(self):
        train("adamw", config={"optimizer.name": "adamw", "muon.lr": 0.5})
        done = program("compare", "run", "adamw", "--by", "optimizer.name")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("muon.lr differs between the groups too: not known (not known), 0.5 (adamw)", done.stdout)
        self.assertNotIn("muon (", done.stdout)
        # A run of muonscope: only what both know is compared.
        options = ("--preset", "micro", "--steps", "6", "--muon.lr", "0.3", "--muon.momentum", "0.8", "--tracker.enabled", "false", "--sample.tokens", "0")
        self.assertEqual(program("train", "--run", "own", *options).returncode, 0)
        done = program("compare", "adamw", "own", "--by", "optimizer.name")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("muon.lr differs between the groups too: 0.5 (adamw), 0.3 (muon)", done.stdout)
        self.assertNotIn("muon.momentum", done.stdout)
        self.assertIn("adamw: of another program's training (muonscope.Tracker), whose config.yaml has few keys", done.stdout)
        done = program("compare", "run", "own", "--by", "muon.momentum")
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertIn("not known", done.stdout)
        self.assertNotIn("0.95", done.stdout)

    def test_attached_optimizers(self):
        model = model_of()
        matrices = [name for name in model if ".attn." in name or ".mlp." in name]
        first = Optimizer(matrices, model, weight_decay=0.5, decoupled_weight_decay=True)
        second = Optimizer([name for name in model if name not in matrices], model, weight_decay=0.0)
        with muonscope.Tracker(model, "attached", every=2, tokens_per_step=7, heads=4, head_size=6).attach(first, second) as tracker:
            # The model is looked through for shares of decay only where a step is recorded: by each optimizer, at steps 2 and 4.
            with mock.patch("muonscope._hooks.parameters_of", wraps=parameters_of) as looked:
                for i in range(4):
                    tracker.set_loss(5 - i)
                    first.step()
                    self.assertEqual(tracker.step, i)
                    second.step()
                self.assertEqual(looked.call_count, 4)
            self.assertEqual(tracker.step, 4)
            with self.assertRaisesRegex(RuntimeError, "attached already"):
                tracker.attach(first)
            with self.assertRaisesRegex(RuntimeError, r"2 optimizers are attached: call set_loss\(\)"):
                first.step()
            tracker.set_loss(1)
            first.step()
            with self.assertRaisesRegex(RuntimeError, "optimizer 0 steps again"):
                first.step()
        found = [(line["step"], line["loss"], line["lr"]) for line in lines("attached", "metrics")]
        self.assertEqual(found, [*((i, 6 - i, 0.1) for i in range(1, 5)), (5, 1, 0.1)])
        self.assertEqual(sorted({line["step"] for line in lines("attached")}), [0, 2, 4])
        # The update is -0.1 W, and decay, 0.1 times 0.5, half of it.
        for line in lines("attached"):
            if line["step"] == 4:
                self.assertAlmostEqual(line["update_ratio"], 0.1, 6)
                self.assertAlmostEqual(line["update_sigma"][0] / line["sigma_top"][0], 0.05 / 0.9, 5)
        first.step()  # closed: nothing is left in it
        with muonscope.Tracker(model, "no_hooks", every=2, tokens_per_step=7, heads=4, head_size=6) as tracker:
            with self.assertRaisesRegex(TypeError, "a dict has no register_step_pre_hook"):
                tracker.attach({})

    def test_an_optimizer_leaves_steps_out(self):
        model = model_of()
        groups = [[name for name in model if f"h.{i}" in name] for i in range(2)]
        both = [Optimizer(group, model, weight_decay=0.5, decoupled_weight_decay=True) for group in groups]
        with muonscope.Tracker(model, "left_out", every=1, tokens_per_step=7, heads=4, head_size=6).attach(*both) as tracker:
            # Each alone in turn is what would pair the steps of two.
            for loss, steps in ((9, (0, 1)), (8, (0,)), (7, (1,)), (6, ()), (5, (1, 0)), (4, (1,))):
                tracker.set_loss(loss)
                for i in steps:
                    both[i].step()
                for optimizer in both:
                    optimizer.param_groups[0]["lr"] /= 2  # a schedule: the step is over
        wanted = [(1, 9, 0.1), (2, 8, 0.05), (3, 7, 0.025), (4, 5, 0.00625), (5, 4, 0.003125)]
        self.assertEqual([(line["step"], line["loss"], line["lr"]) for line in lines("left_out", "metrics")], wanted)
        self.assertIn("steps: 5", Path("left_out/config.yaml").read_text(encoding="utf-8"))
        # What was left out has no update, and the share of decay is not one of all matrices there.
        for step, layers in ((1, (0, 1)), (2, (0,)), (3, (1,)), (4, (0, 1)), (5, (1,))):
            for line in (line for line in lines("left_out") if line["step"] == step):
                self.assertAlmostEqual(line["update_ratio"], 0.1 if line["layer"] in layers else 0, 6)
                self.assertEqual(line["update_sigma"][0] is not None, len(layers) == 2)

    def test_what_is_tracked_can_be_named(self):
        model = model_of()
        mapping = {"transformer.h.1.mlp.c_fc.weight": (0, "up"), "transformer.wte.weight": (0, "embedding")}
        with muonscope.Tracker(model, "named", every=1, tokens_per_step=1, matrices=mapping):
            pass
        self.assertEqual([(line["layer"], line["projection"], line["rows"]) for line in lines("named")], [(0, "up", 48), (0, "embedding", 40)])
        turned = {"transformer.h.0.attn.c_attn.weight": np.asfortranarray(model["transformer.h.0.attn.c_attn.weight"].T)}
        with muonscope.Tracker(turned, "turned", every=1, tokens_per_step=1):
            pass
        top = muonscope.spectrum(model["transformer.h.0.attn.c_attn.weight"][WIDTH : 2 * WIDTH])["sigma_top"]
        self.assertEqual([line["sigma_top"] for line in lines("turned") if line["projection"] == "k"], [top])

    def test_a_fused_matrix_of_unknown_sizes_is_named(self):
        with self.assertWarnsRegex(UserWarning, "c_attn.weight: not split: .*head_size"):
            with muonscope.Tracker(model_of(), "fused", every=1, tokens_per_step=1):
                pass
        self.assertIn("qkv", {line["projection"] for line in lines("fused")})

    def test_openmp_of_the_caller_keeps_its_threads(self):
        openmp = ctypes.CDLL("libgomp.so.1")  # PyTorch asks it
        openmp.omp_set_num_threads(3)
        muonscope.spectrum(np.eye(4))
        muonscope.Tracker(model_of(), "threads", every=1, tokens_per_step=1, heads=4, head_size=6).close()
        self.assertEqual(openmp.omp_get_max_threads(), 3)

    def test_skipped_snapshots_are_counted(self):
        model = {"h.0.mlp.c_fc.weight": np.random.default_rng(1).standard_normal((600, 600)).astype("float32")}
        with muonscope.Tracker(model, "skipped", every=1, tokens_per_step=1, slots=1, when_behind="skip") as tracker:
            for _ in range(5):
                tracker.before_step()
                tracker.after_step()
        self.assertEqual(len(lines("skipped")) + tracker.n_skipped, 6)

    def test_a_tensor_of_several_processes_is_named(self):
        class DTensor(np.ndarray):
            def full_tensor(self):
                return self

        with self.assertRaisesRegex(TypeError, "c_fc.weight: its parts lie on several processes"):
            muonscope.Tracker({"h.0.mlp.c_fc.weight": np.ones((8, 6), "float32").view(DTensor)}, "spread", every=1, tokens_per_step=1)
        self.assertFalse(os.path.exists("spread"))

    def test_a_parameter_of_another_shape_is_named(self):
        model = {"h.0.mlp.c_fc.weight": np.ones((8, 6), "float32")}
        with muonscope.Tracker(model, "shape", every=1, tokens_per_step=1) as tracker:
            model["h.0.mlp.c_fc.weight"] = np.ones((2, 6), "float32")
            with self.assertRaisesRegex(ValueError, r"is \(2, 6\) now, and was \(8, 6\)"):
                tracker.before_step()

    def test_bad_input(self):
        model = model_of()
        for options, kind, message in (
            ({"every": 0}, ValueError, "every is 0"),
            ({"when_behind": "never"}, ValueError, "must be wait or skip"),
            ({"matrices": {"x": (0, "q")}}, ValueError, "'x' is no parameter"),
            ({"matrices": {"transformer.h.0.ln_1.weight": (0, "q")}}, ValueError, "of shape"),
            ({"matrices": {"transformer.wte.weight": (0, "q"), "transformer.h.0.mlp.c_fc.weight": (0, "q")}}, ValueError, "layer 0 q is both"),
        ):
            with self.assertRaisesRegex(kind, message):
                muonscope.Tracker(model, "bad", **{"every": 1, "tokens_per_step": 1, **options})
            self.assertFalse(os.path.exists("bad"))
        with self.assertRaisesRegex(FileExistsError, "not an empty folder"):
            muonscope.Tracker(model, "run", every=1, tokens_per_step=1)
        with self.assertRaisesRegex(ValueError, "no parameter has a name that is known"):
            muonscope.Tracker({"w": np.ones((2, 2), "float32")}, "bad", every=1, tokens_per_step=1)
        tracker = muonscope.Tracker(model, "nan", every=1, tokens_per_step=1)
        with self.assertRaisesRegex(RuntimeError, "before_step"):
            tracker.after_step()
        tracker.before_step()
        model["transformer.h.1.mlp.c_fc.weight"][3, 4] = np.nan
        tracker.after_step()
        with self.assertRaisesRegex(muonscope.Error, r"tracker, step 1: .*layer 1 up.*\(3, 4\).* is nan"):
            tracker.close()
        with self.assertRaisesRegex(RuntimeError, "closed"):
            tracker.before_step()


if __name__ == "__main__":
    unittest.main()
