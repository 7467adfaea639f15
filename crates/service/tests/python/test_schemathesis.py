"""Generated requests from the service's own OpenAPI document: no 5xx, no answer outside the schema."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server import TOKENS, VALIDATE, Server

# What the issue asks for. Others of schemathesis' checks are left out: they want a fault found by the
# schema to be refused where the service is deliberately lenient (members that it does not know), and
# they drop the credentials of a caller to see a 401, which test_wire.py does.
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = {
    ("GET", TOKENS), ("POST", TOKENS),
    ("GET", TOKENS + "/{token_id}"), ("PATCH", TOKENS + "/{token_id}"),
    ("DELETE", TOKENS + "/{token_id}"),
    ("GET", VALIDATE), ("GET", "/api/v2/audit/events"),
    ("POST", "/leaks/v1/reports"), ("POST", "/leaks/v1/github"),
    ("POST", "/oauth2/revoke"), ("POST", "/oauth2/introspect"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
}


@pytest.fixture(scope="module")
def generous(binary, new_database, github):
    """A server without rate limits: 429 would hide every other answer."""
    options = ("--no-rate-limit", "--github-keys-url", github.url)
    running = Server(binary, new_database("sqlite"), *options).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def api(generous):
    """The served document."""
    return schemathesis.openapi.from_url(generous.url + "/api/v2/openapi.json")


schema = schemathesis.pytest.from_fixture("api")


def test_the_document_names_every_operation(generous):
    document = generous.get("/api/v2/openapi.json").json()
    methods = {"get", "post", "put", "patch", "delete", "head", "options"}
    named = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations.keys() & methods
    }
    assert OPERATIONS <= named


@schema.parametrize()
@settings(
    max_examples=25, deadline=None, derandomize=True,
    phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
)
def test_no_generated_request_is_answered_outside_the_schema(case, generous):
    case.call_and_validate(
        headers={"Authorization": f"Bearer {generous.admin_token}"}, checks=CHECKS, timeout=30
    )
