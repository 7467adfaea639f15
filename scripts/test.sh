#!/usr/bin/env bash
# Runs every check of the project on a machine that has Rust, Python and git, and installs what else
# is needed. A tool that is missing and cannot be installed fails the run: nothing is skipped.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

need_package() {
  step "install $1"
  as_root apt-get update -qq
  as_root apt-get install -y -qq "$1"
}

# Installs the Debian package that has a command, where the command is missing.
need() {
  command -v "$1" >/dev/null || need_package "$2"
}

# Installs a cargo subcommand where it is missing.
need_cargo() {
  command -v "cargo-$1" >/dev/null && return
  step "install cargo-$1"
  cargo install --locked "cargo-$1"
}

need git git
need git-lfs git-lfs
need python3 python3
need g++ g++
need script bsdutils
need shellcheck shellcheck
need jq jq
need npm npm
need curl curl
need openssl openssl
need chromium chromium
need psql postgresql
need zip zip
need xz xz-utils
need bzip2 bzip2
need zstd zstd
need lz4 lz4
need brotli brotli
need 7z p7zip-full
need ar binutils
need cpio cpio
need rpmbuild rpm
need dpkg-deb dpkg
need sqlite3 sqlite3
need javac default-jdk-headless
need faketime faketime
python3 -c 'import ensurepip' || need_package python3-venv
compgen -G '/usr/lib/postgresql/*/bin/initdb' > /dev/null || need_package postgresql
need_cargo nextest
need_cargo deny

step "format"
cargo fmt --all --check
cargo fmt --manifest-path fuzz/Cargo.toml --check
step "module structure"
python3 scripts/module-cycles.py
step "clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings
step "documentation"
RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
step "tests"
cargo test --locked --workspace --doc
scripts/postgres.sh run cargo nextest run --locked --workspace
step "the service from outside"
cargo build --locked --workspace --bins
DDPATROLD=${CARGO_TARGET_DIR:-target}/debug/ddpatrold
DDPATROLD=$(realpath "$DDPATROLD") scripts/python.sh
step "chaos: faults under load"
scripts/chaos.sh --self-test
scripts/chaos.sh --minutes 2 --seed 1 --ddpatrold "$(realpath "${CARGO_TARGET_DIR:-target}/debug/ddpatrold")"
step "the GitHub Action"
DDPATROL=${CARGO_TARGET_DIR:-target}/debug/ddpatrol scripts/action-test.sh
step "every encoding in every container from every source"
DDPATROL=${CARGO_TARGET_DIR:-target}/debug/ddpatrol scripts/pytest.sh tests/matrix
step "the commands in reports"
DDPATROL=${CARGO_TARGET_DIR:-target}/debug/ddpatrol scripts/pytest.sh tests/advice
step "the hooks, by pre-commit"
DDPATROL=${CARGO_TARGET_DIR:-target}/debug/ddpatrol scripts/pytest.sh tests/pre_commit
step "the hooks, beside other hook managers"
DDPATROL=${CARGO_TARGET_DIR:-target}/debug/ddpatrol scripts/pytest.sh tests/hook_managers
step "journey"
scripts/journey.sh "${CARGO_TARGET_DIR:-target}/debug"
step "HTML reports in a browser"
scripts/browser.sh "${CARGO_TARGET_DIR:-target}/debug/ddpatrol"
step "oracle"
program=${CARGO_TARGET_DIR:-target}/debug/ddpatrol
scripts/oracle.sh --self-test
scripts/oracle.sh . --ddpatrol "$program" --incomplete
scripts/oracle.sh . --plant 90 --ddpatrol "$program" --incomplete
scripts/oracle.sh . --plant 60 --plant-full --seed 2 --ddpatrol "$program" --incomplete
step "what the scanner must not depend on"
for crate in tokio async-std smol hyper axum sqlx openssl-sys; do
  if cargo tree --locked --package ddpatrol --edges normal,build --prefix none | grep -q "^$crate v"; then
    echo "the scanner depends on $crate" >&2
    exit 1
  fi
done
step "dependencies"
cargo deny --locked --workspace check bans licenses sources
step "fuzz targets"
cargo clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings
cargo build --locked --manifest-path fuzz/Cargo.toml
step "all checks passed"
