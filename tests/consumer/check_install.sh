#!/usr/bin/env bash
# Installs proa into a temporary folder and builds every program of this folder against that alone, by pkg-config: shared
# and static, whatever was built. Then one of them by each compiler, in each standard, with and without exceptions and RTTI.
# Arguments: source folder, build folder, meson, then the C++ compiler command.
set -u
source_dir=$1 build_dir=$2 meson=$3
shift 3
compiler=("$@")
. "$source_dir/common.sh"

install_tree "$build_dir" "$meson"
report $? "install: headers, library, pkg-config file"
# pkg-config is shown the file of proa alone: a program that uses proa needs that of no other library.
alone() { PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=$(dirname "$pc") pkg-config --define-variable=prefix="$prefix" "$@"; }
config() { alone "$@" proa; }
! alone --exists liburing && config --exists --print-errors >&2
report $? "install: pkg-config needs no file of another library"
for static in '' --static; do
  # shellcheck disable=SC2086
  [ "$(config $static --cflags | sed 's/ *$//')" = "-I$prefix/include" ]
  report $? "install: pkg-config${static:+ $static} gives a folder and no flags"
done
if has_shared; then
  [ "$(config --libs | sed 's/ *$//')" = "-L$libdir -lproa" ]
  report $? "install: pkg-config gives the shared library and nothing that it needs itself"
fi

warnings=(-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror)

for program in "$source_dir"/*.cpp; do
  name=$(basename "$program" .cpp)
  build=("${compiler[@]}" -std=c++17 "${warnings[@]}" "$program" -o "$root/$name")
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

cat >"$root/flags" <<'END'
-std=c++17
-std=c++20
-std=c++2b
-std=c++17 -fno-exceptions -fno-rtti
-std=c++20 -fno-exceptions -fno-rtti
-std=c++2b -fno-exceptions -fno-rtti
END
usable_compilers "${compiler[@]}"
for each in "${compilers[@]}"; do
  while read -r flags; do
    # shellcheck disable=SC2046,SC2086
    $each $flags "${warnings[@]}" -c "$source_dir/echo.cpp" -o "$root/echo.o" $(config --cflags) >&2
    report $? "install: compiled, $each $flags"
    # shellcheck disable=SC2206
    link=($each $flags "$root/echo.o" -o "$root/echo")
    if has_shared; then
      # shellcheck disable=SC2046
      "${link[@]}" $(config --libs) >&2 && LD_LIBRARY_PATH=$libdir "$root/echo" >&2
      report $? "install: shared, $each $flags"
    fi
    if has_static; then
      # shellcheck disable=SC2046
      "${link[@]}" -L"$root/static" $(config --static --libs) >&2 && "$root/echo" >&2
      report $? "install: static, $each $flags"
    fi
  done <"$root/flags"
done

finish
