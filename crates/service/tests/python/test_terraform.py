"""The requests that Datadog's Terraform provider sends for `datadog_service_account` and
`datadog_service_access_token` without roles, in its order, with the response values that it reads."""

import uuid

import pytest

ACCOUNTS = "/api/v2/service_accounts"
USERS = "/api/v2/users"
NAME = "Service account linked to some user"


@pytest.fixture
def email():
    return f"{uuid.uuid4().hex}@test.com"


def send(server, method, path, status, body=None):
    """Sends a request as the provider's client does, and returns the decoded response."""
    headers = {"Accept": "application/json" if method != "DELETE" else "*/*"}
    answer = server.request(method, path, headers=headers, json=body)
    assert answer.status_code == status, answer.text
    return answer.json()["data"] if answer.content else None


def account_creation(email):
    attributes = {"email": email, "name": NAME, "service_account": True}
    relationships = {"roles": {"data": []}}
    return {"data": {"attributes": attributes, "relationships": relationships, "type": "users"}}


def account_update(account, email, disabled=False):
    attributes = {"disabled": disabled, "email": email, "name": "renamed"}
    return {"data": {"attributes": attributes, "id": account, "type": "users"}}


def check_account(user, email, name, disabled=False):
    """Checks the values that the provider copies into its state."""
    attributes = user["attributes"]
    assert (attributes["email"], attributes["name"]) == (email, name)
    assert attributes["disabled"] is disabled
    assert user["relationships"]["roles"]["data"] == []


def test_a_service_account_is_created_read_updated_and_destroyed(server, email):
    made = send(server, "POST", ACCOUNTS, 201, account_creation(email))
    check_account(made, email, NAME)
    path = f"{USERS}/{made['id']}"
    check_account(send(server, "GET", path, 200), email, NAME)
    changed = send(server, "PATCH", path, 200, account_update(made["id"], email))
    check_account(changed, email, "renamed")
    send(server, "DELETE", path, 204)
    check_account(send(server, "GET", path, 200), email, "renamed", disabled=True)


def test_a_destroyed_service_account_is_found_by_its_address_and_enabled(server, email):
    made = send(server, "POST", ACCOUNTS, 201, account_creation(email))
    send(server, "DELETE", f"{USERS}/{made['id']}", 204)
    refused = server.post(ACCOUNTS, json=account_creation(email))
    assert refused.status_code == 409
    found, = send(server, "GET", f"{USERS}?filter={email}", 200)
    assert found["id"] == made["id"] and found["attributes"]["service_account"]
    update = account_update(made["id"], email)
    check_account(send(server, "PATCH", f"{USERS}/{made['id']}", 200, update), email, "renamed")


def test_an_access_token_is_created_read_updated_and_destroyed(server, email):
    account = send(server, "POST", ACCOUNTS, 201, account_creation(email))["id"]
    path = f"{ACCOUNTS}/{account}/access_tokens"
    attributes = {"name": "CI", "scopes": ["dashboards_read", "monitors_read"]}
    creation = {"data": {"attributes": attributes, "type": "service_access_tokens"}}
    made = send(server, "POST", path, 201, creation)
    assert made["attributes"]["key"] and made["attributes"]["expires_at"] is None
    seen = send(server, "GET", f"{path}/{made['id']}", 200)["attributes"]
    assert seen["last_used_at"] is None and "key" not in seen
    assert seen["public_portion"] == made["attributes"]["public_portion"]
    attributes = {"name": "CI 2", "scopes": ["dashboards_read"]}
    update = {"attributes": attributes, "id": made["id"], "type": "service_access_tokens"}
    changed = send(server, "PATCH", f"{path}/{made['id']}", 200, {"data": update})["attributes"]
    assert (changed["name"], changed["scopes"]) == ("CI 2", ["dashboards_read"])
    send(server, "DELETE", f"{path}/{made['id']}", 204)
    # The provider removes a token from its state if it is gone.
    send_missing = server.get(f"{path}/{made['id']}")
    assert send_missing.status_code == 404


def test_roles_are_refused_with_the_alternative(server, email):
    body = account_creation(email)
    body["data"]["relationships"]["roles"]["data"] = [{"id": str(uuid.uuid4()), "type": "roles"}]
    answer = server.post(ACCOUNTS, json=body)
    assert answer.status_code == 400 and "admin user grant" in answer.text
