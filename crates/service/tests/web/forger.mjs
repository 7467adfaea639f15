// A provider that answers with a faulty ID token, which the file given by STATE describes. Its own
// certified counterpart, provider.mjs, does not make such tokens.
import { createServer } from "node:http";
import { createSign, generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";

const [own, other] = [1, 2].map(() => generateKeyPairSync("rsa", { modulusLength: 2048 }));
const state = () => JSON.parse(readFileSync(process.env.STATE, "utf8"));
const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");
const nonces = new Map();

const sign = (claims, fault) => {
  const head = fault === "algorithm" ? { alg: "none" } : { alg: "RS256", kid: "own" };
  const text = `${encode(head)}.${encode(claims)}`;
  if (fault === "algorithm") return `${text}.`;
  const key = (fault === "signature" ? other : own).privateKey;
  return `${text}.${createSign("RSA-SHA256").update(text).sign(key, "base64url")}`;
};

const server = createServer(async (request, response) => {
  const url = new URL(request.url, issuer);
  const json = (value) => {
    response.setHeader("content-type", "application/json");
    response.end(JSON.stringify(value));
  };
  if (url.pathname === "/.well-known/openid-configuration") {
    return json({
      issuer,
      authorization_endpoint: `${issuer}/auth`,
      token_endpoint: `${issuer}/token`,
      jwks_uri: `${issuer}/keys`,
      response_types_supported: ["code"],
      subject_types_supported: ["public"],
      id_token_signing_alg_values_supported: ["RS256"],
    });
  }
  if (url.pathname === "/keys") {
    return json({ keys: [{ ...own.publicKey.export({ format: "jwk" }), kid: "own", alg: "RS256", use: "sig" }] });
  }
  if (url.pathname === "/auth") {
    const code = String(nonces.size);
    nonces.set(code, url.searchParams.get("nonce"));
    const back = new URL(url.searchParams.get("redirect_uri"));
    back.searchParams.set("code", code);
    back.searchParams.set("state", url.searchParams.get("state"));
    response.writeHead(302, { location: back.href });
    return response.end();
  }
  let body = "";
  for await (const part of request) body += part;
  const { fault, claims } = state();
  const now = Math.floor(Date.now() / 1000);
  const token = {
    iss: fault === "issuer" ? "https://other.example" : issuer,
    sub: "ada",
    aud: fault === "audience" ? "another" : "ddpatrold",
    iat: now,
    exp: fault === "expired" ? now - 3600 : now + 300,
    nonce: fault === "nonce" ? "another" : nonces.get(new URLSearchParams(body).get("code")),
    ...claims,
  };
  if (fault === "no nonce") delete token.nonce;
  json({ access_token: "x", token_type: "Bearer", id_token: sign(token, fault) });
});
await new Promise((resolve) => server.listen(0, "127.0.0.1", resolve));
const issuer = `http://127.0.0.1:${server.address().port}`;
console.log(issuer);
