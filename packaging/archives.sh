#!/usr/bin/env bash
# Packs the release archives of the built programs:
#
#   packaging/archives.sh FOLDER TAG TARGET OUT
#
# FOLDER has the programs `ddpatrol`, `ddpatrol-sweep` and `ddpatrold` (on Windows only `ddpatrol.exe`). OUT gets two
# archives, ddpatrol-TAG-TARGET.tar.gz and ddpatrold-TAG-TARGET.tar.gz, with the programs at their top and the
# licences. That of ddpatrol also contains ddpatrol-sweep, manual pages and completion scripts.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ $# != 4 ]; then
  sed -n '2,8s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
folder=$1 tag=$2 target=$3 out=$4
mkdir -p "$out"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

found=0
for program in ddpatrol ddpatrold ddpatrol.exe; do
  [ -f "$folder/$program" ] || continue
  found=1
  name=${program%.exe}
  mkdir "$work/$name"
  cp "$folder/$program" "$root/LICENSE-MIT" "$root/LICENSE-APACHE" "$work/$name"
  if [ "$program" = ddpatrol ]; then
    [ -f "$folder/ddpatrol-sweep" ] || {
      echo "error: $folder has no ddpatrol-sweep: build it with --package ddpatrol-sweep" >&2
      exit 2
    }
    cp "$folder/ddpatrol-sweep" "$work/$name"
  fi
  "$work/$name/$program" --version
  [ "$name" = ddpatrold ] || "$root/packaging/assets.sh" "$work/$name/$program" "$work/$name"
  # The members have no leading `./`, so that a single one can be named when unpacking.
  (cd "$work/$name" && tar -cz -- *) >"$out/$name-$tag-$target.tar.gz"
done
[ "$found" = 1 ] || {
  echo "error: $folder has no program: build one with --profile dist" >&2
  exit 2
}
