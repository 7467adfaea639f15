"""Fixtures: the service on each kind of database, and Chromium. A missing requirement is a failure."""

import itertools
import os
import re
from pathlib import Path
from urllib.parse import urlsplit

import psycopg
import pytest
from playwright.sync_api import sync_playwright

from service import Service

NUMBERS = itertools.count()
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]


def required(name):
    """Returns an environment variable that scripts/web.sh sets."""
    value = os.environ.get(name)
    assert value, f"{name} is not set: run scripts/web.sh"
    return value


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """Returns a function that creates empty databases; those on PostgreSQL are dropped at the end."""
    made = []

    def make(kind):
        if kind == "sqlite":
            return f"sqlite:{tmp_path_factory.mktemp('data')}/ddpatrol.db"
        cluster = required("DDPATROL_TEST_POSTGRES")
        name = f"web_{os.getpid()}_{next(NUMBERS)}"
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return urlsplit(cluster)._replace(path=f"/{name}").geturl()

    yield make
    if made:
        with psycopg.connect(required("DDPATROL_TEST_POSTGRES"), autocommit=True) as connection:
            for name in made:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")


@pytest.fixture(scope="module", params=["sqlite", "postgres"])
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
