"""Sign-in by OpenID Connect at a certified provider, and answers that must be refused."""

import json
import os
import socket
import subprocess
import time
import urllib.parse

import pytest
from playwright.sync_api import expect

from conftest import Person
from databases import KINDS, execute, required
from service import Service


def free_port():
    """Returns a port that is free now."""
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Provider:
    """A provider as a child process. Its next sign-in is the person in `state`."""

    def __init__(self, folder, redirect, program="provider.mjs"):
        self.file = folder / "state.json"
        self.be("ada", email="ada@example.com", email_verified=True)
        environment = os.environ | {"STATE": str(self.file), "REDIRECT": redirect, "NODE_NO_WARNINGS": "1"}
        self.process = subprocess.Popen(
            ["node", program], env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
        )
        self.issuer = self.process.stdout.readline().strip()
        assert self.issuer.startswith("http"), "the provider did not start"

    def be(self, subject, **claims):
        """Sets who signs in next."""
        self.file.write_text(json.dumps({"subject": subject, "claims": claims}))

    def fail(self, fault, **claims):
        """Sets the fault of the next token."""
        self.file.write_text(json.dumps({"fault": fault, "claims": claims}))


def with_provider(folder, database, program):
    """Starts a service with a provider, on a port that is known before it starts."""
    port = free_port()
    url = f"http://localhost:{port}"
    provider = Provider(folder, f"{url}/sign-in/openid/callback", program)
    secret = folder / "secret"
    secret.write_text("provider-secret\n")
    service = Service(
        required("DDPATROLD"), database, "--public-url", url,
        "--openid-issuer", provider.issuer, "--openid-client-id", "ddpatrold",
        "--openid-client-secret-file", str(secret),
        "--openid-group", "auditors=user_app_keys+audit_logs_read", "--openid-group", "staff=user_app_keys",
        listen=f"127.0.0.1:{port}",
    )
    service.url = url
    service.provider = provider
    yield service
    service.stop()
    provider.process.terminate()
    provider.process.wait(10)


@pytest.fixture(scope="module", params=KINDS)
def signing(request, tmp_path_factory, new_database):
    """A service with a certified provider, on each kind of database."""
    yield from with_provider(tmp_path_factory.mktemp("openid"), new_database(request.param), "provider.mjs")


@pytest.fixture(scope="module", params=KINDS)
def forging(request, tmp_path_factory, new_database):
    """A service with a provider whose tokens are faulty, on each kind of database."""
    yield from with_provider(tmp_path_factory.mktemp("forged"), new_database(request.param), "forger.mjs")


@pytest.fixture
def browser(chromium, signing):
    """Returns a function that opens a browser of its own."""
    opened = []

    def open_browser():
        opened.append(Person(chromium, signing))
        return opened[-1]

    yield open_browser
    for one in opened:
        one.context.close()
    for one in opened:
        assert not one.faults, one.faults


def sign_in(page):
    """Presses the button of the sign-in page."""
    page.goto("/sign-in")
    page.get_by_role("button", name="Sign in with OpenID Connect").click()
    page.wait_for_load_state()


def test_an_invited_person_signs_in_with_their_own_permissions(signing, browser):
    signing.add("Ada@example.com", "user_app_keys")
    signing.provider.be("ada", email="ada@EXAMPLE.com", email_verified=True, groups=["auditors", "other"])
    page = browser().page
    sign_in(page)
    page.wait_for_url("**/tokens")
    expect(page.get_by_role("link", name="Audit Trail").first).to_be_visible()
    page.goto("/sessions")
    expect(page.get_by_text("with OpenID Connect")).to_be_visible()
    page.goto("/organization/tokens")
    expect(page.get_by_role("heading", name="Not permitted")).to_be_visible()

    # Found by the subject from now on, whatever the address is; the groups decide at each sign-in.
    signing.provider.be("ada", email="renamed@example.com", email_verified=True, groups=["staff"])
    again = browser().page
    sign_in(again)
    again.wait_for_url("**/tokens")
    expect(again.get_by_text("Ada@example.com").first).to_be_visible()
    expect(again.get_by_role("link", name="Audit Trail")).to_have_count(0)

    # Nobody else becomes the same person through the address.
    signing.provider.be("mallory", email="ada@example.com", email_verified=True, groups=["auditors"])
    page = browser().page
    sign_in(page)
    expect(page.get_by_text("nobody was invited", exact=False)).to_be_visible()


@pytest.mark.parametrize("claims", [
    {"email": "stranger@example.com", "email_verified": True},
    {"email": "eve@example.com", "email_verified": False},
    {"email": "eve@example.com"},
    {},
])
def test_nobody_signs_in_without_an_invited_verified_address(signing, browser, claims):
    if not any("eve@" in line for line in signing.admin("user", "list").splitlines()):
        signing.add("eve@example.com", "user_app_keys")
    signing.provider.be(f"unknown-{len(claims)}", **claims)
    page = browser().page
    sign_in(page)
    expect(page.get_by_text("nobody was invited", exact=False)).to_be_visible()


def test_a_disabled_person_does_not_sign_in(signing, browser):
    signing.add("gone@example.com", "user_app_keys")
    signing.admin("user", "disable", "gone@example.com")
    signing.provider.be("gone", email="gone@example.com", email_verified=True, groups=["staff"])
    page = browser().page
    sign_in(page)
    expect(page.get_by_text("nobody was invited", exact=False)).to_be_visible()


def answer_of(one, signing):
    """Signs in up to the provider's answer, which is returned and not opened. Cookies stay in the browser."""
    request = one.context.request
    url, send = f"{signing.url}/sign-in/openid", request.post
    headers = {"origin": signing.url, "sec-fetch-site": "same-origin"}
    for _ in range(10):
        found = send(url, headers=headers, max_redirects=0)
        assert found.status in (302, 303), found.text()
        url, send, headers = urllib.parse.urljoin(url, found.headers["location"]), request.get, {}
        if url.startswith(f"{signing.url}/sign-in/openid/callback"):
            return url
    raise AssertionError("the provider never answered")


def test_an_answer_that_this_browser_did_not_ask_for_is_refused(signing, browser):
    signing.add("bob@example.com", "user_app_keys")
    signing.provider.be("bob", email="bob@example.com", email_verified=True, groups=["staff"])
    one = browser()
    answer = answer_of(one, signing)
    address = urllib.parse.urlsplit(answer)
    query = dict(urllib.parse.parse_qsl(address.query))

    # Another browser, which did not start the sign-in.
    other = browser().page
    other.goto(answer)
    expect(other.get_by_text("was not started in this browser")).to_be_visible()
    # The same browser with another state, and with another browser's state.
    for state in ["", "x" * 43]:
        changed = urllib.parse.urlencode(query | {"state": state})
        one.page.goto(address._replace(query=changed).geturl())
        expect(one.page.get_by_text("was not started in this browser")).to_be_visible()
    wrong = urllib.parse.urlencode(query | {"code": "wrong"})
    one.page.goto(address._replace(query=wrong).geturl())
    expect(one.page.get_by_role("heading", name="Temporarily unavailable")).to_be_visible()
    # The answer itself works once.
    one.page.goto(answer)
    one.page.wait_for_url("**/tokens")
    one.page.goto("/tokens")
    expect(one.page.get_by_role("heading", name="Access Tokens", exact=True)).to_be_visible()


def test_a_faulty_token_is_refused(forging, chromium):
    forging.add("ada@example.com", "user_app_keys")
    address = {"email": "ada@example.com", "email_verified": True, "groups": ["staff"]}
    one = Person(chromium, forging)
    for fault in ["nonce", "no nonce", "audience", "issuer", "expired", "signature", "algorithm"]:
        forging.provider.fail(fault, **address)
        sign_in(one.page)
        expect(one.page.get_by_role("heading", name="Not permitted")).to_be_visible()
        expect(one.page.get_by_text("ID token is not valid")).to_be_visible()
        one.page.goto("/tokens")
        expect(one.page.get_by_role("heading", name="Sign in", exact=True)).to_be_visible()
    forging.provider.fail("none", **address)
    sign_in(one.page)
    one.page.wait_for_url("**/tokens")
    one.context.close()
    assert not one.faults, one.faults


def test_a_sensitive_change_asks_again_after_a_while(forging, chromium):
    if "bea@" not in forging.admin("user", "list"):
        forging.add("bea@example.com", "user_app_keys")
    forging.provider.fail("none", sub="bea", email="bea@example.com", email_verified=True, groups=["staff"])
    one = Person(chromium, forging)
    sign_in(one.page)
    one.page.wait_for_url("**/tokens")
    one.page.goto("/tokens/new")
    expect(one.page.get_by_role("heading", name="New Access Token")).to_be_visible()
    execute(forging.database, "UPDATE sessions SET created_at = created_at - 16 * 60000000 WHERE ended_at IS NULL")
    one.page.goto("/tokens/new")
    expect(one.page.get_by_role("heading", name="Confirm who you are")).to_be_visible()
    # The provider does not say when it asked: that is not enough.
    one.page.get_by_role("button", name="Sign in with OpenID Connect").click()
    expect(one.page.get_by_text("ID token is not valid")).to_be_visible()
    forging.provider.fail(
        "none", sub="bea", email="bea@example.com", email_verified=True, groups=["staff"], auth_time=int(time.time())
    )
    one.page.goto("/tokens/new")
    one.page.get_by_role("button", name="Sign in with OpenID Connect").click()
    one.page.wait_for_url("**/tokens/new")
    expect(one.page.get_by_role("heading", name="New Access Token")).to_be_visible()
    one.context.close()
    assert not one.faults, one.faults
