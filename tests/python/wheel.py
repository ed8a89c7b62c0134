"""What needs pandas: read_run beside the run's own files.  Run by wheel.sh where the wheel is installed and `run` is a run."""

import json
import os
import sysconfig
import warnings

import pandas

import muonscope
import package

assert os.path.dirname(muonscope.__file__) == os.path.join(sysconfig.get_paths()["purelib"], "muonscope"), muonscope.__file__
assert os.path.exists(os.path.join(os.path.dirname(muonscope.__file__), "py.typed"))
found = {file for _, _, files in os.walk(os.path.dirname(muonscope.__file__)) for file in files if not file.endswith((".py", ".pyc"))}
assert found == {"py.typed", "muonscope", "libmuonscope.so.0"}, found


def lines(name):
    with open(f"run/{name}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


with warnings.catch_warnings():
    warnings.simplefilter("error")
    run = muonscope.read_run("run")
assert run.config["optimizer.name"] == "muon" and run.config["model.layers"] == 2, run.config
for name, keys in (("metrics", ["loss", "validation_loss"]), ("spectra", ["sigma_max", "cosine"]), ("probes", ["layer"])):
    frame = getattr(run, name)
    assert isinstance(frame, pandas.DataFrame) and list(frame.columns[:2]) == ["run", "seed"], name
    assert len(frame) == len(lines(name)), name
    for key in ["step", *keys]:
        for value, line in zip(frame[key], lines(name)):
            assert value == line.get(key) or (pandas.isna(value) and line.get(key) is None), (name, key, value, line.get(key))
assert list(run.spectra["sigma_3"]) == [line["sigma_top"][2] for line in lines("spectra")]

os.remove("run/probes.jsonl")
with open("run/metrics.jsonl", "a", encoding="utf-8") as file:
    file.write('{"step":')
with warnings.catch_warnings(record=True) as caught:
    warnings.simplefilter("always")
    cut = muonscope.read_run("run")
assert len(cut.probes) == 0 and len(cut.metrics) == len(run.metrics) and len(caught) == 1, caught
try:
    muonscope.read_run("nowhere")
    raise AssertionError("a folder that is not there was read")
except muonscope.Error as error:
    assert "nowhere" in str(error), error
package.unittest.main(module=package, argv=["package.py"])
