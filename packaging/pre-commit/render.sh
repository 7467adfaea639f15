#!/bin/sh
# Writes the content of the hook repository ddpatrol-pre-commit, whose hooks install the Python wheel:
#
#   packaging/pre-commit/render.sh VERSION FOLDER
#
# The hooks are those of .pre-commit-hooks.yaml that build the program, in the language `python`.
set -eu
here=$(cd "$(dirname "$0")" && pwd)

if [ $# != 2 ]; then
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
version=$1 folder=$2
case $version in
  '' | *[!0-9A-Za-z.+-]*)
    echo "error: invalid version \"$version\": expected a version such as 0.1.0" >&2
    exit 2
    ;;
esac
mkdir -p "$folder"
for file in pyproject.toml README.md; do
  sed "s/@VERSION@/$version/" "$here/$file" >"$folder/$file"
done
cp "$here/../../LICENSE-MIT" "$here/../../LICENSE-APACHE" "$folder"
# A hook begins with `- id:`; those that end in -system run a program that is installed already.
awk '
  /^#/ { next }
  /^- id:/ { keep = $0 !~ /-system$/ }
  keep { sub(/language: rust$/, "language: python"); print }
' "$here/../../.pre-commit-hooks.yaml" >"$folder/.pre-commit-hooks.yaml"
