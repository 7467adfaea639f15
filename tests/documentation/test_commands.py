"""Every command of the scanner in the README and the guide runs as it is written, those of sweeps included.

The commands run in one repository, in the order of the pages, as a reader would paste them. DDPATROL and
DDPATROLD are the paths of the built programs. No command reaches an issuer beyond this machine.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "scripts"))

from mint import token  # noqa: E402

PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.DOTALL | re.MULTILINE)
SCANNER = re.compile(r"(^|[|] )ddpatrol ")
# Placeholders of the pages, and what replaces them here.
PLACEHOLDERS = {
    "BASE..HEAD": "HEAD~1..HEAD",
    "PATH...": "notes",
    "main..topic": "HEAD~1..HEAD",
    "~/.local/share/bash-completion/completions/ddpatrol": "completions",
}
# Programs whose output the pages pipe into the scanner.
FEEDERS = {"kubectl": "echo from a pod", "make": "echo deployed"}


def commands():
    """Returns the commands of the scanner, with the page of each."""
    found = []
    for page in PAGES:
        for block in BLOCK.findall(page.read_text()):
            for line in block.replace("\\\n", " ").splitlines():
                line = re.sub(r"(^|\s+)#.*", "", line).strip()
                if SCANNER.search(line):
                    found.append((page.name, line))
    return found


def test_the_pages_have_commands():
    assert {"index.md", "git.md", "reports.md", "verification.md"} <= {page for page, _ in commands()}
    assert len(commands()) > 25


class Reader:
    """A reader's machine: a repository with a history, its mirrors, saved reports, and an issuer."""

    def __init__(self, folder):
        self.folder = folder / "app"
        tools = folder / "bin"
        for path in (self.folder / "service", self.folder / "mirrors", tools, folder / "other"):
            path.mkdir(parents=True)
        (tools / "ddpatrol").symlink_to(pathlib.Path(os.environ["DDPATROL"]).resolve())
        for name, command in FEEDERS.items():
            (tools / name).write_text(f"#!/bin/sh\n{command}\n")
            (tools / name).chmod(0o755)
        self.environment = {
            "PATH": f"{tools}:{os.environ['PATH']}",
            "HOME": str(folder),
            "GIT_CONFIG_NOSYSTEM": "1",
        }
        for who in ("AUTHOR", "COMMITTER"):
            self.environment[f"GIT_{who}_NAME"] = "Ada"
            self.environment[f"GIT_{who}_EMAIL"] = "ada@example.org"
        self.issuer = self.start_issuer(folder)
        self.must("git init -q -b main && git commit -q --allow-empty -m first && git tag v1.0")
        (self.folder / "notes").write_text("clean\n")
        (self.folder / "leaked.env").write_text(f"KEY={token(1)}\n")
        self.must("git add notes leaked.env && git commit -q -m leak && git remote add origin ../origin.git")
        self.must("git clone -q --mirror . ../origin.git && git clone -q --mirror . mirrors/app.git")
        (self.folder / "repositories.txt").write_text(f"{folder / 'origin.git'}\n")
        excluded = "/mirrors/ /repositories.txt /results/ /sweep-cache/ /report.html"
        self.must(f"git fetch -q && printf '%s\\n' {excluded} >>.git/info/exclude")
        for name in ("report.json", "last-week.json"):
            self.run(f"ddpatrol scan --report json={name}")

    def start_issuer(self, folder):
        """Starts a token service of our own and returns its URL."""
        command = [os.environ["DDPATROLD"], "serve", "--listen", "127.0.0.1:0"]
        self.service = subprocess.Popen(
            command, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
        )
        for line in self.service.stderr:
            if "listening on " in line:
                return line.split("listening on ")[1].strip()
        raise AssertionError("the issuer did not start")

    def run(self, line):
        return subprocess.run(
            ["bash", "-o", "pipefail", "-c", line],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )

    def must(self, line):
        done = self.run(line)
        assert done.returncode == 0, f"{line}: {done.stdout}{done.stderr}"

    def adapted(self, line):
        """Returns a command with its placeholders filled in, which asks only the local issuer."""
        for placeholder, value in PLACEHOLDERS.items():
            line = line.replace(placeholder, value)
        line = line.replace("https://tokens.example.com", self.issuer)
        if re.search(r"--verify|--revoke|ddpatrol revoke", line) and "--issuer" not in line:
            line += f" --issuer {self.issuer} --verify-pause 2" if "--verify" in line else f" --issuer {self.issuer}"
        # Without a terminal there is nobody to ask.
        return line + " --dry-run" if "ddpatrol revoke" in line else line


@pytest.fixture(scope="module")
def reader(tmp_path_factory):
    made = Reader(tmp_path_factory.mktemp("reader"))
    yield made
    made.service.terminate()
    made.service.communicate()


@pytest.mark.parametrize(("page", "line"), commands())
def test_a_documented_command_works(reader, page, line):
    done = reader.run(reader.adapted(line))
    output = done.stdout + done.stderr
    # Exit code 1 is a finding.
    assert done.returncode in (0, 1), f"{page}: {line}\n{output}"
    assert token(1)[30:] not in output
