"""The files that git tracks or would add, for the checks in this folder."""

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def tracked():
    """Returns the paths of existing files that are not ignored, relative to the root, sorted."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    listed = subprocess.run(command, check=True, capture_output=True).stdout.decode()
    paths = {Path(name) for name in listed.split("\0") if name}
    return sorted(path for path in paths if (ROOT / path).is_file())
