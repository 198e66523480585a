#!/usr/bin/env bash
# Makes the tarball of a release out of the last commit, unpacks it, and builds and tests what is in it: the library, the tools,
# and tests of both, of what is installed, and of the documentation. Changes that are not committed are not in it.
# Arguments: the folder for all that, meson.
# Leaves proa-VERSION.tar.gz there, and its contents in proa-VERSION/. Exit status 77: this is no clone of the repository.
set -u
folder=$1 meson=$2
source_dir=$(cd "$(dirname "$0")/../consumer" && pwd)
repository=$(cd "$source_dir/../.." && pwd)
. "$source_dir/common.sh"

[ -e "$repository/.git" ] || { echo "# SKIP only a clone of the repository can make a tarball" && exit 77; }
rm -rf "$folder" && mkdir -p "$folder" && folder=$(cd "$folder" && pwd) || exit 1

# must COMMAND... ends the script where the command fails. The name of the case is in `name`.
must() {
  "$@" >&2
  report $? "dist: $name"
  [ $failed -eq 0 ] || finish
}

name='the last commit is cloned'
must git clone --quiet "$repository" "$folder/clone"
name='meson makes the tarball'
"$meson" setup "$folder/clone-build" "$folder/clone" -Dtests=false -Dbench=false >&2
must "$meson" dist -C "$folder/clone-build" --formats gztar --no-tests
mv "$folder"/clone-build/meson-dist/* "$folder" && rm -rf "$folder/clone" "$folder/clone-build"

name='the tarball has the checksum that is beside it'
checksum() { (cd "$folder" && sha256sum --check proa-*.tar.gz.sha256sum); }
must checksum
name='the tarball is unpacked'
must tar -C "$folder" -xzf "$(echo "$folder"/proa-*.tar.gz)"
unpacked=$(echo "$folder"/proa-*/)

# Configured as tools/check does for a release build, as deep below the sources: ccache has most of it.
build=${unpacked%/}/build/check
name='what is in the tarball is configured'
must "$meson" setup "$build" "$unpacked" --buildtype release -Ddefault_library=both -Dbench=false -Dwerror=true
name='library and tools are built from it, and tests pass'
must "$meson" test -C "$build" --print-errorlogs unit symbols install cmake manuals reference
finish
