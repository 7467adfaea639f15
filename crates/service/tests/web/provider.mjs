// A certified OpenID provider (npm oidc-provider) for the tests: the interaction page signs in whoever
// is named in the file given by STATE, and claims are taken from there. Prints its address.
import { createRequire } from "node:module";
import { createServer } from "node:http";
import { readFileSync } from "node:fs";

const require = createRequire(`${process.env.DDPATROL_TEST_NODE}/package.json`);
const { Provider } = await import(require.resolve("oidc-provider"));
const state = () => JSON.parse(readFileSync(process.env.STATE, "utf8"));

const server = createServer();
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
const provider = new Provider(issuer, {
  clients: [
    {
      client_id: "ddpatrold",
      client_secret: "provider-secret",
      redirect_uris: [process.env.REDIRECT],
      token_endpoint_auth_method: "client_secret_basic",
    },
  ],
  claims: { openid: ["sub", "groups", "auth_time"], email: ["email", "email_verified"], profile: ["name"] },
  conformIdTokenClaims: false,
  features: { devInteractions: { enabled: false } },
  pkce: { required: () => true },
  cookies: { keys: ["test"] },
  jwks: undefined,
  findAccount: (_, id) => ({ accountId: id, claims: () => ({ sub: id, ...state().claims }) }),
  interactions: { url: (_, interaction) => `/interaction/${interaction.uid}` },
});
const handle = provider.callback();
server.on("request", async (request, response) => {
  if (!request.url.startsWith("/interaction/")) return handle(request, response);
  const { prompt, params, session } = await provider.interactionDetails(request, response);
  if (prompt.name === "login") {
    const { subject } = state();
    return provider.interactionFinished(request, response, { login: { accountId: subject } });
  }
  const grant = new provider.Grant({ accountId: session.accountId, clientId: params.client_id });
  grant.addOIDCScope("openid email profile");
  const grantId = await grant.save();
  return provider.interactionFinished(request, response, { consent: { grantId } }, { mergeWithLastSubmission: true });
});
console.log(issuer);
