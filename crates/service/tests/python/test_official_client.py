"""The official Python client with the service: every operation, both kinds of credentials, and the
client's own typed errors."""

import time
import uuid
from datetime import datetime, timedelta, timezone

import pytest
from datadog_api_client import ApiClient, Configuration
from datadog_api_client.exceptions import (
    ApiException,
    ForbiddenException,
    NotFoundException,
    UnauthorizedException,
)
from datadog_api_client.v2.api.key_management_api import KeyManagementApi
from datadog_api_client.v2.model.personal_access_token_create_attributes import (
    PersonalAccessTokenCreateAttributes,
)
from datadog_api_client.v2.model.personal_access_token_create_data import (
    PersonalAccessTokenCreateData,
)
from datadog_api_client.v2.model.personal_access_token_create_request import (
    PersonalAccessTokenCreateRequest,
)
from datadog_api_client.v2.model.personal_access_token_update_attributes import (
    PersonalAccessTokenUpdateAttributes,
)
from datadog_api_client.v2.model.personal_access_token_update_data import (
    PersonalAccessTokenUpdateData,
)
from datadog_api_client.v2.model.personal_access_token_update_request import (
    PersonalAccessTokenUpdateRequest,
)
from datadog_api_client.v2.model.personal_access_tokens_include_query_parameter_item import (
    PersonalAccessTokensIncludeQueryParameterItem,
)
from datadog_api_client.v2.model.personal_access_tokens_sort import PersonalAccessTokensSort
from datadog_api_client.v2.model.personal_access_tokens_type import PersonalAccessTokensType

from server import VALIDATE, creation
from token_format import SHAPE, alias

LEAKS = [PersonalAccessTokensIncludeQueryParameterItem.LEAK_INFORMATION]
TYPE = PersonalAccessTokensType.PERSONAL_ACCESS_TOKENS


def configuration(server, token, credentials="bearer", **options):
    """Returns a client configuration with a token in one of the supported headers."""
    made = Configuration(host=server.url, **options)
    if credentials in ("bearer", "all"):
        made.access_token = token
    if credentials in ("application key", "all"):
        made.api_key["appKeyAuth"] = token
        made.api_key["apiKeyAuth"] = "no API key of ours"
    return made


@pytest.fixture
def keys(request, server):
    """The client's key management API with the administrator's token."""
    with ApiClient(configuration(server, server.admin_token, request.param)) as client:
        yield KeyManagementApi(client)


every_credential = pytest.mark.parametrize(
    "keys", ["bearer", "application key", "all"], indirect=True
)
one_credential = pytest.mark.parametrize("keys", ["bearer"], indirect=True)


def in_days(days):
    return datetime.now(timezone.utc) + timedelta(days=days)


def wanted(name, days=30, scopes=("dashboards_read",)):
    attributes = PersonalAccessTokenCreateAttributes(
        name=name, scopes=list(scopes), expires_at=in_days(days)
    )
    return PersonalAccessTokenCreateRequest(
        data=PersonalAccessTokenCreateData(attributes=attributes, type=TYPE)
    )


def change(token_id, **attributes):
    return PersonalAccessTokenUpdateRequest(
        data=PersonalAccessTokenUpdateData(
            id=token_id, type=TYPE, attributes=PersonalAccessTokenUpdateAttributes(**attributes)
        )
    )


def unique(name):
    return f"{name} {uuid.uuid4().hex[:8]}"


@every_credential
def test_the_life_of_a_token_from_creation_to_revocation(server, keys):
    name = unique("life")
    made = keys.create_personal_access_token(wanted(name)).data
    token = made.attributes.key
    assert SHAPE.fullmatch(token)
    assert made.attributes.public_portion == alias(made.id)
    assert made.attributes.name == name and made.attributes.scopes == ["dashboards_read"]
    assert str(made.type) == "personal_access_tokens"

    seen = keys.get_personal_access_token(made.id).data
    assert seen.id == made.id
    assert seen.attributes.last_used_at is None
    assert seen.attributes.expires_at == made.attributes.expires_at
    assert seen.relationships.owned_by.data.id == made.relationships.owned_by.data.id

    changed = keys.update_personal_access_token(
        made.id, change(made.id, name=name + "!", scopes=["dashboards_read", "metrics_read"])
    ).data
    assert changed.attributes.name == name + "!"
    assert changed.attributes.scopes == ["dashboards_read", "metrics_read"]
    assert changed.attributes.modified_at >= made.attributes.created_at - timedelta(seconds=1)

    with ApiClient(configuration(server, token)) as client:
        assert str(KeyManagementApi(client).validate_api_key().status) == "ok"
    assert keys.revoke_personal_access_token(made.id) is None
    with ApiClient(configuration(server, token)) as client:
        with pytest.raises(UnauthorizedException) as refused:
            KeyManagementApi(client).validate_api_key()
        assert refused.value.status == 401 and refused.value.body["errors"]


@every_credential
def test_validation_returns_ok(keys):
    assert str(keys.validate_api_key().status) == "ok"


@one_credential
def test_only_the_response_to_the_creation_contains_the_whole_token(server, keys):
    made = keys.create_personal_access_token(wanted(unique("once"))).data
    key = made.attributes.key
    secret = SHAPE.fullmatch(key).group(2)
    assert server.is_accepted(key)
    answers = [
        keys.get_personal_access_token(made.id, include=LEAKS),
        keys.list_personal_access_tokens(page_size=100),
        keys.update_personal_access_token(made.id, change(made.id, name="renamed")),
    ]
    for answer in answers:
        text = str(answer.to_dict())
        assert made.id in text
        assert secret not in text and "'key'" not in text
    trail = str(server.wait_for_events(f"@asset.id:{made.id}", 3))
    assert made.id in trail and secret not in trail
    assert secret not in "".join(server.errors)


@one_credential
def test_pages_contain_every_token_once(keys):
    tag = unique("paged")
    made = {keys.create_personal_access_token(wanted(f"{tag} {n}")).data.id for n in range(5)}
    seen = []
    for number in range(3):
        page = keys.list_personal_access_tokens(page_size=2, page_number=number, filter=tag)
        assert page.meta.page.total_filtered_count == 5
        assert len(page.data) == (2 if number < 2 else 1)
        seen += [token.id for token in page.data]
    assert set(seen) == made and len(seen) == 5
    assert keys.list_personal_access_tokens(page_size=2, page_number=3, filter=tag).data == []


@one_credential
def test_every_sort_key_and_its_reverse(server, keys):
    tag = unique("sorted")
    made = []
    for name, days in (("b", 30), ("a", 60), ("c", 45)):
        made.append(keys.create_personal_access_token(wanted(f"{tag} {name}", days=days)).data)
    for token in (made[2], made[0], made[1]):
        assert server.is_accepted(token.attributes.key)
        time.sleep(0.01)
    server.wait_for_events("@evt.name:access_token.used", 3)
    deadline = time.monotonic() + 10
    while time.monotonic() < deadline:
        listed = keys.list_personal_access_tokens(filter=tag).data
        if all(token.attributes.last_used_at for token in listed):
            break
        time.sleep(0.1)
    b, a, c = (token.id for token in made)
    expected = {"name": [a, b, c], "created_at": [b, a, c], "expires_at": [b, c, a],
                "last_used_at": [c, b, a]}
    for sort, order in expected.items():
        for text, ids in ((sort, order), ("-" + sort, order[::-1])):
            page = keys.list_personal_access_tokens(
                sort=PersonalAccessTokensSort(text), filter=tag
            )
            assert [token.id for token in page.data] == ids, text
    default = keys.list_personal_access_tokens(filter=tag)
    assert [token.id for token in default.data] == expected["name"]


@one_credential
def test_leaked_tokens_are_listed_sorted_and_described(server, keys):
    tag = unique("leaky")
    sound = keys.create_personal_access_token(wanted(f"{tag} sound")).data
    leaked = keys.create_personal_access_token(wanted(f"{tag} leaked")).data
    result, = server.report_leaks({"token": leaked.attributes.key, "source": "ddpatrol"})
    assert result == {"status": "revoked", "token_id": leaked.id}

    page = keys.list_personal_access_tokens(filter=tag, filter_leaked=True, include=LEAKS)
    assert [token.id for token in page.data] == [leaked.id]
    assert page.meta.page.total_filtered_count == 1
    record = page.data[0].relationships.leak_information.data
    assert str(record.type) == "leaked_keys"
    included, = page.included
    assert included.id == record.id
    assert included.attributes.leak_source == "ddpatrol"
    age = datetime.now(timezone.utc) - included.attributes.date
    assert abs(age) < timedelta(minutes=1)

    one = keys.get_personal_access_token(leaked.id, include=LEAKS)
    assert one.included[0].id == record.id
    other = keys.get_personal_access_token(sound.id, include=LEAKS)
    assert other.data.relationships.leak_information.data is None
    for sort in ("leaked", "-leaked"):
        listed = keys.list_personal_access_tokens(filter=tag, sort=PersonalAccessTokensSort(sort))
        assert sound.id in [token.id for token in listed.data]


@one_credential
def test_lists_are_filtered_by_owner(server, keys):
    tag = unique("owned")
    emails = [f"{uuid.uuid4().hex}@example.com" for _ in range(2)]
    scopes = ["user_app_keys", "dashboards_read"]
    owners = []
    for email in emails:
        token = server.person(email, ["user_app_keys"], scopes)
        made = server.create(tag, token)
        owners.append(made["relationships"]["owned_by"]["data"]["id"])
    keys.create_personal_access_token(wanted(tag))
    assert keys.list_personal_access_tokens(filter=tag).meta.page.total_filtered_count == 3
    for chosen in ([owners[0]], [owners[1]], owners):
        page = keys.list_personal_access_tokens(filter=tag, filter_owned_by=chosen)
        assert sorted(t.relationships.owned_by.data.id for t in page.data) == sorted(chosen)


@one_credential
def test_an_invalid_request_is_an_api_exception_with_the_field(keys):
    with pytest.raises(ApiException) as refused:
        keys.create_personal_access_token(wanted(unique("long"), days=400))
    assert refused.value.status == 400
    assert "expires_at" in refused.value.body["errors"][0]
    with pytest.raises(ApiException) as refused:
        keys.create_personal_access_token(wanted(unique("scope"), scopes=["no_such_scope"]))
    assert refused.value.status == 400 and "no_such_scope" in refused.value.body["errors"][0]


@one_credential
def test_a_request_without_permission_is_a_forbidden_exception(server, keys):
    token = server.person(f"{uuid.uuid4().hex}@example.com", ["user_app_keys"])
    with ApiClient(configuration(server, token)) as client:
        with pytest.raises(ForbiddenException) as refused:
            KeyManagementApi(client).list_personal_access_tokens()
    assert refused.value.status == 403 and refused.value.body["errors"]


@one_credential
def test_a_missing_token_is_a_not_found_exception(keys):
    missing = str(uuid.uuid4())
    for call in (
        lambda: keys.get_personal_access_token(missing),
        lambda: keys.revoke_personal_access_token(missing),
        lambda: keys.update_personal_access_token(missing, change(missing, name="x")),
    ):
        with pytest.raises(NotFoundException) as refused:
            call()
        assert refused.value.status == 404 and refused.value.body["errors"]


def wait_for_a_fresh_window(server):
    """Waits for the next window of the rate limit."""
    answer = server.get(VALIDATE)
    time.sleep(int(answer.headers["X-RateLimit-Reset"]) + 0.1)


def test_too_many_requests_raise_without_retry_and_wait_with_it(serve):
    """Datadog sends X-RateLimit-Reset only: with Retry-After, the client's HTTP library would wait and
    repeat the request by itself, even with retries disabled in the client."""
    server = serve("--rate-limit", "validate=2/3")
    with ApiClient(configuration(server, server.admin_token)) as client:
        keys = KeyManagementApi(client)
        # The client imports its models on the first call, which takes longer than a window.
        keys.list_personal_access_tokens()
        wait_for_a_fresh_window(server)
        with pytest.raises(ApiException) as refused:
            for _ in range(3):
                keys.validate_api_key()
    assert refused.value.status == 429
    headers = {name.lower(): value for name, value in refused.value.headers.items()}
    assert headers["x-ratelimit-name"] == "validate"
    reset = int(headers["x-ratelimit-reset"])
    assert 1 <= reset <= 3

    with ApiClient(configuration(server, server.admin_token, enable_retry=True)) as client:
        begun = time.monotonic()
        assert str(KeyManagementApi(client).validate_api_key().status) == "ok"
        waited = time.monotonic() - begun
    assert reset - 1 <= waited <= reset + 3


def test_a_rate_limited_creation_is_carried_out_once_by_the_retry(serve):
    server = serve("--rate-limit", "tokens_write=1/3")
    server.post("/api/v2/personal_access_tokens", json=creation("first"))
    with ApiClient(configuration(server, server.admin_token, enable_retry=True)) as client:
        keys = KeyManagementApi(client)
        made = keys.create_personal_access_token(wanted("retried"))
        listed = keys.list_personal_access_tokens(filter="retried")
    assert [token.id for token in listed.data] == [made.data.id]
