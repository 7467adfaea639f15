"""The container images: built from scratch by buildah, that of sweeps from Debian's packages. Their root folder is entered by chroot: running a
container needs control groups, which a container of CI lacks."""

import os
import subprocess

import pytest
from conftest import ROOT, assert_found, must

BUILD = str(ROOT / "packaging" / "container" / "build.sh")
# Mounting an image and entering it needs root.
AS_ROOT = [] if os.geteuid() == 0 else ["sudo", "-n"]
SWEEP = str(ROOT / "packaging" / "container" / "sweep.sh")
CRATES = {"ddpatrol": "ddpatrol", "ddpatrold": "ddpatrol-service"}


def static(name, folder):
    """Links a program statically from the crates that the debug build compiled."""
    path = folder / name
    flags = ["--", "-C", "target-feature=+crt-static", "-C", "relocation-model=static", "--emit", f"link={path}"]
    command = ["cargo", "rustc", "--locked", "--quiet", "--package", CRATES[name], "--bin", name, *flags]
    must(*command, cwd=ROOT)
    return path


class Container:
    """The mounted root folder of an image."""

    def __init__(self, name, programs, folder):
        self.image = f"localhost/{name}:test"
        if name == "ddpatrol-sweep":
            must(*AS_ROOT, "sh", SWEEP, str(programs["ddpatrol"].parent), self.image)
        else:
            must(*AS_ROOT, "sh", BUILD, name, str(static(name, folder)), self.image)
        self.id = must(*AS_ROOT, "buildah", "from", self.image).strip()
        self.root = must(*AS_ROOT, "buildah", "mount", self.id).strip()
        form = "{{range .OCIv1.Config.Env}}{{println .}}{{end}}"
        self.environment = must(*AS_ROOT, "buildah", "inspect", "--format", form, self.image).split()
        # A container runtime provides the devices.
        must(*AS_ROOT, "mkdir", "-p", f"{self.root}/dev")
        for name, minor in (("null", "3"), ("random", "8"), ("urandom", "9")):
            must(*AS_ROOT, "rm", "-f", f"{self.root}/dev/{name}")
            must(*AS_ROOT, "mknod", "-m", "666", f"{self.root}/dev/{name}", "c", "1", minor)

    def command(self, *command):
        environment = ["PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/work", *self.environment]
        return [*AS_ROOT, "env", "-i", *environment, "chroot", "--userspec=65532:65532", self.root, *command]

    def run(self, *command):
        return subprocess.run(self.command(*command), capture_output=True, text=True)

    def config(self):
        return must(*AS_ROOT, "buildah", "inspect", "--format", "{{.OCIv1.Config}}", self.image)

    def remove(self):
        must(*AS_ROOT, "buildah", "rm", self.id)
        must(*AS_ROOT, "buildah", "rmi", self.image)


@pytest.fixture
def container(programs, tmp_path):
    """Builds and mounts the image of a program."""
    made = []

    def build(name):
        made.append(Container(name, programs, tmp_path))
        return made[-1]

    yield build
    for it in made:
        it.remove()


def test_the_image_scans_a_mounted_repository(container, machine, version):
    image = container("ddpatrol")
    assert image.run("/usr/bin/ddpatrol", "--version").stdout == f"ddpatrol {version}\n"
    repository = machine().repository()
    must(*AS_ROOT, "cp", "-r", f"{repository}/.", f"{image.root}/work")
    assert_found(image.run("/usr/bin/ddpatrol", "scan", "--history-only", "/work"))
    assert "/usr/bin/ddpatrol" in image.config() and "65532" in image.config()


def test_the_image_without_git_names_that_of_sweeps(container):
    done = container("ddpatrol").run("/usr/bin/ddpatrol", "sweep", "status")
    assert done.returncode == 2 and "ghcr.io/ddpatrol/ddpatrol-sweep" in done.stderr


def test_the_image_of_sweeps_has_git_and_scans_a_mounted_repository(container, machine, version):
    image = container("ddpatrol-sweep")
    assert image.run("/usr/bin/ddpatrol-sweep", "--version").stdout == f"ddpatrol-sweep {version}\n"
    repository = machine().repository()
    must(*AS_ROOT, "mkdir", f"{image.root}/repository")
    must(*AS_ROOT, "cp", "-r", f"{repository}/.", f"{image.root}/repository")
    shell = "echo /repository | ddpatrol-sweep run --store /work/store; ddpatrol sweep report --store /work/store -f csv"
    done = image.run("/bin/sh", "-c", shell)
    assert "1 of 1 repository completely scanned" in done.stderr, done.stderr
    assert "leaked.env" in done.stdout, done.stdout
    assert "/usr/bin/ddpatrol-sweep" in image.config() and "65532" in image.config()


def test_the_image_of_the_service_owns_its_data(container, version):
    image = container("ddpatrold")
    assert image.run("/usr/bin/ddpatrold", "--version").stdout == f"ddpatrold {version}\n"
    serve = ["/usr/bin/ddpatrold", "serve", "--database", "sqlite:/data/ddpatrol.db", "--listen", "127.0.0.1:0"]
    service = subprocess.Popen(
        image.command(*serve), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    lines = []
    for line in service.stderr:
        lines.append(line)
        if "listening" in line:
            break
    service.terminate()
    service.communicate()
    assert "listening" in lines[-1], lines
    must(*AS_ROOT, "test", "-f", f"{image.root}/data/ddpatrol.db")
    assert "8200" in image.config() and "/data" in image.config()


def test_an_image_of_a_dynamic_program_is_refused(programs):
    done = subprocess.run(["sh", BUILD, "ddpatrol", programs["ddpatrol"], "x"], capture_output=True, text=True)
    assert done.returncode == 1 and "is linked dynamically" in done.stderr
