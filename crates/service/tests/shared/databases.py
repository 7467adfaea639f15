"""Shared by the suites in Python: variables that their scripts set, and databases of both kinds."""

import itertools
import os
import sqlite3
from contextlib import closing
from urllib.parse import urlsplit

import psycopg
import pytest

# The kinds of databases, for parameters of tests and fixtures.
KINDS = ["sqlite", "postgres"]
NUMBERS = itertools.count()


def required(name):
    """Returns an environment variable that the script of the suite sets."""
    value = os.environ.get(name)
    assert value, f"{name} is not set: run the suite with its script, scripts/python.sh or scripts/web.sh"
    return value


def environment():
    """Returns the environment without variables that configure the service or a client."""
    return {k: v for k, v in os.environ.items() if not k.startswith(("DD_", "DDPATROLD_", "DATABASE_"))}


def execute(database, statement):
    """Runs a statement in a database, next to the service."""
    if database.startswith("sqlite:"):
        with closing(sqlite3.connect(database.removeprefix("sqlite:"), timeout=10)) as connection, connection:
            connection.execute(statement)
    else:
        with psycopg.connect(database) as connection:
            connection.execute(statement)


@pytest.fixture(scope="session")
def new_database(tmp_path_factory):
    """Returns a function that creates empty databases; those on PostgreSQL are dropped at the end."""
    made = []

    def make(kind):
        if kind == "sqlite":
            return f"sqlite:{tmp_path_factory.mktemp('data')}/ddpatrol.db"
        cluster = required("DDPATROL_TEST_POSTGRES")
        name = f"suite_{os.getpid()}_{next(NUMBERS)}"
        with psycopg.connect(cluster, autocommit=True) as connection:
            connection.execute(f"CREATE DATABASE {name}")
        made.append(name)
        return urlsplit(cluster)._replace(path=f"/{name}").geturl()

    yield make
    if made:
        with psycopg.connect(required("DDPATROL_TEST_POSTGRES"), autocommit=True) as connection:
            for name in made:
                connection.execute(f"DROP DATABASE IF EXISTS {name} WITH (FORCE)")
