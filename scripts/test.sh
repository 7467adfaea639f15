#!/usr/bin/env bash
# Runs every check of the project on a machine that has Rust, Python and git, and installs other
# required tools. A missing tool that cannot be installed fails the run: nothing is skipped.
#
#   scripts/test.sh              everything
#   scripts/test.sh SECTION...   only these: lint scanner service action packages sweep matrix browser journey oracle fuzz msrv
#
# CI runs the sections as separate jobs.
set -euo pipefail
cd "$(dirname "$0")/.."
all=(lint scanner service action packages sweep matrix journey browser oracle fuzz msrv)
export PYTHONDONTWRITEBYTECODE=1
# Property tests try the same cases in every run; other seeds try others. CI does so every week.
export PROPTEST_RNG_SEED=${PROPTEST_RNG_SEED:-1}

step() { printf '\n== %s\n' "$*"; }

as_root() { if [ "$(id -u)" = 0 ]; then "$@"; else sudo "$@"; fi; }

need_package() {
  step "install $1"
  as_root apt-get update -qq
  as_root apt-get install -y -qq "$1"
}

# Installs the Debian package of a command if the command is missing.
need() {
  command -v "$1" >/dev/null || need_package "$2"
}

# Installs a cargo subcommand if it is missing. A debug build compiles in half the time.
need_cargo() {
  command -v "cargo-$1" >/dev/null && return
  step "install cargo-$1"
  cargo install --locked --debug "cargo-$1"
}

need_python() {
  need python3 python3
  python3 -c 'import ensurepip' || need_package python3-venv
}

need_postgres() {
  need psql postgresql
  compgen -G '/usr/lib/postgresql/*/bin/initdb' >/dev/null || need_package postgresql
}

# The programs that create the archives of the tests.
need_archivers() {
  need zip zip
  need xz xz-utils
  need bzip2 bzip2
  need zstd zstd
  need lz4 lz4
  need brotli brotli
  need 7z p7zip-full
  need lzip lzip
  need compress ncompress
  need ar binutils
  need cpio cpio
  need rpmbuild rpm
  need dpkg-deb dpkg
  need sqlite3 sqlite3
  need javac default-jdk-headless
}

# Every command selects the whole workspace, and filters choose the tests: cargo compiles dependencies once for
# each set of features that a selection of packages asks for. Development dependencies add features, so that
# the programs are built together with the tests, unless this run compiles no tests.
targets=(--bins)
checked=

# Builds the programs once and sets the variables with their paths for the Python suites.
build() {
  cargo build --locked --workspace "${targets[@]}"
  binaries=$(realpath "${CARGO_TARGET_DIR:-target}/debug")
  export DDPATROL=$binaries/ddpatrol DDPATROLD=$binaries/ddpatrold
  export DDPATROL_SWEEP=$binaries/ddpatrol-sweep
}

lint() {
  need git git
  need_python
  need_cargo deny
  step "format, structure, names, documents, spelling"
  TYPOS=$(dirname "$(scripts/venv.sh scripts/lint/requirements.txt)")/typos scripts/lint.sh
  step "the web site of the documentation"
  scripts/docs.sh
  step "clippy"
  cargo clippy --locked --workspace --all-targets -- -D warnings
  checked=1
  step "documentation"
  RUSTDOCFLAGS="-D warnings" cargo doc --locked --workspace --no-deps --document-private-items
  step "forbidden dependencies of the scanner"
  for crate in tokio async-std smol hyper axum sqlx openssl-sys; do
    if cargo tree --locked --package ddpatrol --edges normal,build --prefix none | grep -q "^$crate v"; then
      echo "the scanner depends on $crate" >&2
      exit 1
    fi
  done
  step "dependencies"
  cargo deny --locked --workspace check bans licenses sources
}

scanner() {
  need git git
  need git-lfs git-lfs
  need script bsdutils
  need_archivers
  need_cargo nextest
  need_python
  local filter_repo
  filter_repo=$(dirname "$(scripts/venv.sh tests/it/clean/requirements.txt)")
  step "the scanner: tests"
  cargo test --locked --workspace --doc
  PATH=$filter_repo:$PATH cargo nextest run --locked --profile ci --workspace -E 'not package(ddpatrol-service)'
  targets=(--bins --tests)
}

service() {
  need git git
  need g++ g++
  need openssl openssl
  need faketime faketime
  need npm npm
  need pgbouncer pgbouncer
  need systemctl systemd
  need_python
  need_postgres
  need_cargo nextest
  step "the service: tests"
  scripts/postgres.sh run cargo nextest run --locked --profile ci --workspace -E 'package(ddpatrol-service)'
  targets=(--bins --tests)
  build
  step "the service: Python suites"
  scripts/python.sh
  step "the service: its systemd unit"
  scripts/systemd.sh "$DDPATROLD"
  step "chaos: its own test (runs are recorded in benches/record)"
  scripts/chaos.sh --self-test
}

action() {
  need git git
  need git-lfs git-lfs
  need shellcheck shellcheck
  need jq jq
  need npm npm
  need curl curl
  need_python
  build
  step "the GitHub Action"
  scripts/action-test.sh
  step "the commands in reports"
  scripts/pytest.sh tests/advice
  step "the commands in the documentation"
  scripts/pytest.sh tests/documentation
  step "the hooks with pre-commit"
  scripts/pytest.sh tests/pre_commit
  step "the hooks with other hook managers"
  scripts/pytest.sh tests/hook_managers
}

packages() {
  need git git
  need npm npm
  need curl curl
  need dpkg-deb dpkg
  need buildah buildah
  need mmdebstrap mmdebstrap
  [ -e /usr/share/keyrings/debian-archive-keyring.gpg ] || need_package debian-archive-keyring
  need readelf binutils
  need_python
  need_cargo deb
  build
  step "packages, installed without Rust"
  scripts/pytest.sh tests/packages
}

sweep() {
  need git git
  need java default-jre-headless
  need pgrep procps
  need chromium chromium
  need_python
  build
  step "sweeps of many repositories"
  scripts/pytest.sh tests/sweep
}

matrix() {
  need git git
  need_archivers
  need_python
  build
  step "every encoding in every container from every source"
  scripts/pytest.sh tests/matrix
}

journey() {
  need git git
  need curl curl
  need python3 python3
  build
  step "journey"
  scripts/journey.sh "$binaries"
}

browser() {
  need git git
  need python3 python3
  need chromium chromium
  build
  step "HTML reports in a browser"
  scripts/browser.sh "$DDPATROL"
  need node nodejs
  need npm npm
  need_postgres
  step "the web pages of the service in a browser"
  scripts/web.sh
}

oracle() {
  need git git
  need python3 python3
  build
  step "oracle"
  scripts/oracle.sh --self-test
  scripts/oracle.sh . --ddpatrol "$DDPATROL" --incomplete
  scripts/oracle.sh . --plant 90 --ddpatrol "$DDPATROL" --incomplete
  scripts/oracle.sh . --plant 60 --plant-full --seed 2 --ddpatrol "$DDPATROL" --incomplete
}

# Clippy compiles the targets without generating code; linking them would compile every dependency once more.
fuzz() {
  step "fuzz targets"
  cargo clippy --locked --manifest-path fuzz/Cargo.toml -- -D warnings
}

# Compiles everything with the oldest supported Rust, installed by rustup unless it is active.
msrv() {
  local oldest
  oldest=$(sed -n 's/^rust-version = "\(.*\)"$/\1/p' Cargo.toml)
  step "the oldest supported Rust: $oldest"
  case $(rustc --version) in
    "rustc $oldest."*)
      # Clippy has compiled the same with this compiler.
      [ -n "$checked" ] || cargo check --locked --workspace --all-targets
      ;;
    *)
      rustup toolchain install "$oldest" --profile minimal
      cargo "+$oldest" check --locked --workspace --all-targets
      ;;
  esac
}

for section; do
  [[ " ${all[*]} " == *" $section "* ]] || {
    echo "error: unknown section \"$section\": expected ${all[*]}" >&2
    exit 2
  }
done
[ $# -gt 0 ] || set -- "${all[@]}"
for section; do "$section"; done
step "passed: $*"
