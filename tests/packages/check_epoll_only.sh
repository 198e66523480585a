#!/usr/bin/env bash
# Uses a build that has the epoll backend and no other, because liburing and libaio are missing: programs are linked with what it
# installs, shared and static, and run. Arguments: name of the build, its folder, meson, then the C++ compiler command.
set -u
name=$1 build_dir=$2 meson=$3
shift 3
source_dir=$(cd "$(dirname "$0")/../consumer" && pwd)
. "$source_dir/common.sh"

install_tree "$build_dir" "$meson"
report $? "$name: install"
config() { PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" proa; }

# works PROGRAM: it runs, on epoll and on nothing else.
works() {
  "$1" >"$root/output"
  local status=$?
  cat "$root/output" >&2
  [ $status -eq 0 ] && [ "$(grep -c ': works$' "$root/output")" = 1 ] && grep -qx 'epoll: works' "$root/output"
}
if has_shared; then
  # shellcheck disable=SC2046
  "$@" -std=c++17 "$source_dir/echo.cpp" -o "$root/shared" $(config --cflags --libs) >&2 &&
    LD_LIBRARY_PATH=$libdir works "$root/shared"
  report $? "$name: a program with the shared library"
fi
rm -f "$libdir"/libproa.so*
# shellcheck disable=SC2046
"$@" -std=c++17 "$source_dir/echo.cpp" -o "$root/static" $(config --static --cflags --libs) >&2 && works "$root/static"
report $? "$name: a program with the static library"
"$build_dir/tools/proa-probe" >&2
report $? "$name: proa-probe"
finish
