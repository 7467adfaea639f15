# shellcheck shell=bash disable=SC2034,SC2154 # action.sh gives the names and takes them
# Part of scripts/action.sh: finds the program, downloads it, or builds it.

# Sets `ddpatrol`.
find_binary() {
  if [ -n "${DDPATROL_BINARY:-}" ]; then
    ddpatrol=$DDPATROL_BINARY
    command -v "$ddpatrol" >/dev/null || fail "DDPATROL_BINARY names \"$ddpatrol\", which cannot be run"
  elif [ -n "${INPUT_VERSION:-}" ]; then
    download_binary "v${INPUT_VERSION#v}"
  else
    build_binary
  fi
}

build_binary() {
  command -v cargo >/dev/null ||
    fail "there is no cargo to build ddpatrol with: install Rust, or name a release with the input version"
  # Out of the workspace: cargo takes settings, wrappers of the compiler among them, from the folder
  # where it runs.
  export CARGO_TARGET_DIR=$RUNNER_TEMP/ddpatrol-build
  (cd "$action" && cargo build --release --locked --bin ddpatrol) || fail "ddpatrol could not be built"
  ddpatrol=$CARGO_TARGET_DIR/release/ddpatrol
}

# Downloads a release: TAG. DDPATROL_RELEASES names a mirror of the releases' folder.
download_binary() {
  local tag=$1 from target archive into wanted got
  case $tag in
    *[!0-9A-Za-z.-]*) fail "version is \"$tag\": write a release, such as v0.1.0" ;;
  esac
  case $(uname -s)-$(uname -m) in
    Linux-x86_64) target=x86_64-unknown-linux-musl ;;
    Linux-aarch64 | Linux-arm64) target=aarch64-unknown-linux-musl ;;
    Darwin-x86_64) target=x86_64-apple-darwin ;;
    Darwin-arm64) target=aarch64-apple-darwin ;;
    MINGW*-x86_64 | MSYS*-x86_64) target=x86_64-pc-windows-msvc ;;
    *) fail "there is no release for $(uname -s) on $(uname -m): leave version empty to build ddpatrol" ;;
  esac
  from=${DDPATROL_RELEASES:-https://github.com/ddpatrol/ddpatrol/releases/download}/$tag
  archive=ddpatrol-$tag-$target.tar.gz
  into=$(mktemp -d "$RUNNER_TEMP/ddpatrol.XXXXXX")
  get "$from/SHA256SUMS" "$into/SHA256SUMS"
  wanted=$(awk -v name="$archive" '$2 == name || $2 == "*" name { print $1 }' "$into/SHA256SUMS")
  [ -n "$wanted" ] || fail "the release $tag has no $archive"
  get "$from/$archive" "$into/$archive"
  got=$(sha256 "$into/$archive")
  [ "$got" = "$wanted" ] || fail "$archive has the SHA-256 $got, but $tag says $wanted: it is not run"
  tar -xzf "$into/$archive" -C "$into" || fail "$archive cannot be unpacked"
  ddpatrol=$into/ddpatrol
}

get() { # URL FILE
  # A mirror may be a folder; what is downloaded never comes over plain HTTP.
  curl --silent --show-error --fail --location --retry 3 --proto '=https,file' --proto-redir '=https' \
    --output "$2" "$1" || fail "$1 cannot be downloaded"
}

sha256() {
  if command -v sha256sum >/dev/null; then sha256sum "$1"; else shasum -a 256 "$1"; fi | cut -d ' ' -f 1
}
