# shellcheck shell=bash disable=SC2034,SC2154 # variables shared with action.sh
# Part of scripts/action.sh: the job summary.

# GitHub drops summaries of more than 1 MiB; the difference is reserved for the text below the table.
summary_limit=$((1024 * 1024 - 32 * 1024))

# A program that failed before it wrote a report printed why; the first ten lines become annotations. Issues of a
# scan are in the report.
annotate_errors() {
  local line
  if [ "$code" != 2 ] || [ -s "$folder/ddpatrol.json" ]; then return 0; fi
  # Without the lines on the reports that were written.
  sed -e '/: [0-9,]* tokens\{0,1\}$/d' -e 's/^ddpatrol: //' "$folder/messages" | head -n 10 >"$folder/errors"
  while IFS= read -r line; do
    [ -z "$line" ] || annotate error "$line"
  done <"$folder/errors"
}

summarize() {
  local file=$folder/summary.md size
  if [ ! -s "$file" ]; then
    printf '## ddpatrol\n\nThe scan failed: see the log for the reason.\n' >"$file"
  fi
  size=$(wc -c <"$file")
  {
    if [ "$size" -gt "$summary_limit" ]; then
      # Whole lines only: a truncated character or link would break the following text.
      head -c "$summary_limit" "$file" | LC_ALL=C sed '$d'
      printf '\n\n**Summary truncated: GitHub accepts 1 MiB. The JSON and SARIF reports are complete.**\n'
    else
      cat "$file"
    fi
    [ -z "$notes" ] || printf '\n%s\n' "$notes"
    printf '\nTo reproduce this result in a clone of this repository:\n\n```sh\n'
    [ ${#needed[@]} = 0 ] || quoted git fetch origin "${needed[@]}"
    # The level `live` is an error without --verify.
    [ "${INPUT_FAIL_ON:-}" != live ] || repeated+=(--verify)
    quoted ddpatrol "${repeated[@]}" ${judging[@]+"${judging[@]}"}
    printf '```\n'
  } >>"$GITHUB_STEP_SUMMARY"
}

# Prints words as a shell command line.
quoted() {
  printf '%q' "$1"
  shift
  printf ' %q' "$@"
  echo
}
