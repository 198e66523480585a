#!/usr/bin/env bash
# Installs proa into a temporary folder and builds every program of this folder against that alone: shared and
# static, whatever was built. Then the complete programs among the examples of README.md and docs/; those that begin with the line
# "// runs" are also run, as are blocks of shell commands that are marked "sh run". Each must end within 30 s, with status 0.
# Arguments: source folder, build folder, meson, then the C++ compiler command.
set -u
source_dir=$1 build_dir=$2 meson=$3
shift 3
compiler=("$@")

root=$(mktemp -d) || exit 1
trap 'rm -rf "$root"' EXIT
cases=0 failed=0
report() {  # status name
  cases=$((cases + 1))
  if [ "$1" -eq 0 ]; then echo "ok $cases - $2"; else echo "not ok $cases - $2"; failed=1; fi
}

"$meson" install -C "$build_dir" --no-rebuild --tags devel,runtime --destdir "$root" >&2
report $? "install: headers, library, pkg-config file"
pc=$(find "$root" -name proa.pc)
libdir=$(dirname "$(dirname "$pc")")
prefix=$root$(sed -n 's/^prefix=//p' "$pc")
config() { PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" proa; }

# set_build PROGRAM: how it is compiled, but for the flags of the library.
set_build() {
  build=("${compiler[@]}" -std=c++17 -Wall -Wextra -Wconversion -Wshadow -Werror "$1" -o "$root/$name")
}

for program in "$source_dir"/*.cpp; do
  name=$(basename "$program" .cpp)
  set_build "$program"
  if compgen -G "$libdir/libproa.so*" >/dev/null || compgen -G "$libdir/libproa.dylib" >/dev/null; then
    # shellcheck disable=SC2046
    "${build[@]}" $(config --cflags --libs) >&2 && LD_LIBRARY_PATH=$libdir "$root/$name" >&2
    report $? "install: $name with the shared library"
  fi
  if [ -e "$libdir/libproa.a" ]; then
    mkdir -p "$root/static" && cp "$libdir/libproa.a" "$root/static"
    # shellcheck disable=SC2046
    "${build[@]}" -L"$root/static" $(config --static --cflags --libs) >&2 && "$root/$name" >&2
    report $? "install: $name with the static library"
  fi
done

repository=$(cd "$source_dir/../.." && pwd)
mkdir "$root/examples"
for page in "$repository"/*.md "$repository"/docs/*.md; do
  awk -v stem="$root/examples/$(basename "$page" .md)" '
    /^```cpp$/ { file = stem "-" ++count ".cpp"; next }
    /^```sh run$/ { file = stem "-" ++count ".sh"; next }
    /^```/ { file = "" }
    file { print > file }' "$page"
done
grep -q 'proa::Server<Echo>' "$root/examples/README-1.cpp" >&2
report $? "install: README.md shows the echo server"

# run_example COMMAND...: in a folder of its own, with what was installed and the tools that were built.
run_example() {
  mkdir "$root/examples/$name" && (
    cd "$root/examples/$name" || exit 1
    PATH=$build_dir/tools:$PATH LD_LIBRARY_PATH=$libdir timeout 30 "$@" </dev/null >&2
  )
}

for program in "$root"/examples/*.cpp; do
  grep -q 'int main' "$program" || continue
  name=$(basename "$program" .cpp)
  set_build "$program"
  needed=$(sed -n 's|^// pkg-config: ||p' "$program")
  if [ -n "$needed" ] && ! pkg-config --exists "$needed"; then
    report 0 "install: the example $name compiles # SKIP $needed is not installed"
    continue
  fi
  # shellcheck disable=SC2046
  "${build[@]}" $(config --static --cflags --libs) \
    $([ -z "$needed" ] || pkg-config --cflags --libs "$needed" | sed 's/-I/-isystem /g') >&2
  report $? "install: the example $name compiles"
  [ "$(head -n 1 "$program")" = "// runs" ] || continue
  name=$name-runs
  run_example "$root/${name%-runs}"
  report $? "install: the example ${name%-runs} runs"
done
for commands in "$root"/examples/*.sh; do
  [ -e "$commands" ] || continue
  name=$(basename "$commands" .sh)
  if grep -q '\bproa-' "$commands" && [ ! -x "$build_dir/tools/proa-probe" ]; then
    report 0 "install: the commands $name run # SKIP the tools are not built"
    continue
  fi
  # shellcheck disable=SC2016
  run_example bash -eu -c 'trap "kill \$(jobs -p) 2>/dev/null || :" EXIT; . "$0"' "$commands"
  report $? "install: the commands $name run"
done

echo "1..$cases"
exit $failed
