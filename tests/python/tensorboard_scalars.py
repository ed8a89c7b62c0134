"""What `muonscope tensorboard` writes of a run, without the package tensorboard.  Run by package.sh."""

import json
import subprocess
import unittest
from pathlib import Path
from unittest import mock

import muonscope
from muonscope._program import program
from muonscope._tensorboard import SPECTRA, _scalars, write_tensorboard


def table_of(name):
    subprocess.run([program(), "export", "csv", name, "--table", "losses", "--table", "spectra"], check=True, capture_output=True)
    return Path(name) / "csv"


def lines(path):
    with open(path, encoding="utf-8") as file:
        return [json.loads(line) for line in file]


class Scalars(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        base = [program(), "train", "--preset", "micro", "--steps", "4", "--tracker.every", "2", "--validation.every", "2", "--sample.tokens", "0"]
        subprocess.run([*base, "--run", "board"], check=True, capture_output=True)

    def test_numbers_are_those_of_the_files(self):
        made = {(s.tag, s.step): s for s in _scalars(Path("board"), table_of("board"), SPECTRA)}
        wanted = {}
        for line in lines("board/metrics.jsonl"):
            for key, value in line.items():
                if key not in ("step", "tokens") and isinstance(value, (int, float)):
                    wanted[f"train/{key}", line["step"]] = value
        for line in lines("board/spectra.jsonl"):
            for key in SPECTRA:
                if line.get(key) is not None:
                    wanted[f"{key}/{line['projection']}/layer_{line['layer']:02d}", line["step"]] = line[key]
        arrays = {key for key in made if "by_frequency_" in key[0]}
        self.assertEqual({key: scalar.value for key, scalar in made.items() if key not in arrays}, wanted)
        self.assertEqual(len(arrays), 3 * 20)
        self.assertGreater(len({tag for tag, _ in wanted if tag.startswith("sigma_max/")}), 8)
        for key in SPECTRA:
            self.assertTrue(any(tag.startswith(f"{key}/") for tag, _ in wanted), key)
        # The time of a step is that of all steps before it, after the first line of run.log.
        ms = [line["ms"] for line in lines("board/metrics.jsonl") if "ms" in line]
        begin = made["train/validation_loss", 0].time
        for i in range(1, 5):
            self.assertAlmostEqual(made["train/loss", i].time - begin, sum(ms[:i]) / 1000, 4)
        self.assertEqual(made["sigma_max/q/layer_01", 4].time, made["train/loss", 4].time)
        self.assertEqual(begin, int(begin))

    def test_bad_input(self):
        with self.assertRaisesRegex(muonscope.Error, "--key nothing: spectra have no such column"):
            list(_scalars(Path("board"), table_of("board"), ["nothing"]))
        # What needs the package is in tensorboard_read.py; here it is not there, whatever this Python has.
        with mock.patch.dict("sys.modules", {"tensorboard": None}), self.assertRaisesRegex(ImportError, "pip install tensorboard$"):
            write_tensorboard(["board"], "not_made")
        self.assertFalse(Path("not_made").exists())


if __name__ == "__main__":
    unittest.main()
