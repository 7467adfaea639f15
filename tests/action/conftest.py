"""Fixtures of the tests of the action."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Token formats, implemented independently of ddpatrol.
sys.path.append(str(ROOT / "crates" / "service" / "tests" / "python"))

from hosting import Hosting  # noqa: E402


@pytest.fixture(scope="session")
def binary():
    """The built program."""
    program = Path(os.environ.get("DDPATROL", ROOT / "target" / "debug" / "ddpatrol")).resolve()
    assert program.is_file(), f"{program} is missing: build it, or name it by DDPATROL"
    return program


@pytest.fixture
def hosting(tmp_path, binary):
    """A hosted repository without a commit."""
    return Hosting(tmp_path, binary)
