"""Requests generated from the service's OpenAPI document: no 5xx, no response outside of the schema."""

import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from server import TOKENS, VALIDATE, Server

# The required checks. schemathesis has others that do not apply: they expect requests that violate the schema to be
# rejected where the service is deliberately lenient (unknown members of a leak report), and they drop the caller's credentials to expect
# a 401, which test_wire.py tests.
EXAMPLES = 60
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
ACCOUNTS = "/api/v2/service_accounts"
ACCOUNT_TOKENS = ACCOUNTS + "/{service_account_id}/access_tokens"
OPERATIONS = {
    ("GET", TOKENS), ("POST", TOKENS),
    ("GET", TOKENS + "/{token_id}"), ("PATCH", TOKENS + "/{token_id}"),
    ("DELETE", TOKENS + "/{token_id}"), ("POST", TOKENS + "/{token_id}/rotate"),
    ("GET", VALIDATE), ("GET", "/api/v1/validate"), ("GET", "/api/v2/audit/events"),
    ("POST", "/api/v2/audit/events/search"),
    ("GET", "/api/v2/users"), ("GET", "/api/v2/users/{user_id}"), ("GET", "/api/v2/current_user"),
    ("PATCH", "/api/v2/users/{user_id}"), ("DELETE", "/api/v2/users/{user_id}"),
    ("POST", ACCOUNTS), ("GET", ACCOUNT_TOKENS), ("POST", ACCOUNT_TOKENS),
    ("GET", ACCOUNT_TOKENS + "/{token_id}"), ("PATCH", ACCOUNT_TOKENS + "/{token_id}"),
    ("DELETE", ACCOUNT_TOKENS + "/{token_id}"),
    ("POST", "/leaks/v1/reports"), ("POST", "/leaks/v1/github"),
    ("POST", "/oauth2/revoke"), ("POST", "/oauth2/introspect"),
    ("GET", "/healthz"), ("GET", "/readyz"), ("GET", "/metrics"),
}


@pytest.fixture(scope="module")
def generous(binary, new_database, github):
    """A server without rate limits: 429 would hide every other response."""
    options = ("--no-rate-limit", "--github-keys-url", github.url)
    running = Server(binary, new_database("sqlite"), *options).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def schema(generous):
    """The OpenAPI document of the server."""
    return schemathesis.openapi.from_url(generous.url + "/api/v2/openapi.json")


def test_the_document_contains_every_operation_and_all_are_tested_here(generous):
    document = generous.get("/api/v2/openapi.json").json()
    methods = {"get", "post", "put", "patch", "delete", "head", "options", "trace"}
    named = {
        (method.upper(), path)
        for path, operations in document["paths"].items()
        for method in operations.keys() & methods
    }
    assert named == OPERATIONS


@pytest.mark.parametrize("mode", list(GenerationMode), ids=lambda mode: mode.value)
@pytest.mark.parametrize("method, path", sorted(OPERATIONS), ids=str)
def test_no_generated_request_is_answered_outside_the_schema(generous, schema, method, path, mode):
    authorization = {"Authorization": f"Bearer {generous.admin_token}"}
    operation = schema[path][method]
    if mode is GenerationMode.NEGATIVE and not takes_input(operation):
        return

    @settings(
        max_examples=EXAMPLES, deadline=None, derandomize=True, database=None,
        phases=[Phase.explicit, Phase.generate], suppress_health_check=list(HealthCheck),
    )
    @given(case=operation.as_strategy(generation_mode=mode))
    def check(case):
        case.call_and_validate(headers=authorization, checks=CHECKS, timeout=30)

    check()


def takes_input(operation):
    """Returns `True` if an operation has any input that could be invalid."""
    return bool(list(operation.iter_parameters()) or operation.body)
