"""The merged report: the values of each repository, and tokens that are gone."""

import csv
import json
import sys
import time

import pytest
from conftest import ROOT, git, leak, repository, token

sys.path.insert(0, str(ROOT / "scripts"))

from browser.chromium import Chromium  # noqa: E402


def commit(folder, author, date):
    """Commits everything as somebody."""
    git(folder, "add", "-A")
    git(folder, "commit", "-qm", "change", f"--author={author} <{author.lower()}@example.org>", f"--date={date}")
    return git(folder, "rev-parse", "HEAD")


def owned(folder, owner):
    """Creates a repository whose files have an owner."""
    repository(folder)
    (folder / "CODEOWNERS").write_text(f"* {owner}\n")
    return folder


def rows(sweeper, *words):
    """Returns the rows of the CSV report."""
    return list(csv.DictReader(sweeper.execute("report", "--format", "csv", *words).stdout.splitlines()))


def gone(sweeper, *words):
    """Returns the repositories of each token that is gone in the JSON report."""
    report = sweeper.report(*words)
    assert report["summary"]["gone"] == len(report["gone"])
    return [it["repositories"] for it in report["gone"]]


@pytest.fixture
def shared(sweeper, tmp_path):
    """Sweeps a token that is in the history of one repository and in `HEAD` of another one."""
    old = owned(tmp_path / "r04", "@four")
    (old / "a.env").write_text(f"DD_APP_KEY={token(1)}\n")
    first_old = commit(old, "Bob", "2024-01-02T03:04:05Z")
    (old / "a.env").unlink()
    commit(old, "Bob", "2024-02-02T03:04:05Z")
    new = owned(tmp_path / "r11", "@eleven")
    (new / "b.env").write_text(f"\nDD_APP_KEY={token(1)}\n")
    first_new = commit(new, "Eve", "2025-06-07T08:09:10Z")
    assert sweeper.run([old, new]).returncode == 0
    return {"old": (str(old), first_old), "new": (str(new), first_new)}


def test_each_row_of_csv_has_the_values_of_its_repository(sweeper, shared):
    found = {row["repository"]: row for row in rows(sweeper)}
    names = ("reach", "path", "line", "first_commit", "author", "owners", "repositories")
    values = {url: tuple(row[name] for name in names) for url, row in found.items()}
    (old, first_old), (new, first_new) = shared["old"], shared["new"]
    assert values == {
        old: ("history", "a.env", "1", first_old, "Bob <bob@example.org>", "'@four", "2"),
        new: ("head", "b.env", "2", first_new, "Eve <eve@example.org>", "'@eleven", "2"),
    }
    assert found[old]["date"].startswith("2024-01-02") and found[new]["date"].startswith("2025-06-07")
    assert int(found[old]["age_days"]) - int(found[new]["age_days"]) == 522


def test_sarif_and_json_have_the_values_of_each_repository(sweeper, shared):
    (old, first_old), (new, first_new) = shared["old"], shared["new"]
    sarif = json.loads(sweeper.execute("report", "--format", "sarif").stdout)
    found = [it["properties"] for it in sarif["runs"][0]["results"]]
    assert {it["repository"]: (it["reach"], it["owners"]) for it in found} == {
        old: ("history", ["@four"]),
        new: ("head", ["@eleven"]),
    }

    report = sweeper.report()
    (row,) = report["tokens"]
    assert (row["reach"], row["first"]["commit"], row["owners"]) == ("head", first_old, ["@eleven", "@four"])
    places = [
        (report["repositories"][it["repository"]]["url"], it["reach"], it["first"]["commit"], it["owners"])
        for it in row["repositories"]
    ]
    assert places == [(new, "head", first_new, ["@eleven"]), (old, "history", first_old, ["@four"])]


def test_the_page_has_the_values_of_each_repository(sweeper, shared, tmp_path):
    (old, first_old), (new, first_new) = shared["old"], shared["new"]
    path = tmp_path / "report.html"
    assert sweeper.execute("report", "--output", path).returncode == 0
    with Chromium() as browser:
        browser.view(1280, 900, "light")
        browser.open(path)
        row = "document.querySelector('details.token')"
        assert "in HEAD" in browser.evaluate(f"{row}.querySelector('.state').textContent")
        assert browser.evaluate(f"{row}.querySelector('.path').textContent") == f"{new} b.env:2 +1 repository"
        browser.evaluate(f"{row}.open = true")
        eventually(browser, "document.querySelectorAll('.body h3').length", 2)
        # The texts from each name of a repository up to its places.
        texts = browser.evaluate(
            "[...document.querySelectorAll('.body h3')].map(it =>"
            " [it, it.nextElementSibling, it.nextElementSibling.nextElementSibling].map(it => it.innerText).join(' '))"
        )
        assert [" ".join(it.split()) for it in texts] == [
            f"{new} First commit {first_new[:12]} Eve <eve@example.org>, 2025-06-07 Owners @eleven b.env:2 in HEAD",
            f"{old} First commit {first_old[:12]} Bob <bob@example.org>, 2024-01-02 Owners @four a.env:1 in history",
        ]
        options = browser.evaluate("[...document.getElementById('owner').options].map(it => it.textContent)")
        assert sorted(options) == ["@eleven (1)", "@four (1)", "all"]
        for word in ("bob", "eve", "@four", "@eleven", first_old, first_new, "a.env", "r04"):
            for text, count in (("nowhere", 0), (word, 1)):
                browser.evaluate(
                    f"(() => {{ const it = document.getElementById('search'); it.value = {json.dumps(text)};"
                    " it.dispatchEvent(new Event('input')); })()"
                )
                eventually(browser, "document.querySelectorAll('details.token').length", count)
        assert not [it for it in browser.events if it["method"] in ("Log.entryAdded", "Runtime.exceptionThrown")]


def eventually(browser, expression, expected):
    """Waits until an expression has a value in the page."""
    end = time.monotonic() + 10
    while (value := browser.evaluate(expression)) != expected:
        assert time.monotonic() < end, f"{expression} is {value}, not {expected}"
        time.sleep(0.02)


def test_tokens_of_repositories_that_were_not_swept_are_not_gone(sweeper, tmp_path):
    one = repository(tmp_path / "r01", seeds=[1, 3])
    two = repository(tmp_path / "r02", seeds=[2, 3])
    sweeper.cached = False
    assert sweeper.run([one, two], "--sweep", "a").returncode == 0
    forget(two, 2)
    assert sweeper.run([f"{two}/"], "--sweep", "b").returncode == 0
    assert gone(sweeper) == [[str(two)]], "the token that both have may still be in r01"
    assert [row["change"] for row in rows(sweeper)] == ["gone"]

    # Without a change the result of the earlier sweep is repeated, which is complete as well.
    assert sweeper.run([one, two], "--sweep", "c").returncode == 0
    assert gone(sweeper, "--since", "a") == [[str(two)]]


def test_tokens_of_repositories_that_were_not_scanned_completely_are_not_gone(sweeper, tmp_path):
    folder = repository(tmp_path / "r", seeds=[1])
    sweeper.cached = False
    assert sweeper.run([folder], "--sweep", "a").returncode == 0
    forget(folder, 1)
    damage(folder, "HEAD:notes.txt")
    sweeper.run([folder], "--sweep", "b")
    assert sweeper.statuses()[str(folder)][0] == "incomplete"
    assert gone(sweeper) == [] and rows(sweeper) == []


def test_csv_has_a_row_for_each_repository_of_a_token_that_is_gone(sweeper, tmp_path):
    folders = [repository(tmp_path / f"r{at}", seeds=[5]) for at in range(2)]
    sweeper.cached = False
    assert sweeper.run(folders, "--sweep", "a").returncode == 0
    before = rows(sweeper)
    for folder in folders:
        forget(folder, 1)
    leak(folders[0], 6)
    assert sweeper.run(folders, "--sweep", "b").returncode == 0
    open_row, *found = rows(sweeper)
    assert (open_row["change"], open_row["repository"]) == ("new", str(folders[0]))
    same = ("fingerprint", "rule", "name", "issuer", "token", "token_id", "repository", "repositories")
    assert [[row[name] for name in same] for row in found] == [[row[name] for name in same] for row in before]
    others = set(before[0]) - {*same, "change"}
    assert all(row["change"] == "gone" and not any(row[name] for name in others) for row in found)
    assert rows(sweeper, "--sweep", "a") == before


def forget(folder, commits):
    """Removes the last commits from a repository."""
    git(folder, "reset", "-q", "--hard", f"HEAD~{commits}")
    git(folder, "reflog", "expire", "--expire=now", "--all")
    git(folder, "gc", "-q", "--prune=now")


def damage(folder, name):
    """Changes a byte of a packed object."""
    blob = git(folder, "rev-parse", name)
    (path,) = folder.glob(".git/objects/pack/*.pack")
    offset = next(int(line.split()[4]) for line in git(folder, "verify-pack", "-v", path).splitlines() if blob in line)
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[offset + 6] ^= 0xFF
    path.write_bytes(content)
