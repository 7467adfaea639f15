"""Hostile text of a repository or an event reaches no shell, workflow command, output or Markdown."""

import json
import os
import subprocess

import pytest
from hosting import ROOT, ZEROS, report
from markdown_it import MarkdownIt
from test_events import assert_found, leak, on, open_pull_request
from token_format import mint

COMMANDS = [
    "::add-mask::x",
    "::warning file=forged.txt::forged",
    "::error::forged",
    "::stop-commands::forged",
    "##[add-matcher]forged.json",
    "%0A::error::forged",
]
SHELL = ["$(touch pwned)", "`touch pwned`", "'; touch pwned; '", '"; touch pwned; "', "${IFS}touch${IFS}pwned"]
MARKUP = ["<script>alert(1)</script>", "![x](http://example.com/x.png)", "| a | b |", "</details>", "```"]
HOSTILE = COMMANDS + SHELL + MARKUP


def markdown(text):
    """Yields the parts of a document, parsed by an independent Markdown parser."""
    for block in MarkdownIt("commonmark").enable("table").parse(text):
        yield from block.children or [block]


def assert_harmless(hosting, step):
    """Asserts that no hostile text was executed or rendered."""
    assert not list(hosting.folder.rglob("pwned"))
    assert {one.name for one in step.commands} <= {"error", "warning", "notice"}
    assert not [one for one in step.commands if one.properties.get("file") == "forged.txt"]
    assert not [one for one in step.commands if one.text.startswith("forged")]
    assert set(step.outputs) == {"findings", "sarif-file", "exit-code", "report-json"}
    pieces = list(markdown(step.summary))
    assert not [piece for piece in pieces if piece.type == "image"]
    links = [str(piece.attrs["href"]) for piece in pieces if piece.type == "link_open"]
    assert not [link for link in links if "example" in link]
    html = "".join(piece.content for piece in pieces if piece.type.startswith("html_"))
    assert "<script" not in html
    assert html.count("<details") == html.count("</details")
    # The step's own text ends the document and is not part of an earlier block.
    assert (pieces[-1].type, pieces[-1].info) == ("fence", "sh")
    assert "ddpatrol " in pieces[-1].content


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_title_branch_or_login_in_the_event_is_not_executed(hosting, text):
    base, head = open_pull_request(hosting, None, leak(1))

    def spoil(payload):
        payload["pull_request"]["title"] = payload["pull_request"]["body"] = text + "\n" + text
        payload["pull_request"]["head"]["ref"] = payload["pull_request"]["head"]["label"] = text
        payload["sender"]["login"] = payload["repository"]["full_name"] = text

    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event("pull_request", base, head, spoil))
    assert_found(step, 1)
    assert_harmless(hosting, step)


@pytest.mark.parametrize("text", HOSTILE)
def test_a_hostile_author_message_or_path_is_not_executed(hosting, text):
    before = hosting.commit()
    path = "".join(character if character != "/" else "∕" for character in text)
    files = {
        f"{path}.env": f"KEY={mint(1)} {text}\n",
        f"x\n{path}/a": f"{text}\n{mint(2)}\n{text}",
        f"x\r{path}": mint(3),
    }
    after = hosting.commit(files, f"{text}\n\n{mint(4)}\n{text}", GIT_AUTHOR_NAME=f"x{text}x")
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("push", before, after))
    assert_found(step, 1, 2, 3, 4)
    assert_harmless(hosting, step)
    step = hosting.step(hosting.event("schedule"))
    assert_found(step, 1, 2, 3, 4)
    assert_harmless(hosting, step)


@pytest.mark.parametrize("name", ["main;touch${IFS}pwned", "$(touch${IFS}pwned)", "::error::forged", "-x", "a b"])
def test_a_hostile_default_branch_is_not_executed(hosting, name):
    hosting.commit()
    hosting.push("main")
    after = hosting.commit(leak(1))
    hosting.push("HEAD:refs/heads/feature")
    hosting.checkout("refs/heads/feature")

    def spoil(payload):
        payload["ref"] = "refs/heads/feature"
        payload["repository"]["default_branch"] = name

    step = hosting.step(hosting.event("push", ZEROS, after, spoil))
    assert_found(step, 1)
    assert_harmless(hosting, step)


@pytest.mark.parametrize("text", ["::error::forged", "$(touch pwned)", "--upload-pack=touch pwned", "HEAD", "", None])
def test_a_commit_that_is_not_an_id_is_rejected(hosting, text):
    after = hosting.commit()
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    for change in ({"before": text}, {"after": text}):
        step = hosting.step(hosting.event("push", after, after, lambda payload: payload.update(change)))
        assert step.code == 2
        assert [one.text for one in step.annotations] == ["the push event contains no valid commit ids"]
        assert not list(hosting.folder.rglob("pwned"))


@pytest.mark.parametrize("text", ["", "{", "[]", '"text"', "null"])
def test_an_unreadable_event_is_an_error(hosting, text):
    hosting.commit()
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    event = hosting.event("push", "1" * 40, "2" * 40)
    (hosting.folder / "event.json").write_text(text)
    step = hosting.step(event)
    assert (step.code, step.outputs) == (2, {"exit-code": "2"})
    assert len(step.annotations) == 1


def tools(hosting, *without):
    """Returns a PATH without some programs."""
    folder = hosting.folder / "tools"
    folder.mkdir()
    for place in os.environ["PATH"].split(os.pathsep):
        for name in os.listdir(place) if os.path.isdir(place) else []:
            if name not in without and not (folder / name).is_symlink():
                (folder / name).symlink_to(os.path.join(place, name))
    return {"PATH": str(folder)}


def test_without_jq_python_reads_the_event_and_loads_nothing_from_the_workspace(hosting):
    before = hosting.commit()
    after = hosting.commit(leak(1) | {"json.py": "open('pwned', 'w')\n", "sitecustomize.py": "open('pwned', 'w')\n"})
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("push", before, after), tools(hosting, "jq"))
    assert_found(step, 1)
    assert_harmless(hosting, step)


def test_a_machine_without_jq_and_python_is_an_error(hosting):
    hosting.commit()
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    without = tools(hosting, "jq", "python3")
    step = hosting.step(hosting.event("schedule"), without)
    assert step.code == 2
    assert "neither jq nor python3" in step.annotations[0].text


def test_cargo_builds_outside_of_the_workspace_and_ignores_its_settings(hosting):
    hosting.commit({".cargo/config.toml": '[build]\nrustc-wrapper = "touch pwned"\n', "rust-toolchain": "forged"})
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    folder = hosting.folder / "fake"
    folder.mkdir()
    cargo = folder / "cargo"
    cargo.write_text(
        '#!/bin/sh\necho "$PWD" "$@" > "$HOME/built"\n'
        f'mkdir -p "$CARGO_TARGET_DIR/release"\ncp "{hosting.binary}" "$CARGO_TARGET_DIR/release/ddpatrol"\n'
    )
    cargo.chmod(0o755)
    path = {"PATH": f"{folder}{os.pathsep}{os.environ['PATH']}", "DDPATROL_BINARY": ""}
    assert_found(hosting.step(hosting.event("schedule"), path))
    built = (hosting.folder / "built").read_text()
    assert built == f"{ROOT} build --release --locked --bin ddpatrol\n"


def test_a_token_in_a_branch_name_is_masked(hosting):
    hosting.commit()
    hosting.push("main")
    hosting.git("checkout", "-q", "-b", mint(1))
    after = hosting.commit(leak(2))
    hosting.push(mint(1))
    hosting.checkout(f"refs/heads/{mint(1)}")
    step = hosting.step(hosting.event("push", ZEROS, after, on(f"refs/heads/{mint(1)}")))
    assert_found(step, 2)
    assert not step.holds(mint(1))


CONFIGURATION = """
fail_on = "never"
exclude = ["*"]
[rules]
leave_out = ["datadog-pat"]
"""


def test_a_pull_request_cannot_change_the_policy_it_is_judged_by(hosting):
    base, head = open_pull_request(hosting, None, leak(1) | {".ddpatrol.toml": CONFIGURATION})
    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event("pull_request", base, head))
    assert_found(step, 1)
    assert ".ddpatrol.toml" in step.summary and "is added by this change" in step.summary


def test_the_config_input_is_read_from_the_base(hosting):
    before = {"ci/patrol.toml": 'fail_on = "shaped"\n'}
    base, head = open_pull_request(hosting, before, leak(1) | {"ci/patrol.toml": CONFIGURATION})
    hosting.checkout("refs/pull/7/merge")
    event = hosting.event("pull_request", base, head)
    assert_found(hosting.step(event, config="ci/patrol.toml"), 1)


def test_the_baseline_input_is_read_from_the_base(hosting):
    def baseline(*seeds):
        folder = hosting.folder / f"known {seeds}"
        folder.mkdir()
        (folder / "tokens").write_text("".join(mint(seed) + "\n" for seed in seeds))
        subprocess.run([hosting.binary, "baseline", "create"], cwd=folder, check=True, capture_output=True)
        return {"ci/known.json": (folder / ".ddpatrol-baseline.json").read_text()}

    base, head = open_pull_request(hosting, baseline(1), leak(1) | leak(2) | baseline(1, 2))
    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event("pull_request", base, head), baseline="ci/known.json")
    assert (step.code, step.outputs["findings"]) == (1, "1"), step.log
    assert mint(2)[6:28] in step.log


@pytest.mark.parametrize("name", ["baseline", "config"])
def test_a_policy_file_that_a_pull_request_adds_takes_effect_after_the_merge(hosting, name):
    file = "ci/new.toml"
    base, head = open_pull_request(hosting, leak(1), leak(2) | {file: CONFIGURATION})
    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event("pull_request", base, head), **{name: file})
    assert_found(step, 2)
    note = f"`{file}` is added by this change: it takes effect after the merge"
    assert note in report(step)["notes"]
    assert "is added by this change: it takes effect after the merge" in step.summary
    assert any(one.name == "notice" and note in one.text for one in step.annotations), step.log


def test_a_new_branch_uses_the_policy_of_the_default_branch(hosting):
    hosting.commit()
    hosting.push("main")
    hosting.git("checkout", "-q", "-b", "feature")
    after = hosting.commit(leak(1) | {".ddpatrol.toml": CONFIGURATION})
    hosting.push("feature")
    hosting.checkout("refs/heads/feature")
    assert_found(hosting.step(hosting.event("push", ZEROS, after, on("refs/heads/feature"))), 1)
    hosting.push("feature:main")
    after = hosting.commit(leak(2))
    hosting.push("HEAD:refs/heads/other")
    hosting.checkout("refs/heads/other")
    assert_found(hosting.step(hosting.event("push", ZEROS, after, on("refs/heads/other"))))


def test_an_inline_allow_added_by_a_pull_request_is_shown_and_ignored(hosting):
    files = {"a.env": f"KEY={mint(1)} # ddpatrol:allow only a test\n"}
    base, head = open_pull_request(hosting, None, files)
    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event("pull_request", base, head))
    assert_found(step, 1)
    assert "only a test" in step.summary


@pytest.mark.parametrize("name", ["pull_request", "merge_group"])
def test_a_full_scan_rejects_the_configuration_of_a_pull_request(hosting, name):
    base, head = open_pull_request(hosting, None, leak(1) | {".ddpatrol.toml": CONFIGURATION})
    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event(name, base, head), mode="full")
    assert step.code == 2
    assert "because it reads the configuration from the work tree" in step.annotations[0].text


def test_sarif_and_json_reports_contain_hostile_text_as_text(hosting):
    before = hosting.commit()
    after = hosting.commit({"<script>.env": mint(1)}, "::error::<script>")
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("push", before, after))
    assert report(step)["findings"][0]["locations"][0]["path"] == "<script>.env"
    with open(step.outputs["sarif-file"]) as file:
        assert json.load(file)["version"] == "2.1.0"
