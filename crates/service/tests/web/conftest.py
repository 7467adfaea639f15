"""Fixtures: the service on each kind of database, and Chromium. A missing requirement is a failure."""

import re
from pathlib import Path

import pytest
from playwright.sync_api import sync_playwright

from databases import KINDS, new_database, required  # noqa: F401 (a fixture)
from service import Service

FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


@pytest.fixture(scope="module", params=KINDS)
def service(request, new_database):
    """A service with an empty database of each kind."""
    running = Service(required("DDPATROLD"), new_database(request.param))
    yield running
    running.stop()


@pytest.fixture(scope="session")
def chromium():
    """The browser."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path="/usr/bin/chromium", args=FLAGS)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def axe():
    """The source of axe-core."""
    return Path(required("DDPATROL_TEST_NODE"), "node_modules/axe-core/axe.min.js").read_text()


class Person:
    """A browser of its own with one page. Violations of the content policy and errors are collected."""

    def __init__(self, browser, service, **options):
        self.service = service
        self.context = browser.new_context(base_url=service.url, **options)
        self.context.set_default_timeout(15_000)
        self.page = self.context.new_page()
        self.faults = []
        self.page.on("pageerror", lambda error: self.faults.append(f"error: {error}"))
        self.page.on("console", self._console)

    def _console(self, message):
        # Chromium reports each page with an error status, which tests cause on purpose.
        if message.type == "error" and not re.search("Failed to load resource", message.text):
            self.faults.append(message.text)

    def sign_in(self, user="admin@localhost"):
        """Signs in with a link."""
        self.page.goto(self.service.link(user))
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(re.compile("/(tokens|sessions|security/audit)$"))
        return self.page


@pytest.fixture
def person(chromium, service):
    """Returns a function that opens a browser of its own."""
    opened = []

    def open_browser(**options):
        opened.append(Person(chromium, service, **options))
        return opened[-1]

    yield open_browser
    for one in opened:
        one.context.close()
    for one in opened:
        assert not one.faults, one.faults
