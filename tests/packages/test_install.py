"""The install script, with a mirror of releases in a folder."""

import hashlib
import platform
import shutil
import subprocess

import pytest
from conftest import ROOT, assert_found, assert_sweeps, must

TARGET = f"{platform.machine()}-unknown-linux-musl"
TOOLS = ["awk", "chmod", "cp", "curl", "cut", "gzip", "mkdir", "mktemp", "mv", "rm", "sha256sum", "tar"]


@pytest.fixture(scope="session")
def archives(tmp_path_factory, programs):
    """The archives that the release workflow packs."""
    folder = tmp_path_factory.mktemp("archives")
    must(str(ROOT / "packaging" / "archives.sh"), str(programs["ddpatrol"].parent), "v1.2.3", TARGET, str(folder))
    found = sorted(folder.iterdir())
    assert [it.name.split("-")[0] for it in found] == ["ddpatrol", "ddpatrold"]
    return found


@pytest.fixture
def releases(tmp_path, archives):
    """A mirror whose newest release is 1.2.3."""
    folder = tmp_path / "releases" / "download" / "v1.2.3"
    folder.mkdir(parents=True)
    latest = tmp_path / "releases" / "latest"
    latest.mkdir()
    (latest / "download").symlink_to(folder)
    for archive in archives:
        shutil.copy(archive, folder)
    sums = [f"{hashlib.sha256(it.read_bytes()).hexdigest()}  {it.name}\n" for it in archives]
    (folder / "SHA256SUMS").write_text("".join(sums))
    return folder


@pytest.fixture
def install(machine, releases):
    """Runs the install script on a machine with common tools."""
    made = machine(*TOOLS)
    made.environment["DDPATROL_RELEASES"] = (releases.parent.parent).as_uri()
    script = str(ROOT / "packaging" / "install.sh")
    made.install = lambda *arguments: made.run("sh", script, *arguments)
    return made


@pytest.mark.parametrize("arguments", [[], ["--version", "1.2.3"], ["--version", "v1.2.3"]])
def test_a_verified_release_is_installed(install, arguments):
    done = install.install(*arguments)
    program = install.home / ".local" / "bin" / "ddpatrol"
    assert done.returncode == 0, done.stderr
    assert f"as {program}" in done.stdout and "is not in PATH" in done.stdout
    assert_found(install.run(str(program), "scan", cwd=install.repository()))
    assert_sweeps(install, str(program))


def test_the_service_is_installed_in_another_folder(install):
    folder = install.folder / "a folder"
    done = install.install("--program", "ddpatrold", "--to", str(folder))
    assert done.returncode == 0, done.stderr
    assert install.must(str(folder / "ddpatrold"), "--version").startswith("ddpatrold ")
    assert [it.name for it in folder.iterdir()] == ["ddpatrold"]


def test_a_missing_program_of_sweeps_is_an_error_that_says_how_to_install_it(install):
    assert install.install().returncode == 0
    folder = install.home / ".local" / "bin"
    (folder / "ddpatrol-sweep").unlink()
    done = install.run(str(folder / "ddpatrol"), "sweep", "status")
    assert done.returncode == 2
    for text in ("ghcr.io/ddpatrol/ddpatrol-sweep", "cargo install --locked --git https://github.com/ddpatrol/ddpatrol "):
        assert text in done.stderr, done.stderr


def test_archives_need_all_programs(tmp_path, programs):
    (tmp_path / "ddpatrol").symlink_to(programs["ddpatrol"])
    command = [str(ROOT / "packaging" / "archives.sh"), str(tmp_path), "v1.2.3", TARGET, str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 2 and "has no ddpatrol-sweep" in done.stderr


def test_a_wrong_checksum_installs_nothing(install, releases):
    with (releases / f"ddpatrol-v1.2.3-{TARGET}.tar.gz").open("ab") as archive:
        archive.write(b"\0")
    assert_refused(install, [], "checksum mismatch")


def test_a_release_without_the_platform_is_named(install, releases):
    (releases / "SHA256SUMS").write_text(f"{'0' * 64}  ddpatrol-v1.2.3-other.tar.gz\n")
    assert_refused(install, [], f"has no ddpatrol for {TARGET}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--version", "9.9.9"], "version 9.9.9 may not exist"),
        (["--version", "../x"], 'invalid version "../x"'),
        (["--version"], "the option --version needs a value"),
        (["--program", "x"], 'unknown program "x"'),
        (["--force"], 'unknown argument "--force"'),
    ],
)
def test_mistakes_are_explained(install, arguments, message):
    assert_refused(install, arguments, message)


def test_plain_http_is_refused(install):
    install.environment["DDPATROL_RELEASES"] = "http://127.0.0.1:9"
    assert_refused(install, [], "cannot download")


def assert_refused(install, arguments, message):
    done = install.install(*arguments)
    assert done.returncode == 1 and message in done.stderr, done.stderr
    assert not (install.home / ".local").exists()
