"""Fills a service with people, tokens, leaks and hostile names, so that every page has content."""

import json
from datetime import UTC, datetime, timedelta

TOKENS = "/api/v2/personal_access_tokens"
LONG = "deploy " + "very-long-name-" * 16 + "end"
LONG = LONG[:255]
RIGHT_TO_LEFT = "مفتاح النشر الخاص بالفريق"
HOSTILE = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'; alert(1) //",
    "</title><svg onload=alert(1)>",
    "{{7*7}} ${7*7} javascript:alert(1)",
    "&lt;b&gt; &amp; &#39;",
]


def create(service, token, name, scopes, days=30):
    """Creates a token through the API. Returns its identifier and its key."""
    end = (datetime.now(UTC) + timedelta(days=days)).isoformat(timespec="seconds")
    attributes = {"name": name, "scopes": list(scopes), "expires_at": end}
    body = {"data": {"type": "personal_access_tokens", "attributes": attributes}}
    status, answer = service.call(TOKENS, token, body)
    assert status == 201, (status, name)
    return answer["data"]["id"], answer["data"]["attributes"]["key"]


def fill(service):
    """Adds people and tokens. Returns the administrator's token."""
    root = service.issue(name="fleet automation", expires_in="300d")
    service.add("ada@example.com", "user_app_keys", "audit_logs_read", name="Ada Lovelace")
    service.add("grace@example.com", "user_app_keys", "org_app_keys_read", name="Grace Hopper")
    service.add("linus@example.com", "user_app_keys", name="Linus")
    service.add("noor@example.com", "user_app_keys", name=RIGHT_TO_LEFT)
    create(service, root, "deploy dashboards", ["dashboards_read", "dashboards_write"], 90)
    create(service, root, "nightly monitor export", ["monitors_read"], 5)
    create(service, root, "terraform", ["dashboards_write", "monitors_write", "monitors_downtime"], 12)
    create(service, root, LONG, ["dashboards_read"])
    create(service, root, RIGHT_TO_LEFT, ["dashboards_read", "monitors_read"], 200)
    for name in HOSTILE:
        create(service, root, name, ["dashboards_read"])
    for email, name in [("ada@example.com", "laptop"), ("grace@example.com", "ci"), ("linus@example.com", "grafana proxy")]:
        service.issue(email, name, ["dashboards_read", "metrics_read", "user_app_keys"])
    body = {"data": {"type": "users", "attributes": {"email": "robots@example.com", "name": "Deployment robots", "title": "CI", "service_account": True}}}
    status, answer = service.call("/api/v2/service_accounts", root, body)
    assert status == 201, status
    attributes = {"name": "nightly deployment", "scopes": ["dashboards_read"]}
    body = {"data": {"type": "service_access_tokens", "attributes": attributes}}
    path = f"/api/v2/service_accounts/{answer['data']['id']}/access_tokens"
    status, _ = service.call(path, root, body)
    assert status == 201, status
    leaked = [create(service, root, name, ["dashboards_read"])[1] for name in ("old ci token", "workshop")]
    service.call("/api/v2/validate_keys", leaked[0], headers={"user-agent": HOSTILE[1]})
    service.leak(leaked[0])
    service.leak(leaked[1], HOSTILE[0], "http://pastes.example.org/" + "a" * 150, HOSTILE[1])
    gone, _ = create(service, root, "retired", ["dashboards_read"])
    service.call(f"{TOKENS}/{gone}", root, method="DELETE")
    changed, _ = create(service, root, "changing", ["dashboards_read"])
    attributes = {"name": "changed", "scopes": ["dashboards_read", "monitors_read"]}
    body = {"data": {"type": "personal_access_tokens", "id": changed, "attributes": attributes}}
    status, _ = service.call(f"{TOKENS}/{changed}", root, body, method="PATCH")
    assert status == 200, json.dumps(body)
    return root
