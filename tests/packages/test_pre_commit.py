"""The hooks that install the wheel, with the real pre-commit and without Rust."""

import sys

import pytest
from conftest import ROOT, must, token


@pytest.fixture
def hooks(version, tmp_path):
    """The hook repository of this version."""
    folder = tmp_path / "ddpatrol-pre-commit"
    must("sh", str(ROOT / "packaging" / "pre-commit" / "render.sh"), version, str(folder))
    identity = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org"]
    must("git", "init", "-q", str(folder))
    must("git", "add", "-A", cwd=folder)
    must("git", *identity, "commit", "-q", "-m", version, cwd=folder)
    must("git", "tag", f"v{version}", cwd=folder)
    return folder


def test_the_hooks_install_the_wheel_and_block_a_token(machine, hooks, index, version):
    made = machine("pre-commit", "bash", "env")
    made.add("python3", sys.executable)
    # The wheel is found in the local index only; pip itself and setuptools come from the usual one.
    made.environment |= {"PRE_COMMIT_HOME": str(made.home / "cache"), "PIP_EXTRA_INDEX_URL": index}
    project = made.folder / "project"
    project.mkdir()
    made.must("git", "init", "-q", "-b", "main", cwd=project)
    ids = ["ddpatrol", "ddpatrol-message", "ddpatrol-push"]
    lines = "".join(f"      - id: {name}\n" for name in ids)
    (project / ".pre-commit-config.yaml").write_text(
        f"repos:\n  - repo: file://{hooks}\n    rev: v{version}\n    hooks:\n{lines}"
    )
    made.must("git", "add", "-A", cwd=project)
    stages = ("pre-commit", "pre-merge-commit", "commit-msg", "pre-push")
    made.must("pre-commit", "install", *(word for it in stages for word in ("-t", it)), cwd=project)
    made.must("git", "commit", "-q", "-m", "hooks", cwd=project)

    (project / "leaked.env").write_text(f"KEY={token(1)}\n")
    made.must("git", "add", "-A", cwd=project)
    blocked(made.run("git", "commit", "-m", "leak", cwd=project), 1)
    made.must("git", "rm", "-q", "--cached", "leaked.env", cwd=project)
    (project / "leaked.env").unlink()
    blocked(made.run("git", "commit", "--allow-empty", "-m", token(2), cwd=project), 2)
    assert made.must("git", "log", "--format=%s", cwd=project) == "hooks\n"


def blocked(done, seed):
    """Asserts that the hook refused the commit and did not print the token."""
    output = done.stdout + done.stderr
    assert done.returncode != 0 and token(seed)[:29] in output, output
    assert token(seed)[30:] not in output


def test_the_hook_repository_has_the_hooks_that_need_no_installed_program(hooks, version):
    text = (hooks / ".pre-commit-hooks.yaml").read_text()
    ids = [line.removeprefix("- id: ") for line in text.splitlines() if line.startswith("- id:")]
    assert ids == ["ddpatrol", "ddpatrol-push", "ddpatrol-message"]
    assert text.count("language: python") == 3
    assert f"ddpatrol=={version}" in (hooks / "pyproject.toml").read_text()
    for name in ("pyproject.toml", "README.md"):
        assert "@VERSION@" not in (hooks / name).read_text()
