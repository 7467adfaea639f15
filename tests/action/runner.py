"""A step as a runner sees it: the commands in its log, its outputs and its summary.

Follows GitHub's documentation of workflow commands and environment files, and the runner's syntax of
commands. Shares no code with the action.
"""

import re
from dataclasses import dataclass, field

V2 = re.compile(r"::([A-Za-z-]+)(?: ([^\n]*?))?::(.*)")
V1 = re.compile(r"##\[([A-Za-z-]+)(?: ([^\]\n]*))?\](.*)")
# Commands that a runner executes. Any other word between colons is text, except the end of a pause.
KNOWN = {
    "add-mask", "add-matcher", "remove-matcher", "debug", "echo", "error", "warning", "notice", "group",
    "endgroup", "internal-set-repo-path", "save-state", "set-env", "set-output", "add-path",
    "stop-commands",
}  # fmt: skip


@dataclass
class Command:
    """A workflow command that the runner executes."""

    name: str
    properties: dict
    text: str


@dataclass
class Step:
    """A completed step."""

    code: int
    log: str
    outputs: dict
    summary: str
    commands: list = field(default_factory=list)

    @property
    def file_annotations(self):
        """The annotations of files, which the program prints, not the script."""
        return [one for one in self.annotations if "file" in one.properties]

    @property
    def annotations(self):
        """All annotations."""
        return [one for one in self.commands if one.name in ("error", "warning", "notice")]

    def holds(self, text):
        """Returns `True` if any output of the step contains a text."""
        return any(text in part for part in (self.log, self.summary, str(self.outputs)))


def unescape(text, is_property=False):
    """Decodes the escapes of a command's text or property."""
    for code, character in (("%0D", "\r"), ("%0A", "\n")):
        text = text.replace(code, character)
    if is_property:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%25", "%")


def commands(log):
    """Returns the commands that a runner executes, in order."""
    executed, paused = [], None
    for line in re.split(r"\r\n|\r|\n", log):
        text = line.strip()
        if paused is not None:
            if text == f"::{paused}::":
                paused = None
            continue
        match = V2.match(text) or V1.search(line)
        if not match or match.group(1).lower() not in KNOWN:
            continue
        name, listed = match.group(1).lower(), match.group(2) or ""
        if name == "stop-commands":
            paused = match.group(3)
            continue
        pairs = [pair.partition("=") for pair in listed.split(",") if pair]
        properties = {key.strip(): unescape(value, True) for key, _, value in pairs}
        executed.append(Command(name, properties, unescape(match.group(3))))
    assert paused is None, "the step ends with commands switched off"
    return executed


def outputs(text):
    """Parses a file of outputs; raises an exception if a runner would reject it."""
    found, lines = {}, iter(text.split("\n"))
    for line in lines:
        if not line:
            continue
        name, equals, value = line.partition("=")
        if "<<" in line and (not equals or line.index("<<") < line.index("=")):
            name, _, end = line.partition("<<")
            parts = []
            for part in lines:
                if part == end:
                    break
                parts.append(part)
            else:
                raise ValueError(f"the output {name} does not end")
            found[name] = "\n".join(parts)
        else:
            assert equals, f"not an output: {line}"
            found[name] = value
    return found
