"""Repositories that cannot be fetched or scanned: each is a result of its own and never ends the sweep."""

import csv
import json
import os
import shutil

from conftest import ENVIRONMENT, git, leak, repository, token


def serve(git_server, folder, name):
    """Publishes a bare clone."""
    target = git_server.folder / name
    target.parent.mkdir(parents=True, exist_ok=True)
    git(folder, "clone", "-q", "--bare", str(folder), str(target))
    return f"{git_server.url}/{name}"


def with_helper(tmp_path, password):
    """Returns an environment whose git has a credential helper."""
    config = tmp_path / "gitconfig"
    config.write_text(f'[credential]\n  helper = "!f() {{ echo username=ada; echo password={password}; }}; f"\n')
    return {**ENVIRONMENT, "GIT_CONFIG_GLOBAL": str(config)}


def test_bad_repositories_have_statuses_and_the_others_are_scanned(sweeper, tmp_path, git_server):
    good = repository(tmp_path / "good", seeds=[1])
    empty = tmp_path / "empty"
    empty.mkdir()
    git(empty, "init", "-q")
    corrupt = repository(tmp_path / "corrupt", seeds=[2], commits=30)
    git(corrupt, "gc", "-q")
    (pack,) = corrupt.glob(".git/objects/pack/*.pack")
    os.chmod(pack, 0o600)
    content = bytearray(pack.read_bytes())
    content[len(content) // 2] ^= 0xFF
    pack.write_bytes(content)
    # A local clone copies the files of a repository, so the scanner finds the damage; over HTTP git does.
    (git_server.folder / "public").mkdir()
    shutil.copytree(corrupt / ".git", git_server.folder / "public/corrupt.git")
    private = serve(git_server, good, "private/r.git")
    public = serve(git_server, good, "public/r.git")
    cases = {
        str(good): "complete",
        public: "complete",
        str(empty): "complete",
        str(corrupt): "incomplete",
        f"{git_server.url}/public/corrupt.git": "failed",
        private: "denied",
        f"{git_server.url}/public/none.git": "unreachable",
        f"{git_server.url}/hang/r.git": "timed-out",
        "http://127.0.0.1:1/r.git": "unreachable",
        str(tmp_path / "none"): "unreachable",
    }
    done = sweeper.run(cases, "--timeout", "5s", "--jobs", "4")
    assert done.returncode == 2
    statuses = sweeper.statuses()
    assert {url: status for url, (status, _) in statuses.items()} == cases, statuses
    assert all(reason for status, reason in statuses.values() if status not in ("complete", "incomplete"))
    assert [str(good), public] in sweeper.fingerprints().values()
    coverage = sweeper.report()["coverage"]
    assert (coverage["total"], coverage["left"]) == (10, 0)
    status = json.loads(sweeper.execute("status", "--json").stdout)
    assert len(status["not_complete"]) == 7


def test_credentials_of_the_helper_work_and_reach_no_output(sweeper, tmp_path, git_server):
    url = serve(git_server, repository(tmp_path / "r", seeds=[1]), "private/r.git")
    done = sweeper.run([url], "--verbose", env=with_helper(tmp_path, git_server.PASSWORD))
    assert done.returncode == 0, done.stderr
    assert len(sweeper.fingerprints()) == 1
    everything = done.stderr + done.stdout + json.dumps(sweeper.report())
    assert git_server.PASSWORD not in everything
    for path in sweeper.folder.rglob("*"):
        if path.is_file() and "objects" not in path.parts:
            assert git_server.PASSWORD.encode() not in path.read_bytes(), path
    done = sweeper.run([url], "--sweep", "wrong", env=with_helper(tmp_path, "wrong"))
    assert sweeper.statuses("--sweep", "wrong")[url][0] == "denied"


def test_urls_with_credentials_are_refused_without_repeating_them(sweeper, git_server):
    for url in [f"http://ada:{git_server.PASSWORD}@127.0.0.1/r", "https://host/r?token=s3cret-passw0rd"]:
        done = sweeper.run([url])
        assert done.returncode == 2 and "contains credentials" in done.stderr
        assert git_server.PASSWORD not in done.stderr


def test_a_repository_that_vanishes_keeps_the_tokens_it_had(sweeper, tmp_path, git_server):
    url = serve(git_server, repository(tmp_path / "r", seeds=[1]), "public/r.git")
    assert sweeper.run([url], "--sweep", "a").returncode == 0
    shutil.rmtree(git_server.folder / "public")
    assert sweeper.run([url], "--sweep", "b").returncode == 2
    report = sweeper.report()
    assert report["summary"]["open"] == 1 and report["summary"]["gone"] == 0
    (row,) = report["repositories"]
    assert (row["status"], row["as_of"]) == ("unreachable", "a")
    (token_row,) = csv.DictReader(sweeper.execute("report", "--format", "csv").stdout.splitlines())
    assert token_row["as_of"] == "a", "a row of an earlier sweep is marked"
    assert "tokens and issues as of a" in sweeper.execute("report", "--format", "html").stdout


def test_the_cause_of_an_incomplete_scan_is_printed_and_names_no_path_of_the_cache(sweeper, tmp_path):
    folder = repository(tmp_path / "r", seeds=[1])
    git(folder, "gc", "-q")
    url = tmp_path / "bare.git"
    git(tmp_path, "clone", "-q", "--bare", str(folder), str(url))
    blob = git(url, "rev-parse", "HEAD:settings-1.env")
    (path,) = (url / "objects").glob("pack/*.pack")
    offset = next(int(line.split()[4]) for line in git(url, "verify-pack", "-v", path).splitlines() if blob in line)
    path.chmod(0o644)
    content = bytearray(path.read_bytes())
    content[offset + 6] ^= 0xFF
    path.write_bytes(content)
    # Without checks of objects by git, the damage reaches the mirror.
    done = sweeper.run([url])
    assert done.returncode == 2
    status = json.loads(sweeper.execute("status", "--json").stdout)
    (row,) = status["not_complete"]
    assert row["status"] == "incomplete" and row["reason"], row
    assert f" {row['status']} {url}" in done.stderr and row["reason"] in done.stderr
    assert str(sweeper.folder) not in done.stderr + row["reason"]
    report = sweeper.report()
    assert str(sweeper.folder) not in json.dumps(report["issues"])
    assert all(it.get("path") != "." for it in report["issues"])


def test_issues_persist_until_they_are_resolved(sweeper, tmp_path):
    folder = repository(tmp_path / "r")
    (folder / "broken.zip").write_bytes(b"PK\x03\x04" + bytes(60))
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "archive")
    sweeper.run([folder], "--sweep", "a")
    first = sweeper.report()["issues"]
    assert [it["path"] for it in first] == ["broken.zip"]
    leak(folder, 3)
    sweeper.run([folder], "--sweep", "b")
    report = sweeper.report()
    assert report["issues"] == first
    assert len(report["tokens"]) == 1


def test_a_scanner_that_crashes_is_the_failure_of_one_repository(sweeper, tmp_path):
    good = repository(tmp_path / "good", seeds=[1])
    bad = repository(tmp_path / "bad", seeds=[2])
    scanner = tmp_path / "scanner"
    scanner.write_text(
        f'#!/bin/sh\ncase $(git -C . config remote.origin.url 2>/dev/null) in *bad*) kill -SEGV $$;; esac\n'
        f'exec "$DDPATROL" "$@"\n'
    )
    scanner.chmod(0o755)
    sweeper.scanner = str(scanner)
    done = sweeper.run([good, bad])
    assert done.returncode == 2
    statuses = sweeper.statuses()
    assert statuses[str(good)][0] == "complete"
    assert statuses[str(bad)][0] == "failed" and "signal" in statuses[str(bad)][1]


def test_the_memory_limit_ends_a_scan_and_not_the_sweep(sweeper, tmp_path):
    good = repository(tmp_path / "good", seeds=[1])
    bad = repository(tmp_path / "bad")
    scanner = tmp_path / "scanner"
    scanner.write_text(
        "#!/bin/sh\ncase $(git -C . config remote.origin.url 2>/dev/null) in\n"
        "*bad*) exec python3 -c 'bytearray(1 << 31)' ;;\nesac\n"
        'exec "$DDPATROL" "$@"\n'
    )
    scanner.chmod(0o755)
    sweeper.scanner = str(scanner)
    sweeper.run([good, bad], "--memory", "1G")
    statuses = sweeper.statuses()
    assert statuses[str(good)][0] == "complete"
    assert statuses[str(bad)][0] == "failed" and "MemoryError" in statuses[str(bad)][1]


def test_urls_that_contain_a_token_are_refused_and_the_token_is_masked(sweeper, tmp_path):
    path = tmp_path / f"r-{token(9)}"
    done = sweeper.run([path])
    assert done.returncode == 2 and "contains a token" in done.stderr
    assert token(9)[-49:] not in done.stderr
    done = sweeper.execute("task", "--sweep", "t", input=f"{path}\n")
    assert '"invalid"' in done.stdout
    assert token(9)[-49:] not in done.stdout + done.stderr
    assert sweeper.results() == []


def test_tokens_in_texts_of_a_remote_are_masked(sweeper, tmp_path):
    folder = repository(tmp_path / "r")
    hook = tmp_path / "scanner"
    hook.write_text(f'#!/bin/sh\n[ "$1" = --version ] && exec "$DDPATROL" "$@"\necho "cannot read {token(9)}" >&2; exit 2\n')
    hook.chmod(0o755)
    sweeper.scanner = str(hook)
    done = sweeper.run([folder])
    assert done.returncode == 2 and "cannot read ddpat_" in done.stderr
    assert token(9)[-49:] not in done.stderr + json.dumps(sweeper.report())


def test_a_damaged_mirror_is_cloned_again(sweeper, tmp_path):
    folder = repository(tmp_path / "r", seeds=[1], commits=30)
    git(folder, "gc", "-q")
    assert sweeper.run([folder], "--sweep", "a").returncode == 0
    (mirror,) = sweeper.folder.glob("cache/*/*.git")
    (pack,) = mirror.glob("objects/pack/*.pack")
    pack.chmod(0o600)
    pack.write_bytes(pack.read_bytes()[:100])
    leak(folder, 2)
    done = sweeper.run([folder], "--sweep", "b")
    assert done.returncode == 0, done.stderr
    assert len(sweeper.fingerprints()) == 2


def test_the_configuration_of_a_repository_does_not_hide_its_tokens(sweeper, tmp_path):
    folder = repository(tmp_path / "r", seeds=[1])
    (folder / ".ddpatrol.toml").write_text('exclude = ["*.env"]\n')
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "hide")
    assert sweeper.run([folder]).returncode == 0
    assert len(sweeper.fingerprints()) == 1


def test_a_missing_scanner_is_named(sweeper, tmp_path):
    sweeper.scanner = str(tmp_path / "none")
    done = sweeper.run(["https://host/r"])
    assert done.returncode == 2 and f"cannot run `{tmp_path}/none`" in done.stderr
