#!/usr/bin/env bash
# Runs the checks that compile nothing: format, structure, names, wording, documents,
# spelling.
#
#   scripts/lint.sh
#
# The variable TYPOS is the spelling checker (default: typos). The other checks need cargo, git and Python.
set -euo pipefail
cd "$(dirname "$0")/.."

failed=0
check() { # NAME COMMAND...
  local name=$1
  shift
  "$@" || { echo "lint: $name failed" >&2; failed=1; }
}

check "format" cargo fmt --all --check
check "format of fuzz/" cargo fmt --manifest-path fuzz/Cargo.toml --check
check "module structure" python3 scripts/module-cycles.py
check "parameters" python3 scripts/parameter-check.py
check "type names" python3 scripts/type-names.py
check "names of slow tests" python3 scripts/named-tests.py
check "paths in documents" python3 scripts/doc-paths.py
check "idiom" python3 scripts/idiom.py
check "spelling" "${TYPOS:-typos}"
exit "$failed"
