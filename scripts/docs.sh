#!/usr/bin/env bash
# Builds the documentation as a web site into target/site; a broken link or anchor is an error:
#
#   scripts/docs.sh          builds it
#   scripts/docs.sh serve    also serves it on http://127.0.0.1:8000, and rebuilds it after every change
#
# The packages in docs/requirements.txt are installed under the target directory.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."
python=$(scripts/venv.sh docs/requirements.txt)
export NO_MKDOCS_2_WARNING=1 # a remark of the theme about a future version of mkdocs
if [ "${1:-}" = serve ]; then
  exec "$python" -m mkdocs serve
fi
exec "$python" -m mkdocs build --strict
