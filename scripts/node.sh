#!/usr/bin/env bash
# Prints a folder whose node_modules contains the packages of the package-lock.json in FOLDER:
#
#   scripts/node.sh FOLDER
#
# The folder is under the target directory and is recreated if the lock file or Node.js changes.
# Install scripts of packages do not run.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ $# != 1 ]; then
  sed -n '2,7s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
key=$({ node --version; cat "$1/package-lock.json"; } | sha256sum | cut -c 1-16)
environment=${CARGO_TARGET_DIR:-$root/target}/node/$key
if [ ! -e "$environment/ready" ]; then
  rm -rf "$environment"
  mkdir -p "$environment"
  cp "$1"/package*.json "$environment"
  npm ci --prefix "$environment" --silent --no-audit --no-fund --ignore-scripts >&2
  touch "$environment/ready"
fi
echo "$environment"
