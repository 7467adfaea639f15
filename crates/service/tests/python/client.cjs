// Datadog's official npm client with the service: the life of a personal access token and of a
// service account's token. Reads the address and the token of the service from SERVICE_URL and
// SERVICE_TOKEN, prints what the client returned as JSON, and fails with the client's error.
const { client, v2 } = require("@datadog/datadog-api-client");

const { SERVICE_URL, SERVICE_TOKEN, SERVICE_EMAIL, SERVICE_HEADER } = process.env;
const authMethods =
  SERVICE_HEADER === "bearer"
    ? { AuthZ: { accessToken: SERVICE_TOKEN } }
    : { apiKeyAuth: "no API key of ours", appKeyAuth: SERVICE_TOKEN };
const configuration = client.createConfiguration({
  baseServer: new client.BaseServerConfiguration(SERVICE_URL, {}),
  authMethods,
});

async function personal() {
  const keys = new v2.KeyManagementApi(configuration);
  const type = "personal_access_tokens";
  const expiresAt = new Date(Date.now() + 30 * 24 * 3600 * 1000);
  const attributes = { name: "npm client", scopes: ["dashboards_read"], expiresAt };
  const made = await keys.createPersonalAccessToken({ body: { data: { type, attributes } } });
  const tokenId = made.data.id;
  const seen = await keys.getPersonalAccessToken({ tokenId });
  const update = { type, id: tokenId, attributes: { name: "npm client 2" } };
  const changed = await keys.updatePersonalAccessToken({ tokenId, body: { data: update } });
  const listed = await keys.listPersonalAccessTokens({ filter: "npm client 2", pageSize: 5 });
  await keys.revokePersonalAccessToken({ tokenId });
  const status = await keys.getPersonalAccessToken({ tokenId }).then(() => 200, (e) => e.code);
  return { made, seen, changed, listed, status };
}

async function serviceAccount() {
  const accounts = new v2.ServiceAccountsApi(configuration);
  const attributes = { email: SERVICE_EMAIL, serviceAccount: true, title: "robot" };
  const body = { data: { type: "users", attributes } };
  const account = await accounts.createServiceAccount({ body });
  const serviceAccountId = account.data.id;
  const type = "service_access_tokens";
  const wanted = { name: "npm client", scopes: ["dashboards_read"] };
  const made = await accounts.createServiceAccountAccessToken({
    serviceAccountId,
    body: { data: { type, attributes: wanted } },
  });
  const tokenId = made.data.id;
  const seen = await accounts.getServiceAccountAccessToken({ serviceAccountId, tokenId });
  const update = { type, id: tokenId, attributes: { name: "npm client 2" } };
  const changed = await accounts.updateServiceAccountAccessToken({
    serviceAccountId,
    tokenId,
    body: { data: update },
  });
  const listed = await accounts.listServiceAccountAccessTokens({ serviceAccountId });
  await accounts.revokeServiceAccountAccessToken({ serviceAccountId, tokenId });
  await new v2.UsersApi(configuration).disableUser({ userId: serviceAccountId });
  const status = await accounts
    .getServiceAccountAccessToken({ serviceAccountId, tokenId })
    .then(() => 200, (error) => error.code);
  return { account, made, seen, changed, listed, status };
}

async function main() {
  console.log(JSON.stringify({ personal: await personal(), account: await serviceAccount() }));
}

main().catch((error) => {
  console.error(error);
  process.exit(1);
});
