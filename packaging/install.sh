#!/bin/sh
# Installs a release of ddpatrol after verifying its SHA-256:
#
#   install.sh [--version VERSION] [--program ddpatrol|ddpatrold] [--to FOLDER]
#
# By default the newest release of ddpatrol, with ddpatrol-sweep, is installed in ~/.local/bin. If GitHub's `gh` is installed and
# signed in, the provenance of the archive is verified, too. DDPATROL_RELEASES is the URL of a mirror that has
# the folders latest/download and download/vVERSION of https://github.com/ddpatrol/ddpatrol/releases.
set -eu

repository=ddpatrol/ddpatrol
releases=${DDPATROL_RELEASES:-https://github.com/$repository/releases}
version=
program=ddpatrol
folder=${HOME:-}/.local/bin

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 1
}

usage() {
  sed -n '2,8s/^# \{0,1\}//p' "$0"
}

while [ $# -gt 0 ]; do
  case $1 in
    -h | --help)
      usage
      exit 0
      ;;
    --version | --program | --to)
      [ $# -ge 2 ] || fail "the option $1 needs a value"
      case $1 in
        --version) version=${2#v} ;;
        --program) program=$2 ;;
        --to) folder=$2 ;;
      esac
      shift 2
      ;;
    *) fail "unknown argument \"$1\": expected --version, --program or --to" ;;
  esac
done
case $program in
  ddpatrol | ddpatrold) ;;
  *) fail "unknown program \"$program\": expected ddpatrol or ddpatrold" ;;
esac
case $version in
  *[!0-9A-Za-z.+-]*) fail "invalid version \"$version\": expected a version such as 0.1.0" ;;
esac
case $(uname -s)-$(uname -m) in
  Linux-x86_64) target=x86_64-unknown-linux-musl ;;
  Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
  Darwin-x86_64) target=x86_64-apple-darwin ;;
  Darwin-arm64) target=aarch64-apple-darwin ;;
  *) fail "there is no release for $(uname -s) on $(uname -m); build from source: https://github.com/$repository" ;;
esac

# Prints a file of a URL. Plain HTTP is refused, also after a redirection.
get() { # URL FILE
  if command -v curl >/dev/null; then
    curl --silent --show-error --fail --location --retry 3 --proto '=https,file' --proto-redir '=https' \
      --output "$2" "$1"
  elif command -v wget >/dev/null; then
    wget --quiet --https-only --output-document="$2" "$1"
  else
    fail "neither curl nor wget found: install one of them"
  fi
}

sha256() {
  if command -v sha256sum >/dev/null; then
    sha256sum "$1"
  elif command -v shasum >/dev/null; then
    shasum -a 256 "$1"
  else
    fail "neither sha256sum nor shasum found: install one of them"
  fi | cut -d ' ' -f 1
}

if [ -n "$version" ]; then
  from=$releases/download/v$version
else
  from=$releases/latest/download
fi
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
get "$from/SHA256SUMS" "$work/SHA256SUMS" ||
  fail "cannot download $from/SHA256SUMS: ${version:+version $version may not exist; }see $releases"
# The lines are `SHA-256  NAME`.
archive=$(awk -v start="$program-v" -v end="-$target.tar.gz" '
  index($2, start) == 1 && substr($2, length($2) - length(end) + 1) == end { print $2; exit }
' "$work/SHA256SUMS")
[ -n "$archive" ] || fail "the release at $from has no $program for $target"
wanted=$(awk -v name="$archive" '$2 == name { print $1; exit }' "$work/SHA256SUMS")
get "$from/$archive" "$work/$archive" || fail "cannot download $from/$archive"
got=$(sha256 "$work/$archive")
[ "$got" = "$wanted" ] ||
  fail "checksum mismatch: $archive has the SHA-256 $got, but SHA256SUMS lists $wanted. Nothing was installed."
if [ -z "${DDPATROL_RELEASES:-}" ] && command -v gh >/dev/null && gh auth status >/dev/null 2>&1; then
  gh attestation verify "$work/$archive" --repo "$repository" >/dev/null ||
    fail "the provenance of $archive cannot be verified. Nothing was installed."
  echo "verified the provenance of $archive"
fi
mkdir "$work/unpacked"
# `ddpatrol sweep` runs ddpatrol-sweep, which is in the same archive.
case $program in
  ddpatrol) programs='ddpatrol-sweep ddpatrol' ;;
  *) programs=$program ;;
esac
for name in $programs; do
  tar -xzf "$work/$archive" -C "$work/unpacked" "$name" || fail "cannot unpack $archive"
done
mkdir -p "$folder" || fail "cannot create the folder $folder; name another one by --to"
for name in $programs; do
  # A rename replaces the program at once, also while it runs.
  new=$folder/.$name.new
  if ! { cp "$work/unpacked/$name" "$new" && chmod 755 "$new" && mv -f "$new" "$folder/$name"; }; then
    rm -f "$new"
    fail "cannot write $folder/$name; name another folder by --to"
  fi
done
echo "installed $("$folder/$program" --version) as $folder/$program"
case :$PATH: in
  *":$folder:"*) ;;
  *) echo "note: $folder is not in PATH" ;;
esac
