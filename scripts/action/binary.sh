# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with action.sh
# Part of scripts/action.sh: finds the program, downloads it, or builds it.

# Sets `ddpatrol`.
find_binary() {
  if [ -n "${DDPATROL_BINARY:-}" ]; then
    ddpatrol=$DDPATROL_BINARY
    command -v "$ddpatrol" >/dev/null || fail "cannot run DDPATROL_BINARY \"$ddpatrol\""
  elif [ -n "${INPUT_VERSION:-}" ]; then
    download_binary "v${INPUT_VERSION#v}"
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
  ddpatrol=$CARGO_TARGET_DIR/release/ddpatrol
}

# Downloads a release: TAG. DDPATROL_RELEASES is the URL of a mirror of the releases.
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
    *) fail "no release for $(uname -s) on $(uname -m): leave version empty to build ddpatrol" ;;
  esac
  from=${DDPATROL_RELEASES:-https://github.com/ddpatrol/ddpatrol/releases/download}/$tag
  archive=ddpatrol-$tag-$target.tar.gz
  into=$(mktemp -d "$RUNNER_TEMP/ddpatrol.XXXXXX")
  get "$from/SHA256SUMS" "$into/SHA256SUMS"
  wanted=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$into/SHA256SUMS")
  [ -n "$wanted" ] || fail "release $tag has no $archive"
  get "$from/$archive" "$into/$archive"
  got=$(sha256 "$into/$archive")
  [ "$got" = "$wanted" ] || fail "checksum mismatch: $archive has the SHA-256 $got, but $tag lists $wanted"
  tar -xzf "$into/$archive" -C "$into" || fail "cannot unpack $archive"
  ddpatrol=$into/ddpatrol
}

get() { # URL FILE
  # A mirror may be a folder; plain HTTP is never used.
  curl --silent --show-error --fail --location --retry 3 --proto '=https,file' --proto-redir '=https' \
    --output "$2" "$1" || fail "cannot download $1"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}
