"""What the tests of the action share."""

import os
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
# The token's format by other means than the product's.
sys.path.append(str(ROOT / "crates" / "service" / "tests" / "python"))

from hosting import Hosting  # noqa: E402


@pytest.fixture(scope="session")
def binary():
    """The program."""
    program = Path(os.environ.get("DDPATROL", ROOT / "target" / "debug" / "ddpatrol")).resolve()
    assert program.is_file(), f"{program} is missing: build it, or name it by DDPATROL"
    return program


@pytest.fixture
def hosting(tmp_path, binary):
    """A hosted repository with no commit yet."""
    return Hosting(tmp_path, binary)
