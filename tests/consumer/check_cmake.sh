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
usable_compilers "$@"
install_tree "$build_dir" "$meson"
report $? "cmake: install"

# configure NAME WANTED_VERSION [OPTION...]
configure() {
  local name=$1 wanted=$2
  shift 2
  rm -f "$root/$name/CMakeCache.txt"  # looks for everything anew; what is compiled already stays
  cmake -G Ninja -S "$source_dir/cmake" -B "$root/$name" -DCMAKE_PREFIX_PATH="$prefix" -DWANTED="$wanted" "$@" >&2
}
# consume NAME [OPTION...]: in each standard, with and without exceptions and RTTI.
consume() {
  configure "$1" 0.1 "${@:2}" && cmake --build "$root/$1" >&2 || return
  local standard bare
  for standard in 17 20 23; do
    for bare in '' -bare; do
      "$root/$1/echo-$standard$bare" >&2 || return
    done
  done
}

# As where neither liburing nor libaio is installed: CMake looks for libraries in a folder that has none.
without_libraries=(-DCMAKE_FIND_ROOT_PATH="$root/nothing" -DCMAKE_FIND_ROOT_PATH_MODE_LIBRARY=ONLY)
if has_shared; then
  for each in "${compilers[@]}"; do
    CXX=$each consume "with-${each%% *}" "${without_libraries[@]}"
    report $? "cmake: $each: programs with the shared library, which needs no other"
  done
fi
if has_static; then
  rm -f "$libdir"/libproa.so* "$libdir"/libproa*.dylib
  if grep -q '^Libs.*-l\(uring\|aio\)' "$pc"; then
    ! configure missing 0.1 "${without_libraries[@]}" 2>"$root/errors" && grep -q 'static library of proa needs' "$root/errors"
    report $? "cmake: the static library is refused where what it needs is missing"
  fi
  for each in "${compilers[@]}"; do
    CXX=$each consume "with-${each%% *}"
    report $? "cmake: $each: programs with the static library, where that is all there is"
  done
fi
# Headers that are installed outside of the prefix.
"$meson" setup "$root/elsewhere" "$source_dir/../.." --includedir /elsewhere/include -Dtests=false -Dbench=false -Dtools=false >&2 &&
  grep -q '"/elsewhere/include" ABSOLUTE' "$root/elsewhere/cmake/proaConfig.cmake"
report $? "cmake: headers are found where includedir is no folder of the prefix"
for wanted in 0.0 0.2 1.0; do
  ! configure "version-$wanted" "$wanted" 2>"$root/errors" && grep -q 'requested version' "$root/errors"
  report $? "cmake: version $wanted is refused"
done
finish
