// An identity provider: OpenID Connect discovery, its keys, and the tokens that it signs.
import { generateKeyPairSync, sign } from "node:crypto";
import { once } from "node:events";
import http from "node:http";

const encode = (value) => Buffer.from(typeof value === "string" ? value : JSON.stringify(value)).toString("base64url");

export class IdentityProvider {
  #keys = [];

  static async start() {
    const provider = new IdentityProvider();
    provider.rotate();
    provider.listener = http.createServer(({ url }, response) => {
      const { issuer } = provider;
      const pages = {
        "/tenant/.well-known/openid-configuration": { issuer, jwks_uri: `${issuer}/keys` },
        "/tenant/keys": { keys: provider.#keys.map(({ jwk }) => jwk) },
      };
      response.writeHead(pages[url] ? 200 : 404, { "content-type": "application/json" }).end(JSON.stringify(pages[url] ?? {}));
    });
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
}
