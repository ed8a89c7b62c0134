# For scripts that begin with `. ci/build_folder.sh` and take a folder in which muonscope was built.

# need_build BUILD: ends the script with status 2 where nothing was configured.
need_build() {
    [ -f "$1/CMakeCache.txt" ] || {
        echo "$(basename "$0"): no build in $1, which has no CMakeCache.txt" >&2
        exit 2
    }
}

# need_cuda_build BUILD: also where its configuration has no CUDA module; else $nvcc is its compiler.
need_cuda_build() {
    need_build "$1"
    nvcc=$(sed -n 's/^MS_NVCC:FILEPATH=//p' "$1/CMakeCache.txt")
    [ -x "$nvcc" ] || {
        echo "$(basename "$0"): no build of the CUDA module in $1: its configuration has no nvcc" >&2
        exit 2
    }
}
