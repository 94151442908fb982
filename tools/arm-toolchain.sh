#!/bin/sh
# Fetches what the firmware tests need to build Rust for Arm where rustup cannot fetch its targets.
#
#   sh tools/arm-toolchain.sh [FOLDER]     default: target/arm-toolchain
#
# Debian 12 on x86-64 has a Rust of its own, newer than that of the release, with the sources of the
# library and the compiled library for 64-bit Arm. Its packages are unpacked into the folder, about
# 1 GB; nothing is installed, and no rights are needed. The compiler for C and the emulators are
# ordinary packages, which the tests name where they are missing.
set -eu

root=$(cd "$(dirname "$0")/.." && pwd)
folder=${1:-${CARGO_TARGET_DIR:-$root/target}/arm-toolchain}
if [ -x "$folder/usr/bin/rustc" ]; then
    echo "$folder is there already"
    exit 0
fi

# Everything lands beside the folder first, so that one that is there is whole.
mkdir -p "$(dirname "$folder")"
work=$(mktemp -d "$(dirname "$folder")/arm-toolchain.XXXXXX")
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/packages" "$work/unpacked"

# Lists of its own, because those of the system have one architecture and belong to root.
apt() {
    apt-get --quiet=2 \
        --option APT::Architecture=amd64 --option APT::Architectures::=amd64 \
        --option APT::Architectures::=arm64 --option APT::Sandbox::User=root \
        --option "Dir::State::Lists=$work/lists" --option "Dir::Cache=$work/cache" \
        --option Debug::NoLocking=true --option Acquire::Retries=3 "$@"
}

apt update
cd "$work/packages"
apt download rustc-web cargo-web rust-web-src libstd-rust-web-dev libstd-rust-web-dev:arm64
# The libraries that this compiler and this cargo are linked with, under the names they have now.
needed() {
    for package in ./*_amd64.deb; do
        dpkg-deb --field "$package" Pre-Depends Depends
    done | sed 's/^[A-Za-z-]*://' | tr ',|' '\n\n' | sed 's/ *(.*//; s/:any//; s/^ *//' | sort -u |
        grep -E '^(libstd-rust-web|libLLVM|libllvm|libgit2|libhttp-parser|libmbed|libssh2|libcurl)'
}
# shellcheck disable=SC2046
apt download $(needed)
# What libgit2 needs in turn.
# shellcheck disable=SC2046
apt download $(needed)

for package in ./*_amd64.deb ./*_all.deb; do
    dpkg-deb --extract "$package" "$work/unpacked"
done
mkdir "$work/arm64"
dpkg-deb --extract ./libstd-rust-web-dev_*_arm64.deb "$work/arm64"
mv "$work/arm64/usr/lib/rustlib/aarch64-unknown-linux-gnu" "$work/unpacked/usr/lib/rustlib/"
if ! LD_LIBRARY_PATH="$work/unpacked/usr/lib/x86_64-linux-gnu" "$work/unpacked/usr/bin/cargo" --version ||
    ! LD_LIBRARY_PATH="$work/unpacked/usr/lib/x86_64-linux-gnu" "$work/unpacked/usr/bin/rustc" --version; then
    echo "error: libraries are missing: apt-get install libcurl4 libedit2 libxml2 libz3-4" >&2
    exit 1
fi
mv "$work/unpacked" "$folder"
echo "Rust for Arm is in $folder"
