"""Inputs become arguments of the program; its reports become annotations, summary and outputs."""

import json
import subprocess

import pytest
from hosting import report
from test_events import assert_found, leak
from token_format import mint

PROGRAM = """#!/usr/bin/env python3
import json, os, sys
home = os.environ["HOME"]
with open(os.path.join(home, "arguments"), "w") as file:
    json.dump(sys.argv[1:], file)
with open(os.path.join(home, "environment"), "w") as file:
    json.dump(dict(os.environ), file)
response = json.load(open(os.path.join(home, "response")))
for name, text in response["reports"].items():
    prefix = f"--report={name}="
    for argument in sys.argv[1:]:
        if argument.startswith(prefix):
            with open(argument[len(prefix):], "w") as file:
                file.write(text)
print(response["stdout"])
print(response["stderr"], file=sys.stderr)
sys.exit(response["code"])
"""


class Double:
    """A stub of ddpatrol that writes given reports and records its arguments and environment."""

    def __init__(self, hosting):
        self.hosting = hosting
        hosting.binary = hosting.folder / "double"
        hosting.binary.write_text(PROGRAM)
        hosting.binary.chmod(0o755)
        self.before = hosting.commit()
        self.after = hosting.commit()
        hosting.push("main")
        hosting.checkout("refs/heads/main", 0)

    def step(self, code=0, reports=None, stdout="", stderr="", environment=None, event="push", **inputs):
        """Runs the step; the program writes these reports and exits with `code`."""
        given = {"json": '{"summary": {"proven": 0}}', "sarif": "{}", "markdown": "## ddpatrol\n"}
        response = {"code": code, "stdout": stdout, "stderr": stderr, "reports": given | (reports or {})}
        (self.hosting.folder / "response").write_text(json.dumps(response))
        event = self.hosting.event(event, self.before, self.after)
        return self.hosting.step(event, environment, **inputs)

    def kept(self, name):
        """Returns the recorded arguments or the recorded environment of the program."""
        return json.loads((self.hosting.folder / name).read_text())

    @property
    def arguments(self):
        """The arguments without the reports that the step needs itself."""
        temporary = str(self.hosting.temporary)
        return [one for one in self.kept("arguments") if not (one.startswith("--report=") and temporary in one)]


@pytest.fixture
def double(hosting):
    """A stub of ddpatrol."""
    return Double(hosting)


def test_one_scan_writes_all_reports(double):
    assert double.step().code == 0
    kept = double.kept("arguments")
    formats = [one.split("=")[1] for one in kept if one.startswith("--report=")]
    assert formats == ["github", "text", "markdown", "sarif", "json"]
    assert double.arguments == [
        "range", "--repo=.", "--report=github", f"{double.before}..{double.after}",
    ]  # fmt: skip


def test_each_input_becomes_its_own_argument(double):
    double.step(
        fail_on="shaped", report="html=a b.html\n\n  jsonl=x.jsonl  \n", config="-c $(x)", baseline="b;c",
        api_url="https://tokens.example.com", verify="true", revoke="true",
        args="--rule  datadog-pat\n--exclude *.md\t$(touch pwned) `x` 'a b'",
    )  # fmt: skip
    assert double.arguments == [
        "range", "--repo=.", "--fail-on=shaped", "--config=-c $(x)", "--baseline=b;c", "--rule", "datadog-pat",
        "--exclude", "*.md", "$(touch", "pwned)", "`x`", "'a", "b'", "--verify", "--revoke", "--yes",
        "--issuer=https://tokens.example.com", "--report=github", "--report=html=a b.html",
        "--report=jsonl=x.jsonl", f"{double.before}..{double.after}",
    ]  # fmt: skip


def test_a_scheduled_scan_scans_the_path_input(double):
    (double.hosting.workspace / "-x").mkdir()
    double.step(event="schedule", path="-x")
    assert double.arguments == ["scan", "--report=github", "--", "-x"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({"mode": "some"}, "auto, range or full"),
        ({"verify": "yes"}, "true or false"),
        ({"revoke": "1"}, "true or false"),
        ({"report": "html"}, "FORMAT=PATH"),
        ({"environment": {"DDPATROL_BINARY": "/nowhere"}}, "cannot run DDPATROL_BINARY"),
    ],
)
def test_an_invalid_input_is_an_error_that_lists_the_valid_values(double, inputs, message):
    step = double.step(**inputs)
    assert (step.code, step.outputs) == (2, {"exit-code": "2"})
    assert message in step.annotations[0].text
    assert not (double.hosting.folder / "arguments").exists()


def test_credentials_of_the_environment_reach_the_program_and_empty_ones_do_not(double):
    double.step(environment={"DDPATROL_DATADOG_TOKEN": "secret", "DDPATROL_ISSUER_TOKEN": ""})
    environment = double.kept("environment")
    assert environment["DDPATROL_DATADOG_TOKEN"] == "secret"
    assert "DDPATROL_ISSUER_TOKEN" not in environment


def test_the_fetch_token_reaches_neither_the_program_nor_the_log(double):
    step = double.step(environment={"DDPATROL_FETCH_TOKEN": "ghs_secret"})
    assert "ghs_secret" not in json.dumps(double.kept("environment"))
    assert not step.holds("ghs_secret")


@pytest.mark.parametrize("code", [0, 1, 2, 101, 130])
def test_the_step_has_the_exit_code_of_the_program(double, code):
    step = double.step(code, {"json": '{"summary": {"proven": 3}}'})
    assert step.code == code
    assert step.outputs["exit-code"] == str(code)
    assert step.outputs["findings"] == "3"
    for name in ("sarif-file", "report-json"):
        assert step.outputs[name].startswith(str(double.hosting.temporary))


def test_a_failed_program_leaves_outputs_empty_and_is_reported_in_the_summary(double):
    step = double.step(2, {"json": "", "sarif": "", "markdown": ""}, stderr="no such commit")
    assert step.outputs == {"findings": "", "sarif-file": "", "report-json": "", "exit-code": "2"}
    assert "The scan failed" in step.summary
    assert "no such commit" in step.log
    assert [(one.name, one.text) for one in step.annotations] == [("error", "no such commit")]


def test_messages_of_a_program_that_wrote_a_report_are_not_repeated_as_annotations(double):
    step = double.step(2, {"json": "{}"}, "::error::a.zip is damaged", "ddpatrol: a.zip is damaged\n")
    assert [one.text for one in step.annotations] == ["a.zip is damaged"]


def test_a_program_that_writes_no_report_never_passes(double):
    step = double.step(0, {"json": ""})
    assert (step.code, step.outputs["exit-code"]) == (2, "2")


def test_only_the_github_report_is_executed_as_commands(double):
    hostile = "\n::error::forged\n##[error]forged\n"
    step = double.step(1, {"text": hostile}, "::error file=a.env,line=2,col=3::A token", hostile)
    assert [(one.name, one.text) for one in step.commands] == [("error", "A token")]
    assert step.commands[0].properties == {"file": "a.env", "line": "2", "col": "3"}


def test_every_step_pauses_commands_with_another_random_word(double):
    words = {double.step().log.split("::stop-commands::")[1].split("\n")[0] for _ in range(2)}
    assert len(words) == 2
    assert all(len(word) == 32 for word in words)


def test_a_long_summary_is_cut_at_a_line_with_a_note(double):
    row = "| é日本 " + "x" * 90 + " |\n"
    step = double.step(1, {"markdown": "## ddpatrol\n\n" + row * 20_000})
    assert len(step.summary.encode()) < 1024 * 1024
    assert "Summary truncated" in step.summary
    assert "�" not in step.summary
    lines = step.summary.splitlines()
    assert set(lines[2 : lines.index("", 2)]) == {row.strip()}
    assert f"ddpatrol range {double.before}..{double.after}" in lines[-2]


def test_a_short_summary_is_not_cut(double):
    row = "| a |\n"
    step = double.step(1, {"markdown": row * 100})
    assert step.summary.startswith(row * 100)
    assert "is cut here" not in step.summary


def local_command(step):
    """Returns the commands at the end of the summary, split by a shell."""
    block = step.summary.removesuffix("```\n").rpartition("```sh\n")[2]
    read = ["bash", "-c", 'eval "words=($1)"; printf "%s\\0" "${words[@]}"', "bash"]
    lines = [subprocess.run([*read, line], stdout=subprocess.PIPE).stdout for line in block.strip().splitlines()]
    return [line.decode().split("\0")[:-1] for line in lines]


def test_the_summary_ends_with_the_command_that_reproduces_the_result(hosting):
    before = hosting.commit()
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("push", before, after), args="--strict")
    assert_found(step, 1)
    fetch, again = local_command(step)
    assert again == ["ddpatrol", "range", f"{before}..{after}", "--strict"]
    clone = hosting.folder / "clone"
    hosting.git("clone", "-q", "--depth=1", hosting.server.as_uri(), clone, at=hosting.folder)
    hosting.git(*fetch[1:], "--depth=2", at=clone)
    ran = subprocess.run([hosting.binary, *again[1:]], cwd=clone, capture_output=True, text=True)
    assert ran.returncode == 1, ran.stderr
    assert "1 leaked token" in ran.stdout


def test_words_of_the_local_command_are_quoted_within_their_block(double):
    step = double.step(config="a ```\n$(x)", args="*.md ``` 'x")
    (fetch, again) = local_command(step)
    assert fetch == ["git", "fetch", "origin", double.before, double.after]
    assert again[3:] == ["--config=a ```\n$(x)", "*.md", "```", "'x"]
    assert step.summary.count("\n```\n") == 1


def test_a_scheduled_scan_reports_an_earlier_removed_token_with_its_commit(hosting):
    first = hosting.commit(leak(1))
    hosting.commit({"leak-1.env": None})
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("schedule"))
    assert_found(step, 1)
    place = report(step)["findings"][0]["locations"][0]
    assert place["git"]["introduced"]["commit"] == first
    assert first[:7] in step.summary
    assert mint(1)[6:28] in step.summary


def test_a_finding_is_annotated_at_its_line(hosting):
    before = hosting.commit()
    after = hosting.commit({"a b,c:d.env": f"# first line\nKEY={mint(1)}\n"})
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("push", before, after))
    assert_found(step, 1)
    (annotation,) = [one for one in step.file_annotations if one.name == "error"]
    assert annotation.properties["file"] == "a b,c:d.env"
    assert annotation.properties["line"] == "2"


def test_an_unreachable_issuer_is_reported_and_does_not_change_the_exit_code(hosting):
    before = hosting.commit()
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    event = hosting.event("push", before, after)
    step = hosting.step(event, verify="true", revoke="true", api_url="http://127.0.0.1:9")
    assert_found(step, 1)
    (finding,) = report(step)["findings"]
    assert finding["verification"]["verdict"] == "unknown"
    assert finding["revocation"]["outcome"] == "failed"
    assert not step.holds(mint(1))
