#!/usr/bin/env bash
# What the guides (README.md, docs/ and their like) show: programs are compiled against an installed tree, and those that begin
# with the line "// runs" are run, as are scripts; commands are tried; units of systemd are verified. docs/HACKING.md says how a
# block is marked. Arguments: source folder, build folder, meson, then the C++ compiler command.
set -u
source_dir=$1 build_dir=$2 meson=$3
shift 3
if [ "$(basename "$1")" = ccache ]; then shift; fi
compiler=("$(command -v "$1")" "${@:2}")  # by its path: below, c++ is a name for it
repository=$(cd "$source_dir/../.." && pwd)
. "$repository/tests/consumer/common.sh"

install_tree "$build_dir" "$meson"
report $? "guides: install"
blocks=$root/blocks
python3 "$source_dir/blocks.py" "$repository" "$blocks" >&2
report $? "guides: every block says what it is"
grep -q 'proa::Server<Echo>' "$blocks/README-1.cpp" >&2
report $? "guides: README.md shows the echo server"

# A reader's c++ and pkg-config find what is installed.
mkdir "$root/bin" "$root/pkgconfig"
printf '#!/bin/sh\nexec %s "$@"\n' "$(printf '%q ' "${compiler[@]}")" >"$root/bin/c++" && chmod +x "$root/bin/c++"
sed "s|^prefix=.*|prefix=$prefix|" "$pc" >"$root/pkgconfig/proa.pc"
export PATH=$root/bin:$PATH PKG_CONFIG_PATH=$root/pkgconfig${PKG_CONFIG_PATH:+:$PKG_CONFIG_PATH}

# in_folder COMMAND...: in a folder of its own, with the libraries that were installed and the tools that were built.
in_folder() {
  mkdir "$root/$name" && (
    cd "$root/$name" || exit 1
    PATH=$build_dir/tools:$PATH LD_LIBRARY_PATH=$libdir timeout 30 "$@" </dev/null >&2
  )
}

# lacks PROGRAM: tells which library it needs that is not here.
lacks() {
  local needed
  needed=$(sed -n 's|^// pkg-config: ||p' "$1")
  if [ -n "$needed" ] && ! pkg-config --exists "$needed"; then echo "$needed" && return; fi
  needed=$(sed -n 's|^// needs: ||p' "$1")
  [ -n "$needed" ] && ! echo "#include <$needed>" | c++ -std=c++17 -E -x c++ - >/dev/null 2>&1 && echo "$needed"
}

# compile PROGRAM: with all warnings, but for those of a foreign library's headers. Qt wants -fPIC.
compile() {
  local needed
  needed=$(sed -n 's|^// pkg-config: ||p' "$1")
  # The headers of ACE have std::auto_ptr in them, which libc++ gives to those alone who ask.
  # shellcheck disable=SC2046
  c++ -D_LIBCPP_ENABLE_CXX17_REMOVED_AUTO_PTR -std=c++17 -Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror "$1" -o "${1%.cpp}" \
    $(pkg-config --static --cflags --libs proa) \
    $([ -z "$needed" ] || pkg-config --cflags --libs "$needed" | sed 's/^/-fPIC /; s/-I/-isystem /g') >&2
}

for program in "$blocks"/*.cpp; do
  name=$(basename "$program" .cpp)
  missing=$(lacks "$program")
  if [ -n "$missing" ]; then
    report 0 "guides: the program $name compiles # SKIP $missing is not installed"
    continue
  fi
  compile "$program"
  report $? "guides: the program $name compiles"
  [ "$(head -n 1 "$program")" = "// runs" ] || continue
  in_folder "${program%.cpp}"
  report $? "guides: the program $name runs"
done

for script in "$blocks"/*.sh; do
  name=$(basename "$script" .sh)
  if grep -q '\bproa-' "$script" && [ ! -x "$build_dir/tools/proa-probe" ]; then
    report 0 "guides: the script $name runs # SKIP the tools are not built"
    continue
  fi
  # shellcheck disable=SC2016
  in_folder bash -eu -c 'trap "kill \$(jobs -p) 2>/dev/null || :" EXIT; . "$0"' "$script"
  report $? "guides: the script $name runs"
done

if [ "$(uname -s)" != Linux ]; then
  report 0 "guides: commands and units # SKIP most of them are of Linux alone"
  finish
fi

# What this machine lacks is one skip, which names it all.
mkdir "$root/commands" && cp "$blocks/README-1.cpp" "$root/commands/echo.cpp" && touch "$root/commands/file"
ln -s "$build_dir" "$root/commands/build"
lacking=''
python3 "$source_dir/commands.py" "$repository" "$build_dir" "$meson" "$blocks/commands" "$root/commands" >"$root/tried"
report $? "guides: every command was tried"
while IFS=$'\t' read -r result command why; do
  case $result in
    ok) report 0 "guides: the command ${command//#/}" ;;
    skip) lacking+="; ${why#*: }" && echo "# skipped: $command: $why" >&2 ;;
    *) echo "$command: $why" >&2 && report 1 "guides: the command ${command//#/}" ;;
  esac
done <"$root/tried"
[ -z "$lacking" ] || report 0 "guides: the other commands # SKIP $(sed 's/^; //; s/; /\n/g' <<<"$lacking" | sort -u | paste -sd ';' | sed 's/;/; /g')"

# The program of a unit is whatever there is: systemd looks whether it can be run.
if command -v systemd-analyze >/dev/null; then
  sed -i 's|^ExecStart=[^ ]*|ExecStart=/bin/true|' "$blocks"/units/*.service
  for unit in "$blocks"/units/*; do
    SYSTEMD_UNIT_PATH=$blocks/units: systemd-analyze verify --man=no "$unit" >"$root/verified" 2>&1 &&
      ! grep -qF "$blocks" "$root/verified"  # a warning of this unit, not of the machine's own
    report $? "guides: the unit $(basename "$unit")"
    cat "$root/verified" >&2
  done
else
  report 0 "guides: units # SKIP systemd-analyze is not installed"
fi
finish
