# For the scripts of this folder and of ../packages: a temporary folder `root`, and a line of TAP for each case.
cases=0 failed=0
root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT

report() {  # status name
  cases=$((cases + 1))
  if [ "$1" -eq 0 ]; then echo "ok $cases - $2"; else echo "not ok $cases - $2"; failed=1; fi
}
finish() {
  echo "1..$cases"
  exit $failed
}

# install_tree BUILD_FOLDER MESON: stages an installation, and moves it to where it was not meant for. Sets prefix,
# libdir and pc (the file of pkg-config).
install_tree() {
  "$2" install -C "$1" --no-rebuild --tags devel,runtime --destdir "$root/stage" >&2 || return
  pc=$(find "$root/stage" -name proa.pc)
  prefix=$root/moved
  mv "$root/stage$(sed -n 's/^prefix=//p' "$pc")" "$prefix" || return
  pc=$(find "$prefix" -name proa.pc)
  libdir=$(dirname "$(dirname "$pc")")
}

# usable_compilers COMPILER...: sets `compilers` to it, and, where the library was built with the usual standard library,
# to the other one of the two, which can use the library too.
usable_compilers() {
  compilers=("$*")
  if [ "$(uname -s)" != Linux ] || [[ "$*" == *-stdlib=* ]]; then return; fi
  local other=clang++
  if "$@" --version | grep -q clang; then other=g++; fi
  if command -v $other >/dev/null; then compilers+=($other); else echo "# there is no $other" >&2; fi
}
has_shared() { compgen -G "$libdir/libproa.so*" >/dev/null || compgen -G "$libdir/libproa*.dylib" >/dev/null; }
has_static() { [ -e "$libdir/libproa.a" ]; }
