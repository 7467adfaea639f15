"""The program is downloaded from a release, and its SHA-256 is verified."""

import hashlib
import os
import platform
import tarfile
import tomllib

import pytest
from hosting import ROOT
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

    def find(self, version="", **variables):
        """Runs the step that finds the program."""
        environment = {"DDPATROL_BINARY": "", "DDPATROL_RELEASES": self.folder.parent.as_uri(), **variables}
        event = self.hosting.event("schedule")
        script = ROOT / "scripts" / "action-program.sh"
        return self.hosting.step(event, environment, script=script, version=version)

    def step(self, version="", **variables):
        """Runs both steps; returns the first if it fails."""
        found = self.find(version, **variables)
        if found.code:
            return found
        binary = {"DDPATROL_BINARY": found.outputs["binary"]}
        return self.hosting.step(self.hosting.event("schedule"), binary)

    def publish_own_version(self):
        """Names the release as the version of this repository."""
        version = tomllib.loads((ROOT / "Cargo.toml").read_text())["workspace"]["package"]["version"]
        own = self.folder.with_name(f"v{version}")
        self.folder.rename(own)
        archive = own / self.archive.name.replace("v1.2.3", f"v{version}")
        (own / self.archive.name).rename(archive)
        sums = (own / "SHA256SUMS").read_text().replace("v1.2.3", f"v{version}")
        (own / "SHA256SUMS").write_text(sums)


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


def test_a_version_that_is_no_tag_is_an_error(releases):
    assert_rejected(releases.step("v1/../x"), "expected a release")


def test_a_missing_release_is_an_error(releases):
    assert_rejected(releases.step("v9.9.9"), "there is no release v9.9.9")


def test_a_release_without_its_archive_is_not_run(releases):
    releases.archive.unlink()
    assert_rejected(releases.step("v1.2.3"), "but does not have it")


def test_the_release_of_the_own_version_is_the_default(releases):
    releases.publish_own_version()
    assert_found(releases.step(), 1)


def test_the_own_version_is_built_only_if_it_has_no_release(releases):
    found = releases.find()
    assert found.code == 0, found.log
    assert list(found.outputs) == ["key"]
    assert [one.name for one in found.annotations] == ["notice"]
    assert "built from source" in found.annotations[0].text
    again = releases.find()
    assert again.outputs == found.outputs, "the key of the cache is stable"


def test_a_cached_build_is_run(releases):
    releases.publish_own_version()
    built = releases.hosting.temporary / "ddpatrol-program"
    built.mkdir()
    (built / "ddpatrol").symlink_to(releases.hosting.binary)
    hosting = releases.hosting
    # An output that the first step did not write is an empty variable.
    assert_found(hosting.step(hosting.event("schedule"), {"DDPATROL_BINARY": ""}), 1)


def test_an_existing_program_is_run(releases):
    found = releases.find(DDPATROL_BINARY=str(releases.hosting.binary))
    assert found.outputs == {"binary": str(releases.hosting.binary)}


def test_an_unreachable_server_is_an_error_and_builds_nothing(releases):
    found = releases.find(DDPATROL_RELEASES="https://127.0.0.1:9")
    assert_rejected(found, "cannot download https://127.0.0.1:9/")


def test_a_mirror_over_plain_http_is_rejected(releases):
    found = releases.find("v1.2.3", DDPATROL_RELEASES="http://127.0.0.1:9")
    assert_rejected(found, "cannot download")
    assert "not supported" in found.log


class Provenance:
    """Stands for GitHub's `gh`, which asks GitHub: answers by its exit code, and records its arguments."""

    def __init__(self, folder, code):
        self.record = folder / "gh-arguments"
        program = folder / "bin" / "gh"
        program.parent.mkdir()
        program.write_text(f"#!/bin/sh\necho \"$@\" >>'{self.record}'\necho no attestation found >&2\nexit {code}\n")
        program.chmod(0o755)
        self.variables = {
            "PATH": f"{program.parent}:{os.environ['PATH']}",
            "DDPATROL_ATTESTATION": "required",
        }


def test_a_release_of_another_origin_is_not_run(releases, tmp_path):
    provenance = Provenance(tmp_path, 1)
    found = releases.find("v1.2.3", **provenance.variables)
    assert_rejected(found, "was not built by the release workflow of ddpatrol/ddpatrol: no attestation found")


def test_a_release_of_this_project_is_run(releases, tmp_path):
    provenance = Provenance(tmp_path, 0)
    assert_found(releases.step("v1.2.3", **provenance.variables), 1)
    arguments = provenance.record.read_text().split()
    assert arguments[:2] == ["attestation", "verify"] and arguments[-2:] == ["--repo", "ddpatrol/ddpatrol"]
    assert releases.archive.name in arguments[2]
