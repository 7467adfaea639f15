"""The official npm client with the service, in a process of its own (client.cjs)."""

import json
import os
import subprocess
import uuid
from pathlib import Path

import pytest

from conftest import required
from token_format import ACCOUNT_SHAPE, SHAPE

SCRIPT = Path(__file__).parent / "client.cjs"


def run(server, header):
    """Runs the client's script and returns what it printed."""
    modules = Path(required("DDPATROL_TEST_NODE")) / "node_modules"
    environment = {k: v for k, v in os.environ.items() if not k.lower().endswith("_proxy")} | {
        "NODE_PATH": str(modules),
        "SERVICE_URL": server.url,
        "SERVICE_TOKEN": server.admin_token,
        "SERVICE_EMAIL": f"{uuid.uuid4().hex}@example.com",
        "SERVICE_HEADER": header,
    }
    done = subprocess.run(
        ["node", SCRIPT], env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.mark.parametrize("header", ["bearer", "application key"])
def test_the_npm_client_manages_tokens_of_people_and_service_accounts(server, header):
    printed = run(server, header)
    for kind, shape, type_name in [
        ("personal", SHAPE, "personal_access_tokens"),
        ("account", ACCOUNT_SHAPE, "service_access_tokens"),
    ]:
        calls = printed[kind]
        made = calls["made"]["data"]
        assert shape.fullmatch(made["attributes"]["key"]) and made["type"] == type_name
        assert calls["seen"]["data"]["id"] == made["id"]
        assert calls["seen"]["data"]["attributes"]["scopes"] == ["dashboards_read"]
        assert calls["changed"]["data"]["attributes"]["name"] == "npm client 2"
        assert [token["id"] for token in calls["listed"]["data"]] == [made["id"]]
        assert calls["status"] == 404
        assert not server.is_accepted(made["attributes"]["key"])
    account = printed["account"]["account"]["data"]
    assert account["attributes"]["serviceAccount"] is True
    # The client does not know the shape of an answer that it cannot parse.
    assert "unparsedObject" not in json.dumps(printed)
