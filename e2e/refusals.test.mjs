// A refusal tells the cause and the cure, over REST and at a WebSocket upgrade, and the log tells the
// operator the same under the same id, without the token.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { request } from "./lib/http.mjs";
import { Server } from "./lib/server.mjs";
import { nowSeconds, sign, tokenFor } from "./lib/token.mjs";
import { connectJson, refusedUpgrade } from "./lib/websocket.mjs";

const HUB = "chat";
const SEND = `/api/hubs/${HUB}/:send`;
const CLIENT = `/client/hubs/${HUB}`;
const OTHER_KEY = "a-key-of-another-resource-0123456789-abcdefgh";
const LIMIT = 1024 * 1024;

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const at = (path) => server.ready.https + path;
const good = (path) => tokenFor(server.accessKey, at(path));

/** A send with `token`, or with none. */
function send(token, { path = SEND, body = '"hi"', type = "application/json" } = {}) {
  const headers = { "content-length": Buffer.byteLength(body) };
  if (type !== undefined) headers["content-type"] = type;
  if (token !== undefined) headers.authorization = `Bearer ${token}`;
  return request(at(path), { method: "POST", headers, body, ca: server.ca });
}

/** A client connection with `token` in its URL, or with none; it must be refused. */
function upgrade(token, path = CLIENT) {
  const url = new URL(at(path));
  url.protocol = "wss:";
  if (token !== undefined) url.searchParams.set("access_token", token);
  return refusedUpgrade(url.href, server.ca);
}

/** Asserts what every refusal owes to the caller and to the operator. */
async function assertExplained(answer, message, { status, words, token }) {
  assert.equal(answer.status, status, answer.text);
  for (const word of words) assert.match(message, word);
  const id = answer.headers["x-ms-request-id"];
  assert.ok(id, "the answer carries x-ms-request-id");

  const line = await server.log.containing(id);
  const reason = line.replaceAll('\\"', '"');
  assert.ok(reason.includes(message), `the log line gives the same reason:\n${line}\n${message}`);
  for (const part of (token ?? "").split(".").filter((text) => text.length > 20)) {
    assert.ok(!String(server.log).includes(part), "no part of a token reaches the log");
  }
}

async function assertRestRefusal(answer, { status, code, words, token }) {
  const body = answer.json();
  assert.equal(body.code, code);
  assert.equal(answer.headers["x-ms-error-code"], code);
  await assertExplained(answer, body.message, { status, words, token });
}

/** Tokens that hold nowhere. `audience` is what a good token for the same place would name. */
const BAD_TOKENS = [
  {
    name: "a wrong key",
    token: (audience) => tokenFor(OTHER_KEY, audience),
    words: [/signature/, /key/, /tidings connection-string local/],
  },
  {
    name: "a malformed token",
    token: () => "this-is-not-a-token-but-some-longish-text",
    words: [/malformed/, /three/, /whole token/],
  },
  {
    name: "a token whose payload is no JSON",
    token: (audience) => tokenFor(server.accessKey, audience).replace(/\.[^.]+\./, `.${"QUFB".repeat(9)}.`),
    words: [/token/],
  },
  {
    name: "an expired token",
    token: (audience) => tokenFor(server.accessKey, audience, { exp: nowSeconds() - 3600 }),
    words: [/expired 36\d\d seconds ago/, /clock says \d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ/, /new token/],
  },
  {
    name: "a token without an expiry",
    token: (audience) => sign(server.accessKey, { aud: audience }),
    words: [/no expiry/, /'exp'/],
  },
  {
    name: "a token of another resource",
    token: (audience) => tokenFor(server.accessKey, audience.replace("localhost", "other.example")),
    words: [/other\.example/, /'local' answers to/, /localhost/, /connection string/],
  },
  { name: "no token", token: () => undefined, words: [/No access token/, /Authorization: Bearer/, /access_token/] },
];

for (const { name, token: make, words } of BAD_TOKENS) {
  test(`${name} is refused over REST`, async () => {
    const token = make(at(SEND));
    await assertRestRefusal(await send(token), { status: 401, code: "Unauthorized", words, token });
  });

  test(`${name} is refused at the upgrade`, async () => {
    const token = make(at(CLIENT));
    const answer = await upgrade(token);
    assert.match(answer.headers["content-type"], /^text\/plain/);
    await assertExplained(answer, answer.text, { status: 401, words, token });
  });
}

test("a client token for another hub is refused, naming both hubs", async () => {
  const token = good("/client/hubs/orders");
  const answer = await upgrade(token);
  await assertExplained(answer, answer.text, { status: 401, words: [/'orders'/, /'chat'/, /same hub/], token });
});

test("a REST token for another hub is refused, naming both URLs", async () => {
  const token = good("/api/hubs/orders/:send");
  const words = [/hubs\/orders\/:send/, /hubs\/chat\/:send/, /[Ss]ign/];
  await assertRestRefusal(await send(token), { status: 401, code: "Unauthorized", words, token });
});

test("a client token cannot publish over REST", async () => {
  const token = good(CLIENT);
  const words = [/client access token/, /'chat'/, /cannot call REST/, /service SDK/];
  await assertRestRefusal(await send(token), { status: 401, code: "Unauthorized", words, token });
});

test("a REST token cannot open a client connection", async () => {
  const token = good(SEND);
  const answer = await upgrade(token);
  await assertExplained(answer, answer.text, { status: 401, words: [/client/, /getClientAccessToken/], token });
});

test("an invalid hub name is refused over REST and at the upgrade", async () => {
  const words = [/hub name '1bad'/, /begins with a letter/];
  const restToken = good("/api/hubs/1bad/:send");
  const answer = await send(restToken, { path: "/api/hubs/1bad/:send" });
  await assertRestRefusal(answer, { status: 400, code: "Error.BadRequest", words, token: restToken });

  const clientToken = good("/client/hubs/1bad");
  const refused = await upgrade(clientToken, "/client/hubs/1bad");
  await assertExplained(refused, refused.text, { status: 400, words, token: clientToken });
});

test("a body of one byte above the limit is refused, one at the limit is delivered", async (t) => {
  const token = good(SEND);
  const options = { type: "text/plain" };
  const client = await connectJson(`${at(CLIENT).replace("https:", "wss:")}?access_token=${good(CLIENT)}`, server.ca);
  t.after(() => client.close());

  const tooLarge = await send(token, { ...options, body: "x".repeat(LIMIT + 1) });
  const words = [/too large/, /1048577/, /limit is 1048576/];
  await assertRestRefusal(tooLarge, { status: 413, code: "RequestBodyTooLarge", words, token });

  assert.equal((await send(token, { ...options, body: "x".repeat(LIMIT) })).status, 202);
  assert.equal((await client.nextJson()).data.length, LIMIT);
});

test("a wrong content type is refused, naming the good ones", async () => {
  const token = good(SEND);
  const answer = await send(token, { type: "application/xml", body: "<a/>" });
  const words = [/application\/xml/, /text\/plain/, /application\/json/, /application\/octet-stream/];
  await assertRestRefusal(answer, { status: 415, code: "Error.UnsupportedMediaType", words, token });
});

test("a body that is not the JSON it claims to be is refused", async () => {
  const token = good(SEND);
  const answer = await send(token, { body: "{oops" });
  await assertRestRefusal(answer, { status: 400, code: "Error.BadRequest", words: [/JSON/, /line 1 column \d/], token });
});

test("a request id of the client is echoed beside the server's own", async () => {
  const headers = { "x-ms-client-request-id": "from-the-client-1" };
  const answer = await request(at(SEND), { method: "POST", headers, ca: server.ca });
  assert.equal(answer.headers["x-ms-client-request-id"], "from-the-client-1");
  assert.notEqual(answer.headers["x-ms-request-id"], "from-the-client-1");
});

test("a client URL opened without a WebSocket is a 400 that says so", async () => {
  const token = good(CLIENT);
  const answer = await request(`${at(CLIENT)}?access_token=${token}`, { ca: server.ca });
  await assertExplained(answer, answer.text, { status: 400, words: [/WebSocket/], token });
});

test("a connected client is not disturbed by any refusal", async (t) => {
  const client = await connectJson(`${at(CLIENT).replace("https:", "wss:")}?access_token=${good(CLIENT)}`, server.ca);
  t.after(() => client.close());
  await Promise.all(BAD_TOKENS.map(({ token }) => send(token(at(SEND)))));
  await Promise.all(BAD_TOKENS.map(({ token }) => upgrade(token(at(CLIENT)))));
  assert.equal((await send(good(SEND), { body: '"still here"' })).status, 202);
  assert.equal((await client.nextJson()).data, "still here");
});
