#!/usr/bin/env bash
# Builds the packages of Debian from the tarball that check_dist.sh made, has lintian look at them, and uses what is in them: a
# program that is compiled against libproa-dev, and the programs of proa-tools, in a folder and not installed.
# Arguments: the folder of check_dist.sh, the folder for the packages. Exit status 77: there is no such tarball.
set -u
dist=$1 folder=$2
source_dir=$(cd "$(dirname "$0")/../consumer" && pwd)
. "$source_dir/common.sh"

tarball=$(echo "$dist"/proa-*.tar.gz)
[ -e "$tarball" ] || { echo "# SKIP there is no tarball in $dist" && exit 77; }
rm -rf "$folder" && mkdir -p "$folder" && tar -C "$folder" -xzf "$tarball" || exit 1
folder=$(cd "$folder" && pwd)
unpacked=$(echo "$folder"/proa-*/)

(cd "$unpacked" && dpkg-buildpackage -us -uc -b) >&2
report $? "debian: dpkg-buildpackage"
[ $failed -eq 0 ] || finish

root_is_fine=()
if [ "$(id -u)" -eq 0 ]; then root_is_fine=(--allow-root); fi
lintian "${root_is_fine[@]}" --fail-on error "$folder"/proa_*.changes >&2
report $? "debian: lintian finds no error"

# has PACKAGE FILE...: each is in it, compressed or not; what is missing is named.
has() {
  local package=$1 file missing=0
  shift
  dpkg-deb --fsys-tarfile "$folder/${package}_"*.deb | tar -t | sed 's|^\.||' >"$root/$package"
  for file in "$@"; do
    grep -qxF -e "$file" -e "$file.gz" "$root/$package" || { echo "$package lacks $file" >&2 && missing=1; }
  done
  return $missing
}
# under FOLDER PREFIX PATTERN: the files of the sources below a folder, as they are called once they are installed.
under() { (cd "$unpacked/$1" && find . -name "$3" -not -path './man/*' | sed "s|^\.|$2|"); }

version=$(cd "$unpacked" && dpkg-parsechangelog -S Version | sed 's/-[^-]*$//')
libraries=/usr/lib/$(dpkg-architecture -qDEB_HOST_MULTIARCH)
library=$(sed -n 's/^Package: \(libproa[0-9]*\)$/\1/p' "$unpacked/debian/control")  # it has the number of the ABI
soname=libproa.so.${library#libproa}
has "$library" "$libraries/$soname" "$libraries/libproa.so.$version" && ! grep -q 'libproa\.so$\|/include/' "$root/$library"
report $? "debian: $library has the shared library, and nothing to compile with"
# shellcheck disable=SC2046
has libproa-dev "$libraries/libproa.so" "$libraries/libproa.a" "$libraries/pkgconfig/proa.pc" \
  "$libraries"/cmake/proa/proaConfig{,Version}.cmake $(under include /usr/include '*.hpp')
report $? "debian: libproa-dev has every header, both libraries, the files for pkg-config and CMake"
# shellcheck disable=SC2046
has libproa-dev /usr/share/doc/libproa-dev/{README.md,changelog} $(under docs /usr/share/doc/libproa-dev/docs '*.md')
report $? "debian: libproa-dev has the documentation"
pages=$(cd "$unpacked/docs/man" && echo *.1)
# shellcheck disable=SC2046,SC2086
has proa-tools $(printf '/usr/share/man/man1/%s\n' $pages) $(printf '/usr/bin/%s\n' ${pages//.1/})
report $? "debian: proa-tools has every program and its page"

for package in "$library" libproa-dev proa-tools; do
  dpkg-deb -x "$folder/${package}_"*.deb "$root/installed" >&2
  report $? "debian: $package is unpacked"
done
usr=$root/installed/usr
export LD_LIBRARY_PATH=$root/installed$libraries
config() {
  PKG_CONFIG_PATH='' PKG_CONFIG_LIBDIR=$LD_LIBRARY_PATH/pkgconfig pkg-config --define-variable=prefix="$usr" "$@" proa
}
# shellcheck disable=SC2046
c++ -std=c++17 "$source_dir/echo.cpp" -o "$root/echo" $(config --cflags --libs) >&2 &&
  readelf -d "$root/echo" | grep -qF "[$soname]" && "$root/echo" >&2
report $? "debian: a program with the shared library runs"
# shellcheck disable=SC2046
c++ -std=c++17 "$source_dir/echo.cpp" -o "$root/echo" $(config --static --cflags --libs | sed 's/-lproa/-l:libproa.a/') >&2 &&
  "$root/echo" >&2
report $? "debian: a program with the static library runs"
for program in "$usr"/bin/*; do
  "$program" --help | grep "^usage: $(basename "$program")" >&2
  report $? "debian: $(basename "$program") runs"
done
finish
