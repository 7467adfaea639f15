# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with action.sh
# Part of scripts/action.sh: fetches commits and objects that the clone lacks.

# There is no terminal for prompts.
export GIT_TERMINAL_PROMPT=0

# In a job's container the checkout belongs to another user, which git refuses without safe.directory.
in_repository() { git -c safe.directory='*' -C "$path" "$@"; }

is_shallow() { [ "$(in_repository rev-parse --is-shallow-repository)" = true ]; }

has() { in_repository cat-file -e "$1^{commit}" 2>/dev/null; }

# The standard input of `fetch --stdin`.
fetch_input=/dev/null

# Fetches: [OPTION...] origin REFSPEC.... Submodules are not fetched, because the repository determines
# their URLs.
fetch() {
  local header
  local options=(fetch --quiet --no-tags --no-recurse-submodules --no-write-fetch-head)
  if in_repository "${options[@]}" "$@" <"$fetch_input" 2>"$RUNNER_TEMP/ddpatrol-fetch"; then return 0; fi
  # A checkout with persist-credentials: false stores no credentials. If it stored some, a second header
  # would be rejected, so this is tried second.
  if [ -n "$fetch_token" ] && [ -n "${GITHUB_SERVER_URL:-}" ]; then
    header=$(printf 'x-access-token:%s' "$fetch_token" | base64 | tr -d '\n')
    if GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$GITHUB_SERVER_URL/.extraheader" \
      GIT_CONFIG_VALUE_0="Authorization: Basic $header" in_repository "${options[@]}" "$@" <"$fetch_input"; then
      return 0
    fi
  fi
  cat "$RUNNER_TEMP/ddpatrol-fetch"
  return 1
}

# Returns 0 if the clone contains two commits and all commits between them. If a shallow clone ends
# between them, commits of the base would appear to be new.
is_whole() { # BASE HEAD
  local between cut
  has "$1" && has "$2" || return 1
  is_shallow || return 0
  between=$(in_repository rev-list "$1...$2") || return 1
  cut=$(cd -- "$path" && cat "$(git -c safe.directory='*' rev-parse --git-path shallow)") || return 1
  ! grep -qxF -e "$cut" <<<"$between"
}

# Git treats this depth as infinite. Unlike --unshallow it also works in a complete clone.
whole_depth=2147483647

# Fetches two commits and the commits between them; fails if that is not possible.
obtain() { # BASE HEAD
  local depth
  if is_whole "$1" "$2"; then return 0; fi
  # A depth would make a complete clone shallow.
  if ! is_shallow; then
    fetch origin "$1" "$2" && is_whole "$1" "$2"
    return
  fi
  for depth in 64 1024 $whole_depth; do
    fetch "--depth=$depth" origin "$1" "$2" || return 1
    if is_whole "$1" "$2"; then return 0; fi
  done
  return 1
}

# Fetches all branches and tags with their whole history, and a commit.
fetch_all() { # COMMIT
  fetch "--depth=$whole_depth" origin "$1" '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'
}

# A partial clone, created by checkout's filter or sparse-checkout, contains only the contents of the work
# tree. Fetches the objects that are listed on standard input, one per line.
fetch_objects() {
  local fetch_input=$RUNNER_TEMP/ddpatrol-objects
  sort -u >"$fetch_input"
  [ ! -s "$fetch_input" ] || fetch origin --stdin
}

partial="this clone is partial, and missing objects could not be fetched: remove filter and sparse-checkout from actions/checkout"

is_partial() { in_repository config --get-regexp '^remote\..*\.promisor$' '^true$' >/dev/null; }

# Fetches the old and new contents of the changes of a range.
fill_changes() { # BASE HEAD
  local changes=$RUNNER_TEMP/ddpatrol-changes since=()
  if ! is_partial; then return 0; fi
  is_zeros "$1" || since=("^$1")
  {
    in_repository rev-list "$2" ${since[@]+"${since[@]}"}
    # Also compare both ends.
    is_zeros "$1" || echo "$2 $1"
  } | in_repository diff-tree --stdin -r -m --root --no-renames --no-commit-id >"$changes" || return 1
  # Mode 160000 is a commit of a submodule; an id of zeros is no object.
  awk '{ if ($1 != ":160000") print $3; if ($2 != "160000") print $4 }' "$changes" |
    sed '/^0*$/d' | fetch_objects
}

fill_history() {
  if ! is_partial; then return 0; fi
  in_repository rev-list --objects --missing=print --all HEAD >"$RUNNER_TEMP/ddpatrol-changes" || return 1
  sed -n 's/^?//p' "$RUNNER_TEMP/ddpatrol-changes" | fetch_objects
}
