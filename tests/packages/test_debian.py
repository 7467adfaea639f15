"""The Debian package."""

import os
import shutil

import pytest
from conftest import ROOT, assert_found, assert_sweeps, must


@pytest.fixture(scope="session")
def package(programs, tmp_path_factory):
    """The package, with the debug program in place of the release."""
    target = tmp_path_factory.mktemp("target")
    (target / "dist").mkdir()
    for name in ("ddpatrol", "ddpatrol-sweep"):
        shutil.copy(programs[name], target / "dist" / name)
    must("sh", str(ROOT / "packaging" / "assets.sh"), str(programs["ddpatrol"]), str(ROOT / "target" / "assets"))
    command = ["cargo", "deb", "--locked", "--offline", "--profile", "dist", "--no-build", "--fast"]
    must(*command, "--output", str(target / "ddpatrol.deb"), cwd=ROOT, env={**os.environ, "CARGO_TARGET_DIR": str(target)})
    return target / "ddpatrol.deb"


@pytest.fixture
def unpacked(package, tmp_path):
    """The files of the package."""
    must("dpkg-deb", "-x", str(package), str(tmp_path / "root"))
    return tmp_path / "root"


def test_the_package_has_the_program_of_this_version(package, unpacked, version, machine):
    made = machine()
    program = str(unpacked / "usr" / "bin" / "ddpatrol")
    assert made.must(program, "--version") == f"ddpatrol {version}\n"
    assert must("dpkg-deb", "-f", str(package), "Version").startswith(version)
    assert_found(made.run(program, "scan", cwd=made.repository()))
    assert_sweeps(made, program)


def test_the_package_has_a_manual_page_for_every_command(unpacked):
    pages = {it.name for it in (unpacked / "usr" / "share" / "man" / "man1").iterdir()}
    assert {"ddpatrol.1.gz", "ddpatrol-scan.1.gz", "ddpatrol-hook-install.1.gz"} <= pages, pages


def test_the_package_has_completions_and_licences(unpacked):
    share = unpacked / "usr" / "share"
    for path in ("bash-completion/completions/ddpatrol", "zsh/vendor-completions/_ddpatrol", "doc/ddpatrol/copyright"):
        assert (share / path).stat().st_size > 0


def test_the_package_depends_on_libraries_of_every_debian_only(package):
    depends = must("dpkg-deb", "-f", str(package), "Depends").split(",")
    assert {it.split()[0] for it in depends} <= {"libc6", "libgcc-s1", "zlib1g"}, depends
