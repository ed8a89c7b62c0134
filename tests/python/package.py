"""What the package promises, without anything from PyPI.  Run by package.sh."""

import os
import subprocess
import sys
import threading
import unittest
import unittest.mock
import warnings

import numpy as np
from files import write_safetensors

import muonscope
from muonscope import _library


def random(rows, cols, dtype="float32"):
    return np.random.default_rng(7).standard_normal((rows, cols)).astype(dtype)


class Layout(unittest.TestCase):
    def test_all_of_the_layout_comes(self):
        rows = _library.layout_rows()
        self.assertGreater(sum(bool(member) and type_ != "=" for _, member, type_, _, _ in rows), 80)
        self.assertEqual(_library.constants("ms_element"), {"F32": 0, "F64": 1, "F16": 2, "BF16": 3})

    def test_a_library_of_another_version_is_refused(self):
        rows = _library.layout_rows()
        at = next(i for i, row in enumerate(rows) if row[:2] == ("ms_spectrum", "sigma_min"))
        for planted in (rows[:at] + rows[at + 1 :], rows[:at] + [(*rows[at][:3], rows[at][3] + 8, 8)] + rows[at + 1 :]):
            with self.assertRaisesRegex(ImportError, "do not belong together"):
                _library.make_structures(planted)
        last = max(i for i, row in enumerate(rows) if row[0] == "ms_spectrum" and row[1])
        with self.assertRaisesRegex(ImportError, "ms_spectrum has .* bytes"):
            _library.make_structures(rows[:last] + rows[last + 1 :])


class Spectrum(unittest.TestCase):
    def test_values_are_numpy_s(self):
        for shape in ((12, 40), (40, 12), (1, 5), (5, 1), (33, 33)):
            matrix = random(*shape)
            figures = muonscope.spectrum(matrix, singular_values=True)
            expected = np.linalg.svd(matrix.astype("float64"), compute_uv=False)
            np.testing.assert_allclose(figures["singular_values"], expected, atol=1e-12 * expected[0])
            self.assertEqual((figures["rows"], figures["cols"]), shape)
            self.assertAlmostEqual(figures["frobenius"], np.linalg.norm(matrix.astype("float64")), 9)
            self.assertEqual(figures["sigma_top"], list(figures["singular_values"][:10]))
            self.assertEqual(figures["sigma_max"], figures["sigma_top"][0])

    def test_keys_are_those_without_an_update(self):
        figures = muonscope.spectrum(random(12, 40))
        told = subprocess.run([sys.executable, "-m", "muonscope", "tracker", "describe"], capture_output=True, text=True, check=True).stdout
        for key in figures:
            self.assertIn(key, told)
        for key in ("sigma_quantiles", "condition", "stable_rank", "spectral_entropy", "orthogonality_error", "alignment_random", "weight_norm"):
            self.assertIn(key, figures)
        for key in ("growth", "cosine", "update_sigma", "alignment_left", "persistence_left", "n_sigma_top", "momentum_quantiles"):
            self.assertNotIn(key, figures)

    def test_what_is_not_defined_is_none(self):
        row = muonscope.spectrum(random(1, 5))
        self.assertEqual((row["gap"], row["spectral_entropy"], row["condition"]), (None, None, 1.0))
        self.assertEqual(list(row), list(muonscope.spectrum(random(9, 9))))
        self.assertIsNone(muonscope.spectrum(np.zeros((4, 4)))["stable_rank"])

    def test_any_layout_and_type_has_the_same_bits(self):
        matrix = random(24, 36, "float16").astype("float32")
        expected = muonscope.spectrum(matrix)
        doubled = np.zeros((48, 72), "float32")
        doubled[::2, ::2] = matrix
        others = [np.asfortranarray(matrix), doubled[::2, ::2], matrix[::-1][::-1], matrix.T.copy().T, matrix.astype(">f4")]
        others += [matrix.astype("float16"), matrix.astype("float64")]
        for other in others:
            self.assertEqual(muonscope.spectrum(other), expected)
        self.assertNotEqual(muonscope.spectrum(matrix[::-1, :30]), expected)

    def test_a_tensor_is_taken_by_its_methods(self):
        class Tensor:  # as PyTorch's: bfloat16, which NumPy lacks, by way of float32
            def __init__(self, array, dtype):
                self.array, self.dtype = array, dtype

            def detach(self):
                return Tensor(self.array, self.dtype)

            def cpu(self):
                return self

            def float(self):
                return Tensor(self.array, "torch.float32")

            def numpy(self):
                if self.dtype == "torch.bfloat16":
                    raise TypeError("no such type")
                return self.array

        matrix = random(8, 9)
        for dtype in ("torch.float32", "torch.bfloat16"):
            self.assertEqual(muonscope.spectrum(Tensor(matrix, dtype)), muonscope.spectrum(matrix))

    def test_bad_input_is_named(self):
        matrix = random(3, 4)
        matrix[1, 2] = np.inf
        with self.assertRaisesRegex(muonscope.Error, r"spectrum of layer 3 up \[3, 4\]: element \(1, 2\) is inf") as caught:
            muonscope.spectrum(matrix, "layer 3 up")
        self.assertEqual(caught.exception.status, "non-finite number")
        for bad, kind, message in (
            (np.ones(7, "float32"), ValueError, r"w: a matrix has 2 dimensions, this array has 1: \(7,\)"),
            (np.ones((0, 3)), ValueError, "w: the matrix 0 x 3 is empty"),
            (np.ones((2, 2), int), TypeError, "w: elements are int64"),
            (np.ones((2, 2), complex), TypeError, "w: elements are complex128: it takes real matrices$"),
            ([["a", "b"]], TypeError, "w: elements are str.*, no numbers"),
        ):
            with self.assertRaisesRegex(kind, message):
                muonscope.spectrum(bad, "w")

    def test_threads(self):
        matrix, found = random(64, 80), []
        threads = [threading.Thread(target=lambda: found.append(muonscope.spectrum(matrix))) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual(found, [muonscope.spectrum(matrix)] * 4)


class Analyze(unittest.TestCase):
    def test_lines_are_those_of_the_program_and_of_spectrum(self):
        tensors = {f"model.layers.{i}.mlp.down_proj.weight": random(16 + i, 24, "float64") for i in (2, 10)}
        write_safetensors("a.safetensors", tensors)
        lines = muonscope.analyze("a.safetensors")
        self.assertEqual([(line["name"], line["layer"], line["projection"]) for line in lines], [(name, i, "down") for name, i in zip(tensors, (2, 10))])
        for line in lines:
            figures = muonscope.spectrum(tensors[line["name"]])
            for key in set(figures) & set(line):
                self.assertEqual(line[key], figures[key], key)
            self.assertGreater(len(set(figures) & set(line)), 15)

    def test_options(self):
        write_safetensors("a.safetensors", {"x.0.a": random(8, 8), "x.1.a": random(8, 8), "x.2.b": random(4, 4)})
        write_safetensors("-b.safetensors", {"x.0.a": 2 * random(8, 8), "x.1.a": random(8, 8)})
        self.assertEqual([line["name"] for line in muonscope.analyze("a.safetensors", match="a$", largest=1, top=3, threads=1)], ["x.0.a"])
        self.assertEqual(len(muonscope.analyze("a.safetensors", top=3)[0]["sigma_top"]), 3)
        with unittest.mock.patch.dict(os.environ, {"PMI_SIZE": "2", "PMI_RANK": "1"}):  # one of two processes of mpirun
            self.assertEqual(len(muonscope.analyze("a.safetensors")), 3)
        change = muonscope.analyze("a.safetensors", against="-b.safetensors")
        self.assertAlmostEqual(change[0]["update_ratio"], 0.5)
        self.assertEqual(change[1]["update_norm"], 0)

    def test_a_bad_matrix_is_warned_of_and_the_others_are_there(self):
        bad = random(4, 4)
        bad[0, 0] = np.nan
        write_safetensors("bad.safetensors", {"a": random(4, 4), "b": bad})
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            lines = muonscope.analyze("bad.safetensors")
        self.assertEqual(len(caught), 1)
        self.assertIn("error", lines[1])
        self.assertIn("sigma_max", lines[0])

    def test_errors_are_the_program_s(self):
        with self.assertRaisesRegex(muonscope.Error, "nowhere.*No such file"):
            muonscope.analyze("nowhere")


class Package(unittest.TestCase):
    def test_version(self):
        said = subprocess.run([sys.executable, "-m", "muonscope", "--version"], capture_output=True, text=True, check=True).stdout
        self.assertEqual(said, f"muonscope {muonscope.__version__}\n")

    def test_torch_and_pandas_are_not_imported(self):
        code = "import sys, muonscope; print([m for m in ('torch', 'pandas') if m in sys.modules])"
        self.assertEqual(subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout, "[]\n")

    def test_prepare_says_that_it_needs_pyarrow(self):
        code = "import sys; sys.modules['pyarrow'] = None; sys.argv[1:] = ['prepare', 'x', '--output', 'y']; import muonscope.__main__ as m; m.main()"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
        self.assertEqual(done.returncode, 1)
        self.assertRegex(done.stderr, "^muonscope: prepare needs pyarrow: pip install 'muonscope\\[data\\]'")

    def test_read_run_says_that_it_needs_pandas(self):
        sys.modules["pandas"] = None
        try:
            with self.assertRaisesRegex(ImportError, "pip install pandas"):
                muonscope.read_run("nowhere")
        finally:
            del sys.modules["pandas"]


if __name__ == "__main__":
    unittest.main()
