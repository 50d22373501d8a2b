// Tokens signed by hand, so that a suite can get each part of one wrong.
import { createHmac } from "node:crypto";

const encode = (value) => Buffer.from(JSON.stringify(value)).toString("base64url");

/** Now, in the seconds that token claims use. */
export const nowSeconds = () => Math.floor(Date.now() / 1000);

/** An HS256 token. The key is used as text, as the SDKs do. */
export function sign(key, claims) {
  const signed = `${encode({ alg: "HS256", typ: "JWT" })}.${encode(claims)}`;
  return `${signed}.${createHmac("sha256", key).update(signed).digest("base64url")}`;
}

/** A good token for `audience`, unless `claims` spoil it. */
export function tokenFor(key, audience, claims = {}) {
  return sign(key, { aud: audience, iat: nowSeconds(), exp: nowSeconds() + 600, ...claims });
}
