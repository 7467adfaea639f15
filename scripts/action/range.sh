# shellcheck shell=bash disable=SC2034,SC2154 # action.sh gives the names and takes them
# Part of scripts/action.sh: what an event brings.

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

scope_history() {
  scope=(scan)
  operands=(-- "$path")
  repeated=(scan "$path")
  in_repository rev-parse --git-dir >/dev/null 2>&1 || return 0
  # A clone has another name than the folder of the checkout.
  local below
  below=$(in_repository rev-parse --show-prefix 2>/dev/null) || below=
  repeated=(scan "${below:-.}")
  if is_shallow; then
    fetch_all "$(in_repository rev-parse HEAD)" || fail "this clone is shallow, and the rest of its history" \
      "could not be fetched: set fetch-depth: 0 for actions/checkout"
  fi
  fill_history || fail "$partial"
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
      fill_changes "$base" "$head" || fail "$partial"
      needed=("$base" "$head")
      set_range
      return
    fi
    [ "$GITHUB_EVENT_NAME" = push ] || fail "the commits $base and $head, or some between them, are not in" \
      "this clone and could not be fetched: set fetch-depth: 0 for actions/checkout"
    notes="The commit before this push, $base, is not available any more, as after a force push: the branch is scanned as if it were new."
    base=${base//[0-9a-f]/0}
  fi
  scope_new_reference
  [ -z "$notes" ] || annotate notice "$notes"
}

# A new branch or tag is held against the default branch, and against every other branch that does not
# contain it. The default branch's own pushes are judged as they come; of two new branches with the same
# commits each contains the other, and neither may hide what both bring.
scope_new_reference() {
  local default others compared=$base
  default=$(field "$GITHUB_EVENT_PATH" .repository.default_branch)
  others=refs/remotes/origin/$default
  if is_shallow || ! has "$head" || ! has "$others"; then
    fetch_all "$head" || fail "the commit $head and the branches could not be fetched:" \
      "set fetch-depth: 0 for actions/checkout"
  fi
  needed=("$head")
  if [ "$(field "$GITHUB_EVENT_PATH" .ref)" != "refs/heads/$default" ] && has "$others"; then
    set_range "--not=$others"
    compared=$others
  else
    set_range
  fi
  fill_changes "$compared" "$head" || fail "$partial"
}

set_range() { # [OPTION...]
  scope=(range "--repo=$path" "$@")
  operands=("$base..$head")
  repeated=(range "$base..$head" "$@")
}
