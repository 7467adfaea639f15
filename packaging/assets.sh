#!/bin/sh
# Writes the manual pages and the completion scripts of a built ddpatrol:
#
#   packaging/assets.sh PROGRAM FOLDER
#
# FOLDER gets man/*.1 and completions/.
set -eu

if [ $# != 2 ]; then
  sed -n '2,6s/^# \{0,1\}//p' "$0" >&2
  exit 2
fi
program=$1 folder=$2
mkdir -p "$folder/man" "$folder/completions"

# Writes the page of a command and of its subcommands, which the help lists under `Commands:`.
pages() { # [COMMAND...]
  name=ddpatrol
  for word; do name=$name-$word; done
  "$program" man "$@" >"$folder/man/$name.1"
  for sub in $("$program" "$@" --help | awk '
    /^Commands:/ { listing = 1; next }
    /^[^ ]/ { listing = 0 }
    listing && /^  [a-z]/ && $1 != "help" { print $1 }
  '); do
    pages "$@" "$sub"
  done
}

pages
"$program" completions bash >"$folder/completions/ddpatrol.bash"
"$program" completions zsh >"$folder/completions/_ddpatrol"
"$program" completions fish >"$folder/completions/ddpatrol.fish"
"$program" completions powershell >"$folder/completions/_ddpatrol.ps1"
