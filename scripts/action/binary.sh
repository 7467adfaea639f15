# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with the sourcing script
# Part of scripts/action.sh and scripts/action-program.sh: downloads or builds the program.

# Where a program that was built from source is kept; the action's cache saves this folder.
built=$RUNNER_TEMP/ddpatrol-program

# Sets `ddpatrol` to the program that scripts/action-program.sh found; builds it if that is needed.
find_binary() {
  if [ -n "${DDPATROL_BINARY:-}" ]; then
    ddpatrol=$DDPATROL_BINARY
    command -v "$ddpatrol" >/dev/null || fail "cannot run DDPATROL_BINARY \"$ddpatrol\""
  elif [ -x "$built/ddpatrol" ]; then
    ddpatrol=$built/ddpatrol
  else
    build_binary
  fi
}

build_binary() {
  command -v cargo >/dev/null ||
    fail "cargo not found: install Rust to build ddpatrol, or set the input version to a release"
  # Outside of the workspace: cargo reads settings, such as compiler wrappers, from the current folder.
  export CARGO_TARGET_DIR=$RUNNER_TEMP/ddpatrol-build
  (cd "$action" && cargo build --release --locked --bin ddpatrol) || fail "cannot build ddpatrol"
  mkdir -p "$built"
  cp "$CARGO_TARGET_DIR/release/ddpatrol" "$built"
  ddpatrol=$built/ddpatrol
}

# Prints the version of the action's own sources.
own_version() {
  sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"$/\1/p' "$action/Cargo.toml"
}

# Prints a word that identifies the compiler and the sources from which the program is built.
source_key() (
  cd "$action" || exit
  list=$RUNNER_TEMP/ddpatrol-sources
  rustc --version >"$list" || fail "rustc not found: install Rust to build ddpatrol"
  find Cargo.toml Cargo.lock rules src crates -type f -print | LC_ALL=C sort | while IFS= read -r file; do
    echo "$file $(sha256 "$file")"
  done >>"$list"
  sha256 "$list"
)

# Downloads a release and sets `ddpatrol`: TAG. Returns 1 if there is no such release.
# DDPATROL_RELEASES is the URL of a mirror of the releases.
download_binary() {
  local tag=$1 from target archive into wanted got
  case $tag in
    *[!0-9A-Za-z.-]*) fail "invalid version \"$tag\": expected a release, such as v0.1.0" ;;
  esac
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    MINGW*-x86_64 | MSYS*-x86_64) target=x86_64-pc-windows-msvc ;;
    *) fail "no release for $(uname -s) on $(uname -m): set DDPATROL_BINARY to a program that you built" ;;
  esac
  from=${DDPATROL_RELEASES:-https://github.com/ddpatrol/ddpatrol/releases/download}/$tag
  archive=ddpatrol-$tag-$target.tar.gz
  into=$(mktemp -d "$RUNNER_TEMP/ddpatrol.XXXXXX")
  get "$from/SHA256SUMS" "$into/SHA256SUMS" || return 1
  wanted=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$into/SHA256SUMS")
  [ -n "$wanted" ] || fail "release $tag has no $archive"
  get "$from/$archive" "$into/$archive" || fail "release $tag lists $archive, but does not have it"
  got=$(sha256 "$into/$archive")
  [ "$got" = "$wanted" ] || fail "checksum mismatch: $archive has the SHA-256 $got, but $tag lists $wanted"
  verify_provenance "$into/$archive"
  tar -xzf "$into/$archive" -C "$into" || fail "cannot unpack $archive"
  ddpatrol=$into/ddpatrol
}

# Verifies that this project's release workflow built a file: FILE. A mirror may be out of GitHub's reach, so
# there it is done only if DDPATROL_ATTESTATION is `required`.
verify_provenance() {
  local answer
  if [ "${DDPATROL_ATTESTATION:-}" != required ] && [ -n "${DDPATROL_RELEASES:-}" ]; then return 0; fi
  if ! command -v gh >/dev/null; then
    if [ "${DDPATROL_ATTESTATION:-}" = required ] || [ "${RUNNER_ENVIRONMENT:-}" = github-hosted ]; then
      fail "gh not found: it is needed to verify who built ${1##*/}"
    fi
    annotate notice "gh is not installed, so only the SHA-256 of ${1##*/} was verified, not who built it."
    return 0
  fi
  answer=$(GH_TOKEN=${fetch_token:-} gh attestation verify "$1" --repo ddpatrol/ddpatrol 2>&1) ||
    fail "${1##*/} was not built by the release workflow of ddpatrol/ddpatrol: $answer"
}

# Downloads a file: URL FILE. Returns 1 if the server says that it does not exist.
get() {
  local status code=0
  # A mirror may be a folder; plain HTTP is never used.
  status=$(curl --silent --show-error --fail --location --retry 3 --proto '=https,file' --proto-redir '=https' \
    --write-out '%{http_code}' --output "$2" "$1" 2>"$RUNNER_TEMP/ddpatrol-curl") || code=$?
  case $code-$status in
    0-*) return 0 ;;
    # 37 is a file that cannot be read.
    *-404 | 37-*) return 1 ;;
  esac
  fail "cannot download $1: $(cat "$RUNNER_TEMP/ddpatrol-curl")"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}
