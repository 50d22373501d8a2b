// What a server in production must not do for whoever may create event subscriptions, and what nobody
// may ever read: secrets of webhook URLs and delivery attributes.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { Command, typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const SECRETS = ["hunter2", "correct-horse"];

/** `tidings serve` with a topic, an event subscription from the file and one line more. */
async function served(t, receiver, more = "") {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const file = join(folder.path, "tidings.toml");
  await writeFile(file, `
    ${more}
    [server]
    bind = "127.0.0.1"
    http_port = 0
    admin_port = 0
    [data]
    folder = "data"
    [log]
    level = "debug"
    [eventgrid]
    retry_time_scale = 0.0001
    [[eventgrid.topic]]
    name = "orders"
    [[eventgrid.subscription]]
    name = "of-the-file"
    topic = "orders"
    url_file = "hook.url"
    max_attempts = 2
  `);
  await writeFile(join(folder.path, "hook.url"), `${receiver.url}?code=hunter2`);
  const server = await Server.start({ config: file });
  t.after(() => server.stop());
  const token = (await typed(["keys", "show", "management", "primary", "--config", file])).out.trim();
  return { server, grid: new EventGrid(server, token), place: ["--config", file] };
}

async function receiverFor(t, options) {
  const receiver = await Receiver.start(options);
  t.after(() => receiver.close());
  return receiver;
}

/** Whatever is shown to people, taken together, holds no secret. */
function holdNoSecret(texts) {
  for (const [what, text] of Object.entries(texts)) {
    assert.ok(text.length > 0, `${what} is empty`);
    for (const secret of SECRETS) assert.ok(!text.includes(secret), `${what} holds ${secret}:\n${text}`);
  }
}

test("in production private addresses are refused, by name and by number", async (t) => {
  const receiver = await receiverFor(t);
  const { grid, place } = await served(t, receiver);
  const topic = await grid.topic();
  for (const host of ["localhost", "127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0.0.0.0", "10.1.2.3", "169.254.169.254", "[fe80::1]", "[fd00::1]"]) {
    const answer = await grid.trySubscribe(topic.id, { url: `http://${host}:${receiver.port}/hook?code=hunter2` });
    assert.deepEqual([answer.status, answer.json().error.code], [400, "Url validation"], `${host}: ${answer.text}`);
    assert.match(answer.json().error.message, /outbound\.allow/, host);
    assert.ok(!answer.text.includes("hunter2"));
  }
  await eventually("the event subscription of the file has been tried", async () => (await grid.seen("of-the-file")).reason);
  const listed = await typed(["events", "subscriptions", ...place]);
  assert.match(listed.out, /orders\/of-the-file {2}Creating .*outbound\.allow/);
  assert.deepEqual([receiver.handshakes.rest, receiver.all], [[], []]);
});

test("in production private addresses that are allowed are called", async (t) => {
  const receiver = await receiverFor(t);
  const more = '[outbound]\nallow = ["127.0.0.0/8", "::1/128"]';
  const { server, grid, place } = await served(t, receiver, more);
  await eventually("the event subscription of the file is validated", async () => (await grid.seen("of-the-file")).state === "Succeeded");
  assert.equal((await typed(["events", "send", "t", "{}", "--topic", "orders", ...place])).code, 0);
  assert.equal((await receiver.deliveries.next()).events[0].eventType, "t");
  const anonymous = await request(`${server.ready.http}/topics/orders/api/events`, { method: "POST", body: "[]" });
  assert.equal(anonymous.status, 401);
  const bearer = { authorization: "Bearer development", "content-type": "application/json" };
  assert.equal((await request(`${server.ready.http}/topics/orders/api/events`, { method: "POST", headers: bearer, body: "[]" })).status, 401);
});

test("secrets of URLs and attributes are in no log, list, answer, tail or dead letter", async (t) => {
  const receiver = await receiverFor(t, { answer: () => 500 });
  const more = '[outbound]\nallow = ["127.0.0.0/8", "::1/128"]';
  const { server, grid, place } = await served(t, receiver, more);
  await eventually("the event subscription of the file is validated", async () => (await grid.seen("of-the-file")).state === "Succeeded");
  const scope = (await grid.seen("of-the-file")).scope;
  const attribute = { name: "x-secret", type: "Static", properties: { value: "correct-horse", isSecret: true } };
  const retryPolicy = { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 60 };
  const to = { url: `${receiver.url}?code=hunter2` };
  const created = await grid.trySubscribe(scope, to, { retryPolicy, webhook: { deliveryAttributeMappings: [attribute] } }, "by-call");
  assert.equal(created.status, 201, created.text);
  const path = `${scope}/providers/Microsoft.EventGrid/eventSubscriptions`;

  const tail = new Command("events", "tail", "--json", ...place);
  t.after(() => tail.process.kill("SIGKILL"));
  await tail.err.containing("listening");
  assert.equal((await typed(["events", "send", "t", "{}", "--topic", "orders", ...place])).code, 0);
  const delivered = await receiver.deliveries.take(4);
  assert.ok(delivered.every(({ url }) => url === "/hook?code=hunter2"), "the webhook itself gets them");
  assert.ok(delivered.some(({ headers }) => headers["x-secret"] === "correct-horse"));
  await grid.deadLetters("of-the-file");
  await grid.deadLetters("by-call");
  await receiver.close(); // now connections fail as well
  await typed(["events", "redrive", "--all", ...place]);
  await grid.deadLetters("by-call");
  await tail.out.containing("SocketError");
  const gone = await grid.trySubscribe(scope, to);

  const cli = async (...args) => (await typed(["events", ...args, ...place])).out;
  holdNoSecret({
    log: `${server.log}`,
    tail: `${tail.out}`,
    "answer to its creation": created.text,
    "answer to a failed creation": gone.text,
    "management get": (await grid.manage("GET", `${path}/by-call`)).text,
    "management list": (await grid.manage("GET", path)).text,
    subscriptions: await cli("subscriptions"),
    "subscriptions as JSON": await cli("subscriptions", "--json"),
    "dead letters": await cli("dead-letters"),
    "dead letters as JSON": await cli("dead-letters", "--json"),
    metrics: (await request(`${server.ready.admin}/metrics`)).text,
  });
  const full = await grid.manage("POST", `${path}/by-call/getFullUrl`);
  assert.equal(full.json().endpointUrl, to.url, "who asks for it by name gets it");
});

test("the admin listener answers no page of a stranger", async (t) => {
  const receiver = await receiverFor(t);
  const { server } = await served(t, receiver);
  const { port } = new URL(server.ready.admin);
  const stranger = { host: `rebound.example:${port}` };
  const told = ["/eventgrid/subscriptions", "/push/hubs", "/webpubsub/hubs", "/journeys", "/logs/tables"];
  for (const path of told) {
    const answers = await Promise.all([{}, stranger].map((headers) => request(server.ready.admin + path, { headers })));
    assert.deepEqual(answers.map(({ status }) => status), [200, 403], path);
  }
  for (const path of ["/logs/query", "/playbook", "/console/links"]) {
    const headers = { ...stranger, "content-type": "application/json" };
    const answer = await request(server.ready.admin + path, { method: "POST", headers, body: "{}" });
    assert.equal(answer.status, 403, path);
  }
  for (const path of ["/healthz", "/metrics"]) {
    const answer = await request(server.ready.admin + path, { headers: stranger });
    assert.equal(answer.status, 200, "a name of the network may watch it");
  }
  const redrive = `${server.ready.admin}/eventgrid/dead-letters/redrive`;
  const form = await request(redrive, { method: "POST", headers: { "content-type": "text/plain" }, body: '{"all":true}' });
  assert.equal(form.status, 415);
});
