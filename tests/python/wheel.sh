#!/bin/sh
# The wheel, built by pip and used in a virtual environment that has nothing else: spectra, a run's tables with pandas, the program.
# Gets scikit-build-core, NumPy and pandas from PyPI; the build and the environments stay beside the program.
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
"$work/use/bin/pip" install --quiet "$scratch"/muonscope-*.whl pandas==3.0.2
cd "$scratch"
[ "$("$work/use/bin/muonscope" --version)" = "muonscope 0.1.0" ]
[ "$("$work/use/bin/python" -m muonscope --version)" = "muonscope 0.1.0" ]
"$work/use/bin/muonscope" train --preset micro --numerics exact --steps 6 --tracker.every 3 --validation.every 3 --run run >/dev/null
PYTHONPATH="$root/tests/python" "$work/use/bin/python" "$root/tests/python/wheel.py"
echo "wheel.sh: $(ls "$scratch"/*.whl | xargs wc -c | tail -1) bytes"
