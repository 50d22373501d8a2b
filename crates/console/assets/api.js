// Calls, signed as SDKs sign them. Keys come with the session and stay in this page's memory.

export class ServiceError extends Error {
  constructor(status, code, message) {
    super(message);
    Object.assign(this, { status, code });
  }
}

/** What the session told; see `signedIn`. */
export let session;
export const setSession = (it) => (session = it);

const text = new TextEncoder();
const base64 = (bytes) => btoa(String.fromCharCode(...new Uint8Array(bytes)));
const base64url = (bytes) => base64(bytes).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
const unbase64 = (it) => Uint8Array.from(atob(it), (c) => c.charCodeAt(0));

async function hmac(key, message) {
  const algorithm = { name: "HMAC", hash: "SHA-256" };
  const imported = await crypto.subtle.importKey("raw", key, algorithm, false, ["sign"]);
  return crypto.subtle.sign("HMAC", imported, text.encode(message));
}

/** The parts of a connection string, names in lower case. */
export function parse(connectionString) {
  const pairs = connectionString.split(";").filter(Boolean).map((part) => {
    const at = part.indexOf("=");
    return [part.slice(0, at).trim().toLowerCase(), part.slice(at + 1)];
  });
  return Object.fromEntries(pairs);
}

export const resources = (service) => session.resources.filter((it) => it.service === service);

/** What went wrong, in the words of the service that said it. */
async function refusal(response) {
  const body = await response.text();
  let code = response.statusText, message = body;
  try {
    const json = JSON.parse(body);
    const error = json.error ?? json;
    const inner = error.details?.[0] ?? error.innererror ?? error;
    code = inner.code ?? error.code ?? code;
    message = inner.message ?? error.message ?? body;
  } catch {
    const detail = /<Detail>([^]*?)<\/Detail>/.exec(body);
    if (detail) message = detail[1].replace(/&quot;/g, '"').replace(/&lt;/g, "<").replace(/&gt;/g, ">").replace(/&amp;/g, "&");
  }
  if (!message) {
    const challenge = response.headers.get("www-authenticate");
    message = /error_description="([^"]*)"/.exec(challenge ?? "")?.[1] ?? `The server answered ${response.status} ${response.statusText}.`;
  }
  return new ServiceError(response.status, code, message);
}

async function call(url, options = {}) {
  let response;
  try {
    response = await fetch(url, { cache: "no-store", ...options });
  } catch (cause) {
    if (options.signal?.aborted) throw cause;
    throw new ServiceError(0, "Unreachable", "The server does not answer. If it was restarted, reload this page.");
  }
  if (response.ok) return response;
  const error = await refusal(response);
  if (error.code === "SignedOut") window.dispatchEvent(new CustomEvent("signed-out", { detail: error.message }));
  throw error;
}

async function answer(response) {
  const body = await response.text();
  if (!body) return undefined;
  try { return JSON.parse(body); } catch { return body; }
}

const JSON_HEADERS = { "content-type": "application/json" };
const post = (body) => ({ method: "POST", headers: JSON_HEADERS, body: JSON.stringify(body) });

/** The console's own calls. */
export const console_ = {
  ways: async () => answer(await call("/console/api/sign-in")),
  signIn: (code) => call("/console/api/sign-in", post({ code })),
  signOut: () => call("/console/api/sign-out", post({})),
  session: async () => (session = await answer(await call("/console/api/session"))),
  replaceKey: async (service, name, key) => (session = await answer(await call("/console/api/keys", post({ service, name, key })))),
};

/** The routes for operators, as commands use them. */
export const operator = {
  get: async (path, query = {}) => answer(await call(`/console/api/operator${path}${queryOf(query)}`)),
  post: async (path, body, headers = {}) => {
    const options = post(body);
    return answer(await call(`/console/api/operator${path}`, { ...options, headers: { ...options.headers, ...headers } }));
  },
  text: async (path) => (await call(`/console/api/operator${path}`)).text(),
  /** Lines of JSON as they come, until `signal`. */
  async follow(path, signal, each) {
    const response = await call(`/console/api/operator${path}`, { signal });
    const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    for (;;) {
      const { done, value } = await reader.read();
      if (done) return;
      const lines = (rest + value).split("\n");
      rest = lines.pop();
      lines.filter(Boolean).forEach((line) => each(JSON.parse(line)));
    }
  },
};

export function queryOf(query) {
  const pairs = Object.entries(query).filter(([, value]) => value !== undefined && value !== null && value !== "");
  return pairs.length ? `?${new URLSearchParams(pairs)}` : "";
}

// Web PubSub ------------------------------------------------------------------------------------

async function jwt(claims, key) {
  const now = Math.floor(Date.now() / 1000);
  const part = (it) => base64url(text.encode(JSON.stringify(it)));
  const head = `${part({ alg: "HS256", typ: "JWT" })}.${part({ iat: now, nbf: now - 60, exp: now + 3600, ...claims })}`;
  return `${head}.${base64url(await hmac(text.encode(key), head))}`;
}

/** A Web PubSub resource. */
export class WebPubSub {
  constructor(resource = resources("webpubsub")[0]) {
    this.resource = resource;
    const { endpoint, accesskey } = parse(resource.keys[0].connectionString);
    Object.assign(this, { endpoint: endpoint.replace(/\/$/, ""), key: accesskey });
    // One of several is picked by its host name, which a page cannot choose; the console can.
    this.base = resource.host ? `/console/at/${resource.host}` : "";
  }
  /** A call of the data plane, on a path below a hub. */
  async rest(method, hub, path, { query = {}, body, headers } = {}) {
    const at = `/api/hubs/${encodeURIComponent(hub)}${path}${queryOf({ "api-version": "2024-12-01", ...query })}`;
    const token = await jwt({ aud: `${this.endpoint}${at}` }, this.key);
    const response = await call(`${this.base}${at}`, { method, body, headers: { authorization: `Bearer ${token}`, ...headers } });
    return answer(response);
  }
  /** Where a client connects, with a token for it. */
  async clientUrl(hub, { user, roles = [], groups = [] } = {}) {
    const aud = `${this.endpoint}/client/hubs/${hub}`;
    const claims = { aud, role: roles, "webpubsub.group": groups };
    if (user) claims.sub = user;
    const url = new URL(`${this.base}/client/hubs/${encodeURIComponent(hub)}`, location.href);
    url.protocol = url.protocol.replace("http", "ws");
    url.searchParams.set("access_token", await jwt(claims, this.key));
    return url;
  }
}

// Communication ---------------------------------------------------------------------------------

const CHAT = "2025-03-15";

/** The Communication resource: signed calls of a backend, and calls of its users. */
export class Communication {
  constructor(resource = resources("communication")[0]) {
    this.resource = resource;
    this.key = parse(resource.keys[0].connectionString).accesskey;
  }
  async signed(method, path, body) {
    const at = `${path}?api-version=2023-10-01`;
    const content = body === undefined ? "" : JSON.stringify(body);
    const hash = base64(await crypto.subtle.digest("SHA-256", text.encode(content)));
    const date = new Date().toUTCString();
    const signature = base64(await hmac(unbase64(this.key), `${method}\n${at}\n${date};${location.host};${hash}`));
    const headers = {
      "content-type": "application/json", "x-ms-date": date, "x-ms-content-sha256": hash,
      authorization: `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`,
    };
    return answer(await call(at, { method, headers, body: content || undefined }));
  }
  createUser = () => this.signed("POST", "/identities", { createTokenWithScopes: ["chat"] });
  issueToken = async (id) => (await this.signed("POST", `/identities/${encodeURIComponent(id)}/:issueAccessToken`, { scopes: ["chat"] })).token;
}

/** A call of chat, with a user's token. */
export async function chat(token, method, path, body, query = {}) {
  const url = `/chat/threads${path}${queryOf({ "api-version": CHAT, ...query })}`;
  const headers = { authorization: `Bearer ${token}`, ...(body === undefined ? {} : JSON_HEADERS) };
  const kind = method === "PATCH" ? { "content-type": "application/merge-patch+json" } : {};
  return answer(await call(url, { method, headers: { ...headers, ...kind }, body: body === undefined ? undefined : JSON.stringify(body) }));
}

/** Any call with a user's token. */
export async function asUser(token, url, options = {}) {
  return call(url, { ...options, headers: { "x-skypetoken": token, ...options.headers } });
}

// Event Grid, Notification Hubs, management -------------------------------------------------------

/** Publishes events to a topic by its key. */
export async function publish(topic, key, events) {
  const path = `/topics/${encodeURIComponent(topic)}/api/events?api-version=2018-01-01`;
  return answer(await call(path, { ...post(events), headers: { ...JSON_HEADERS, "aeg-sas-key": key } }));
}

/** A call of the resource manager. */
export async function management(method, path, body, version = "2025-02-15") {
  const headers = { authorization: `Bearer ${session.management.token}`, ...(body === undefined ? {} : JSON_HEADERS) };
  const options = { method, headers, body: body === undefined ? undefined : JSON.stringify(body) };
  return answer(await call(`${path}${queryOf({ "api-version": version })}`, options));
}

/** A notification hub, by one of its policies. */
export class NotificationHub {
  constructor(resource) {
    this.resource = resource;
    const full = resource.keys.find((it) => it.rights?.includes("Manage")) ?? resource.keys[0];
    Object.assign(this, parse(full.connectionString));
  }
  async call(method, path, { body, headers = {}, query = {} } = {}) {
    const audience = encodeURIComponent(`${location.origin}/`.toLowerCase());
    const expires = Math.floor(Date.now() / 1000) + 600;
    const signature = encodeURIComponent(base64(await hmac(text.encode(this.sharedaccesskey), `${audience}\n${expires}`)));
    const authorization = `SharedAccessSignature sr=${audience}&sig=${signature}&se=${expires}&skn=${this.sharedaccesskeyname}`;
    const url = `/${encodeURIComponent(this.resource.name)}${path}${queryOf({ "api-version": "2020-06", ...query })}`;
    return call(url, { method, body, headers: { authorization, ...headers } });
  }
}

/** Calls that need no credential, such as the inbox of the fake push services. */
export const open = async (path, options) => answer(await call(path, options));
