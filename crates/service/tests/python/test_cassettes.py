"""Replays every recorded exchange for the tokens of people and service accounts: the service responds with the same
keys, types, status and content type, and with every value that the request determines.

The recorded times are in the past, so an expiry keeps its fraction of a second and its distance to
the recording. The recorded `key` is masked, so only its length class and format can be compared.
"""

import json
import re
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from token_format import ACCOUNT_SHAPE, SHAPE, alias

CASSETTES = sorted((Path(__file__).parent.parent / "data" / "cassettes").glob("*.json"))
TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.(\d+))?Z")
UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
# Fields that may be null or a time in a recording, depending on earlier requests.
NULL_OR_TIME = {"last_used_at", "expires_at"}


def moment(text):
    """Parses a time of either side, with Python's precision."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    micros = int(fraction[:6].ljust(6, "0")) if fraction else 0
    parsed = datetime.strptime(whole, "%Y-%m-%dT%H:%M:%S").replace(tzinfo=timezone.utc)
    return parsed + timedelta(microseconds=micros)


def shifted(text, recorded_at):
    """Returns a recorded time with the same distance from now as from its recording, and the same fraction.

    One hour is subtracted: the recordings request a year and some milliseconds, and no token may outlive
    the administrator's token, which expires a year after the server's start."""
    recorded = datetime.strptime(recorded_at, "%a, %d %b %Y %H:%M:%S GMT")
    distance = moment(text) - recorded.replace(tzinfo=timezone.utc)
    now = datetime.now(timezone.utc)
    ahead = now + distance - timedelta(hours=1)
    return ahead.strftime("%Y-%m-%dT%H:%M:%S") + text[19:]


def trimmed(text):
    """Returns a time without trailing zeros, as responses contain it."""
    whole, _, fraction = text.rstrip("Z").partition(".")
    fraction = fraction.rstrip("0")
    return f"{whole}.{fraction}Z" if fraction else f"{whole}Z"


def check_shape(ours, theirs, path=""):
    """Checks that keys and types are the same at every level."""
    name = path.rpartition(".")[2]
    if isinstance(theirs, dict):
        assert isinstance(ours, dict), path
        assert set(ours) == set(theirs), path
        for key in theirs:
            check_shape(ours[key], theirs[key], f"{path}.{key}")
    elif isinstance(theirs, list):
        assert isinstance(ours, list), path
        for item in ours:
            check_shape(item, theirs[0], f"{path}[]") if theirs else None
    elif name in NULL_OR_TIME:
        assert ours is None or TIME.fullmatch(ours), path
    else:
        assert type(ours) is type(theirs), path
        if isinstance(theirs, str) and TIME.fullmatch(theirs):
            assert TIME.fullmatch(ours), f"{path}: {ours}"
        if isinstance(theirs, str) and name == "id" and "owned_by" not in path:
            assert UUID.fullmatch(ours), f"{path}: {ours}"


def fraction(text):
    """Returns the digits of the fraction of a second."""
    return TIME.fullmatch(text).group(1) or ""


class Replay:
    """A cassette being replayed: its identifiers and ours, and the requested values."""

    def __init__(self, server, cassette):
        self.server, self.cassette = server, cassette
        self.ids, self.wanted, self.created, self.key = {}, {}, None, None

    def run(self):
        for interaction in self.cassette["http_interactions"]:
            self.exchange(interaction)

    def exchange(self, interaction):
        request, recorded = interaction["request"], interaction["response"]
        url = urlsplit(request["uri"])
        path = url.path + (f"?{url.query}" if url.query else "")
        for theirs, ours in self.ids.items():
            path = path.replace(theirs, ours)
        headers = {name: values[0] for name, values in request["headers"].items()}
        body = self.body(request, interaction["recorded_at"])
        answer = self.server.request(request["method"].upper(), path, data=body, headers=headers)

        assert answer.status_code == recorded["status"]["code"], answer.text
        assert answer.reason == recorded["status"]["message"]
        expected = (recorded["headers"].get("Content-Type") or [None])[0]
        assert answer.headers.get("Content-Type") == expected
        text = recorded["body"]["string"]
        if not text:
            assert answer.content == b""
            return
        self.compare(answer.json(), json.loads(text), request["method"], answer.text)

    def body(self, request, recorded_at):
        """Returns the recorded body with our identifiers and a time in the future."""
        if not isinstance(request["body"], dict):
            return None
        body = json.loads(request["body"]["string"])
        data = body["data"]
        if "id" in data:
            data["id"] = self.ids[data["id"]]
        if data["attributes"].get("expires_at"):
            given = shifted(data["attributes"]["expires_at"], recorded_at)
            data["attributes"]["expires_at"] = given
        self.wanted.update(data["attributes"])
        return json.dumps(body)

    def compare(self, ours, theirs, method, text):
        if isinstance(theirs["data"], list):
            if theirs["data"]:
                self.compare_list(ours, theirs)
            else:
                assert ours == theirs
            return
        check_shape(ours, theirs)
        self.check_values(ours["data"], method)
        if method == "post":
            self.ids[theirs["data"]["id"]] = ours["data"]["id"]
        if ours["data"]["type"] == "users":
            return
        if method == "post":
            token = self.key = ours["data"]["attributes"]["key"]
            personal = ours["data"]["type"] == "personal_access_tokens"
            assert (SHAPE if personal else ACCOUNT_SHAPE).fullmatch(token)
            assert token.split("_")[1] == alias(ours["data"]["id"])
            assert [len(part) for part in token.split("_")][:2] == [5, 22]
        else:
            assert self.key not in text

    def compare_list(self, ours, theirs):
        """Compares lists that also contain other tokens, on both sides; the recorded one must occur once."""
        new_id = list(self.ids.values())[0]
        mine = [token for token in theirs["data"] if token["id"] in self.ids][0]
        for token in ours["data"]:
            without = {k: v for k, v in token["attributes"].items() if k != "modified_at"}
            check_shape({**token, "attributes": without}, mine)
        found = [token for token in ours["data"] if token["id"] == new_id]
        assert len(found) == 1
        self.check_values(found[0], "get")
        assert set(ours) == set(theirs)
        assert ours["meta"] == {"page": {"total_filtered_count": len(ours["data"])}}
        assert theirs["meta"] == {"page": {"total_filtered_count": len(theirs["data"])}}
        names = [token["attributes"]["name"] for token in ours["data"]]
        assert names == sorted(names, key=str.casefold)

    def check_values(self, data, method):
        attributes = data["attributes"]
        if data["type"] == "users":
            self.check_account(data)
            return
        owner = data["relationships"]["owned_by"]["data"]
        if data["type"] == "service_access_tokens":
            assert owner == {"id": list(self.ids.values())[0], "type": "service_account"}
            assert attributes["public_portion"] == "ddsat_" + alias(data["id"])
        else:
            assert data["type"] == "personal_access_tokens" and owner["type"] == "users"
            assert attributes["public_portion"] == alias(data["id"])
        assert attributes["name"] == self.wanted["name"]
        assert attributes["scopes"] == self.wanted["scopes"]
        wanted = self.wanted.get("expires_at")
        assert attributes["expires_at"] == (wanted and trimmed(wanted))
        for name, value in attributes.items():
            if name.endswith("_at") and value is not None:
                assert not fraction(value).endswith("0"), f"{name}: {value}"
        created_at = attributes["created_at"]
        age = datetime.now(timezone.utc) - moment(created_at)
        assert abs(age) < timedelta(minutes=1)
        if method == "post":
            self.created = created_at
        else:
            assert len(fraction(created_at)) <= 6
            assert moment(created_at) == moment(self.created), "reads are truncated to microseconds"
            assert attributes["last_used_at"] is None
        if "modified_at" in attributes:
            assert len(fraction(attributes["modified_at"])) <= 6
            assert moment(attributes["modified_at"]) >= moment(created_at)


    def check_account(self, data):
        """Checks a service account: the address in lower case, and the identifier as the handle."""
        attributes = data["attributes"]
        assert attributes["email"] == self.wanted["email"].lower()
        assert attributes["title"] == self.wanted["title"]
        assert attributes["handle"] == attributes["uuid"] == data["id"]
        assert attributes["service_account"] and not attributes["disabled"]
        assert attributes["status"] == "Active" and attributes["name"] is None
        for name in ("created_at", "modified_at"):
            assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00", attributes[name])


def test_all_recordings_exist():
    assert len(CASSETTES) == 10


@pytest.mark.parametrize("path", CASSETTES, ids=lambda path: path.stem)
def test_the_response_to_a_recorded_request_is_datadogs(server, path):
    Replay(server, json.loads(path.read_text())).run()


def test_creations_return_nanoseconds_and_reads_microseconds(server):
    digits = {len(fraction(server.create(f"n{n}")["attributes"]["created_at"])) for n in range(8)}
    assert max(digits) > 6, "one of eight times has more precision than microseconds"


def test_the_recorded_aliases_encode_their_ids():
    pairs = set()
    for path in CASSETTES:
        for interaction in json.loads(path.read_text())["http_interactions"]:
            text = interaction["response"]["body"]["string"]
            data = json.loads(text)["data"] if text else []
            for token in data if isinstance(data, list) else [data]:
                if token["type"] != "users":
                    public = token["attributes"]["public_portion"]
                    pairs.add((token["id"], public.removeprefix("ddsat_")))
    assert len(pairs) == 11
    assert all(alias(token_id) == recorded for token_id, recorded in pairs)
