# shellcheck shell=bash
# Part of the scripts of the GitHub Action: workflow commands, outputs and errors. Prints no text of the
# repository as a command.

random() { od -An -N16 -tx1 /dev/urandom | tr -d ' \n'; }

# The runner executes every line that begins with `::`, and messages of git and ddpatrol contain names from
# the repository. So commands are disabled except for our own.
resume=$(random)
echo "::stop-commands::$resume"
trap 'echo "::$resume::"' EXIT
with_commands() {
  echo "::$resume::"
  "$@"
  echo "::stop-commands::$resume"
}

# Prints an annotation: LEVEL TEXT.
annotate() {
  local text=$2
  text=${text//'%'/%25}
  text=${text//$'\r'/%0D}
  text=${text//$'\n'/%0A}
  with_commands echo "::$1 title=ddpatrol::$text"
}

output() { # NAME VALUE
  local end
  end=$(random)
  printf '%s<<%s\n%s\n%s\n' "$1" "$end" "$2" "$end" >>"$GITHUB_OUTPUT"
}

fail() {
  annotate error "$*"
  output exit-code 2
  exit 2
}
