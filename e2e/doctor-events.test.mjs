// `tidings doctor`: the faults of webhooks and event handlers, each injected into a real server.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import { test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { confirms, leads, patient, silent, well } from "./lib/doctor.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { freshHub } from "./lib/hub.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Upstream } from "./lib/upstream.mjs";

/** An event subscription of the topic of development, with a receiver of its own. */
async function subscribed(t, { properties = {}, ...options } = {}, flags = []) {
  const server = await patient(t, { flags });
  const [grid, receiver] = [new EventGrid(server), await Receiver.start(options)];
  t.after(() => receiver.close());
  await grid.subscribe(grid.local.id, receiver, properties, "orders");
  const publish = (more) => grid.publisher(grid.local).send([eventGridEvent(more)]);
  return { server, grid, receiver, publish };
}

test("a webhook that gets its events is no fault", async (t) => {
  const { server, grid, receiver, publish } = await subscribed(t);
  await publish();
  await receiver.deliveries.next();
  await grid.settled("orders");
  await well(server, "--symptom", "webhook");
  await well(server, "--symptom", "webhook", "--subscription", "orders");
});

test("webhook-not-validated: with what the webhook says when it is asked again", async (t) => {
  const { server, receiver } = await subscribed(t, { consent: "later" });
  const before = receiver.handshakes;
  await before.next();
  const found = await confirms(server, "webhook-not-validated", "Measured");
  assert.match(found.evidence[0].text, /AwaitingManualAction/);
  assert.match(found.evidence[1].text, /validation URL/);
  await before.next();
});

test("webhook-failing: its last attempt failed", async (t) => {
  const { server, grid, receiver, publish } = await subscribed(t, { answer: () => 500 });
  await silent(server, "webhook-failing");
  await publish();
  await receiver.deliveries.next();
  await eventually("the attempt has ended", async () => (await grid.seen("orders")).health.retried > 0);
  const found = await confirms(server, "webhook-failing", "Observed");
  assert.match(found.evidence[0].text, /'orders'/);
});

test("webhook-failing: nobody is there any more", async (t) => {
  const { server, grid, receiver, publish } = await subscribed(t);
  await receiver.close();
  await publish();
  await eventually("the attempt has ended", async () => (await grid.seen("orders")).health.retried > 0);
  await confirms(server, "webhook-failing", "Measured");
});

test("webhook-failing: it is slow", async (t) => {
  let delay = 0;
  const slow = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const [{ data }] = JSON.parse(Buffer.concat(chunks));
    const answer = JSON.stringify({ validationResponse: data.validationCode });
    setTimeout(() => response.writeHead(200, { "content-type": "application/json" }).end(answer), delay);
  });
  slow.listen(0, "localhost");
  await once(slow, "listening");
  t.after(() => slow.close());
  const server = await patient(t);
  const grid = new EventGrid(server);
  await grid.subscribe(grid.local.id, { url: `http://localhost:${slow.address().port}/` }, {}, "orders");
  await silent(server, "webhook-failing", "--subscription", "orders");
  delay = 3_500;
  const found = await confirms(server, "webhook-failing", "Measured", "--subscription", "orders");
  assert.match(found.evidence[0].text, /it consents \(3\d\d\d ms\)/);
});

test("webhook-failing: it is on probation after failing often", async (t) => {
  const { server, grid, publish } = await subscribed(t, { answer: () => 404 });
  await silent(server, "webhook-failing");
  for (let published = 0; published < 100; published += 1) await publish();
  await eventually("probation", async () => (await grid.seen("orders")).health.probationUntil != null);
  const { evidence } = await confirms(server, "webhook-failing", "Observed");
  assert.ok(evidence.some(({ text }) => /is on probation until/.test(text)), JSON.stringify(evidence));
});

test("throttled: a webhook says that it is busy", async (t) => {
  const { server, grid, receiver, publish } = await subscribed(t, { answer: () => 503 });
  await publish();
  await receiver.deliveries.next();
  await eventually("the attempt has ended", async () => (await grid.seen("orders")).health.retried > 0);
  await confirms(server, "throttled", "Observed");
});

test("filtered-out: the filter takes nothing of what is published", async (t) => {
  const filter = { includedEventTypes: ["Order.Cancelled"] };
  const { server, publish } = await subscribed(t, { properties: { filter } });
  await silent(server, "filtered-out");
  await publish({ subject: "/orders/8" });
  const found = await confirms(server, "filtered-out", "Observed");
  assert.match(found.evidence[0].text, /1 event .*Order\.Made of \/orders\/8/);
});

test("dead-lettered: with the reason", async (t) => {
  const { server, grid, publish } = await subscribed(t, { answer: () => 400 });
  await publish();
  await grid.deadLetters("orders");
  const found = await confirms(server, "dead-lettered", "Observed");
  assert.match(found.evidence[0].text, /refused, BadRequest/);
  await leads(server, found.evidence, /dead-lettered/);
});

test("upstream-failing: the event handler of a hub answers with an error, then works again", async (t) => {
  const upstream = await Upstream.start();
  t.after(() => upstream.close());
  const server = await patient(t, { flags: upstream.flags("chat") });
  let works = false;
  const handleUserEvent = (_request, response) => (works ? response.success() : response.fail(500, "broken"));
  upstream.handle("chat", { handleUserEvent });
  const client = await freshHub(t, server, "chat").json();
  await silent(server, "upstream-failing");
  client.send({ type: "event", event: "order", dataType: "text", data: "x", ackId: 1 });
  while ((await client.nextJson()).type !== "ack");
  const found = await confirms(server, "upstream-failing", "Observed");
  assert.match(found.evidence[0].text, /'order'/);
  works = true;
  client.send({ type: "event", event: "order", dataType: "text", data: "x", ackId: 2 });
  while ((await client.nextJson()).type !== "ack");
  await silent(server, "upstream-failing");
});

test("access-key-wrong: a publication with the key of another topic is refused", async (t) => {
  const { server, grid, publish } = await subscribed(t);
  await publish();
  await silent(server, "access-key-wrong");
  const stranger = grid.publisher({ ...grid.local, key: Buffer.alloc(32, 1).toString("base64") });
  await assert.rejects(stranger.send([eventGridEvent()]), { statusCode: 401 });
  const found = await confirms(server, "access-key-wrong", "Observed");
  assert.match(found.evidence[0].query, /AegPublishFailureLogs/);
});
