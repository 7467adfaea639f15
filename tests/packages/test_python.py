"""The Python wheels, installed without Rust."""

import sys
import zipfile

import pytest
from conftest import ROOT, assert_found, assert_sweeps, must


@pytest.fixture
def python(machine):
    """A machine with Python and pip in an environment without packages."""
    made = machine()
    must(sys.executable, "-m", "venv", str(made.folder / "venv"))
    made.environment["PATH"] += f":{made.folder / 'venv' / 'bin'}"
    return made


def wheel(wheels, name):
    (path,) = wheels.glob(f"{name}-*.whl")
    return path


def test_the_wheel_installs_the_scanner(python, wheels, version):
    python.must("pip", "install", "--quiet", "--no-index", str(wheel(wheels, "ddpatrol")))
    assert python.must("ddpatrol", "--version") == f"ddpatrol {version}\n"
    assert_found(python.run("ddpatrol", "scan", cwd=python.repository()))
    assert_sweeps(python, "ddpatrol")


def test_the_wheel_installs_the_service(python, wheels, version):
    python.must("pip", "install", "--quiet", "--no-index", str(wheel(wheels, "ddpatrold")))
    assert python.must("ddpatrold", "--version") == f"ddpatrold {version}\n"


def test_a_wheel_holds_the_programs_and_no_other_code(wheels):
    for name, programs in (("ddpatrol", ["ddpatrol", "ddpatrol-sweep"]), ("ddpatrold", ["ddpatrold"])):
        names = zipfile.ZipFile(wheel(wheels, name)).namelist()
        found = sorted(it for it in names if ".dist-info/" not in it)
        assert [it.split(".data/scripts/")[1] for it in found] == programs


def test_uvx_runs_the_scanner_from_an_index(machine, index):
    made = machine("uv", "uvx")
    made.environment |= {"UV_PYTHON": sys.executable, "UV_DEFAULT_INDEX": index, "UV_CACHE_DIR": str(made.home / "uv")}
    assert_found(made.run("uvx", "ddpatrol", "scan", cwd=made.repository()))


def test_the_version_is_that_of_the_program(wheels, version):
    for name in ("ddpatrol", "ddpatrold"):
        assert wheel(wheels, name).name.split("-")[1] == version
    assert f'version = "{version}"' in (ROOT / "Cargo.toml").read_text()
