"""The official Python client with service accounts: every operation on their tokens, and the
client's own typed errors."""

import uuid
from datetime import datetime, timedelta, timezone

import pytest
from datadog_api_client import ApiClient
from datadog_api_client.exceptions import ApiException, ForbiddenException, NotFoundException
from datadog_api_client.v2.api.service_accounts_api import ServiceAccountsApi
from datadog_api_client.v2.api.users_api import UsersApi
from datadog_api_client.v2.model.personal_access_tokens_sort import PersonalAccessTokensSort
from datadog_api_client.v2.model.service_access_tokens_type import ServiceAccessTokensType
from datadog_api_client.v2.model.service_account_access_token_create_attributes import (
    ServiceAccountAccessTokenCreateAttributes,
)
from datadog_api_client.v2.model.service_account_access_token_create_data import (
    ServiceAccountAccessTokenCreateData,
)
from datadog_api_client.v2.model.service_account_access_token_create_request import (
    ServiceAccountAccessTokenCreateRequest,
)
from datadog_api_client.v2.model.service_account_access_token_update_attributes import (
    ServiceAccountAccessTokenUpdateAttributes,
)
from datadog_api_client.v2.model.service_account_access_token_update_data import (
    ServiceAccountAccessTokenUpdateData,
)
from datadog_api_client.v2.model.service_account_access_token_update_request import (
    ServiceAccountAccessTokenUpdateRequest,
)
from datadog_api_client.v2.model.service_account_create_attributes import (
    ServiceAccountCreateAttributes,
)
from datadog_api_client.v2.model.service_account_create_data import ServiceAccountCreateData
from datadog_api_client.v2.model.service_account_create_request import ServiceAccountCreateRequest
from datadog_api_client.v2.model.user_update_attributes import UserUpdateAttributes
from datadog_api_client.v2.model.user_update_data import UserUpdateData
from datadog_api_client.v2.model.user_update_request import UserUpdateRequest
from datadog_api_client.v2.model.users_type import UsersType

from test_official_client import configuration
from token_format import ACCOUNT_SHAPE, alias

TYPE = ServiceAccessTokensType.SERVICE_ACCESS_TOKENS


@pytest.fixture
def client(server):
    with ApiClient(configuration(server, server.admin_token, "all")) as client:
        yield client


@pytest.fixture
def accounts(client):
    return ServiceAccountsApi(client)


@pytest.fixture
def account(accounts):
    """The identifier of a new service account."""
    return accounts.create_service_account(new_account()).data.id


def new_account(email=None):
    attributes = ServiceAccountCreateAttributes(
        email=email or f"{uuid.uuid4().hex}@example.com", service_account=True, title="robot"
    )
    data = ServiceAccountCreateData(attributes=attributes, type=UsersType("users"))
    return ServiceAccountCreateRequest(data=data)


def wanted(name, scopes=("dashboards_read",), **attributes):
    made = ServiceAccountAccessTokenCreateAttributes(name=name, scopes=list(scopes), **attributes)
    return ServiceAccountAccessTokenCreateRequest(
        data=ServiceAccountAccessTokenCreateData(attributes=made, type=TYPE)
    )


def change(token_id, **attributes):
    made = ServiceAccountAccessTokenUpdateAttributes(**attributes)
    return ServiceAccountAccessTokenUpdateRequest(
        data=ServiceAccountAccessTokenUpdateData(id=token_id, type=TYPE, attributes=made)
    )


def test_the_life_of_a_token_from_creation_to_revocation(server, accounts, account):
    made = accounts.create_service_account_access_token(account, wanted("deploy")).data
    assert ACCOUNT_SHAPE.fullmatch(made.attributes.key)
    assert made.attributes.public_portion == "ddsat_" + alias(made.id)
    assert made.attributes.expires_at is None
    assert str(made.relationships.owned_by.data.type) == "service_account"
    assert server.is_accepted(made.attributes.key)

    seen = accounts.get_service_account_access_token(account, made.id).data
    assert seen.attributes.name == "deploy"
    changed = accounts.update_service_account_access_token(
        account, made.id, change(made.id, name="renamed", scopes=["metrics_read"])
    ).data
    assert changed.attributes.name == "renamed" and changed.attributes.scopes == ["metrics_read"]
    assert changed.attributes.modified_at is not None

    accounts.revoke_service_account_access_token(account, made.id)
    assert not server.is_accepted(made.attributes.key)
    with pytest.raises(NotFoundException):
        accounts.get_service_account_access_token(account, made.id)


def test_tokens_are_listed_sorted_filtered_and_paged(accounts, account):
    ahead = datetime.now(timezone.utc) + timedelta(days=30)
    made = [
        accounts.create_service_account_access_token(account, wanted(name, **more)).data.id
        for name, more in [("beta", {}), ("alpha", {"expires_at": ahead}), ("gamma", {})]
    ]
    page = accounts.list_service_account_access_tokens(account)
    assert [token.id for token in page.data] == [made[1], made[0], made[2]]
    assert page.meta.page.total_filtered_count == 3
    expiring = accounts.list_service_account_access_tokens(
        account, sort=PersonalAccessTokensSort.EXPIRES_AT_ASCENDING, page_size=1
    )
    assert [token.id for token in expiring.data] == [made[1]]
    found = accounts.list_service_account_access_tokens(account, filter="amm")
    assert [token.id for token in found.data] == [made[2]]


def test_leaked_tokens_are_listed(server, accounts, account):
    made = accounts.create_service_account_access_token(account, wanted("leaky")).data
    result, = server.report_leaks({"token": made.attributes.key, "source": "ddpatrol"})
    assert result == {"status": "revoked", "token_id": made.id}
    leaked = accounts.list_service_account_access_tokens(account, filter_leaked=True)
    assert [token.id for token in leaked.data] == [made.id]


def test_an_account_is_changed_disabled_and_enabled(server, client, accounts, account):
    users = UsersApi(client)
    key = accounts.create_service_account_access_token(account, wanted("x")).data.attributes.key

    def update(**attributes):
        data = UserUpdateData(
            id=account, type=UsersType("users"), attributes=UserUpdateAttributes(**attributes)
        )
        return users.update_user(account, UserUpdateRequest(data=data)).data.attributes

    assert update(name="Robot").name == "Robot"
    users.disable_user(account)
    assert not server.is_accepted(key) and users.get_user(account).data.attributes.disabled
    assert update(disabled=False).disabled is False
    assert server.is_accepted(key)


def test_errors_are_typed_exceptions(server, accounts, account):
    email = accounts.create_service_account(new_account()).data.attributes.email
    with pytest.raises(ApiException) as refused:
        accounts.create_service_account(new_account(email.upper()))
    assert refused.value.status == 409
    with pytest.raises(NotFoundException):
        accounts.list_service_account_access_tokens(str(uuid.uuid4()))
    with pytest.raises(ApiException) as refused:
        accounts.create_service_account_access_token(account, wanted("x", ["no_such_scope"]))
    assert refused.value.status == 400 and "no_such_scope" in refused.value.body["errors"][0]
    token = server.person(f"{uuid.uuid4().hex}@example.com", ["user_app_keys"])
    with ApiClient(configuration(server, token)) as weak:
        with pytest.raises(ForbiddenException):
            ServiceAccountsApi(weak).create_service_account(new_account())
