"""Sweeps on one machine: first, second, resumed, in shards, and killed."""

import json
import os
import random
import signal
import subprocess
import time

from conftest import ENVIRONMENT, Sweeper, git, leak, repository, token


def estate(folder, count):
    """Creates repositories, of which some have tokens, and one token is in several."""
    return [repository(folder / f"r{at:02}", seeds=[at] * (at % 3 == 0) + [1000] * (at % 5 == 0)) for at in range(count)]


def test_every_repository_gets_one_result_and_every_token_one_row(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 10)
    done = sweeper.run(repositories)
    assert done.returncode == 0, done.stderr
    assert "10 of 10 repositories completely scanned" in done.stderr
    assert len(sweeper.results()) == 10
    found = sweeper.fingerprints()
    assert len(found) == 5, "four of their own and a shared one"
    shared = [urls for urls in found.values() if len(urls) > 1]
    assert shared == [[str(repositories[0]), str(repositories[5])]]
    for file in [*sweeper.results(), *(sweeper.store.glob("sweeps/*/*.zst"))]:
        assert b"ddpat_" not in file.read_bytes()
    for format in ("html", "csv", "json", "sarif"):
        text = sweeper.execute("report", "--format", format).stdout
        assert text and all(token(seed) not in text for seed in (0, 3, 6, 9, 1000)), format


def test_a_comment_in_a_repository_hides_no_token(sweeper, tmp_path):
    folder = repository(tmp_path / "r")
    (folder / "a.env").write_text(f"KEY={token(1)}  # ddpatrol:allow a sample\n")
    (folder / ".ddpatrol.toml").write_text('[[allow]]\npath = "**"\nreason = "all"\n')
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "allowed")
    assert sweeper.run([folder]).returncode == 0
    assert len(sweeper.fingerprints()) == 1
    assert sweeper.report()["summary"]["suppressed"] == 0


def test_a_sweep_that_is_finished_counts_its_tokens_again(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 4)
    first = sweeper.run(repositories, "--sweep", "a")
    sweeper.run(repositories, "--sweep", "b")
    for sweep in ("a", "b"):
        again = sweeper.run(repositories, "--sweep", sweep)
        assert "4 of 4 repositories completely scanned; 3 tokens" in again.stderr, again.stderr
    assert "; 3 tokens" in first.stderr


def test_invalid_addresses_of_issuers_are_refused_before_the_sweep(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 2)
    for issuer in ("http://10.1.1.1", "https://u:p@x", "nonsense"):
        done = sweeper.run(repositories, "--verify", "--issuer", issuer)
        assert done.returncode == 2 and "--issuer" in done.stderr, done.stderr
        assert not sweeper.store.exists(), "no sweep was started"


def test_a_store_that_is_no_bucket_is_refused(sweeper, tmp_path):
    repository = estate(tmp_path / "estate", 1)[0]
    for store in ("foo://x", "memory:///", "http://127.0.0.1/x"):
        words = [store if word == str(sweeper.store) else word for word in sweeper.words("run")]
        done = subprocess.run(words, input=f"{repository}\n", capture_output=True, text=True)
        assert done.returncode == 2, done.stderr
        assert f"unsupported scheme `{store.partition('/')[0]}//`" in done.stderr, done.stderr


def test_sweeps_that_start_within_one_second_are_different(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 1)
    for number in (1, 2, 3):
        sweeper.run(repositories)
        assert len(list((sweeper.store / "sweeps").iterdir())) == number


def test_a_memory_limit_that_no_program_starts_with_is_refused(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 1)
    done = sweeper.run(repositories, "--memory", "1M")
    assert done.returncode == 2 and "at least 64M" in done.stderr, done.stderr


def test_status_and_report_name_a_store_or_sweep_that_does_not_exist(sweeper, tmp_path):
    for command in ("status", "report"):
        done = sweeper.execute(command)
        assert done.returncode == 2 and "does not exist" in done.stderr, done.stderr
        assert not sweeper.store.exists()
    sweeper.run(estate(tmp_path / "estate", 1), "--sweep", "a")
    for command in ("status", "report"):
        done = sweeper.execute(command, "--sweep", "b")
        assert done.returncode == 2 and "has no sweep `b`" in done.stderr, done.stderr


def test_errors_of_arguments_repeat_no_token(sweeper):
    secret = token(7)
    for words in (("--sweep", secret), ("-f", secret), (secret,)):
        done = sweeper.execute("report", *words)
        assert done.returncode == 2 and secret[30:] not in done.stderr, done.stderr


def test_a_report_is_written_into_a_pipe_and_through_a_link(sweeper, tmp_path):
    sweeper.run(estate(tmp_path / "estate", 1))
    pipe, link, target = (tmp_path / name for name in ("pipe", "link", "target"))
    os.mkfifo(pipe)
    target.write_text("old")
    link.symlink_to(target)
    with subprocess.Popen(["cat", pipe], stdout=subprocess.PIPE) as reader:
        assert sweeper.execute("report", "-f", "csv", "-o", pipe).returncode == 0
        assert reader.communicate(timeout=60)[0].startswith(b"fingerprint,")
    assert sweeper.execute("report", "-f", "csv", "-o", link).returncode == 0
    assert pipe.is_fifo() and link.is_symlink()
    assert target.read_text().startswith("fingerprint,")


def test_a_second_sweep_scans_only_what_changed(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 6)
    assert sweeper.run(repositories, "--sweep", "a").returncode == 0
    leak(repositories[4], 77)
    done = sweeper.run(repositories, "--sweep", "b", "--verbose")
    assert done.returncode == 0, done.stderr
    lines = [line for line in done.stderr.splitlines() if " complete " in line]
    assert sum("unchanged" in line for line in lines) == 5
    assert [str(repositories[4]) in line for line in lines if "unchanged" not in line] == [True]
    report = sweeper.report()
    changes = {it["fingerprint"]: it["change"] for it in report["tokens"]}
    assert sorted(changes.values()) == ["new", "open", "open", "open"]
    assert report["summary"]["new"] == 1

    # The history of a repository is rewritten, and its token is gone; then it is back.
    git(repositories[4], "reset", "-q", "--hard", "HEAD~1")
    git(repositories[4], "reflog", "expire", "--expire=now", "--all")
    git(repositories[4], "gc", "-q", "--prune=now")
    fresh = Sweeper(sweeper.folder, cached=False)
    assert fresh.run(repositories, "--sweep", "c").returncode == 0
    report = sweeper.report()
    assert report["summary"]["gone"] == 1
    assert report["gone"][0]["repositories"] == [str(repositories[4])]
    leak(repositories[4], 77)
    assert fresh.run(repositories, "--sweep", "d").returncode == 0
    assert sweeper.report()["summary"]["back"] == 1
    assert sweeper.report("--sweep", "d", "--since", "b")["summary"]["open"] == 4


def test_private_keys_are_found_on_request_with_their_fingerprint(sweeper, tmp_path):
    folder = repository(tmp_path / "keys", seeds=[1])
    path = folder / "id_ed25519"
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", path], check=True)
    described = subprocess.run(["ssh-keygen", "-lf", path], capture_output=True, text=True, check=True).stdout
    body = path.read_text().splitlines()[2]
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "a key")
    assert sweeper.run([folder], "--sweep", "a").returncode == 0
    assert len(sweeper.report()["tokens"]) == 1
    # The state of a scan without the group is not reused.
    done = sweeper.run([folder], "--sweep", "b", "--rule-group", "private-keys")
    assert done.returncode == 0 and "unchanged" not in done.stderr, done.stderr
    tokens = {it["rule"]: it for it in sweeper.report()["tokens"]}
    assert sorted(tokens) == ["datadog-pat", "private-key"]
    assert tokens["private-key"]["redacted"].split()[1] == described.split()[1]
    for format in ("html", "csv", "json", "sarif"):
        assert body not in sweeper.execute("report", "--format", format).stdout, format

    config = tmp_path / "groups.toml"
    config.write_text('[rules]\ngroups = ["private-keys"]\n')
    assert sweeper.run([folder], "--sweep", "c", "--config", config).returncode == 0
    assert len(sweeper.report()["tokens"]) == 2
    done = sweeper.run([folder], "--sweep", "d", "--rule-group", "keys")
    assert done.returncode == 2 and "unknown group `keys`; use private-keys" in done.stderr, done.stderr


def test_the_same_list_resumes_and_another_list_starts_a_new_sweep(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 4)
    assert sweeper.run(repositories).returncode == 0
    (first,) = sweeper.store.glob("sweeps/*")
    (first / "finished.json.zst").unlink()
    sweeper.results()[0].unlink()
    done = sweeper.run(reversed(repositories))
    assert "4 repositories, 3 done" in done.stderr, done.stderr
    assert len(list(sweeper.store.glob("sweeps/*"))) == 1
    time.sleep(1.1)  # Sweeps are named by the second.
    assert sweeper.run(repositories[:2]).returncode == 0
    assert len(list(sweeper.store.glob("sweeps/*"))) == 2
    done = sweeper.run(repositories[:2], "--sweep", first.name)
    assert done.returncode == 2 and "was started with other repositories" in done.stderr


def test_shards_share_one_sweep(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 9)
    runs = [
        subprocess.Popen(
            sweeper.words("run", "--sweep", "s", "--shard", f"{at}/3"), stdin=subprocess.PIPE, env=ENVIRONMENT, text=True
        )
        for at in range(3)
    ]
    for run in runs:
        run.communicate("".join(f"{it}\n" for it in repositories), timeout=120)
        assert run.returncode == 0
    assert len(sweeper.results()) == 9
    status = json.loads(sweeper.execute("status", "--json").stdout)
    assert (status["finished"], status["done"], status["left"]) == (True, 9, 0)


def test_tasks_on_two_machines_commit_each_repository_once(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 6)
    lines = "".join(f"{it}\n" for it in repositories) + "not a repository\n"
    other = Sweeper(sweeper.folder, cached=False)
    machines = [
        subprocess.Popen(
            it.words("task", "--sweep", "t"), stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=ENVIRONMENT, text=True
        )
        for it in (sweeper, other)
    ]
    for machine in machines:
        machine.stdin.write(lines)
        machine.stdin.close()
    answers = [[json.loads(line) for line in machine.stdout] for machine in machines]
    assert [machine.wait(60) for machine in machines] == [0, 0]
    for answer in answers:
        assert [it["status"] for it in answer] == ["complete"] * 6 + ["invalid"]
    assert len(sweeper.results()) == 6


def test_a_killed_sweep_resumes_and_equals_one_that_was_not(tmp_path):
    repositories = estate(tmp_path / "estate", 24)
    calm = Sweeper(tmp_path / "calm")
    assert calm.run(repositories).returncode == 0
    sweeper = Sweeper(tmp_path / "killed")
    source = random.Random(24)
    kills = 0
    for _ in range(20):
        run = subprocess.Popen(
            sweeper.words("run", "--sweep", "k", "--jobs", "2"),
            stdin=subprocess.PIPE,
            stderr=subprocess.PIPE,
            env=ENVIRONMENT,
            text=True,
        )
        run.stdin.write("".join(f"{it}\n" for it in repositories))
        run.stdin.close()
        try:
            run.wait(0.05 + source.random() * 0.3)
        except subprocess.TimeoutExpired:
            run.send_signal(signal.SIGKILL)
            run.wait()
            kills += 1
    assert kills > 0
    before = {it: it.read_bytes() for it in sweeper.results()}
    done = sweeper.run(repositories, "--sweep", "k")
    assert done.returncode == 0, done.stderr
    assert all(path.read_bytes() == content for path, content in before.items()), "results are immutable"
    assert sweeper.fingerprints() == calm.fingerprints()
    assert not list(sweeper.folder.glob("cache/*/*.partial"))


def test_the_first_interrupt_lets_running_repositories_end(sweeper, tmp_path, git_server):
    repositories = [*estate(tmp_path / "estate", 3), f"{git_server.url}/hang/r.git"]
    run = subprocess.Popen(
        sweeper.words("run", "--jobs", "4", "--timeout", "3s"),
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=ENVIRONMENT,
        text=True,
    )
    run.stdin.write("".join(f"{it}\n" for it in repositories))
    run.stdin.close()
    assert git_server.hanging.wait(30)
    run.send_signal(signal.SIGINT)
    errors = run.stderr.read()
    assert run.wait(60) in (2, 130), errors
    assert "stopping after the running repositories" in errors
    assert len(sweeper.results()) == 4, "the one that hangs has its result, too"


def test_the_second_interrupt_ends_the_sweep_at_once(sweeper, git_server):
    run = subprocess.Popen(
        sweeper.words("run", "--timeout", "10m"), stdin=subprocess.PIPE, stderr=subprocess.PIPE, env=ENVIRONMENT, text=True
    )
    run.stdin.write(f"{git_server.url}/hang/r.git\n")
    run.stdin.close()
    assert git_server.hanging.wait(30)
    run.send_signal(signal.SIGTERM)
    time.sleep(0.3)
    run.send_signal(signal.SIGTERM)
    assert run.wait(20) == 130, run.stderr.read()
    left = subprocess.run(["pgrep", "-f", f"{git_server.url}/hang"], capture_output=True, text=True).stdout
    assert left == "", "no child survives"


def test_the_cache_keeps_its_limit(sweeper, tmp_path):
    repositories = estate(tmp_path / "estate", 5)
    assert sweeper.run(repositories, "--cache-size", "1").returncode == 0
    assert not list(sweeper.folder.glob("cache/*/*.git"))
    assert sweeper.run(repositories, "--sweep", "z", "--cache-size", "1G").returncode == 0
    assert len(sweeper.results()) == 10


def test_a_new_sweep_that_would_be_older_than_another_is_refused(sweeper, tmp_path):
    repositories = [repository(tmp_path / "r")]
    assert sweeper.run(repositories, "--sweep", "2999-W48").returncode == 0
    for words in ([], ["--sweep", "2999-11-23"]):
        done = sweeper.run(repositories, *words)
        assert done.returncode == 2 and "would be older than `2999-W48`" in done.stderr, done.stderr
    assert sweeper.run(repositories, "--sweep", "2999-W48").returncode == 0, "the known one continues"
    assert sweeper.run(repositories, "--sweep", "2999-W49").returncode == 0


def test_an_error_of_a_list_is_reported_once(sweeper):
    done = sweeper.run(["a/relative/path"])
    assert done.returncode == 2 and done.stderr.count("relative path") == 1, done.stderr
