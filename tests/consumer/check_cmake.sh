#!/usr/bin/env bash
# A project of CMake finds proa in an installed tree that was moved: the shared library, and the static one.
# Arguments: source folder, build folder, meson, then the C++ compiler command.
set -u
source_dir=$1 build_dir=$2 meson=$3
shift 3
if [ "$(basename "$1")" = ccache ]; then shift; fi
export CXX="$*"
. "$source_dir/common.sh"

if ! command -v cmake >/dev/null && [ "${CI:-false}" = false ]; then
  echo "1..0 # SKIP cmake is not installed"
  exit 0
fi
install_tree "$build_dir" "$meson"
report $? "cmake: install"

# configure NAME WANTED_VERSION
configure() {
  cmake -G Ninja -S "$source_dir/cmake" -B "$root/$1" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="$2" >&2
}
consume() { configure "$1" 0.1 && cmake --build "$root/$1" >&2 && "$root/$1/echo" >&2; }

if has_shared; then
  consume shared
  report $? "cmake: a program with the shared library"
fi
if has_static; then
  rm -f "$libdir"/libproa.so* "$libdir"/libproa*.dylib
  consume static
  report $? "cmake: a program with the static library, where that is all there is"
fi
for wanted in 0.0 0.2 1.0; do
  ! configure "version-$wanted" "$wanted" 2>"$root/errors" && grep -q 'requested version' "$root/errors"
  report $? "cmake: version $wanted is refused"
done
finish
