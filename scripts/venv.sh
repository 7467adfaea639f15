#!/usr/bin/env bash
# Prints the Python of a virtual environment with the packages of a requirements file:
#
#   scripts/venv.sh REQUIREMENTS
#
# The environment is under the target directory and is recreated if the file or Python changes.
set -euo pipefail
root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)

if [ $# != 1 ]; then
  sed -n '2,6s/^# \{0,1\}//p' "${BASH_SOURCE[0]}" >&2
  exit 2
fi
key=$({ python3 --version; cat "$1"; } | sha256sum | cut -c 1-16)
environment=${CARGO_TARGET_DIR:-$root/target}/python/$key
if [ ! -e "$environment/ready" ]; then
  rm -rf "$environment"
  python3 -m venv "$environment"
  "$environment/bin/pip" install --quiet --disable-pip-version-check -r "$1" >&2
  touch "$environment/ready"
fi
echo "$environment/bin/python"
