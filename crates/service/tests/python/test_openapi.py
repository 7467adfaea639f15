"""The OpenAPI document is valid for tools other than the one that generated it, and complete."""

import json
import os
import subprocess
from pathlib import Path

import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from conftest import required
from server import Server

RULES = Path(__file__).parent / "redocly.yaml"
LIMITS = {f"X-RateLimit-{name}" for name in ("Limit", "Period", "Remaining", "Reset", "Name")}


@pytest.fixture(scope="module")
def document(binary, new_database):
    running = Server(binary, new_database("sqlite")).start()
    yield running.get("/api/v2/openapi.json").json()
    running.stop()


def operations(document):
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def test_openapi_spec_validator_finds_no_error(document):
    assert document["openapi"].startswith("3.1")
    assert [error.message for error in OpenAPIV31SpecValidator(document).iter_errors()] == []


def test_redocly_finds_no_error_and_no_warning(document, tmp_path):
    modules = Path(required("DDPATROL_TEST_NODE")) / "node_modules"
    file = tmp_path / "openapi.json"
    file.write_text(json.dumps(document))
    environment = os.environ | {
        "REDOCLY_TELEMETRY": "off", "REDOCLY_SUPPRESS_UPDATE_NOTICE": "true", "NO_COLOR": "1",
    }
    done = subprocess.run(
        [modules / ".bin" / "redocly", "lint", file, "--config", RULES, "--format", "json"],
        env=environment, capture_output=True, text=True, timeout=120,
    )
    problems = json.loads(done.stdout)["problems"]
    found = [(p["ruleId"], p["message"], p["location"][0].get("pointer")) for p in problems]
    assert found == []
    assert done.returncode == 0, done.stderr


def test_limited_operations_describe_the_headers_of_their_limits(document):
    for name, operation in operations(document):
        limited = operation["tags"] != ["Operation"]
        for status, response in operation["responses"].items():
            headers = response.get("headers", {}).keys()
            assert (LIMITS <= headers) == limited, f"{name} {status}"


def test_every_body_has_an_example(document):
    def schemas(node):
        for media in node.get("content", {}).values():
            for part in [media["schema"], *media["schema"].get("oneOf", [])]:
                if "$ref" in part:
                    yield part["$ref"].rpartition("/")[2]

    known = document["components"]["schemas"]
    for name, operation in operations(document):
        nodes = [operation.get("requestBody", {}), *operation["responses"].values()]
        for schema in {schema for node in nodes for schema in schemas(node)}:
            assert known[schema].get("examples"), f"{name}: {schema}"


def test_fixed_values_are_enumerations(document):
    text = json.dumps(document)
    assert '"enum": ["name", "created_at", "expires_at", "last_used_at", "leaked", "-name"' in text
    assert '"enum": ["live", "expiring", "expired", "revoked", "leaked"]' in text


def test_the_document_names_the_project_and_the_server(document):
    info = document["info"]
    assert info["license"]["identifier"] == "MIT OR Apache-2.0"
    assert info["contact"]["name"] == "ddpatrol"
    assert [server["url"] for server in document["servers"]] == ["/"]
