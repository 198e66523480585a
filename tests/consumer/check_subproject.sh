#!/usr/bin/env bash
# A project of meson has proa as a subproject: its sources without tests, benchmarks and tools, which it does not get
# anyway. Arguments: source folder, meson, options of `meson setup` in one word, then the C++ compiler command.
set -u
source_dir=$1 meson=$2 options=$3
shift 3
export CXX="$*"
. "$source_dir/common.sh"

mkdir -p "$root/consumer/subprojects/proa"
cp "$source_dir/subproject/meson.build" "$source_dir/echo.cpp" "$source_dir/sum.hpp" "$root/consumer"
(cd "$source_dir/../.." && cp -r ./*.md cmake docs include lib meson.build meson_options.txt "$root/consumer/subprojects/proa")

# shellcheck disable=SC2086
"$meson" setup "$root/build" "$root/consumer" --wrap-mode nofallback --force-fallback-for proa $options >&2
report $? "subproject: configured, $options"
for standard in 17 20 2b; do
  ninja -j1 -C "$root/build" echo-$standard >&2 && "$root/build/echo-$standard" >&2
  report $? "subproject: a program in C++$standard, $options"
done
finish
