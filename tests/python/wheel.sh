#!/bin/sh
# The wheel, built by pip and used in a virtual environment that has nothing else: spectra, a run's tables with pandas, the program.
# Beside a training of a small GPT in PyTorch.  Gets
# scikit-build-core, NumPy, pandas and PyTorch from PyPI; the build and the environments stay beside the program.
# Usage: wheel.sh BUILD
set -eu
root=$(cd "$(dirname "$0")/../.." && pwd)
work=$(realpath "$1")/python
scratch=$(mktemp -d /tmp/muonscope-wheel-XXXXXX)
trap 'rm -rf "$scratch"' EXIT INT TERM
python3 -c 'import ensurepip, venv' 2>/dev/null || "$root/ci/setup.sh" python3-venv
[ -x "$work/build/bin/pip" ] || python3 -m venv "$work/build"
"$work/build/bin/pip" install --quiet scikit-build-core==1.1.2
"$work/build/bin/pip" wheel --quiet --no-deps --no-build-isolation --wheel-dir "$scratch" --config-settings=build-dir="$work/wheel" "$root"
[ "$(ls "$scratch")" = "muonscope-0.1.0-py3-none-linux_$(uname -m).whl" ]
rm -rf "$work/use"
python3 -m venv "$work/use"
"$work/use/bin/pip" install --quiet "$scratch"/muonscope-*.whl pandas==3.0.2 tensorboard==2.21.0
cd "$scratch"
[ "$("$work/use/bin/muonscope" --version)" = "muonscope 0.1.0" ]
[ "$("$work/use/bin/python" -m muonscope --version)" = "muonscope 0.1.0" ]
"$work/use/bin/muonscope" train --preset micro --numerics exact --steps 6 --tracker.every 3 --validation.every 3 --run run >/dev/null
cp -r run run.kept
PYTHONPATH="$root/tests/python" "$work/use/bin/python" "$root/tests/python/wheel.py"
rm -r run && mv run.kept run
"$work/use/bin/python" "$root/tests/python/tensorboard_read.py"
# The environment of end_to_end/transformers, with the package beside it.
torch=$(realpath "$1")/transformers
"$torch/bin/python" -c 'import torch' 2>/dev/null || {
    python3 -m venv "$torch"
    "$torch/bin/pip" install --quiet torch==2.7.1 numpy==2.4.6
}
"$torch/bin/pip" install --quiet --no-deps --target "$scratch/package" "$scratch"/muonscope-*.whl
"$torch/bin/python" -c 'import pandas' 2>/dev/null || "$torch/bin/pip" install --quiet pandas==3.0.2
PYTHONPATH="$scratch/package:$root/tests/python" "$torch/bin/python" "$root/tests/python/gpt.py"
PYTHONPATH="$scratch/package:$root/tests/python" "$torch/bin/python" "$root/tests/python/gpt_scaler.py"
# The example, cell after cell.
PYTHONPATH="$scratch/package" "$torch/bin/python" "$root/examples/track_training.py" >example.txt
grep -q '^muon loss' example.txt && grep -Eq '^down +1 +[0-9]+\.[0-9]+ +1\.0 *$' example.txt || { cat example.txt; exit 1; }
"$work/use/bin/muonscope" compare runs/adamw_* runs/muon_* --by optimizer.name | grep -q '^  muon: 2 runs, seeds 1 2'
echo "wheel.sh: $(ls "$scratch"/*.whl | xargs wc -c | tail -1) bytes"
