# For scripts that begin with `. pip_packages.sh` of their folder: packages of Python's pip, in the versions and with the checksums of a list.
take_pip_packages() { # PARTIAL LIST: into PARTIAL/packages, by a virtual environment in PARTIAL/venv
    folder=$(dirname "$2")
    python3 -c 'import ensurepip, venv' 2>/dev/null || "$folder/setup.sh" python3-venv || fail "python3-venv is needed"
    python3 -m venv "$1/venv" || fail "no virtual environment of Python: see the errors above"
    "$1/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --only-binary=:all: --require-hashes \
        --target "$1/packages" --requirement "$2" || fail "pip could not install what $2 lists: see its errors above"
}
