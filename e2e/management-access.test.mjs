// Who may make management calls, and what every call has in common, seen by plain HTTP requests.
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { PATIENCE_MS, eventually, within } from "./lib/deadline.mjs";
import { request } from "./lib/http.mjs";
import { Lines } from "./lib/lines.mjs";
import { BINARY, Server, temporaryFolder } from "./lib/server.mjs";

const run = promisify(execFile);
const VERSION = "api-version=2025-02-15";
const GROUP = "/subscriptions/any/resourceGroups/any";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const call = (path, { method = "GET", token = "development", headers = {}, body } = {}) =>
  request(`${server.ready.https}${path}`, {
    method,
    headers: { ...(token && { authorization: `Bearer ${token}` }), ...headers },
    body: body && JSON.stringify(body),
    ca: server.ca,
  });

const told = ({ status, json }) => [status, json().error.code];

test("in development any token is let in, and none is not", async () => {
  assert.equal((await call(`/subscriptions?${VERSION}`)).status, 200);
  const refused = await call(`/subscriptions?${VERSION}`, { token: null });
  assert.deepEqual(told(refused), [401, "AuthenticationFailed"]);
  const challenge = `Bearer authorization_uri="${server.ready.https}/common", error="invalid_token"`;
  assert.equal(refused.headers["www-authenticate"], challenge);
  assert.match(refused.json().error.message, /any token will do/);
});

test("in production the management key is the token, until it is replaced", async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const [file, ready] = [join(folder.path, "tidings.toml"), join(folder.path, "ready.json")];
  await writeFile(file, `
    [server]
    bind = "127.0.0.1"
    http_port = 0
    admin_port = 0
    [data]
    folder = "data"
    [[resource]]
    name = "chat"
    kind = "webpubsub"
  `);
  const keys = async (...args) => (await run(BINARY, ["keys", ...args, "--config", file])).stdout.trim();
  const primary = await keys("show", "management", "primary");
  const secondary = await keys("show", "management", "secondary");

  const log = new Lines();
  const served = spawn(BINARY, ["serve", "--config", file, "--ready-file", ready]);
  const ended = once(served, "close");
  served.stderr.on("data", (bytes) => log.push(bytes));
  t.after(async () => {
    served.kill("SIGINT");
    await within(PATIENCE_MS, () => `end of the server:\n${log}`, ended);
  });
  await log.containing("serving");
  const { http } = JSON.parse(await readFile(ready, "utf8"));
  const status = async (token) => {
    const headers = { authorization: `Bearer ${token}` };
    return (await request(`${http}/subscriptions?${VERSION}`, { headers })).status;
  };
  assert.equal(await status(primary), 200);
  assert.equal(await status(secondary), 200);
  const refused = await request(`${http}/subscriptions?${VERSION}`, { headers: { authorization: "Bearer development" } });
  assert.deepEqual(told(refused), [401, "AuthenticationFailed"]);
  assert.match(refused.json().error.message, /tidings keys show management primary/);

  const replaced = await keys("rotate", "management", "primary");
  await eventually("the replaced key counts", async () => (await status(replaced)) === 200);
  assert.equal(await status(primary), 401);
  assert.equal(await status(secondary), 200);
  for (const key of [primary, secondary, replaced]) assert.ok(!`${log}`.includes(key), "no key in the log");
});

test("a call names its version", async () => {
  assert.deepEqual(told(await call("/subscriptions")), [400, "MissingApiVersionParameter"]);
  assert.deepEqual(told(await call("/subscriptions?api-version=new")), [400, "InvalidApiVersionParameter"]);
  assert.equal((await call("/subscriptions?api%2Dversion=2017-04-01")).status, 200);
});

test("ids of requests tie calls together", async () => {
  const headers = { "x-ms-client-request-id": "mine", "x-ms-correlation-request-id": "deployment" };
  const { headers: answered } = await call(`/subscriptions?${VERSION}`, { headers });
  assert.equal(answered["x-ms-client-request-id"], "mine");
  assert.equal(answered["x-ms-correlation-request-id"], "deployment");
  assert.match(answered["x-ms-request-id"], /^[0-9a-f-]{36}$/);
});

test("subscriptions and groups exist once they are named", async () => {
  const group = `/subscriptions/any/resourcegroups/any?${VERSION}`;
  assert.equal((await call(group, { method: "PUT", body: { location: "global" } })).json().name, "any");
  assert.equal((await call(group, { method: "HEAD" })).status, 204);
  assert.equal((await call(`/subscriptions/any?${VERSION}`)).json().state, "Enabled");
  assert.equal((await call(`/tenants?${VERSION}`)).status, 200);
  const provider = await call(`/subscriptions/any/providers/Microsoft.EventGrid?${VERSION}`);
  assert.equal(provider.json().registrationState, "Registered");
});

test("what lies elsewhere is refused by name", async () => {
  const storage = `${GROUP}/providers/Microsoft.Storage/storageAccounts/one?${VERSION}`;
  assert.deepEqual(told(await call(storage)), [404, "InvalidResourceNamespace"]);
  const topic = `${GROUP}/providers/Microsoft.EventGrid/topics/no-such-topic?${VERSION}`;
  assert.deepEqual(told(await call(topic)), [404, "ResourceNotFound"]);
  assert.deepEqual(told(await call(topic, { method: "POST" })), [405, "MethodNotAllowed"]);
  assert.deepEqual(told(await call(topic, { method: "PUT", body: {} })), [400, "LocationRequired"]);
});

test("tools find the addresses of the cloud without a credential", async () => {
  const at = (version) => call(`/metadata/endpoints?api-version=${version}`, { token: null });
  assert.equal((await at("2022-09-01")).json().resourceManager, server.ready.https);
  assert.equal((await at("2019-05-01")).json()[0].resourceManager, server.ready.https);
  assert.equal((await at("2015-01-01")).json().authentication.loginEndpoint, server.ready.https);
});
