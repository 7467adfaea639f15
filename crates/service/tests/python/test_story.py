"""One sequence of requests on both databases with the same transcript; and no token in any database,
log or response."""

import json
import re
import sqlite3
import uuid

import psycopg

from conftest import HIGH_LIMITS
from server import EVENTS, TOKENS, VALIDATE, Server, creation, in_days

TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z")
UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
KEY = re.compile(r"ddpat_[0-9A-Za-z]{22}_[0-9A-Za-z]+")
NAMES = ["alpha", "Beta", "100%", "a_b", "Ärger", "ärgern", "zeta"]


class Transcript:
    """Requests and their responses; random values are replaced by numbered names."""

    def __init__(self, server):
        self.server, self.lines, self.names, self.keys = server, [], {}, set()

    def ask(self, method, path, token=None, **options):
        answer = self.server.request(method, path, token, **options)
        self.keys |= set(KEY.findall(answer.text))
        self.lines.append(self.plain(f"{method} {path} {answer.status_code} {answer.text}"))
        return answer.json() if answer.text else None

    def plain(self, text):
        text = TIME.sub("TIME", KEY.sub("KEY", text))
        text = UUID.sub(lambda found: self.name(found[0]), text)
        # A use is written a little later.
        text = re.sub(r'"last_used_at":("TIME"|null)', '"last_used_at":"MAYBE"', text)
        text = re.sub(r'"(exp|iat)":\d+', r'"\1":"SECONDS"', text)
        return re.sub(r'"public_portion":"\w{22}"', '"public_portion":"ALIAS"', text)

    def name(self, value):
        return self.names.setdefault(value, f"ID{len(self.names)}")


def run_story(server):
    """Runs requests that cover the life of some tokens."""
    story = Transcript(server)
    ada = server.person("ada@example.com", ["user_app_keys"], ["user_app_keys", "dashboards_read"])
    story.keys.add(ada)
    made = {}
    for name in NAMES:
        resource = story.ask("POST", TOKENS, json=creation(name, expires_at=in_days(40)))["data"]
        made[name] = (resource["id"], resource["attributes"]["key"])
    story.ask("POST", TOKENS, ada, json=creation("of ada's"))
    story.ask("POST", TOKENS, ada, json=creation("too much", scopes=["logs_read_data"]))
    for sort in ("name", "-name", "created_at", "-created_at", "expires_at"):
        story.ask("GET", f"{TOKENS}?sort={sort}&page[size]=4&page[number]=1")
    for text in ("%25", "_", "%C3%84RGER", "beta", "nothing"):
        story.ask("GET", f"{TOKENS}?filter={text}")
    story.ask("GET", TOKENS, ada)
    story.ask("GET", f"{TOKENS}/{made['alpha'][0]}", ada)
    story.ask("GET", f"{TOKENS}/{uuid.UUID(int=5)}")
    change = {"id": made["alpha"][0], "type": "personal_access_tokens", "attributes": {"name": "Ω"}}
    story.ask("PATCH", f"{TOKENS}/{made['alpha'][0]}", json={"data": change})
    story.ask("GET", VALIDATE, made["alpha"][1])
    for _ in range(2):
        story.ask("DELETE", f"{TOKENS}/{made['alpha'][0]}")
        story.ask("GET", VALIDATE, made["alpha"][1])
    report = {"reports": [{"token": made["zeta"][1], "source": "x", "url": "https://x/"}, {"token": 1}]}
    for _ in range(2):
        story.ask("POST", "/leaks/v1/reports", False, json=report)
    story.ask("GET", f"{TOKENS}?filter[leaked]=true&include=leak_information")
    story.ask("POST", "/oauth2/revoke", False, data={"token": made["Beta"][1]})
    story.ask("POST", "/oauth2/introspect", data={"token": made["Beta"][1]})
    story.ask("POST", "/oauth2/introspect", data={"token": ada})
    server.admin("user", "disable", "ada@example.com")
    end = server.wait_for_events("@evt.name:user.disabled", 1)
    assert len(end) == 1
    for name, events in (("alpha", 6), ("zeta", 3), ("Beta", 2)):
        query = f"filter[query]=@asset.id:{made[name][0]}&page[limit]=100"
        server.wait_for_events(f"@asset.id:{made[name][0]}", events)
        story.ask("GET", f"{EVENTS}?{query}")
    return story


def address_free(lines):
    return [re.sub(r"127\.0\.0\.1:\d+", "HOST", line) for line in lines]


def test_transcripts_are_the_same_on_both_databases_and_no_token_is_stored(binary, new_database):
    transcripts, kept = {}, {}
    for kind in ("sqlite", "postgres"):
        database = new_database(kind)
        server = Server(binary, database, *HIGH_LIMITS).start()
        agent = {"User-Agent": f"curl {server.admin_token}"}
        server.get(f"/api/v2/personal_access_tokens/{server.admin_token}", headers=agent)
        story = run_story(server)
        story.keys.add(server.admin_token)
        log = "".join(server.errors)
        assert server.stop() == 0
        transcripts[kind] = address_free(story.lines)
        kept[kind] = (story.keys, log + rows(kind, database), files(kind, database))
    assert transcripts["sqlite"] == transcripts["postgres"]
    assert len(transcripts["sqlite"]) >= 35
    for keys, text, raw in kept.values():
        assert len(keys) == len(NAMES) + 3
        assert "access_token.created" in text and "[redacted]" in text
        for key in keys:
            secret = key.split("_")[2]
            assert secret not in text and secret.encode() not in raw


def rows(kind, database):
    """Returns every row of every table, as text."""
    tables = ("organization", "users", "tokens", "audit_events")
    if kind == "sqlite":
        connection = sqlite3.connect(database.removeprefix("sqlite:"))
    else:
        connection = psycopg.connect(database)
    with connection:
        found = [connection.execute(f"SELECT * FROM {table}").fetchall() for table in tables]
    return json.dumps(found, default=repr)


def files(kind, database):
    """Returns the bytes of SQLite's files."""
    if kind == "postgres":
        return b""
    from pathlib import Path

    path = Path(database.removeprefix("sqlite:"))
    return b"".join(found.read_bytes() for found in path.parent.iterdir())
