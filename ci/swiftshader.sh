#!/bin/sh
# SwiftShader, a second Vulkan implementation that needs no GPU, out of Debian's package chromium-common: its library and the
# JSON file that the Vulkan loader reads (VK_DRIVER_FILES).  Needs no root: the package is downloaded, not installed.  Does
# nothing when DIRECTORY is there.
# Usage: ci/swiftshader.sh DIRECTORY
set -eu

fail() {
    echo "swiftshader.sh: $1" >&2
    exit 1
}

[ $# -eq 1 ] || {
    echo "usage: ci/swiftshader.sh DIRECTORY" >&2
    exit 2
}
directory=$(realpath -m "$1")
library=libvk_swiftshader.so
description=vk_swiftshader_icd.json

complete() {
    [ -s "$directory/$library" ] && [ -s "$directory/$description" ]
}
if complete; then
    echo "swiftshader.sh: $directory has it"
    exit 0
fi
[ ! -e "$directory" ] || fail "$directory exists, but lacks $library or $description: remove it"
command -v dpkg-deb >/dev/null || fail "no dpkg-deb: this is not Debian; put $library and $description into $directory"

mkdir -p "$(dirname "$directory")"
partial=$(mktemp -d "$directory.partial-XXXXXX")
trap 'rm -rf "$partial"' EXIT
trap 'exit 1' INT TERM

# download APT_OPTIONS...: the package into $partial.  Root's apt would want to hand the download to a user who may not write there.
download() {
    (cd "$partial" && apt-get -o APT::Sandbox::User=root "$@" --quiet download chromium-common)
}
# The system's package lists may be absent, or older than the archive: then a second try with lists of our own.
download_with_new_lists() {
    mkdir -p "$partial/lists/partial" "$partial/archives/partial"
    set -- -o Dir::State::lists="$partial/lists" -o Dir::Cache="$partial/archives" -o APT::Sandbox::User=root
    apt-get "$@" -o APT::Update::Error-Mode=any --quiet update && download "$@"
}
download || {
    echo "swiftshader.sh: trying again with new package lists"
    download_with_new_lists
} || fail "chromium-common cannot be downloaded: see apt-get's errors above"

package=$(cd "$partial" && echo chromium-common_*.deb)
mkdir "$partial/swiftshader"
dpkg-deb --fsys-tarfile "$partial/$package" >"$partial/files.tar" || fail "$package cannot be unpacked"
tar -xf "$partial/files.tar" -C "$partial/swiftshader" --strip-components=4 \
    "./usr/lib/chromium/$library" "./usr/lib/chromium/$description" || fail "$package does not hold both files"
chmod 755 "$partial/swiftshader"
mv -T "$partial/swiftshader" "$directory" 2>/dev/null || complete || fail "cannot rename $partial/swiftshader to $directory"
echo "swiftshader.sh: $directory holds SwiftShader of $package"
