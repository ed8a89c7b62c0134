# For scripts that begin with `. ci/nvcc_of.sh`: the nvcc that a build of the CUDA module uses, by its cache.
nvcc_of() { # BUILD
    nvcc=$(sed -n 's/^MS_NVCC:FILEPATH=//p' "$1/CMakeCache.txt")
    if [ -x "$nvcc" ]; then
        echo "$nvcc"
    else
        echo "$(basename "$0"): $1 has no nvcc" >&2
        return 1
    fi
}
