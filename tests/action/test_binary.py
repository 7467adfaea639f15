"""The program is downloaded from a release, and its SHA-256 is verified."""

import hashlib
import platform
import tarfile

import pytest
from test_events import assert_found, leak

TARGETS = {"x86_64": "x86_64-unknown-linux-musl", "aarch64": "aarch64-unknown-linux-musl"}


class Releases:
    """A mirror of releases with one release, v1.2.3, for this machine, and a workspace with a token."""

    def __init__(self, hosting):
        self.hosting = hosting
        self.folder = hosting.folder / "releases" / "v1.2.3"
        self.folder.mkdir(parents=True)
        self.archive = self.folder / f"ddpatrol-v1.2.3-{TARGETS[platform.machine()]}.tar.gz"
        with tarfile.open(self.archive, "w:gz") as archive:
            archive.add(hosting.binary, "ddpatrol")
        self.sums = self.folder / "SHA256SUMS"
        digest = hashlib.sha256(self.archive.read_bytes()).hexdigest()
        self.sums.write_text(f"{'0' * 64}  another-{self.archive.name}\n{digest}  {self.archive.name}\n")
        hosting.commit(leak(1))
        hosting.push("main")
        hosting.checkout("refs/heads/main")

    def step(self, version):
        """Runs the step with a version."""
        environment = {"DDPATROL_BINARY": "", "DDPATROL_RELEASES": self.folder.parent.as_uri()}
        return self.hosting.step(self.hosting.event("schedule"), environment, version=version)


@pytest.fixture
def releases(hosting):
    """A mirror of releases."""
    return Releases(hosting)


def assert_rejected(step, message):
    """Asserts that the program was not run."""
    assert (step.code, step.outputs) == (2, {"exit-code": "2"})
    assert message in step.annotations[0].text


@pytest.mark.parametrize("version", ["v1.2.3", "1.2.3"])
def test_a_release_with_a_matching_checksum_is_run(releases, version):
    assert_found(releases.step(version), 1)


def test_a_release_with_a_wrong_checksum_is_not_run(releases):
    with releases.archive.open("ab") as archive:
        archive.write(b"\0")
    assert_rejected(releases.step("v1.2.3"), "checksum mismatch")


def test_a_release_without_a_checksum_is_not_run(releases):
    releases.sums.write_text(f"{'0' * 64}  another-{releases.archive.name}\n")
    assert_rejected(releases.step("v1.2.3"), "has no ddpatrol-v1.2.3")


def test_a_missing_release_is_an_error(releases):
    assert_rejected(releases.step("v9.9.9"), "cannot download")


def test_a_mirror_over_plain_http_is_rejected(releases):
    releases.folder = type(releases.folder)("/unused")
    environment = {"DDPATROL_BINARY": "", "DDPATROL_RELEASES": "http://127.0.0.1:9"}
    hosting = releases.hosting
    step = hosting.step(hosting.event("schedule"), environment, version="v1.2.3")
    assert_rejected(step, "cannot download")
    assert "not supported" in step.log
