# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with action.sh
# Part of scripts/action.sh: determines the commits of an event.

# Sets `scope`, the scan command and its options, and `operands`; `repeated` is the command that reproduces
# the result locally, and `needed` lists the commits that it requires.
find_scope() {
  local base='' head=''
  needed=()
  read_event
  case $mode in
    auto | range | full) ;;
    *) fail "invalid mode \"$mode\": expected auto, range or full" ;;
  esac
  if [ "$mode" = full ] && [ "$GITHUB_EVENT_NAME" != push ] && [ -n "$head" ]; then
    fail "mode full is not allowed for pull requests, because it reads the configuration from the work tree:" \
      "use mode auto, and scan the full history on a schedule"
  elif [ "$mode" = full ] || { [ "$mode" = auto ] && [ -z "$head" ]; }; then
    scope_history
  elif [ -z "$head" ]; then
    fail "a $GITHUB_EVENT_NAME event has no commits: mode range requires a pull request, a merge group or a push"
  else
    scope_range
  fi
}

# Sets `base` and `head` to the commits of the event; leaves them empty if it has none.
read_event() {
  local of
  case $GITHUB_EVENT_NAME in
    pull_request*) of='.pull_request.base.sha .pull_request.head.sha' ;;
    merge_group) of='.merge_group.base_sha .merge_group.head_sha' ;;
    push) of='.before .after' ;;
    *) return 0 ;;
  esac
  base=$(field "$GITHUB_EVENT_PATH" "${of% *}") || fail "cannot read the event"
  head=$(field "$GITHUB_EVENT_PATH" "${of#* }") || fail "cannot read the event"
  if ! is_id "$base" || ! is_id "$head"; then fail "the $GITHUB_EVENT_NAME event contains no valid commit ids"; fi
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
  # A local clone may have another name than the folder of the checkout.
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
    fail "\"$path\" is not a git repository: run actions/checkout first, or correct the input path"
  if is_zeros "$head"; then
    # A deleted branch: ddpatrol reports this and writes empty reports.
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
    notes="The previous commit $base is no longer available, as after a force push: the branch is scanned as if it were new."
    base=${base//[0-9a-f]/0}
  fi
  scope_new_reference
  [ -z "$notes" ] || annotate notice "$notes"
}

# A new branch or tag is compared with the default branch, and with every other branch that does not contain
# it. Pushes to the default branch are scanned themselves. Branches that contain it are not used: two new
# branches with the same commits would hide each other's tokens.
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
