#!/usr/bin/env bash
# How much larger the echo server of README.md is than an empty program, both static and stripped. Arguments: source folder,
# build folder, meson, then the C++ compiler command.
set -u
source_dir=$1 build_dir=$2 meson=$3
shift 3
compiler=("$@")
. "$source_dir/common.sh"

install_tree "$build_dir" "$meson" || { report 1 "size: installed" && finish; }
config() { PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" proa; }
awk '/^```cpp$/ { inside = 1; next } /^```/ && inside { exit } inside' "$source_dir/../../README.md" >"$root/echo.cpp"
echo 'int main() {}' >"$root/empty.cpp"

# build PROGRAM FLAG...
build() {
  local program=$1
  shift
  # shellcheck disable=SC2046
  "${compiler[@]}" -std=c++17 -O2 -static -s "$root/$program.cpp" -o "$root/$program" $(config --static --cflags --libs) "$@" >&2
}

# check KIBIBYTES NAME FLAG...: the difference is not above that.
check() {
  local most=$1 name=$2 more
  shift 2
  if ! build empty "$@"; then
    report 0 "size: $name # SKIP there is no static C library, liburing or libaio"
    return
  fi
  build echo "$@" || { report 1 "size: $name: the echo server links" && return; }
  more=$(($(stat -c %s "$root/echo") - $(stat -c %s "$root/empty")))
  ((more <= most * 1024))
  report $? "size: $name: the echo server is $((more / 1024)) KiB larger than an empty program, at most $most are allowed ($(stat -c %s "$root/echo") and $(stat -c %s "$root/empty") bytes)"
}

check 450 "static, with --gc-sections" -Wl,--gc-sections
check 568 "static"
finish
