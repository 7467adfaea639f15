"""The wire format beyond the official client: error messages, limits, permissions, leak reports,
OAuth and the audit trail."""

import base64
import http.client
import json
import time
import uuid
from datetime import datetime, timedelta, timezone
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from conftest import HIGH_LIMITS
from github import alert, digest, public, signed
from server import EVENTS, JSON_API, TOKENS, VALIDATE, creation, in_days
from token_format import SHAPE, alias, id_of, mint, with_other_secret, with_wrong_checksum

REPORTS = "/leaks/v1/reports"
ALERTS = "/leaks/v1/github"
VECTOR = Path(__file__).parent.parent / "data" / "github_signature.json"
MANAGE = ["user_app_keys", "dashboards_read"]


def email():
    return f"{uuid.uuid4().hex}@example.com"


def errors(answer, status=400):
    """Returns the messages of an error response after checking its status and format."""
    assert answer.status_code == status, answer.text
    assert answer.headers["Content-Type"] == JSON_API
    body = answer.json()
    assert set(body) == {"errors"} and body["errors"]
    assert all(isinstance(text, str) and text for text in body["errors"])
    return body["errors"]


def update(token_id, **attributes):
    data = {"id": token_id, "type": "personal_access_tokens", "attributes": attributes}
    return {"data": data}


def expiring(server, seconds=1):
    """Issues a token of the administrator that expires in seconds, which only the command line allows."""
    return server.issue("admin@localhost", ["dashboards_read"], f"{seconds}s")


# Error messages

FAULTS = {
    "no data": ({}, "data"),
    "data is no object": ({"data": []}, "data"),
    "wrong type": ({"data": {**creation("x")["data"], "type": "users"}}, "type"),
    "no type": ({"data": {"attributes": creation("x")["data"]["attributes"]}}, "type"),
    "no attributes": ({"data": {"type": "personal_access_tokens"}}, "attributes"),
    "empty name": (creation(""), "name"),
    "blank name": (creation("  "), "name"),
    "name too long": (creation("n" * 10_000), "name"),
    "name is no text": (creation(7), "name"),
    "no scopes": (creation("x", scopes=[]), "scopes"),
    "unknown scope": (creation("x", scopes=["dashboard_reads"]), "dashboard_reads"),
    "scope is no text": (creation("x", scopes=[7]), "scopes"),
    "expiry is no time": (creation("x", expires_at="tomorrow"), "expires_at"),
    "expiry too soon": (creation("x", expires_at=in_days(0.9)), "expires_at"),
    "expiry in the past": (creation("x", expires_at=in_days(-1)), "expires_at"),
    "expiry too far": (creation("x", expires_at=in_days(367)), "expires_at"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_invalid_creation_is_rejected_with_the_field(server, fault):
    body, field = FAULTS[fault]
    assert field in " ".join(errors(server.post(TOKENS, json=body)))


@pytest.mark.parametrize("field", ["name", "scopes", "expires_at"])
def test_every_attribute_of_a_creation_is_required(server, field):
    body = creation("x")
    del body["data"]["attributes"][field]
    assert field in " ".join(errors(server.post(TOKENS, json=body)))


def test_the_error_for_an_expiry_states_the_allowed_range(server):
    text = " ".join(errors(server.post(TOKENS, json=creation("x", expires_at=in_days(400)))))
    assert "24 hours" in text and "year" in text


def test_the_error_for_an_unknown_scope_lists_similar_ones(server):
    texts = errors(server.post(TOKENS, json=creation("x", scopes=["metrics_read", "dashboards_raed"])))
    text = " ".join(texts)
    assert "dashboards_raed" in text and "metrics_read" not in text
    assert "dashboards_read" in text


def test_an_expiry_of_a_day_and_of_nearly_a_year_is_allowed(server):
    for days in (1.001, 364.9):
        server.create(f"days {days}", expires_at=in_days(days))


def test_a_body_that_is_not_json_is_a_400(server):
    headers = {"Content-Type": "application/json"}
    for body in (b"", b"{", b"null", b"[]", b"\xff"):
        errors(server.post(TOKENS, data=body, headers=headers))


def test_an_invalid_query_is_rejected_with_the_parameter(server):
    for name, value in {
        "page[size]": "101", "page[number]": "-1", "sort": "colour", "include": "owner",
        "filter[leaked]": "perhaps", "filter[owned_by]": "me",
    }.items():
        assert name in " ".join(errors(server.get(TOKENS, params={name: value})))
    for value in ("0", "ten", "1.5", "99999999999999999999"):
        assert "page[size]" in " ".join(errors(server.get(TOKENS, params={"page[size]": value})))


def test_an_update_with_another_id_or_an_expiry_is_rejected(server):
    made, other = server.create("one"), server.create("other")
    path = f"{TOKENS}/{made['id']}"
    text = " ".join(errors(server.request("PATCH", path, json=update(other["id"], name="x"))))
    assert "id" in text
    late = update(made["id"], expires_at=in_days(60))
    assert "expires_at" in " ".join(errors(server.request("PATCH", path, json=late)))
    for token in (made, other):
        seen = server.get(f"{TOKENS}/{token['id']}").json()["data"]["attributes"]
        assert seen["name"] == token["attributes"]["name"] and "modified_at" not in seen


@pytest.mark.parametrize("missing", ["id", "type", "attributes"])
def test_every_member_of_an_update_is_required(server, missing):
    made = server.create("whole")
    body = update(made["id"], name="x")
    del body["data"][missing]
    path = f"{TOKENS}/{made['id']}"
    assert missing in " ".join(errors(server.request("PATCH", path, json=body)))


def test_a_name_may_be_any_text_and_is_read_back(server):
    for name in ("naïve ✓ 日本", "quote ' \" \\ %", "a" * 100, "<b>&amp;</b>"):
        made = server.create(name)
        seen = server.get(f"{TOKENS}/{made['id']}").json()["data"]
        assert seen["attributes"]["name"] == name


def test_a_filter_takes_sql_wildcards_literally(server):
    tag = uuid.uuid4().hex
    made = server.create(f"{tag} 100%_sure")
    server.create(f"{tag} 100 percent")
    for text in (f"{tag} 100%_", f"{tag.upper()} 100%"):
        found = server.get(TOKENS, params={"filter": text}).json()
        assert [token["id"] for token in found["data"]] == [made["id"]], text


# Authentication


# Headers that differ between equal requests, and the one that the test checks by itself.
CHANGING_HEADERS = ("date", "x-ratelimit-remaining", "x-ratelimit-reset", "x-request-id", "x-token-state")


def test_a_401_is_the_same_for_every_cause_except_for_the_state_of_a_whole_token(server):
    expired = expiring(server)
    revoked, live = server.create("revoked"), server.create("live")
    assert server.request("DELETE", f"{TOKENS}/{revoked['id']}").status_code == 204
    time.sleep(1.1)
    key = live["attributes"]["key"]
    presented = {
        "absent": False,
        "malformed": "ddpat_short",
        "empty": " ",
        "of another kind": "dd" + "0" * 30,
        "wrong checksum": with_wrong_checksum(key),
        "unknown": mint(99),
        "another secret": with_other_secret(key),
        "revoked": revoked["attributes"]["key"],
        "expired": expired,
    }
    answers = {}
    for name, token in presented.items():
        # Only the holder of a whole token that was issued here learns what became of it.
        state = name if name in ("revoked", "expired") else None
        for path in (VALIDATE, TOKENS, EVENTS):
            answer = server.get(path, token)
            errors(answer, 401)
            assert answer.headers.get("x-token-state") == state, name
            headers = {
                k.lower(): v for k, v in answer.headers.items()
                if k.lower() not in CHANGING_HEADERS
            }
            answers[name, path] = (answer.content, sorted(headers.items()))
        as_key = server.get(VALIDATE, False, headers={"dd-application-key": (token or "").strip()})
        assert as_key.status_code == 401, name
    assert len({str(answer) for answer in answers.values()}) == 1
    assert server.is_accepted(key)


@pytest.mark.parametrize("name", ["Authorization", "authorization", "dd-application-key"])
def test_a_token_is_accepted_in_either_header_in_any_case(server, name):
    key = server.admin_token
    value = f"Bearer {key}" if name.lower() == "authorization" else key
    for variant in (name, name.upper()):
        answer = server.get(VALIDATE, False, headers={variant: value})
        assert answer.status_code == 200 and answer.json() == {"status": "ok"}


def test_an_api_key_with_a_valid_token_is_ignored(server):
    headers = {"dd-application-key": server.admin_token, "dd-api-key": "nonsense"}
    assert server.get(VALIDATE, False, headers=headers).status_code == 200
    alone = {"dd-api-key": server.admin_token}
    errors(server.get(VALIDATE, False, headers=alone), 401)


def test_one_live_token_among_several_credentials_suffices(server):
    made = server.create("dead")
    server.request("DELETE", f"{TOKENS}/{made['id']}")
    dead = made["attributes"]["key"]
    live = server.admin_token
    for bearer, key in ((live, dead), (dead, live)):
        headers = {"dd-application-key": key, "dd-api-key": "x"}
        assert server.get(VALIDATE, bearer, headers=headers).status_code == 200


def test_a_revoked_token_is_rejected_at_once(server):
    for _ in range(20):
        made = server.create("short")
        key = made["attributes"]["key"]
        assert server.is_accepted(key)
        assert server.request("DELETE", f"{TOKENS}/{made['id']}").status_code == 204
        assert not server.is_accepted(key)


def test_a_repeated_revocation_is_a_204_without_a_second_event(server):
    made = server.create("twice")
    for _ in range(2):
        answer = server.request("DELETE", f"{TOKENS}/{made['id']}")
        assert answer.status_code == 204 and answer.content == b""
    found = server.events(f"@evt.name:access_token.revoked @asset.id:{made['id']}")
    assert len(found) == 1


def test_an_unknown_or_invalid_id_is_a_404(server):
    for token_id in (str(uuid.uuid4()), "none", "0", alias(str(uuid.uuid4())), "%00", "a%2Fb"):
        path = f"{TOKENS}/{token_id}"
        errors(server.get(path), 404)
        errors(server.request("DELETE", path), 404)
        errors(server.request("PATCH", path, json=update(token_id, name="x")), 404)


# Permissions


def test_a_token_without_the_scope_does_not_have_its_owners_permission(server):
    who = email()
    weak = server.person(who, ["user_app_keys"], ["dashboards_read"])
    assert server.is_accepted(weak)
    for answer in (server.get(TOKENS, weak), server.post(TOKENS, weak, json=creation("x"))):
        assert "user_app_keys" in " ".join(errors(answer, 403))
    strong = server.issue(who, MANAGE)
    assert server.get(TOKENS, strong).status_code == 200


def test_a_scope_does_not_grant_a_permission_that_the_owner_lacks(server):
    scopes = MANAGE + ["org_app_keys_read", "org_app_keys_write", "audit_logs_read"]
    token = server.person(email(), ["tokens_introspect"], scopes)
    assert server.is_accepted(token)
    errors(server.get(TOKENS, token), 403)
    errors(server.post(TOKENS, token, json=creation("x")), 403)
    errors(server.get(EVENTS, token), 403)


def test_a_user_manages_their_own_tokens_and_does_not_see_others(server):
    mine = server.person(email(), ["user_app_keys"], MANAGE)
    made = server.create("mine", mine)
    foreign = server.create("theirs")
    listed = server.get(TOKENS, mine, params={"page[size]": 100}).json()
    owners = {t["relationships"]["owned_by"]["data"]["id"] for t in listed["data"]}
    assert owners == {made["relationships"]["owned_by"]["data"]["id"]}
    assert listed["meta"]["page"]["total_filtered_count"] == len(listed["data"]) == 2
    path = f"{TOKENS}/{foreign['id']}"
    missing = errors(server.get(f"{TOKENS}/{uuid.uuid4()}", mine), 404)
    assert errors(server.get(path, mine), 404) == missing
    assert errors(server.request("PATCH", path, mine, json=update(foreign["id"], name="x")), 404)
    assert errors(server.request("DELETE", path, mine), 404) == missing
    own = f"{TOKENS}/{made['id']}"
    assert server.get(own, mine).status_code == 200
    renamed = server.request("PATCH", own, mine, json=update(made["id"], name="y"))
    assert renamed.status_code == 200
    assert server.request("DELETE", own, mine).status_code == 204
    assert server.is_accepted(foreign["attributes"]["key"])


def test_org_read_sees_all_tokens_and_changes_no_others(server):
    made = server.create("the organization's")
    reader = server.person(
        email(), ["user_app_keys", "org_app_keys_read"], MANAGE + ["org_app_keys_read"]
    )
    path = f"{TOKENS}/{made['id']}"
    assert server.get(path, reader).status_code == 200
    listed = server.get(TOKENS, reader, params={"filter": "the organization's"}).json()
    assert made["id"] in [token["id"] for token in listed["data"]]
    errors(server.request("PATCH", path, reader, json=update(made["id"], name="x")), 403)
    errors(server.request("DELETE", path, reader), 403)
    assert server.is_accepted(made["attributes"]["key"])


def test_org_write_changes_and_revokes_the_tokens_of_all_users(server):
    owner = server.person(email(), ["user_app_keys"], MANAGE)
    made = server.create("to be managed", owner)
    writer = server.person(
        email(), ["org_app_keys_read", "org_app_keys_write"],
        ["org_app_keys_read", "org_app_keys_write", "dashboards_read"],
    )
    path = f"{TOKENS}/{made['id']}"
    answer = server.request("PATCH", path, writer, json=update(made["id"], name="managed"))
    assert answer.status_code == 200 and answer.json()["data"]["attributes"]["name"] == "managed"
    assert server.request("DELETE", path, writer).status_code == 204
    assert not server.is_accepted(made["attributes"]["key"])


def test_a_token_cannot_create_one_with_more_scopes_or_a_longer_life(server):
    token = server.person(email(), ["user_app_keys"], MANAGE, expires_in="10d")
    more = creation("x", scopes=["dashboards_read", "monitors_write"], expires_at=in_days(5))
    assert "monitors_write" in " ".join(errors(server.post(TOKENS, token, json=more), 403))
    longer = creation("x", expires_at=in_days(11))
    assert "expires_at" in " ".join(errors(server.post(TOKENS, token, json=longer), 403))
    made = server.create("within", token, expires_at=in_days(5))
    wider = update(made["id"], scopes=["monitors_write"])
    answer = server.request("PATCH", f"{TOKENS}/{made['id']}", token, json=wider)
    assert "monitors_write" in " ".join(errors(answer, 403))


def test_a_disabled_users_tokens_are_rejected(server):
    who = email()
    token = server.person(who)
    server.admin("user", "disable", who)
    end = time.monotonic() + 2
    while server.is_accepted(token) and time.monotonic() < end:
        time.sleep(0.05)
    assert not server.is_accepted(token)


def test_the_command_line_revokes_by_id_and_by_alias(server):
    for name in ("id", "public_portion"):
        made = server.create(f"by {name}")
        key = made["attributes"]["key"]
        server.admin("token", "revoke", made.get(name) or made["attributes"][name])
        end = time.monotonic() + 2
        while server.is_accepted(key) and time.monotonic() < end:
            time.sleep(0.05)
        assert not server.is_accepted(key)


# Requests and responses


def test_brackets_may_be_plain_or_percent_encoded(server):
    tag = uuid.uuid4().hex
    for n in range(3):
        server.create(f"{tag} {n}")
    address = urlsplit(server.url)
    for left, right in (("[", "]"), ("%5B", "%5D"), ("%5b", "%5d")):
        connection = http.client.HTTPConnection(address.hostname, address.port, timeout=30)
        query = f"page{left}size{right}=2&page{left}number{right}=1&filter={tag}"
        connection.request(
            "GET", f"{TOKENS}?{query}", headers={"Authorization": f"Bearer {server.admin_token}"}
        )
        answer = connection.getresponse()
        body = json.loads(answer.read())
        assert answer.status == 200
        assert len(body["data"]) == 1 and body["meta"]["page"]["total_filtered_count"] == 3
        connection.close()


def test_responses_are_json_api_with_its_content_type(server):
    made = server.post(TOKENS, json=creation("typed"))
    token_id = made.json()["data"]["id"]
    path = f"{TOKENS}/{token_id}"
    answers = [
        made, server.get(TOKENS), server.get(path), server.get(EVENTS),
        server.request("PATCH", path, json=update(token_id, name="x")),
        server.get("/api/v2/no_such_path"), server.request("PUT", TOKENS, json={}),
    ]
    for answer in answers:
        assert answer.headers["Content-Type"] == JSON_API, answer.url
    assert answers[-2].status_code == 404 and answers[-1].status_code == 405
    kind = server.get(VALIDATE).headers["Content-Type"]
    assert kind in (JSON_API, "application/json")


def test_a_body_is_accepted_as_json_or_json_api(server):
    for kind in ("application/json", "application/json; charset=utf-8", JSON_API):
        body = json.dumps(creation(kind)).encode()
        answer = server.post(TOKENS, data=body, headers={"Content-Type": kind})
        assert answer.status_code == 201, kind


def test_every_response_to_a_token_contains_its_rate_limit(server):
    for path, name in ((TOKENS, "tokens_read"), (VALIDATE, "validate"), (EVENTS, "audit")):
        headers = server.get(path).headers
        assert headers["X-RateLimit-Name"] == name
        limit, left, reset, period = (
            int(headers[f"X-RateLimit-{part}"]) for part in ("Limit", "Remaining", "Reset", "Period")
        )
        assert 0 <= left < limit and 0 < reset <= period
    made = server.post(TOKENS, json=creation("counted"))
    assert made.headers["X-RateLimit-Name"] == "tokens_write"
    report = server.post(REPORTS, False, json={"reports": []})
    assert report.headers["X-RateLimit-Name"] == "leaks"
    asked = server.post("/oauth2/introspect", data={"token": mint(5)})
    assert asked.headers["X-RateLimit-Name"] == "introspect"


def test_a_request_beyond_the_limit_is_a_429_with_the_time_to_wait(serve):
    server = serve("--rate-limit", "tokens_read=2/60", "--rate-limit", "leaks=2/60")
    for send, name in (
        (lambda: server.get(TOKENS), "tokens_read"),
        (lambda: server.post(REPORTS, False, json={"reports": []}), "leaks"),
    ):
        # Five requests cross the end of at most one window.
        answers = [send() for _ in range(5)]
        refused = [answer for answer in answers if answer.status_code == 429]
        assert refused and all(answer.status_code in (200, 429) for answer in answers)
        for answer in refused:
            errors(answer, 429)
            headers = answer.headers
            assert headers["X-RateLimit-Name"] == name
            assert headers["X-RateLimit-Remaining"] == "0" and headers["X-RateLimit-Limit"] == "2"
            assert 0 < int(headers["X-RateLimit-Reset"]) <= 60
            if name == "leaks":
                assert headers["Retry-After"] == headers["X-RateLimit-Reset"]
    assert server.get(VALIDATE).status_code == 200, "classes do not share a limit"


def test_health_readiness_and_metrics_need_no_token(server):
    for path in ("/healthz", "/readyz"):
        assert server.get(path, False).status_code == 200
    answer = server.get("/metrics", False)
    assert answer.status_code == 200
    assert "text" in answer.headers["Content-Type"]
    lines = [line for line in answer.text.splitlines() if line and not line.startswith("#")]
    assert any(line.startswith("ddpatrold_") for line in lines)
    for line in lines:
        float(line.rpartition(" ")[2])
    assert "ddpat_" not in answer.text


def test_a_second_start_prints_no_token_and_the_first_still_works(serve):
    server = serve()
    token = server.admin_token
    assert SHAPE.fullmatch(token)
    assert server.stop() == 0
    server.start()
    assert server.output == []
    assert server.is_accepted(token)


# Leak reports


def test_a_report_returns_a_result_for_each_entry_in_order(server):
    old = expiring(server)
    live, dead = server.create("live"), server.create("dead")
    server.request("DELETE", f"{TOKENS}/{dead['id']}")
    time.sleep(1.1)
    key = live["attributes"]["key"]
    entries = [
        {"token": mint(1)},
        {"token": key, "source": "ddpatrol", "url": "https://example.com/r", "location": "a.py:3"},
        {"token": with_wrong_checksum(key)},
        {"token": dead["attributes"]["key"]},
        {},
        {"token": 7},
        "text",
        {"token": old},
        {"token": with_other_secret(key)},
        {"token": "AKIA0000000000000000"},
        {"token": key},
    ]
    results = server.report_leaks(*entries)
    statuses = [result["status"] for result in results]
    assert statuses == [
        "unknown", "revoked", "invalid", "already_revoked", "invalid", "invalid", "invalid",
        "expired", "unknown", "invalid", "already_revoked",
    ]
    for entry, result in zip(entries, results):
        assert ("detail" in result) == (result["status"] == "invalid"), (entry, result)
        assert ("token_id" in result) == (result["status"] not in ("invalid", "unknown"))
    assert results[1]["token_id"] == live["id"]
    assert not server.is_accepted(key)


def test_a_repeated_report_changes_nothing(server):
    made = server.create("reported twice")
    entry = {"token": made["attributes"]["key"], "source": "ddpatrol"}
    path = f"{TOKENS}/{made['id']}?include=leak_information"
    assert server.report_leaks(entry)[0]["status"] == "revoked"
    first = server.get(path).json()
    for _ in range(3):
        again, = server.report_leaks({**entry, "source": "somebody else"})
        assert again == {"status": "already_revoked", "token_id": made["id"]}
    assert server.get(path).json() == first
    assert first["included"][0]["attributes"]["leak_source"] == "ddpatrol"
    for name in ("revoked", "leak_reported"):
        found = server.events(f"@evt.name:access_token.{name} @asset.id:{made['id']}")
        assert len(found) <= 1, name


def test_with_the_policy_flag_a_leaked_token_stays_live_and_is_listed_as_leaked(serve):
    server = serve("--on-leak", "flag")
    made = server.create("flagged")
    key = made["attributes"]["key"]
    for _ in range(2):
        assert server.report_leaks({"token": key}) == [{"status": "flagged", "token_id": made["id"]}]
    assert server.is_accepted(key)
    listed = server.get(TOKENS, params={"filter[leaked]": "true"}).json()
    assert [token["id"] for token in listed["data"]] == [made["id"]]


def test_a_report_of_ten_thousand_entries_is_accepted_and_one_more_is_a_413(server):
    made = [server.create(f"many {n}")["attributes"]["key"] for n in range(20)]
    entries = [{"token": mint(n)} for n in range(10_000 - len(made))]
    step = len(entries) // len(made)
    for n, key in enumerate(made):
        entries.insert(n * step, {"token": key})
    assert len(entries) == 10_000
    results = server.report_leaks(*entries)
    assert len(results) == 10_000
    statuses = [result["status"] for result in results]
    assert statuses.count("revoked") == len(made) and statuses.count("unknown") == 10_000 - len(made)
    assert not any(server.is_accepted(key) for key in made)
    one_more = server.post(REPORTS, False, json={"reports": entries + [{"token": mint(0)}]})
    errors(one_more, 413)


def test_a_body_beyond_eight_mebibytes_is_a_413(server):
    body = b'{"reports":[' + b" " * (8 * 1024 * 1024) + b"]}"
    headers = {"Content-Type": "application/json", "Connection": "close"}
    errors(server.post(REPORTS, False, data=body, headers=headers), 413)
    assert server.get("/healthz", False).status_code == 200


def test_an_invalid_report_is_a_400(server):
    for body in ({}, {"reports": {}}, [], {"reports": "x"}, None):
        errors(server.post(REPORTS, False, data=json.dumps(body), headers={
            "Content-Type": "application/json"}))


# GitHub's partner alert


@pytest.fixture(scope="module")
def partner(binary, new_database, github):
    """A server that uses the stand-in's keys."""
    from server import Server

    options = (*HIGH_LIMITS, "--github-keys-url", github.url)
    running = Server(binary, new_database("sqlite"), *options).start()
    yield running
    running.stop()


def test_a_signed_alert_revokes_and_returns_labels(partner, github):
    made = partner.create("on github")
    key, other = made["attributes"]["key"], mint(77)
    body = alert(other, key, "not a token")
    answer = partner.post(ALERTS, False, data=body, headers=github.headers(body))
    assert answer.status_code == 200, answer.text
    assert answer.json() == [
        {"token_hash": digest(other), "token_type": "ddpatrol_pat", "label": "false_positive"},
        {"token_hash": digest(key), "token_type": "ddpatrol_pat", "label": "true_positive"},
        {"token_hash": digest("not a token"), "token_type": "ddpatrol_pat", "label": "false_positive"},
    ]
    assert key not in answer.text
    assert not partner.is_accepted(key)
    seen = partner.get(f"{TOKENS}/{made['id']}?include=leak_information").json()
    assert "github" in seen["included"][0]["attributes"]["leak_source"].lower()


def test_an_alert_with_a_bad_signature_is_rejected_and_changes_nothing(partner, github):
    key = partner.create("not leaked")["attributes"]["key"]
    body = alert(key)
    good = github.headers(body)
    stranger = ec.generate_private_key(ec.SECP256R1())
    cases = {
        "another key": (body, github.headers(body, private=stranger)),
        "unknown identifier": (body, github.headers(body, identifier="nobody's")),
        "another body": (alert(key, key), good),
        "one byte more": (body + b" ", good),
        "no base64": (body, signed("current", "!")),
        "no DER": (body, signed("current", base64.b64encode(b"x" * 64).decode())),
        "empty": (body, signed("current", "")),
        "no signature": (body, {"Github-Public-Key-Identifier": "current"}),
        "no identifier": (body, {
            k: v for k, v in good.items() if k != "Github-Public-Key-Identifier"}),
        "no headers": (body, {"Content-Type": "application/json"}),
    }
    for name, (sent, headers) in cases.items():
        answer = partner.post(ALERTS, False, data=sent, headers=headers)
        assert answer.status_code in (400, 401, 403), f"{name}: {answer.status_code}"
        assert answer.json()["errors"], name
    assert partner.is_accepted(key)


def test_githubs_keys_are_fetched_once_for_many_alerts(partner, github):
    body = alert(mint(3))
    partner.post(ALERTS, False, data=body, headers=github.headers(body))
    before = github.fetches
    for _ in range(10):
        assert partner.post(ALERTS, False, data=body, headers=github.headers(body)).ok
    assert github.fetches == before


@pytest.mark.parametrize("key, status", [("public_key", 200), ("must_fail_under", 401)])
def test_the_published_signature_is_valid_for_its_key_and_no_other(serve, github, key, status):
    vector = json.loads(VECTOR.read_text())
    identifier = vector["key_identifier"]
    github.keys[identifier] = vector[key]
    try:
        server = serve("--github-keys-url", github.url)
        headers = signed(identifier, vector["signature"])
        answer = server.post(ALERTS, False, data=vector["payload"].encode(), headers=headers)
    finally:
        del github.keys[identifier]
    assert answer.status_code == status, answer.text
    if status == 200:
        expected = {"token_hash": digest("some_token"), "token_type": "some_type"}
        assert answer.json() == [{**expected, "label": "false_positive"}]


def test_a_key_of_another_type_does_not_affect_the_others(serve, github):
    github.keys["p384"] = public(ec.generate_private_key(ec.SECP384R1()))
    try:
        server = serve("--github-keys-url", github.url)
        body = alert(mint(4))
        answer = server.post(ALERTS, False, data=body, headers=github.headers(body))
    finally:
        del github.keys["p384"]
    assert answer.status_code == 200, answer.text


# OAuth


def test_rfc_7009_revokes_a_token_and_reveals_nothing_about_others(server):
    made = server.create("held")
    key = made["attributes"]["key"]
    for form in (
        {"token": with_other_secret(key)}, {"token": mint(8)}, {"token": "nonsense"},
        {"token": key, "token_type_hint": "access_token"}, {"token": key},
    ):
        before = server.is_accepted(key)
        answer = server.post("/oauth2/revoke", False, data=form)
        assert answer.status_code == 200, answer.text
        assert server.is_accepted(key) == (before and form["token"] != key)
    found = server.events(f"@evt.name:access_token.revoked @asset.id:{made['id']}")
    assert len(found) == 1


def test_oauth_requests_without_a_token_in_a_form_are_invalid_requests(server):
    for path, token in (("/oauth2/revoke", False), ("/oauth2/introspect", None)):
        for options in ({"data": {"hint": "x"}}, {"json": {"token": mint(1)}}, {"data": b""}):
            answer = server.post(path, token, **options)
            assert answer.status_code == 400, answer.text
            assert answer.json()["error"] == "invalid_request"


def test_rfc_7662_describes_a_live_token_and_only_reports_others_as_inactive(server):
    made = server.create("asked about", scopes=["dashboards_read", "metrics_read"])
    key = made["attributes"]["key"]
    response = server.post("/oauth2/introspect", data={"token": key})
    assert response.status_code == 200
    assert response.headers["Content-Type"].startswith("application/json")
    body = response.json()
    assert body["active"] is True and body["scope"].split() == ["dashboards_read", "metrics_read"]
    assert body["sub"] == made["relationships"]["owned_by"]["data"]["id"]
    end = datetime.fromisoformat(made["attributes"]["expires_at"].replace("Z", "+00:00"))
    assert body["exp"] == int(end.timestamp())
    assert abs(body["iat"] - time.time()) < 60
    assert key not in response.text
    server.request("DELETE", f"{TOKENS}/{made['id']}")
    for token in (key, mint(9), with_wrong_checksum(key), "x"):
        assert server.post("/oauth2/introspect", data={"token": token}).json() == {"active": False}


def test_introspection_requires_the_scope_and_the_permission(server):
    errors(server.post("/oauth2/introspect", False, data={"token": mint(1)}), 401)
    without_scope = server.person(email(), ["tokens_introspect"], ["dashboards_read"])
    without_permission = server.person(email(), [], ["tokens_introspect"])
    for token in (without_scope, without_permission):
        answer = server.post("/oauth2/introspect", token, data={"token": mint(1)})
        assert "tokens_introspect" in " ".join(errors(answer, 403))
    both = server.person(email(), ["tokens_introspect"], ["tokens_introspect"])
    answer = server.post("/oauth2/introspect", both, data={"token": mint(1)})
    assert answer.json() == {"active": False}


# The audit trail


def names(found):
    return [event["attributes"]["attributes"]["evt"]["name"] for event in found]


def test_the_trail_contains_a_tokens_events_in_order_in_the_public_format(server):
    made = server.create("storied")
    token_id, key = made["id"], made["attributes"]["key"]
    path = f"{TOKENS}/{token_id}"
    server.request("PATCH", path, json=update(token_id, name="renamed"))
    agent = {"User-Agent": "story/1.0", "dd-application-key": key}
    assert server.get(VALIDATE, False, headers=agent).status_code == 200
    server.report_leaks({"token": key, "source": "ddpatrol"})
    assert not server.is_accepted(key)
    wanted = ["created", "updated", "used", "leak_reported", "revoked"]
    found = server.wait_for_events(f"@asset.id:{token_id}", 6)
    found_names = [name.removeprefix("access_token.") for name in names(found)]
    assert set(wanted) <= set(found_names), found_names
    places = {name: found_names.index(name) for name in wanted}
    assert places["created"] < places["updated"] < places["used"]
    assert places["used"] < min(places["leak_reported"], places["revoked"])

    for event in found:
        assert set(event) == {"id", "type", "attributes"} and event["type"] == "audit"
        outer = event["attributes"]
        assert set(outer) == {"timestamp", "message", "tags", "attributes"}
        inner = outer["attributes"]
        assert inner["evt"]["actor"]["type"]
        assert inner["asset"] == {"type": "personal_access_tokens", "id": token_id}
        assert inner["action"] and inner["auth_method"] and isinstance(inner["metadata"], dict)
        assert alias(token_id) in json.dumps(event)
        assert SHAPE.fullmatch(key).group(2) not in json.dumps(event)
    used = found[found_names.index("used")]["attributes"]["attributes"]
    assert used["http"]["method"] == "GET" and used["http"]["status_code"] == 200
    assert used["http"]["url_details"]["path"] == VALIDATE
    assert used["http"]["useragent"] == "story/1.0"
    assert used["network"]["client"]["ip"] == "127.0.0.1"
    assert used["usr"]["email"] == "admin@localhost" and uuid.UUID(used["usr"]["id"])
    created = found[0]["attributes"]["attributes"]
    assert created["http"]["method"] == "POST" and created["http"]["status_code"] == 201
    assert used["auth_method"] != created["auth_method"], "one by dd-application-key, one by Bearer"


def test_the_trail_contains_every_answered_use_once(server):
    made = server.create("used often")
    key = made["attributes"]["key"]
    for n in range(50):
        assert server.is_accepted(key)
    query = f"@evt.name:access_token.used @asset.id:{made['id']}"
    assert len(server.wait_for_events(query, 50)) == 50


def test_last_used_at_follows_a_use(server):
    made = server.create("used")
    assert server.is_accepted(made["attributes"]["key"])
    end = time.monotonic() + 10
    while True:
        seen = server.get(f"{TOKENS}/{made['id']}").json()["data"]["attributes"]["last_used_at"]
        if seen or time.monotonic() > end:
            break
        time.sleep(0.1)
    age = datetime.now(timezone.utc) - datetime.fromisoformat(seen[:19] + "+00:00")
    assert timedelta(0) <= age < timedelta(minutes=1)


def test_the_trail_is_paged_by_a_cursor_without_gaps_or_repeats(server):
    made = server.create("paged")
    for n in range(7):
        server.request("PATCH", f"{TOKENS}/{made['id']}", json=update(made["id"], name=f"n{n}"))
    query = f"@asset.id:{made['id']}"
    whole = server.events(query)
    assert len(whole) == 8
    for limit in (1, 3, 8, 100):
        assert server.events(query, **{"page[limit]": limit}) == whole
    newest_first = server.events(query, sort="-timestamp", **{"page[limit]": 3})
    assert newest_first == whole[::-1]


def test_the_trail_is_filtered_by_name_method_token_user_and_time(server):
    who = email()
    token = server.person(who, ["user_app_keys"], MANAGE)
    made = server.create("filtered", token)
    user = made["relationships"]["owned_by"]["data"]["id"]
    server.request("DELETE", f"{TOKENS}/{made['id']}", token)
    by_id = server.events(f"@asset.id:{made['id']}")
    assert names(by_id) == ["access_token.created", "access_token.revoked"]
    method = by_id[0]["attributes"]["attributes"]["auth_method"]
    for query in (
        f"@evt.name:access_token.created @asset.id:{made['id']}",
        f"@evt.name:access_token.created @usr.id:{user} @auth_method:{method}",
        f"@usr.email:{who} @evt.name:access_token.created @auth_method:{method}",
    ):
        assert by_id[0] in server.events(query), query
    assert server.events(f"@auth_method:nobody @asset.id:{made['id']}") == []
    first, last = (event["attributes"]["timestamp"] for event in by_id)
    query = f"@asset.id:{made['id']}"
    assert server.events(query, **{"filter[from]": last}) == by_id[1:]
    assert server.events(query, **{"filter[from]": in_days(1)}) == []
    assert by_id[1] not in server.events(query, **{"filter[to]": first})
    hour_ago = in_days(-1 / 24)
    assert server.events(query, **{"filter[from]": hour_ago, "filter[to]": in_days(1)}) == by_id


def test_an_invalid_search_of_the_trail_is_a_400_with_the_parameter(server):
    for name, value in {
        "filter[query]": "@nope:1", "filter[from]": "yesterday", "filter[to]": "x",
        "page[limit]": "0", "page[cursor]": "x", "sort": "name",
    }.items():
        assert name in " ".join(errors(server.get(EVENTS, params={name: value})))


def test_the_trail_requires_audit_logs_read(server):
    token = server.person(email(), ["user_app_keys"], MANAGE)
    assert "audit_logs_read" in " ".join(errors(server.get(EVENTS, token), 403))
    reader = server.person(email(), ["audit_logs_read"], ["audit_logs_read"])
    assert server.get(EVENTS, reader).status_code == 200


def test_a_token_expires_at_its_second_with_one_event(server):
    token = expiring(server, seconds=2)
    begun = time.monotonic()
    accepted = 0
    while server.is_accepted(token):
        accepted += 1
        assert time.monotonic() - begun < 2.2, "the token is in use, so it is cached everywhere"
    assert accepted and time.monotonic() - begun > 1
    token_id = id_of(token)
    query = f"@evt.name:access_token.expired @asset.id:{token_id}"
    assert len(server.wait_for_events(query, 1, seconds=70)) == 1
    time.sleep(1.5)
    assert len(server.events(query)) == 1
    errors(server.get(f"{TOKENS}/{token_id}"), 404)


def test_a_graceful_stop_loses_no_event(serve):
    server = serve(*HIGH_LIMITS)
    made = server.create("until the end")
    key = made["attributes"]["key"]
    for _ in range(200):
        assert server.is_accepted(key)
    assert server.stop() == 0
    server.start()
    query = f"@evt.name:access_token.used @asset.id:{made['id']}"
    assert len(server.events(query)) == 200
