// A strict, certified authorization server (oidc-provider) behind this service's paths. Prints its base URL once it listens.
import http from "node:http";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";
import path from "node:path";

const require = createRequire(path.join(process.argv[2], "package.json"));
const { default: Provider, errors } = await import(pathToFileURL(require.resolve("oidc-provider")));

const PREFIX = "/t/acme/api/v1";
const RESOURCE = "https://api.acme.test/documents";
const DEFAULT = "https://api.acme.test/default";
const EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange";
const ACCESS = "urn:ietf:params:oauth:token-type:access_token";
const SCOPES = ["read:documents", "write:documents"];

const server = http.createServer();
await new Promise((listening) => server.listen(0, "127.0.0.1", listening));
const base = `http://127.0.0.1:${server.address().port}`;

const client = (id, method, redirect_uris) => ({
  client_id: id,
  client_secret: `secret-of-${id}-0123456789abcdef`,
  redirect_uris,
  response_types: redirect_uris.length ? ["code"] : [],
  grant_types: ["client_credentials", EXCHANGE].concat(
    redirect_uris.length ? ["authorization_code", "refresh_token", "urn:ietf:params:oauth:grant-type:device_code"] : [],
  ),
  token_endpoint_auth_method: method,
});

const provider = new Provider(`${base}${PREFIX}`, {
  clients: [
    client("agent-post", "client_secret_post", ["https://myapp.com/consent"]),
    client("agent-basic", "client_secret_basic", ["https://myapp.com/consent"]),
    client("sub-agent", "client_secret_post", []),
  ],
  scopes: ["openid", "offline_access", ...SCOPES],
  pkce: { methods: ["S256"], required: () => true },
  rotateRefreshToken: true,
  issueRefreshToken: async () => true,
  ttl: { AccessToken: 600, ClientCredentials: 600 },
  findAccount: async (_, id) => ({ accountId: id, claims: async () => ({ sub: id }) }),
  routes: {
    authorization: "/oauth/authorize",
    token: "/oauth/token",
    revocation: "/oauth/revoke",
    introspection: "/oauth/introspect",
    pushed_authorization_request: "/oauth/par",
    device_authorization: "/oauth/device_authorization",
    userinfo: "/oauth/userinfo",
    jwks: "/.well-known/jwks.json",
  },
  features: {
    clientCredentials: { enabled: true },
    revocation: { enabled: true },
    introspection: { enabled: true },
    pushedAuthorizationRequests: { enabled: true },
    deviceFlow: { enabled: true },
    devInteractions: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: () => DEFAULT,
      useGrantedResource: () => true,
      getResourceServerInfo(_, resource) {
        if (resource !== RESOURCE && resource !== DEFAULT) throw new errors.InvalidTarget();
        return { scope: SCOPES.join(" "), accessTokenFormat: "opaque", accessTokenTTL: 600 };
      },
    },
  },
});

// RFC 8693: subject and actor must be live tokens of this server, the actor's of the client that asks.
provider.registerGrantType(
  EXCHANGE,
  async (ctx, next) => {
    const { params, client } = ctx.oidc;
    const find = async (token) =>
      (await provider.AccessToken.find(token)) ?? (await provider.ClientCredentials.find(token));
    for (const name of ["subject_token_type", "actor_token_type"]) {
      if (params[name] && params[name] !== ACCESS) throw new errors.InvalidRequest(`unsupported ${name}`);
    }
    const subject = params.subject_token && (await find(params.subject_token));
    if (!subject) throw new errors.InvalidGrant("subject_token is not valid");
    let actor;
    if (params.actor_token) {
      actor = await find(params.actor_token);
      if (!actor) throw new errors.InvalidGrant("actor_token is not valid");
    }
    const granted = subject.scope ? subject.scope.split(" ") : [];
    const asked = params.scope ? params.scope.split(" ") : granted.filter((scope) => SCOPES.includes(scope));
    if (asked.some((scope) => !granted.includes(scope))) throw new errors.InvalidScope("wider than the subject", params.scope);
    if (params.resource && params.resource !== RESOURCE) throw new errors.InvalidTarget();
    const token = new provider.AccessToken({
      accountId: subject.accountId ?? subject.clientId,
      client,
      grantId: subject.grantId,
      gty: "token_exchange",
      scope: asked.join(" ") || undefined,
      extra: actor ? { act: { sub: actor.clientId } } : undefined,
    });
    token.resourceServer = new provider.ResourceServer(params.resource ?? DEFAULT, {
      scope: SCOPES.join(" "),
      accessTokenFormat: "opaque",
    });
    const value = await token.save();
    ctx.body = {
      access_token: value,
      issued_token_type: ACCESS,
      token_type: "Bearer",
      expires_in: token.expiration,
      scope: token.scope,
    };
    await next();
  },
  ["subject_token", "subject_token_type", "actor_token", "actor_token_type", "scope", "resource", "audience", "requested_token_type"],
);

const handle = provider.callback();
server.on("request", (request, response) => {
  // The pages behind the redirects have no prefix.
  if (!request.url.startsWith(`${PREFIX}/`)) {
    handle(request, response);
    return;
  }
  request.originalUrl = request.url;
  request.url = request.url.slice(PREFIX.length);
  // RFC 8414's name for the same document.
  if (request.url === "/.well-known/oauth-authorization-server") request.url = "/.well-known/openid-configuration";
  handle(request, response);
});
console.log(base);
