// Start, stop and restart of the program, as a user and an operator see them.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { once } from "node:events";
import { readFile, readdir } from "node:fs/promises";
import { connect } from "node:net";
import { test } from "node:test";
import { promisify } from "node:util";
import { PATIENCE_MS, eventually, within } from "./lib/deadline.mjs";
import { request } from "./lib/http.mjs";
import { BINARY, Server, temporaryFolder } from "./lib/server.mjs";
import { tokenFor } from "./lib/token.mjs";
import { connectJson, connectSimple } from "./lib/websocket.mjs";

const run = promisify(execFile);
const SEND = "/api/hubs/chat/:send";

async function startFor(t, options) {
  const server = await Server.start(options);
  t.after(() => server.stop());
  return server;
}

/** A client URL of the hub `chat`, signed with the access key of `credentials`. */
function clientUrl(endpoint, key) {
  const audience = `${endpoint}/client/hubs/chat`;
  return `${audience.replace(/^http/, "ws")}?access_token=${tokenFor(key, audience)}`;
}

function send(endpoint, key, ca, text) {
  const headers = { "content-type": "text/plain", authorization: `Bearer ${tokenFor(key, endpoint + SEND)}` };
  return request(endpoint + SEND, { method: "POST", headers, body: text, ca });
}

test("the ready file is whole and tells where everything is", async (t) => {
  const { ready, folder } = await startFor(t);
  assert.match(ready.http, /^http:\/\/localhost:\d+$/);
  assert.match(ready.https, /^https:\/\/localhost:\d+$/);
  assert.match(ready.admin, /^http:\/\/(localhost|127\.0\.0\.1):\d+$/);
  assert.match(await readFile(ready.ca, "utf8"), /^-----BEGIN CERTIFICATE-----/);
  const pattern = `^Endpoint=${ready.https};AccessKey=[^;\\s]{32,};Version=1\\.0;$`;
  assert.match(ready.webpubsub.connectionString, new RegExp(pattern));
  assert.deepEqual((await readdir(folder.path)).sort(), ["data", "ready.json"], "no half-written file is left");
});

test("health, readiness and metrics are on the admin listener", async (t) => {
  const { ready, ca } = await startFor(t);
  for (const path of ["/healthz", "/readyz"]) {
    assert.equal((await request(ready.admin + path)).status, 200, path);
  }
  const metrics = await request(`${ready.admin}/metrics`);
  assert.equal(metrics.status, 200);
  assert.match(metrics.text, /^# TYPE \w+ (counter|gauge|histogram)/m);

  for (const endpoint of [ready.http, ready.https]) {
    const health = await request(`${endpoint}/api/health`, { method: "HEAD", ca });
    assert.deepEqual([health.status, health.text], [200, ""]);
  }
  assert.equal((await request(`${ready.http}/metrics`)).status, 404, "metrics are not public");
});

test("plain HTTP serves the same hub as HTTPS", async (t) => {
  const server = await startFor(t);
  const client = await connectJson(clientUrl(server.ready.http, server.accessKey));
  assert.equal((await send(server.ready.https, server.accessKey, server.ca, "over TLS")).status, 202);
  assert.equal((await client.nextJson()).data, "over TLS");
  assert.equal((await send(server.ready.http, server.accessKey, undefined, "in the clear")).status, 202);
  assert.equal((await client.nextJson()).data, "in the clear");
  await client.close();
});

test("Ctrl-C closes the clients with 1001 and exits with 0, without delay", async (t) => {
  const server = await Server.start();
  const { ready, accessKey, ca } = server;
  const clients = [
    await connectJson(clientUrl(ready.https, accessKey), ca),
    await connectSimple(clientUrl(ready.https, accessKey), ca),
    await connectSimple(clientUrl(ready.http, accessKey)),
  ];
  const asked = performance.now();
  const stopped = server.stop(); // asserts the exit code
  for (const client of clients) assert.equal((await client.end()).code, 1001);
  await stopped;
  const took = performance.now() - asked;
  t.diagnostic(`exit ${took.toFixed(0)} ms after Ctrl-C`);
  assert.ok(took < 3000, `it took ${took} ms, with nothing to wait for:\n${server.log}`);
});

test("a second Ctrl-C exits at once", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const server = await Server.start({ data: folder.path });
  // A client that never answers the close, so that the drain has something to wait for.
  const stubborn = await openSilently(server);
  server.interrupt();
  await within(PATIENCE_MS, "close frame of the drain", once(stubborn, "data"));
  server.interrupt();
  const asked = performance.now();
  const end = await within(PATIENCE_MS, "exit after the second Ctrl-C", server.exited);
  const took = performance.now() - asked;
  stubborn.destroy();
  t.diagnostic(`exit ${took.toFixed(0)} ms after the second Ctrl-C`);
  assert.ok(took < 1000, `it took ${took} ms`);
  assert.deepEqual(end, { code: 130, signal: null }, "the drain was cut short, not finished");

  await server.folder.forget();

  // Whatever was cut short, the data folder is fit for the next start.
  await (await Server.start({ data: folder.path })).stop();
});

test("keys, certificate authority and ports' connection string survive a restart", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const first = await Server.start({ data: folder.path });
  const { ready: before, accessKey, ca } = first;
  await first.stop();

  const port = (url) => Number(new URL(url).port);
  const second = await startFor(t, { data: folder.path, http: port(before.http), https: port(before.https) });
  assert.equal(second.connectionString, before.webpubsub.connectionString);
  assert.deepEqual(second.ca, ca);
  const client = await connectSimple(clientUrl(before.https, accessKey), ca);
  assert.equal((await send(before.https, accessKey, ca, "the old string still works")).status, 202);
  assert.equal(await client.next(), "the old string still works");
  await client.close();
});

test("a rotated key is the one that holds after a restart, and the old one is refused", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const first = await Server.start({ data: folder.path });
  await first.stop();
  await run(BINARY, ["keys", "rotate", "local", "primary", "--data", folder.path]);

  const second = await startFor(t, { data: folder.path });
  const { ready, ca, accessKey } = second;
  assert.notEqual(accessKey, first.accessKey);
  assert.equal((await send(ready.https, accessKey, ca, "x")).status, 202);
  const refused = await send(ready.https, first.accessKey, ca, "x");
  assert.equal(refused.status, 401);
  assert.match(refused.json().message, /rotated/);
});

test("a running server takes a rotated key over", async (t) => {
  const server = await startFor(t);
  const { stdout } = await run(BINARY, ["keys", "rotate", "local", "primary", "--data", server.data]);
  const key = stdout.trim();
  const status = async (signedWith) => (await send(server.ready.https, signedWith, server.ca, "x")).status;
  await eventually("the new key holds", async () => (await status(key)) === 202);
  assert.equal(await status(server.accessKey), 401);
});

test("each data folder has a certificate authority of its own", async (t) => {
  const [one, two] = [await startFor(t), await startFor(t)];
  assert.notDeepEqual(one.ca, two.ca);
  await assert.rejects(send(two.ready.https, two.accessKey, one.ca, "x"), { code: /CERT|SIGNATURE|UNABLE_TO_VERIFY/ });
});

test("a start on an existing data folder is quick", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  await (await Server.start({ data: folder.path })).stop();
  const times = [];
  for (let run = 0; run < 5; run += 1) {
    const server = await Server.start({ data: folder.path });
    times.push(server.startedInMs);
    await server.stop();
  }
  const best = Math.min(...times);
  t.diagnostic(`ready ${best.toFixed(0)} ms after exec (best of ${times.length})`);
  assert.ok(best < 1000, `the best of ${times.map(Math.round)} ms`);
});

/** A WebSocket over bare TCP that has been accepted and will never say anything. */
async function openSilently({ ready, accessKey }) {
  const url = new URL(clientUrl(ready.http, accessKey));
  const socket = connect(Number(url.port), "localhost");
  await within(PATIENCE_MS, "TCP connection", once(socket, "connect"));
  socket.on("error", () => {}); // the program's exit resets it
  socket.write(
    [
      `GET ${url.pathname}${url.search} HTTP/1.1`,
      `Host: ${url.host}`,
      "Connection: Upgrade",
      "Upgrade: websocket",
      "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==",
      "\r\n",
    ].join("\r\n"),
  );
  const [answer] = await within(PATIENCE_MS, "answer to the upgrade", once(socket, "data"));
  assert.match(answer.toString("latin1"), /^HTTP\/1\.1 101 /);
  return socket;
}
