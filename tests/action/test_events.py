"""Events: each is judged by the commits that it introduces."""

import json
from pathlib import Path

import pytest
from hosting import ZEROS, report
from token_format import mint


def leak(seed=1):
    """Returns a file with a token."""
    return {f"leak-{seed}.env": f"DD_APP_KEY={mint(seed)}\n"}


def assert_found(step, *seeds):
    """Asserts that a step found exactly these tokens and shows none of them."""
    assert step.code == (1 if seeds else 0), step.log
    assert step.outputs["exit-code"] == str(step.code)
    assert step.outputs["findings"] == str(len(seeds)), step.log
    found = {one["token"]["alias"] for one in report(step)["findings"]}
    assert found == {mint(seed)[6:28] for seed in seeds}
    for seed in seeds:
        assert not step.holds(mint(seed)[29:])


def open_pull_request(hosting, base_files=None, head_files=None):
    """Opens a pull request whose base and head have diverged."""
    hosting.history(3)
    hosting.commit(base_files, "What the base had before")
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit(head_files, "The change of the head")
    hosting.commit({"more.txt": "more\n"})
    hosting.git("checkout", "-q", "main")
    hosting.commit({"main.txt": "the base moves on\n"})
    return hosting.pull_request()


DEPTHS = pytest.mark.parametrize("depth", [0, 1, 2])


@DEPTHS
@pytest.mark.parametrize("name", ["pull_request", "pull_request_target"])
def test_a_pull_request_is_judged_by_the_commits_of_its_head(hosting, depth, name):
    base, head = open_pull_request(hosting, leak(1), leak(2))
    hosting.checkout("refs/pull/7/merge" if name == "pull_request" else "refs/heads/main", depth)
    event = hosting.event("pull_request", base, head) | {"GITHUB_EVENT_NAME": name}
    step = hosting.step(event)
    assert_found(step, 2)
    assert f"ddpatrol range {base}..{head}" in step.summary


@DEPTHS
def test_a_pull_request_without_a_new_token_passes(hosting, depth):
    base, head = open_pull_request(hosting, leak(1), {"clean.txt": "clean\n"})
    hosting.checkout("refs/pull/7/merge", depth)
    assert_found(hosting.step(hosting.event("pull_request", base, head)))


@DEPTHS
def test_a_token_added_and_removed_within_a_pull_request_is_found(hosting, depth):
    hosting.history(2)
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit(leak(1))
    hosting.commit({"leak-1.env": None})
    base, head = hosting.pull_request()
    hosting.checkout("refs/pull/7/merge", depth)
    assert_found(hosting.step(hosting.event("pull_request", base, head)), 1)


def test_a_pull_request_from_a_fork_is_judged_without_secrets(hosting):
    base, head = open_pull_request(hosting, None, leak(1))

    def fork(payload):
        payload["pull_request"]["head"]["repo"] = {"id": 2, "full_name": "other/app", "fork": True}

    hosting.checkout("refs/pull/7/merge")
    empty = dict.fromkeys(("DDPATROL_DATADOG_TOKEN", "DDPATROL_ISSUER_TOKEN", "DDPATROL_FETCH_TOKEN"), "")
    assert_found(hosting.step(hosting.event("pull_request", base, head, fork), empty), 1)


def test_a_pull_request_from_a_deleted_fork_is_judged(hosting):
    base, head = open_pull_request(hosting, None, leak(1))

    def gone(payload):
        payload["pull_request"]["head"]["repo"] = None

    hosting.checkout("refs/pull/7/merge")
    assert_found(hosting.step(hosting.event("pull_request", base, head, gone)), 1)


def test_merging_the_base_into_a_pull_request_adds_no_token_of_the_base(hosting):
    hosting.history(2)
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit({"feature.txt": "feature\n"})
    hosting.git("checkout", "-q", "main")
    hosting.commit(leak(1))
    hosting.git("checkout", "-q", "feature")
    hosting.git("merge", "-q", "-m", "Take what main has", "main")
    base, head = hosting.pull_request()
    hosting.checkout("refs/pull/7/merge")
    assert_found(hosting.step(hosting.event("pull_request", base, head)))


def test_a_token_added_by_a_merge_commit_is_found(hosting):
    hosting.history(2)
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit({"feature.txt": "feature\n"})
    hosting.git("checkout", "-q", "main")
    hosting.commit({"main.txt": "main\n"})
    hosting.git("checkout", "-q", "feature")
    hosting.git("merge", "-q", "--no-commit", "main")
    hosting.commit(leak(1), "A merge that brings more than it merges")
    base, head = hosting.pull_request()
    hosting.checkout("refs/pull/7/merge")
    assert_found(hosting.step(hosting.event("pull_request", base, head)), 1)


def test_every_commit_of_a_pull_request_without_common_history_is_new(hosting):
    hosting.history(2)
    hosting.push("main")
    base = hosting.git("rev-parse", "HEAD")
    hosting.git("checkout", "-q", "--orphan", "feature")
    head = hosting.commit(leak(1))
    hosting.push("feature:refs/pull/7/head")
    hosting.checkout("refs/heads/main")
    assert_found(hosting.step(hosting.event("pull_request", base, head)), 1)


@DEPTHS
def test_a_base_equal_to_the_head_has_no_new_commits(hosting, depth):
    hosting.commit(leak(1))
    hosting.push("main")
    head = hosting.git("rev-parse", "HEAD")
    hosting.checkout("refs/heads/main", depth)
    step = hosting.step(hosting.event("push", head, head))
    assert_found(step)
    assert "BASE and HEAD are the same commit" in step.log


@DEPTHS
def test_a_merge_group_is_judged_by_its_new_commits(hosting, depth):
    hosting.commit(leak(1))
    base = hosting.git("rev-parse", "HEAD")
    head = hosting.commit(leak(2))
    hosting.push("HEAD~1:refs/heads/main", "HEAD:refs/heads/gh-readonly-queue/main/pr-7")
    hosting.checkout("refs/heads/gh-readonly-queue/main/pr-7", depth)
    assert_found(hosting.step(hosting.event("merge_group", base, head)), 2)


@DEPTHS
def test_a_push_is_judged_by_its_new_commits(hosting, depth):
    before = hosting.commit(leak(1))
    hosting.history(4)
    hosting.push("main")
    before = hosting.git("rev-parse", "HEAD")
    hosting.commit(leak(2))
    after = hosting.commit({"leak-2.env": None})
    hosting.push("main")
    hosting.checkout("refs/heads/main", depth)
    assert_found(hosting.step(hosting.event("push", before, after)), 2)


@DEPTHS
def test_a_push_of_a_merge_commit_includes_the_merged_commits(hosting, depth):
    before = hosting.commit({"a.txt": "a\n"})
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit(leak(1))
    hosting.git("checkout", "-q", "main")
    hosting.git("merge", "-q", "--no-ff", "-m", "Merge", "feature")
    after = hosting.git("rev-parse", "HEAD")
    hosting.push("main")
    hosting.checkout("refs/heads/main", depth)
    assert_found(hosting.step(hosting.event("push", before, after)), 1)


@DEPTHS
def test_every_commit_of_the_first_push_is_new(hosting, depth):
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main", depth)
    assert_found(hosting.step(hosting.event("push", ZEROS, after)), 1)


def on(reference):
    """Returns a change of a push payload to another reference."""
    return lambda payload: payload.update(ref=reference)


@DEPTHS
def test_a_new_branch_is_compared_with_the_others(hosting, depth):
    hosting.commit(leak(1))
    hosting.history(3)
    hosting.push("main")
    hosting.git("checkout", "-q", "-b", "feature")
    after = hosting.commit(leak(2))
    hosting.push("feature")
    hosting.checkout("refs/heads/feature", depth)
    event = hosting.event("push", ZEROS, after, on("refs/heads/feature"))
    assert_found(hosting.step(event), 2)


@DEPTHS
def test_a_new_branch_at_a_commit_of_the_default_branch_has_no_new_commits(hosting, depth):
    after = hosting.commit(leak(1))
    hosting.push("main", "main:refs/heads/release")
    hosting.checkout("refs/heads/release", depth)
    event = hosting.event("push", ZEROS, after, on("refs/heads/release"))
    assert_found(hosting.step(event))


@DEPTHS
def test_two_new_branches_with_the_same_commits_do_not_hide_each_other(hosting, depth):
    hosting.history(2)
    hosting.push("main")
    after = hosting.commit(leak(1))
    hosting.push("HEAD:refs/heads/one", "HEAD:refs/heads/two")
    hosting.checkout("refs/heads/one", depth)
    assert_found(hosting.step(hosting.event("push", ZEROS, after, on("refs/heads/one"))), 1)


@DEPTHS
@pytest.mark.parametrize("annotated", [False, True])
def test_a_new_tag_is_compared_with_the_default_branch(hosting, depth, annotated):
    hosting.commit(leak(1))
    hosting.push("main")
    options = ["-a", "-m", f"Release with {mint(2)}"] if annotated else []
    hosting.git("tag", *options, "v1.0")
    hosting.push("v1.0")
    hosting.checkout("refs/tags/v1.0", depth)
    event = hosting.event("push", ZEROS, hosting.git("rev-parse", "v1.0"), on("refs/tags/v1.0"))
    assert_found(hosting.step(event), *([2] if annotated else []))


@DEPTHS
def test_the_commits_of_a_new_tag_outside_all_branches_are_new(hosting, depth):
    hosting.history(2)
    hosting.push("main")
    after = hosting.commit(leak(1))
    hosting.git("tag", "v1.0")
    hosting.push("v1.0")
    hosting.checkout("refs/tags/v1.0", depth)
    assert_found(hosting.step(hosting.event("push", ZEROS, after, on("refs/tags/v1.0"))), 1)


@DEPTHS
def test_a_deleted_branch_has_no_new_commits(hosting, depth):
    hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main", depth)
    event = hosting.event("push", "1" * 40, ZEROS, on("refs/heads/feature"))
    step = hosting.step(event)
    assert_found(step)
    assert step.outputs["sarif-file"]


def rewrite(hosting):
    """Pushes a branch and force-pushes another history over it."""
    hosting.history(2)
    hosting.commit(leak(1), "The old history")
    hosting.push("main")
    before = hosting.git("rev-parse", "HEAD")
    hosting.git("reset", "-q", "--hard", "HEAD~1")
    after = hosting.commit(leak(2), "The new history")
    hosting.push("main")
    return before, after


@DEPTHS
def test_a_force_push_is_compared_with_the_replaced_commit(hosting, depth):
    before, after = rewrite(hosting)
    hosting.checkout("refs/heads/main", depth)
    step = hosting.step(hosting.event("push", before, after))
    assert_found(step, 2)
    assert not any("not to be had" in one.text for one in step.annotations)
    assert f"range {before}..{after}" in step.summary


@DEPTHS
def test_a_force_push_over_a_deleted_commit_is_judged_as_a_new_branch(hosting, depth):
    hosting.commit(leak(3), "An old commit")
    before, after = rewrite(hosting)
    hosting.git("reflog", "expire", "--expire=now", "--all", at=hosting.server)
    hosting.git("gc", "-q", "--prune=now", at=hosting.server)
    hosting.checkout("refs/heads/main", depth)
    step = hosting.step(hosting.event("push", before, after))
    assert_found(step, 2, 3)
    assert any(one.name == "notice" and before in one.text for one in step.annotations)
    assert before in step.summary


@DEPTHS
@pytest.mark.parametrize("name", ["schedule", "workflow_dispatch"])
def test_a_scheduled_scan_covers_the_whole_history(hosting, depth, name):
    hosting.commit(leak(1))
    hosting.commit({"leak-1.env": None})
    hosting.git("checkout", "-q", "-b", "other")
    hosting.commit(leak(2))
    hosting.git("checkout", "-q", "main")
    hosting.push("main", "other")
    hosting.checkout("refs/heads/main", depth)
    step = hosting.step(hosting.event(name))
    assert_found(step, 1, 2)
    assert "ddpatrol scan" in step.summary


def test_mode_full_scans_the_whole_history_on_a_push(hosting):
    hosting.commit(leak(1))
    before = hosting.git("rev-parse", "HEAD")
    after = hosting.commit({"a.txt": "a\n"})
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    assert_found(hosting.step(hosting.event("push", before, after), mode="full"), 1)


def test_mode_range_is_an_error_for_an_event_without_commits(hosting):
    hosting.commit()
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    step = hosting.step(hosting.event("schedule"), mode="range")
    assert (step.code, step.outputs) == (2, {"exit-code": "2"})
    assert "has no commits" in step.annotations[0].text


def test_a_repository_below_the_workspace_is_judged(hosting):
    hosting.history(2)
    hosting.push("main")
    before = hosting.git("rev-parse", "HEAD")
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.workspace.mkdir()
    hosting.checkout("refs/heads/main", folder=hosting.workspace / "-checked out")
    step = hosting.step(hosting.event("push", before, after), path="-checked out")
    assert_found(step, 1)


@pytest.mark.parametrize("name", ["push", "schedule"])
@pytest.mark.parametrize("path", ["repo", "repo/src", "./repo/", "."])
def test_paths_are_relative_to_the_repository_in_any_checkout_folder(hosting, name, path):
    hosting.history(2)
    before = hosting.git("rev-parse", "HEAD")
    after = hosting.commit({"src/x y.env": f"DD_APP_KEY={mint(1)}\n"})
    hosting.push("main")
    hosting.workspace.mkdir()
    folder = hosting.workspace / ("repo" if "repo" in path else ".")
    hosting.checkout("refs/heads/main", folder=folder)
    event = hosting.event(name, before, after) if name == "push" else hosting.event(name)
    step = hosting.step(event, path=path)
    assert_found(step, 1)
    assert [one.properties["file"] for one in step.file_annotations] == ["src/x y.env"]
    sarif = json.loads(Path(step.outputs["sarif-file"]).read_text())
    (result,) = sarif["runs"][0]["results"]
    places = result["locations"] + result.get("relatedLocations", [])
    uris = {place["physicalLocation"]["artifactLocation"]["uri"] for place in places}
    assert uris == {"src/x%20y.env"}
    (finding,) = report(step)["findings"]
    assert {place["repository_path"] for place in finding["locations"]} == {"src/x y.env"}
    if name == "schedule":
        assert f"ddpatrol scan {'src/' if path == 'repo/src' else '.'}\n" in step.summary


def test_a_repository_with_sha_256_is_judged(hosting):
    for folder in (hosting.server, hosting.author):
        hosting.git("init", "-q", "--object-format=sha256", "-b", "main", f"{folder}-256", at=hosting.folder)
    hosting.author = hosting.folder / "author-256"
    before = hosting.commit({"a.txt": "a\n"})
    after = hosting.commit(leak(1))
    hosting.git("clone", "-q", hosting.author.as_uri(), hosting.workspace, at=hosting.folder)
    assert_found(hosting.step(hosting.event("push", before, after)), 1)
    event = hosting.event("push", "0" * 64, after)
    assert_found(hosting.step(event), 1)
