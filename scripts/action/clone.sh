# shellcheck shell=bash disable=SC2034,SC2154 # action.sh gives the names and takes them
# Part of scripts/action.sh: the clone, and how it gets what it lacks.

# Nobody is there to answer.
export GIT_TERMINAL_PROMPT=0

# In a job's container the checkout belongs to another user, which git refuses without safe.directory.
in_repository() { git -c safe.directory='*' -C "$path" "$@"; }

is_shallow() { [ "$(in_repository rev-parse --is-shallow-repository)" = true ]; }

has() { in_repository cat-file -e "$1^{commit}" 2>/dev/null; }

# The standard input of `fetch --stdin`.
fetch_input=/dev/null

# Fetches: [OPTION...] origin REFSPEC.... Submodules do not come along: where they are is the
# repository's word.
fetch() {
  local header
  local options=(fetch --quiet --no-tags --no-recurse-submodules --no-write-fetch-head)
  if in_repository "${options[@]}" "$@" <"$fetch_input" 2>"$RUNNER_TEMP/ddpatrol-fetch"; then return 0; fi
  # A checkout with persist-credentials: false left no credentials. Where it left some, a second
  # header would be refused, so that this comes second.
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

# Returns 0 if the clone has two commits and all commits between them. If a shallow clone is cut
# between them, commits that the base already has would seem to be new.
is_whole() { # BASE HEAD
  local between cut
  has "$1" && has "$2" || return 1
  is_shallow || return 0
  between=$(in_repository rev-list "$1...$2") || return 1
  cut=$(cd -- "$path" && cat "$(git -c safe.directory='*' rev-parse --git-path shallow)") || return 1
  ! grep -qxF -e "$cut" <<<"$between"
}

# Git takes this depth for infinite. Unlike --unshallow it also works in a complete clone.
whole_depth=2147483647

# Gets two commits and what lies between them; fails if that is not to be had.
obtain() { # BASE HEAD
  local depth
  if is_whole "$1" "$2"; then return 0; fi
  # A depth would cut a clone that is not shallow.
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

# Gets every branch and tag with its whole history, and a commit.
fetch_all() { # COMMIT
  fetch "--depth=$whole_depth" origin "$1" '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'
}

# A partial clone, as checkout's filter and sparse-checkout make it, has no contents but those of the
# work tree. Gets the objects that are named on standard input, one a line.
fetch_objects() {
  local fetch_input=$RUNNER_TEMP/ddpatrol-objects
  sort -u >"$fetch_input"
  [ ! -s "$fetch_input" ] || fetch origin --stdin
}

partial="this clone is partial, and the contents that it lacks could not be fetched: leave out filter and sparse-checkout for actions/checkout"

is_partial() { in_repository config --get-regexp '^remote\..*\.promisor$' '^true$' >/dev/null; }

# Gets what the changes of a range were made from and to.
fill_changes() { # BASE HEAD
  local changes=$RUNNER_TEMP/ddpatrol-changes since=()
  if ! is_partial; then return 0; fi
  is_zeros "$1" || since=("^$1")
  {
    in_repository rev-list "$2" ${since[@]+"${since[@]}"}
    # One more comparison: of both ends.
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
