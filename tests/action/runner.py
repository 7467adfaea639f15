"""What a runner makes of a step: the commands in its log, its outputs and its summary.

Follows GitHub's documentation of workflow commands and environment files, and the runner in what it
takes for a command; shares nothing with the action.
"""

import re
from dataclasses import dataclass, field

V2 = re.compile(r"::([A-Za-z-]+)(?: ([^\n]*?))?::(.*)")
V1 = re.compile(r"##\[([A-Za-z-]+)(?: ([^\]\n]*))?\](.*)")
# What a runner acts upon; any other word between colons is text, but for the end of a pause.
KNOWN = {
    "add-mask", "add-matcher", "remove-matcher", "debug", "echo", "error", "warning", "notice", "group",
    "endgroup", "internal-set-repo-path", "save-state", "set-env", "set-output", "add-path",
    "stop-commands",
}  # fmt: skip


@dataclass
class Command:
    """A workflow command that the runner obeys."""

    name: str
    properties: dict
    text: str


@dataclass
class Step:
    """A step that has ended."""

    code: int
    log: str
    outputs: dict
    summary: str
    commands: list = field(default_factory=list)

    @property
    def annotations(self):
        """The annotations by other than the script itself."""
        return [one for one in self.told if "file" in one.properties]

    @property
    def told(self):
        """All annotations."""
        return [one for one in self.commands if one.name in ("error", "warning", "notice")]

    def holds(self, text):
        """Tells whether anything that the step wrote holds a text."""
        return any(text in part for part in (self.log, self.summary, str(self.outputs)))


def unescape(text, is_property=False):
    """Undoes the escapes of a command's text or property."""
    for code, character in (("%0D", "\r"), ("%0A", "\n")):
        text = text.replace(code, character)
    if is_property:
        text = text.replace("%3A", ":").replace("%2C", ",")
    return text.replace("%25", "%")


def commands(log):
    """The commands that a runner obeys, in order."""
    obeyed, paused = [], None
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
        obeyed.append(Command(name, properties, unescape(match.group(3))))
    assert paused is None, "the step ends with commands switched off"
    return obeyed


def outputs(text):
    """What a file of outputs says; raises where a runner would refuse it."""
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
