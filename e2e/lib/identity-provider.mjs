// An identity provider: OpenID Connect discovery, its keys, the tokens that it signs, and a page where
// people sign in. It is strict: what a client must not do is refused.
import { createHash, generateKeyPairSync, randomUUID, sign } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

export class IdentityProvider {
  #keys = [];
  #requests = new Map();
  #codes = new Map();
  /** What clients may do: `{ id, secret, redirectUri }`. */
  client = {};
  /** Who can sign in, by name: the claims of their ID token, and those of the userinfo endpoint. */
  people = {};
  /** Changes the claims of ID tokens before they are signed. */
  spoil = (claims) => claims;

  static async start() {
    const provider = new IdentityProvider();
    provider.rotate();
    provider.listener = http.createServer((request, response) => provider.#answer(request, response));
    provider.listener.listen(0, "127.0.0.1");
    await once(provider.listener, "listening");
    provider.issuer = `http://127.0.0.1:${provider.listener.address().port}/tenant`;
    return provider;
  }

  /** Signs with a new key from now on; the old ones stay published. */
  rotate() {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const kid = `key-${this.#keys.length}`;
    this.#keys.push({ kid, privateKey, jwk: { ...publicKey.export({ format: "jwk" }), kid, use: "sig" } });
  }

  /** A token with these claims beside the usual ones. */
  token(claims = {}) {
    const { kid, privateKey } = this.#keys.at(-1);
    const now = Math.floor(Date.now() / 1000);
    const all = { iss: this.issuer, sub: "ann", iat: now, exp: now + 600, ...claims };
    const message = `${encode({ alg: "RS256", typ: "JWT", kid })}.${encode(all)}`;
    return `${message}.${sign("sha256", Buffer.from(message), privateKey).toString("base64url")}`;
  }

  async close() {
    this.listener.close();
    this.listener.closeAllConnections();
    await once(this.listener, "close");
  }

  async #answer(request, response) {
    const { pathname, searchParams } = new URL(request.url, this.issuer);
    const json = (body, status = 200) => response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    const { issuer } = this;
    switch (pathname) {
      case "/tenant/.well-known/openid-configuration":
        return json({
          issuer,
          jwks_uri: `${issuer}/keys`,
          authorization_endpoint: `${issuer}/authorize`,
          token_endpoint: `${issuer}/token`,
          userinfo_endpoint: `${issuer}/userinfo`,
          authorization_response_iss_parameter_supported: true,
        });
      case "/tenant/keys":
        return json({ keys: this.#keys.map(({ jwk }) => jwk) });
      case "/tenant/authorize":
        return response.writeHead(200, { "content-type": "text/html" }).end(this.#page(searchParams));
      case "/tenant/decide":
        return response.writeHead(302, { location: this.#decide(searchParams) }).end();
      case "/tenant/token": {
        const body = (await request.toArray()).join("");
        return json(...this.#exchange(request.headers.authorization, new URLSearchParams(body)));
      }
      case "/tenant/userinfo": {
        const who = this.people[request.headers.authorization?.replace("Bearer access-of-", "")];
        return who ? json({ sub: who.claims.sub, ...who.userInfo }) : json({ error: "invalid_token" }, 401);
      }
      default:
        return json({}, 404);
    }
  }

  /** The page that asks who somebody is. */
  #page(query) {
    const { client_id, redirect_uri, response_type, code_challenge_method } = Object.fromEntries(query);
    const faults = [
      client_id !== this.client.id && "client_id",
      redirect_uri !== this.client.redirectUri && "redirect_uri",
      response_type !== "code" && "response_type",
      code_challenge_method !== "S256" && "code_challenge_method",
      !/\bopenid\b/.test(query.get("scope")) && "scope",
      !["state", "nonce", "code_challenge"].every((name) => query.get(name)?.length >= 43) && "state, nonce, code_challenge",
    ].filter(Boolean);
    if (faults.length) return `<h1>Not understood: ${faults}</h1>`;
    const id = randomUUID();
    this.#requests.set(id, query);
    const choices = [...Object.keys(this.people), "nobody"];
    return `<h1>Who are you?</h1>${choices.map((name) => `<a href="${this.issuer}/decide?request=${id}&as=${name}">${name}</a> `).join("")}`;
  }

  /** Where the browser goes back to. */
  #decide(query) {
    const request = this.#requests.get(query.get("request"));
    const back = new URL(request.get("redirect_uri"));
    const name = query.get("as");
    back.searchParams.set("state", request.get("state"));
    back.searchParams.set("iss", this.issuer);
    if (name === "nobody") {
      back.searchParams.set("error", "access_denied");
      back.searchParams.set("error_description", "The person said <b>no</b>");
    } else {
      const code = randomUUID();
      this.#codes.set(code, { name, request });
      back.searchParams.set("code", code);
    }
    return back.href;
  }

  /** Tokens for a code, as body and status. */
  #exchange(authorization, form) {
    const { id, secret, redirectUri } = this.client;
    const basic = `Basic ${Buffer.from(`${encodeURIComponent(id)}:${encodeURIComponent(secret)}`).toString("base64")}`;
    const known = secret ? authorization === basic : !authorization && form.get("client_id") === id;
    if (!known) return [{ error: "invalid_client", error_description: "Who are you?" }, 401];
    const { name, request } = this.#codes.get(form.get("code")) ?? {};
    this.#codes.delete(form.get("code"));
    const challenge = createHash("sha256").update(form.get("code_verifier") ?? "").digest("base64url");
    const fits = request && form.get("grant_type") === "authorization_code" && form.get("redirect_uri") === redirectUri
      && challenge === request.get("code_challenge");
    if (!fits) return [{ error: "invalid_grant" }, 400];
    const claims = { aud: id, nonce: request.get("nonce"), ...this.people[name].claims };
    return [{ token_type: "Bearer", access_token: `access-of-${name}`, id_token: this.token(this.spoil(claims)) }];
  }
}
