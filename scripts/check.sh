#!/usr/bin/env bash
# The inner loop: format, structure, wording, lints, unit tests and fast integration tests, in about
# two minutes after a small change.
#
#   scripts/check.sh
#
# Needs cargo, cargo-nextest, git, git-lfs and Python, but neither root, network, PostgreSQL nor a
# browser. Only scripts/test.sh runs slow tests (.config/nextest.toml), the service's
# integration tests, documentation, dependencies, fuzz targets, and everything outside of Rust.
set -euo pipefail
cd "$(dirname "$0")/.."

step() { printf '\n== %s\n' "$*"; }

export PYTHONDONTWRITEBYTECODE=1

step "format, structure, names, documents"
if command -v typos >/dev/null; then
  scripts/lint.sh
else
  TYPOS=true scripts/lint.sh
  echo "not checked: spelling (pip install typos)"
fi
step "clippy"
cargo clippy --locked --workspace --all-targets -- -D warnings
step "unit tests and fast integration tests"
cargo nextest run --locked --workspace -E 'not (package(ddpatrol-service) & (kind(test) | test(/_postgres$/)))'
