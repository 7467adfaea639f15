# shellcheck shell=bash disable=SC2034,SC2154 # action.sh gives the names and takes them
# Part of scripts/action.sh: the job summary.

# GitHub drops a summary of more than 1 MiB; the difference is for the text below the table.
summary_limit=$((1024 * 1024 - 32 * 1024))

summarize() {
  local file=$folder/summary.md size
  if [ ! -s "$file" ]; then
    printf '## ddpatrol\n\nNothing was judged: the scan failed. The log says why.\n' >"$file"
  fi
  size=$(wc -c <"$file")
  {
    if [ "$size" -gt "$summary_limit" ]; then
      # Whole lines only: a cut character or link would spoil what follows.
      head -c "$summary_limit" "$file" | LC_ALL=C sed '$d'
      printf '\n\n**The summary is cut here: GitHub takes 1 MiB. The JSON and SARIF reports hold everything.**\n'
    else
      cat "$file"
    fi
    [ -z "$notes" ] || printf '\n%s\n' "$notes"
    printf '\nThe same verdict on your own machine, in a clone of this repository:\n\n```sh\n'
    [ ${#needed[@]} = 0 ] || quoted git fetch origin "${needed[@]}"
    quoted ddpatrol "${repeated[@]}" ${judging[@]+"${judging[@]}"}
    printf '```\n'
  } >>"$GITHUB_STEP_SUMMARY"
}

# Prints words as a line for a shell.
quoted() {
  printf '%q' "$1"
  shift
  printf ' %q' "$@"
  echo
}
