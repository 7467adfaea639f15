# shellcheck shell=bash disable=SC2034,SC2154 # action.sh gives the names and takes them
# Part of scripts/action.sh: what an event brings, and how a clone gets what it lacks of that.

# Sets `scope`, the command that scans and its options, and `operands`; `repeated` is what a person
# runs for the same verdict, and `needed` the commits that a clone must have for that.
find_scope() {
  local base='' head=''
  needed=()
  read_event
  case $mode in
    auto | range | full) ;;
    *) fail "mode is \"$mode\": write auto, range or full" ;;
  esac
  if [ "$mode" = full ] && [ "$GITHUB_EVENT_NAME" != push ] && [ -n "$head" ]; then
    fail "mode full reads its configuration from the work tree, which the author of a pull request writes:" \
      "judge it by mode auto, and the whole history on a schedule"
  elif [ "$mode" = full ] || { [ "$mode" = auto ] && [ -z "$head" ]; }; then
    scope_history
  elif [ -z "$head" ]; then
    fail "a $GITHUB_EVENT_NAME event brings no commits: mode range needs a pull request, a merge group or a push"
  else
    scope_range
  fi
}

# Sets `base` and `head` to what the event brings; leaves them empty where it brings nothing.
read_event() {
  local of
  case $GITHUB_EVENT_NAME in
    pull_request*) of='.pull_request.base.sha .pull_request.head.sha' ;;
    merge_group) of='.merge_group.base_sha .merge_group.head_sha' ;;
    push) of='.before .after' ;;
    *) return 0 ;;
  esac
  base=$(field "$GITHUB_EVENT_PATH" "${of% *}") || fail "the event cannot be read"
  head=$(field "$GITHUB_EVENT_PATH" "${of#* }") || fail "the event cannot be read"
  if ! is_id "$base" || ! is_id "$head"; then fail "the $GITHUB_EVENT_NAME event names no commits"; fi
}

is_id() {
  case $1 in *[!0-9a-f]*) return 1 ;; esac
  [ ${#1} = 40 ] || [ ${#1} = 64 ]
}

is_zeros() { [ -z "${1//0/}" ]; }

# In a job's container the checkout belongs to another user, which git refuses without safe.directory.
in_repository() { git -c safe.directory='*' -C "$path" "$@"; }

is_shallow() { [ "$(in_repository rev-parse --is-shallow-repository)" = true ]; }

has() { in_repository cat-file -e "$1^{commit}" 2>/dev/null; }

# Fetches from origin: [OPTION...] REFSPEC.... Neither tags nor submodules come unasked: where these are
# is the repository's word.
fetch() {
  local header
  local options=(fetch --quiet --no-tags --no-recurse-submodules --no-write-fetch-head)
  export GIT_TERMINAL_PROMPT=0
  if in_repository "${options[@]}" "$@" 2>"$RUNNER_TEMP/ddpatrol-fetch"; then return 0; fi
  # A checkout with persist-credentials: false left no credentials. Where it left some, a second
  # header would be refused, so that this comes second.
  if [ -n "$fetch_token" ] && [ -n "${GITHUB_SERVER_URL:-}" ]; then
    header=$(printf 'x-access-token:%s' "$fetch_token" | base64 | tr -d '\n')
    if GIT_CONFIG_COUNT=1 GIT_CONFIG_KEY_0="http.$GITHUB_SERVER_URL/.extraheader" \
      GIT_CONFIG_VALUE_0="Authorization: Basic $header" in_repository "${options[@]}" "$@"; then
      return 0
    fi
  fi
  cat "$RUNNER_TEMP/ddpatrol-fetch"
  return 1
}

# Tells whether a shallow clone has two commits and all that lies between them. Where it is cut there,
# commits that the base has long had would look as if the head brought them.
is_whole() { # BASE HEAD
  local between cut
  has "$1" && has "$2" && in_repository merge-base "$1" "$2" >/dev/null || return 1
  between=$(in_repository rev-list "$1...$2") || return 1
  cut=$(cd -- "$path" && cat "$(git -c safe.directory='*' rev-parse --git-path shallow)") || return 1
  ! grep -qxF -e "$cut" <<<"$between"
}

# What git takes for a history without end; unlike --unshallow it also suits a clone that is whole.
whole_depth=2147483647

# Gets two commits and what lies between them; fails if that is not to be had.
obtain() { # BASE HEAD
  local depth
  if ! is_shallow; then
    has "$1" && has "$2" && return 0
    fetch origin "$1" "$2" && has "$1" && has "$2"
    return
  fi
  for depth in 64 1024 $whole_depth; do
    if is_whole "$1" "$2"; then return 0; fi
    fetch "--depth=$depth" origin "$1" "$2" || return 1
  done
  has "$1" && has "$2"
}

# Gets every branch and tag with its whole history, and a commit.
fetch_all() { # COMMIT
  fetch "--depth=$whole_depth" origin "$1" '+refs/heads/*:refs/remotes/origin/*' '+refs/tags/*:refs/tags/*'
}

scope_history() {
  scope=(scan)
  operands=(-- "$path")
  repeated=(scan "$path")
  if in_repository rev-parse --git-dir >/dev/null 2>&1 && is_shallow; then
    fetch_all "$(in_repository rev-parse HEAD)" || fail "this clone is shallow, and the rest of its history" \
      "could not be fetched: set fetch-depth: 0 for actions/checkout"
  fi
}

scope_range() {
  in_repository rev-parse --git-dir >/dev/null 2>&1 ||
    fail "\"$path\" holds no git repository: run actions/checkout first, or correct the input path"
  if is_zeros "$head"; then
    # A deleted branch: the program says so, and writes reports in which nothing is.
    set_range
    return
  fi
  if ! is_zeros "$base"; then
    if obtain "$base" "$head"; then
      needed=("$base" "$head")
      set_range
      return
    fi
    [ "$GITHUB_EVENT_NAME" = push ] || fail "the commits $base and $head, or some between them, are not in" \
      "this clone and could not be fetched: set fetch-depth: 0 for actions/checkout"
    notes="The commit before this push, $base, is not to be had any more, as after a force push: the branch is looked at as if it was new."
    base=${base//[0-9a-f]/0}
  fi
  scope_new_reference
  [ -z "$notes" ] || annotate notice "$notes"
}

# A new branch or tag is held against the default branch, and against every other branch that does not
# contain it. The default branch's own pushes are judged as they come; of two new branches with the same
# commits each contains the other, and neither may hide what both bring.
scope_new_reference() {
  local default others
  default=$(field "$GITHUB_EVENT_PATH" .repository.default_branch)
  others=refs/remotes/origin/$default
  if is_shallow || ! has "$head" || ! has "$others"; then
    fetch_all "$head" || fail "the commit $head and the branches could not be fetched:" \
      "set fetch-depth: 0 for actions/checkout"
  fi
  needed=("$head")
  if [ "$(field "$GITHUB_EVENT_PATH" .ref)" != "refs/heads/$default" ] && has "$others"; then
    set_range "--not=$others"
  else
    set_range
  fi
}

set_range() { # [OPTION...]
  scope=(range "--repo=$path" "$@")
  operands=("$base..$head")
  repeated=(range "$base..$head" "$@")
}
