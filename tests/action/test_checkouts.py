"""The step fetches missing commits and contents, or explains how to configure the checkout."""

import base64
import shutil
import subprocess
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from hosting import ZEROS, report
from test_events import assert_found, leak, on
from token_format import mint


def long_pull_request(hosting, length, leaking=True):
    """Creates a base and a head with a distant merge base."""
    hosting.commit(leak(1), "An old commit")
    hosting.commit({"leak-1.env": None})
    hosting.history(length)
    hosting.git("checkout", "-q", "-b", "feature", "main")
    hosting.history(length, "feature.txt")
    if leaking:
        hosting.commit(leak(2))
    hosting.git("checkout", "-q", "main")
    hosting.history(length, "main.txt")
    return hosting.pull_request()


def test_a_range_longer_than_the_first_fetch_is_scanned_completely(hosting):
    base, head = long_pull_request(hosting, 80)
    hosting.checkout("refs/pull/7/merge")
    step = hosting.step(hosting.event("pull_request", base, head))
    assert_found(step, 2)
    assert hosting.count_in(f"{base}..{head}") == 81
    assert hosting.count_in(f"{head}..{base}") == 80


def test_a_long_branch_that_merged_its_base_is_scanned_completely(hosting):
    hosting.history(3)
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit(leak(1))
    hosting.commit({"leak-1.env": None})
    hosting.history(80, "feature.txt")
    hosting.git("checkout", "-q", "main")
    hosting.commit({"main.txt": "the base moves on\n"})
    hosting.git("checkout", "-q", "feature")
    hosting.git("merge", "-q", "-m", "Take what main has", "main")
    base, head = hosting.pull_request()
    hosting.checkout("refs/pull/7/merge")
    assert_found(hosting.step(hosting.event("pull_request", base, head)), 1)


def test_only_the_history_needed_for_the_range_is_fetched(hosting):
    hosting.history(200)
    hosting.push("main")
    before = hosting.git("rev-parse", "HEAD")
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    assert_found(hosting.step(hosting.event("push", before, after)), 1)
    assert hosting.count_in(after) < 100


def test_a_full_checkout_is_not_made_shallow(hosting):
    hosting.history(100)
    before = hosting.commit({"a.txt": "a\n"})
    hosting.push("main")
    hosting.git("reset", "-q", "--hard", "HEAD~1")
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main", 0)
    assert_found(hosting.step(hosting.event("push", before, after)), 1)
    assert hosting.git("rev-parse", "--is-shallow-repository", at=hosting.workspace) == "false"


def test_commits_of_the_base_are_not_new_in_a_shallow_checkout(hosting):
    base, head = long_pull_request(hosting, 3, leaking=False)
    hosting.checkout("refs/pull/7/merge", 3)
    assert_found(hosting.step(hosting.event("pull_request", base, head)))


@pytest.mark.parametrize(
    ("name", "reference"),
    [("pull_request", "refs/pull/7/merge"), ("schedule", "refs/heads/main")],
)
def test_a_failed_fetch_is_an_error_that_mentions_the_depth(hosting, name, reference):
    base, head = long_pull_request(hosting, 3)
    hosting.checkout(reference)
    shutil.rmtree(hosting.server)
    step = hosting.step(hosting.event(name, base, head))
    assert (step.code, step.outputs) == (2, {"exit-code": "2"})
    assert [one.name for one in step.annotations] == ["error"]
    assert "fetch-depth: 0" in step.annotations[0].text


def test_a_new_branch_without_a_base_is_an_error_that_mentions_the_depth(hosting):
    after = hosting.commit()
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    shutil.rmtree(hosting.server)
    step = hosting.step(hosting.event("push", ZEROS, after, on("refs/heads/feature")))
    assert step.code == 2
    assert "fetch-depth: 0" in step.annotations[0].text


def test_a_workspace_without_a_repository_is_an_error_that_mentions_checkout(hosting):
    hosting.workspace.mkdir()
    step = hosting.step(hosting.event("push", "1" * 40, "2" * 40))
    assert step.code == 2
    assert "run actions/checkout first" in step.annotations[0].text


def test_a_folder_that_is_not_a_repository_can_be_scanned(hosting):
    hosting.workspace.mkdir()
    (hosting.workspace / "app.env").write_text(mint(1))
    assert_found(hosting.step(hosting.event("schedule")), 1)


def test_a_checkout_of_another_user_is_judged(hosting):
    before = hosting.commit()
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    # Git then assumes that every repository belongs to another user. The server is exempt.
    settings = hosting.folder / "settings"
    hosting.git("config", "--file", settings, "safe.directory", hosting.server)
    environment = {"GIT_TEST_ASSUME_DIFFERENT_OWNER": "1", "GIT_CONFIG_GLOBAL": str(settings)}
    assert_found(hosting.step(hosting.event("push", before, after), environment), 1)


def test_submodules_are_not_fetched(hosting):
    other = hosting.folder / "other"
    hosting.git("init", "-q", "-b", "main", other, at=hosting.folder)
    for message in ("first", "second"):
        hosting.git("commit", "-q", "--allow-empty", "-m", message, at=other)
    allow = ["-c", "protocol.file.allow=always"]
    hosting.git(*allow, "submodule", "--quiet", "add", other.as_uri(), "s")
    before = hosting.commit()
    hosting.git("reset", "-q", "--hard", "HEAD~1", at=hosting.author / "s")
    hosting.commit()
    after = hosting.commit(leak(1))
    hosting.push("main", f"{before}:refs/heads/old")
    hosting.checkout("refs/heads/old")
    hosting.git(*allow, "submodule", "--quiet", "update", "--init", "--depth=1", at=hosting.workspace)
    shutil.rmtree(other)
    assert_found(hosting.step(hosting.event("push", before, after)), 1)


def missing(hosting):
    """Returns the number of objects missing from the partial clone of a workspace."""
    listed = hosting.git("rev-list", "--objects", "--missing=print", "--all", "HEAD", at=hosting.workspace)
    return sum(line.startswith("?") for line in listed.splitlines())


def sparse(hosting, depth):
    """Pushes to a repository with folders and creates a sparse checkout of one of them."""
    hosting.commit({"seen/a.txt": "a\n", "unseen/b.txt": f"old {mint(1)}\n"} | {f"x/{n}": str(n) for n in range(9)})
    hosting.commit({"unseen/b.txt": "old\n"})
    before = hosting.commit({"unseen/c d.txt": f"{mint(2)}\n"})
    hosting.submodule("unseen/s", "1" * 40)
    hosting.submodule("unseen/s", "2" * 40)
    hosting.commit({"unseen/c d.txt": f"{mint(2)}\nmore\n", "unseen/b.txt": f"new {mint(3)}\n"})
    after = hosting.commit({"unseen/b.txt": "new\n"})
    hosting.push("main")
    hosting.checkout("refs/heads/main", depth, sparse="seen")
    assert missing(hosting)
    return before, after


@pytest.mark.parametrize("depth", [0, 1])
def test_a_sparse_checkout_fetches_only_the_contents_changed_by_a_range(hosting, depth):
    before, after = sparse(hosting, depth)
    step = hosting.step(hosting.event("push", before, after))
    assert_found(step, 3)
    assert report(step)["complete"]
    assert missing(hosting)


@pytest.mark.parametrize("depth", [0, 1])
def test_a_sparse_checkout_fetches_contents_of_merges_and_of_the_base(hosting, depth):
    hosting.commit({"seen/a.txt": "a\n", "unseen/b.txt": "one\n\n\n\n\n\n\n\ntwo\n"})
    hosting.git("checkout", "-q", "-b", "feature")
    hosting.commit({"unseen/b.txt": f"{mint(1)}\n\n\n\n\n\n\n\ntwo\n"})
    for name, content in (("one", f"{mint(2)}\n"), ("two", None)):
        hosting.git("checkout", "-q", "-b", name)
        hosting.commit({f"seen/{name}.txt": f"{name}\n"})
        hosting.git("checkout", "-q", "feature")
        hosting.git("merge", "-q", "--no-ff", "--no-commit", name)
        hosting.commit({"unseen/d.txt": content}, "A merge that changes more than it merges")
    hosting.git("checkout", "-q", "main")
    hosting.commit({"unseen/b.txt": f"one\n\n\n\n\n\n\n\n{mint(1)}\n"})
    base, head = hosting.pull_request()
    hosting.checkout("refs/pull/7/merge", depth, sparse="seen")
    step = hosting.step(hosting.event("pull_request", base, head))
    assert_found(step, 2)
    assert report(step)["complete"]


@pytest.mark.parametrize("depth", [0, 1])
def test_a_sparse_checkout_fetches_all_contents_for_a_full_scan(hosting, depth):
    sparse(hosting, depth)
    assert_found(hosting.step(hosting.event("schedule")), 1, 2, 3)
    assert not missing(hosting)


def test_a_sparse_checkout_fetches_the_contents_of_a_new_branch(hosting):
    hosting.commit({"unseen/a.txt": f"{mint(1)}\n"})
    hosting.push("main")
    after = hosting.commit({"unseen/a.txt": f"{mint(1)}\nmore\n", "unseen/b.txt": mint(2)})
    hosting.push("HEAD:refs/heads/feature")
    hosting.checkout("refs/heads/feature", sparse="seen")
    step = hosting.step(hosting.event("push", ZEROS, after, on("refs/heads/feature")))
    assert_found(step, 2)
    assert report(step)["complete"]


def test_contents_that_cannot_be_fetched_are_an_error_that_mentions_the_filter(hosting):
    before, after = sparse(hosting, 0)
    shutil.rmtree(hosting.server)
    for name in ("push", "schedule"):
        step = hosting.step(hosting.event(name, before, after))
        assert step.code == 2
        assert "remove filter and sparse-c" in step.annotations[0].text


class Private(BaseHTTPRequestHandler):
    """A git server over HTTP that accepts exactly one token in exactly one header."""

    authorization = "Basic " + base64.b64encode(b"x-access-token:ghs_secret").decode()

    def log_message(self, *_):
        """Suppresses the access log."""

    def do_GET(self):
        """Forwards a request to git."""
        if self.headers.get_all("Authorization") != [self.authorization]:
            self.send_response(401)
            self.send_header("WWW-Authenticate", 'Basic realm="GitHub"')
            self.send_header("Content-Length", "0")
            self.end_headers()
            return
        path, _, query = self.path.partition("?")
        length = int(self.headers.get("Content-Length") or 0)
        environment = self.server.environment | {
            "GIT_HTTP_EXPORT_ALL": "1",
            "GIT_PROJECT_ROOT": str(self.server.folder),
            "PATH_INFO": path,
            "QUERY_STRING": query,
            "REQUEST_METHOD": self.command,
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "CONTENT_LENGTH": str(length),
            "HTTP_CONTENT_ENCODING": self.headers.get("Content-Encoding", ""),
            "GIT_PROTOCOL": self.headers.get("Git-Protocol", ""),
        }
        ran = subprocess.run(
            ["git", "http-backend"], env=environment, input=self.rfile.read(length), stdout=subprocess.PIPE
        )
        head, _, body = ran.stdout.partition(b"\r\n\r\n")
        fields = dict(line.split(": ", 1) for line in head.decode().split("\r\n"))
        self.send_response(int(fields.pop("Status", "200").split()[0]))
        for name, value in fields.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET


@pytest.fixture
def private(hosting):
    """The URL of a server that requires a token."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Private)
    server.folder, server.environment = hosting.folder, hosting.environment
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.parametrize(
    ("persisted", "token", "code"), [(False, "ghs_secret", 1), (True, "ghs_secret", 1), (False, "", 2)]
)
def test_a_private_repository_is_fetched_with_the_token_of_the_job(hosting, private, persisted, token, code):
    before = hosting.commit()
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    hosting.git("remote", "set-url", "origin", f"{private}/server.git", at=hosting.workspace)
    if persisted:
        header = f"Authorization: {Private.authorization}"
        hosting.git("config", f"http.{private}/.extraheader", header, at=hosting.workspace)
    environment = {"DDPATROL_FETCH_TOKEN": token, "GITHUB_SERVER_URL": private}
    step = hosting.step(hosting.event("push", before, after), environment)
    assert step.code == code, step.log
    assert not step.holds("ghs_secret")


def test_the_token_of_the_job_is_sent_to_no_other_server(hosting, private):
    before = hosting.commit()
    after = hosting.commit(leak(1))
    hosting.push("main")
    hosting.checkout("refs/heads/main")
    hosting.git("remote", "set-url", "origin", f"{private}/server.git", at=hosting.workspace)
    environment = {"DDPATROL_FETCH_TOKEN": "ghs_secret", "GITHUB_SERVER_URL": "https://github.com"}
    step = hosting.step(hosting.event("push", before, after), environment)
    assert step.code == 2
    assert "fetch-depth: 0" in step.annotations[0].text
