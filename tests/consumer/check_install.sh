#!/usr/bin/env bash
# Installs proa into a temporary folder and builds every program of this folder against that alone, by pkg-config: shared
# and static, whatever was built. Then one of them by other compilers, in other standards, without exceptions and RTTI.
# Then the complete programs among the examples of README.md and docs/; those that begin with the line "// runs" are also run,
# as are blocks of shell commands that are marked "sh run". Each must end within 30 s, with status 0.
# Arguments: source folder, build folder, meson, then the C++ compiler command.
set -u
source_dir=$1 build_dir=$2 meson=$3
shift 3
compiler=("$@")
. "$source_dir/common.sh"

install_tree "$build_dir" "$meson"
report $? "install: headers, library, pkg-config file"
config() { PKG_CONFIG_PATH=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@" proa; }
[ "$(config --cflags | sed 's/ *$//')" = "-I$prefix/include" ] &&
  [ "$(config --libs | sed 's/ *$//')" = "-L$libdir -lproa" ]
report $? "install: pkg-config gives a folder, a library, and no flags"

warnings=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)
# set_build PROGRAM: how it is compiled, but for the flags of the library.
set_build() {
  build=("${compiler[@]}" -std=c++17 "${warnings[@]}" "$1" -o "$root/$name")
}

for program in "$source_dir"/*.cpp; do
  name=$(basename "$program" .cpp)
  set_build "$program"
  if has_shared; then
    # shellcheck disable=SC2046
    "${build[@]}" $(config --cflags --libs) >&2 && LD_LIBRARY_PATH=$libdir "$root/$name" >&2
    report $? "install: $name with the shared library"
  fi
  if has_static; then
    mkdir -p "$root/static" && cp "$libdir/libproa.a" "$root/static"
    # shellcheck disable=SC2046
    "${build[@]}" -L"$root/static" $(config --static --cflags --libs) >&2 && "$root/$name" >&2
    report $? "install: $name with the static library"
  fi
done

# What dlclose() leaves of a plugin: nothing.
if [ "$(uname -s)" = Linux ]; then
  "${compiler[@]}" -std=c++17 "${warnings[@]}" "$source_dir/unload/main.cpp" -o "$root/unload" -ldl >&2
  report $? "install: a program that loads plugins"
  plugin=("${compiler[@]}" -std=c++17 "${warnings[@]}" -fPIC -shared "$source_dir/unload/plugin.cpp" -o "$root/plugin.so")
  if has_shared; then
    # shellcheck disable=SC2046
    "${plugin[@]}" $(config --cflags --libs) >&2 &&
      LD_LIBRARY_PATH=$libdir "$root/unload" "$root/plugin.so" shared >&2
    report $? "install: dlclose() unloads the shared library"
  fi
  if has_static; then
    # shellcheck disable=SC2046
    "${plugin[@]}" -L"$root/static" $(config --static --cflags --libs) >&2 && "$root/unload" "$root/plugin.so" static >&2
    report $? "install: dlclose() unloads a plugin that has the static library in it"
  fi
fi

# Where the library was built with the usual standard library, the other compiler can use it too.
compilers=("${compiler[*]}")
if [ "$(uname -s)" = Linux ] && [[ "${compiler[*]}" != *-stdlib=* ]]; then
  if "${compiler[@]}" --version | grep -q clang; then other=g++; else other=clang++; fi
  if command -v $other >/dev/null; then compilers+=($other); else echo "# there is no $other" >&2; fi
fi
cat >"$root/flags" <<'END'
-std=c++17
-std=c++20
-std=c++2b
-std=c++17 -fno-exceptions -fno-rtti
-std=c++20 -fno-exceptions -fno-rtti
-std=c++2b -fno-exceptions -fno-rtti
END
for each in "${compilers[@]}"; do
  while read -r flags; do
    # shellcheck disable=SC2046,SC2086
    $each $flags "${warnings[@]}" -fsyntax-only "$source_dir/echo.cpp" $(config --cflags) >&2
    report $? "install: headers, $each $flags"
  done <"$root/flags"
  # shellcheck disable=SC2046,SC2086
  $each -std=c++20 -fno-exceptions -fno-rtti "${warnings[@]}" "$source_dir/echo.cpp" -o "$root/echo" $(config --static --cflags --libs) >&2 &&
    LD_LIBRARY_PATH=$libdir "$root/echo" >&2
  report $? "install: $each makes a program without exceptions that runs"
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
    $([ -z "$needed" ] || pkg-config --cflags --libs "$needed" | sed 's/^/-fPIC /; s/-I/-isystem /g') >&2
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
finish
