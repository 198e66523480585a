#!/usr/bin/env bash
# What the shared library exports is what public headers declare. Arguments: source folder, shared library.
set -u
source_dir=$1 shared=$2
. "$source_dir/common.sh"
headers=$source_dir/../../include

nm -DC --defined-only "$shared" | sed 's/^[0-9a-f]* //' >"$root/symbols"
[ "$(wc -l <"$root/symbols")" -gt 100 ] && grep -q 'proa::v[0-9]*::StreamHandler::write(' "$root/symbols"
report $? "symbols: the library exports its functions"

# Names that a header only mentions (class Pool;) are not public.
cat "$headers"/proa/*.hpp "$headers"/proa/detail/*.hpp |
  sed -nE -e 's/^(class|struct) PROA_API ([A-Za-z]+).*/\2/p' -e 's/^(\[\[noreturn\]\] )?PROA_API [^(]*[ *&]([a-z_]+)\(.*/\2/p' >"$root/public"
sed -E 's/^. ((vtable|typeinfo|typeinfo name) for |non-virtual thunk to )?/ /' "$root/symbols" |
  grep -vE "^ proa::v[0-9]+::(detail::)?($(paste -sd '|' "$root/public"))(::|\(|$)" >&2
report $((! $?)) "symbols: every one is declared with PROA_API, in the namespace of the ABI"

grep '^u ' "$root/symbols" >&2
report $((! $?)) "symbols: none is unique in the process"

finish
