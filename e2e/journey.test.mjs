// What becomes of a message, stage by stage, under the one id that its sender gave or was given: the same from
// the admin listener and from `tidings trace`, and as spans at a collector.
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { startChatPage } from "./lib/chat-page.mjs";
import { typed } from "./lib/command.mjs";
import { PATIENCE_MS, eventually, within } from "./lib/deadline.mjs";
import { EventGrid } from "./lib/eventgrid.mjs";
import { Inbox } from "./lib/inbox.mjs";
import { Journeys, stagesOf } from "./lib/journeys.mjs";
import { fail, inbox } from "./lib/notification-hubs.mjs";
import { Phone } from "./lib/phone.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { connectJson } from "./lib/websocket.mjs";

const SUBSCRIPTION = "00000000-0000-0000-0000-000000000000";
const COMMUNICATION =
  `/subscriptions/${SUBSCRIPTION}/resourceGroups/tidings` +
  "/providers/Microsoft.Communication/CommunicationServices/local";

let server;
let collector;
let hubs;
let communication;
let grid;
let journeys;

before(async () => {
  collector = await startCollector();
  server = await Server.start({
    flags: ["--retry-time-scale", "0.0001"],
    env: { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url },
  });
  hubs = new Sdk("js", server);
  communication = new Sdk("js", server, "communication");
  grid = new EventGrid(server);
  journeys = new Journeys(server);
});

after(async () => {
  await Promise.all([hubs?.close(), communication?.close()]);
  await server?.stop();
  await collector?.close();
});

/** An OpenTelemetry collector that keeps the bodies of what is posted to it. */
async function startCollector() {
  const posted = new Inbox("spans");
  const listener = http.createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    posted.push({ url: request.url, type: request.headers["content-type"], body: Buffer.concat(chunks) });
    response.writeHead(200).end();
  });
  listener.listen(0, "127.0.0.1");
  await once(listener, "listening");
  const close = async () => {
    listener.close();
    listener.closeAllConnections();
    await once(listener, "close");
  };
  return { url: `http://127.0.0.1:${listener.address().port}`, posted, close };
}

/** A journey of a caller: its id, and the options that tell it to an SDK. */
function begun() {
  const [id, span] = [randomBytes(16).toString("hex"), randomBytes(8).toString("hex")];
  const traceparent = `00-${id}-${span}-01`;
  return { id, traceparent, options: { requestOptions: { customHeaders: { traceparent } } } };
}

const journey = (subject) => journeys.of(subject);
const journeyWith = (subject, wanted) => journeys.with(subject, wanted);

test("a publish is followed to the connection under the sender's own id", async (t) => {
  const hub = hubs.hub("journeys");
  const client = await connectJson((await hub.getClientAccessToken({ userId: "ann" })).url, server.ca);
  t.after(() => client.close());
  const { id, options } = begun();
  await hub.sendToUser("ann", "hello", { contentType: "text/plain", ...options });
  assert.equal((await client.nextJson()).data, "hello");
  const found = await journeyWith(id, ["gateway written", "edge answered"]);
  const expected = ["webpubsub authorised", "webpubsub accepted", "gateway matched", "gateway written", "edge answered"];
  assert.deepEqual(stagesOf(found).map((it) => it.replace(" done", "")).sort(), expected.sort());
  const written = found.stages.find(({ stage }) => stage === "written");
  assert.match(written.detail, /^to 1 connection on shard \d+$/);
  assert.equal(found.outcome, "done");
  assert.doesNotMatch(JSON.stringify(found), /hello/, "payloads are not told");
});

test("a publish to nobody says so, and is found by the ids of its request", async () => {
  const hub = hubs.hub("journeys");
  const mine = `mine-${randomBytes(4).toString("hex")}`;
  const customHeaders = { "x-ms-client-request-id": mine };
  await hub.sendToUser("nobody", "x", { contentType: "text/plain", requestOptions: { customHeaders } });
  const found = await journeyWith(mine, ["edge answered"]);
  assert.match(found.stages.find(({ stage }) => stage === "matched").detail, /^nobody: the user 'nobody'/);
  assert.equal(found.outcome, "failed");
  const request = found.subjects.find(({ kind }) => kind === "request").value;
  assert.equal(request.replaceAll("-", ""), found.id, "x-ms-request-id is the id of the journey, too");
  assert.equal((await journey(request)).id, found.id);
});

test("a refused publish is found by the x-ms-request-id of its answer, with the reason", async () => {
  const url = `${server.ready.http}/api/hubs/journeys/:send`;
  const answer = await fetch(url, { method: "POST", body: "x", headers: { authorization: "Bearer nonsense" } });
  assert.equal(answer.status, 401);
  const found = await journey(answer.headers.get("x-ms-request-id"));
  assert.deepEqual(stagesOf(found), ["edge refused failed"]);
  assert.match(found.stages[0].detail, /^POST \/api\/hubs\/journeys\/:send: 401 /);
});

test("a webhook that fails and then takes an event: both answers, and its traceparent", async (t) => {
  const receiver = await Receiver.start({ answer: ({ count }) => (count === 0 ? 503 : 200) });
  t.after(() => receiver.close());
  const topic = await grid.topic();
  const { name } = await grid.subscribe(topic.id, receiver);
  const filtered = await grid.subscribe(topic.id, receiver, { filter: { subjectBeginsWith: "elsewhere" } });
  const { id, traceparent } = begun();
  const event = { id: `event-${id}`, subject: "s", eventType: "t", eventTime: new Date().toISOString(), data: {}, dataVersion: "1" };
  const answer = await fetch(topic.endpoint.replace(server.ready.https, server.ready.http), {
    method: "POST",
    headers: { "aeg-sas-key": topic.key, "content-type": "application/json", traceparent },
    body: JSON.stringify([event]),
  });
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.get("traceresponse").slice(3, 35), id);
  const found = await journeyWith(event.id, ["delivery delivered"]);
  assert.equal(found.id, id);
  const answers = found.stages.filter(({ stage }) => stage === "webhook answered");
  assert.deepEqual(answers.map(({ outcome, detail }) => [outcome, /HTTP (\d+)/.exec(detail)[1]]), [["again", "503"], ["done", "200"]]);
  assert.ok(answers.every(({ detail, tookMs }) => detail.includes(`'${name}' at localhost`) && tookMs > 0));
  assert.ok(stagesOf(found).includes("delivery retried again"));
  const matched = found.stages.find(({ stage }) => stage === "matched");
  assert.equal(matched.detail, `t: wanted by 1 of 2: ${name}`);
  assert.ok(!matched.detail.includes(filtered.name));
  assert.equal(found.outcome, "done");
  for (const { headers } of receiver.all) assert.equal(headers.traceparent.slice(3, 35), id);
  assert.doesNotMatch(JSON.stringify(found), /code=|\?/, "what opens a webhook is not told");
});

test("a chat message is followed to a browser, a webhook and a phone under one id", async (t) => {
  const management = new Sdk("js", server, "management");
  t.after(() => management.close());
  const { hub, connectionString } = server.ready.notificationhubs;
  const resourceId = `/subscriptions/${SUBSCRIPTION}/resourceGroups/tidings/providers/Microsoft.NotificationHubs/namespaces/local/notificationHubs/${hub}`;
  const services = management.operations("communicationServices", { provider: "communication", subscription: SUBSCRIPTION });
  await services.linkNotificationHub("tidings", "local", { linkNotificationHubParameters: { resourceId, connectionString } });
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  const filter = { includedEventTypes: ["Microsoft.Communication.ChatMessageReceivedInThread"] };
  await grid.subscribe(COMMUNICATION, receiver, { filter });

  const identity = communication.client({ client: "identity" });
  const person = () => identity.createUserAndToken(["chat"]);
  const [alice, bob, carol] = [await person(), await person(), await person()];
  const participants = [bob, carol].map(({ user }) => ({ id: user }));
  const chat = communication.client({ client: "chat", token: alice.token });
  const { chatThread } = await chat.createChatThread({ topic: "t" }, { participants });
  const tab = await connected(t, bob);
  const phone = await new Phone(server, carol.token, "ios", { encrypted: false }).register();
  t.after(() => phone.unregister());

  const { id, options } = begun();
  const thread = communication.client({ client: "thread", token: alice.token, thread: chatThread.id });
  const { id: message } = await thread.sendMessage({ content: "a secret" }, options);
  await tab.waitForFunction(() => globalThis.seen.events.length > 0, undefined, { timeout: PATIENCE_MS });
  await within(PATIENCE_MS, "the event", receiver.deliveries.next());
  await inbox(server, { service: "apns", contains: "a secret" });

  const found = await journeyWith(id, [
    "chat authorised done",
    "chat stored done",
    "signaling announced done",
    "signaling acknowledged done",
    "eventgrid matched done",
    "eventgrid webhook answered done",
    "push matched done",
    "push hub accepted done",
    "notificationhubs stored done",
    "notificationhubs push service answered done",
    "edge answered done",
  ]);
  await eventually("all of it is done", async () => (await journey(id)).outcome === "done");
  assert.match(found.stages.find(({ stage }) => stage === "announced").detail, /sent to 1 connected devices/);
  for (const subject of [message, chatThread.id]) assert.equal((await journey(subject)).id, id, subject);
  const notification = found.subjects.find(({ kind }) => kind === "notification").value;
  assert.equal((await journey(notification)).id, id);
  assert.doesNotMatch(JSON.stringify(found), /a secret/, "payloads are not told");

  const { out, code } = await typed(["trace", message, "--data", server.data]);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^journey ${id}\n`));
  assert.match(out, /\+\d+\.\d ms +chat +stored +done +a message, in a thread with 2 others\n/);
});

test("a push that its service refuses says which reason it gave", async () => {
  const sdk = new Sdk("js", server, "notification-hubs");
  try {
    const client = sdk.client({ connectionString: server.ready.notificationhubs.connectionString, hub: "local", retries: 0 });
    const device = randomBytes(32).toString("hex").toUpperCase();
    for (const spelt of [device, device.toLowerCase()]) {
      await fail(server, { service: "apns", device: spelt, failure: "BadDeviceToken" });
    }
    const notification = { $make: "createAppleNotification", of: { body: '{"aps":{"alert":"x"}}' } };
    const { notificationId } = await client.sendNotification(notification, { deviceHandle: device });
    const found = await journeyWith(notificationId, ["notificationhubs push service answered failed"]);
    const { detail } = found.stages.find(({ stage }) => stage === "push service answered");
    assert.match(detail, /^0 of 1 devices taken; 1 not, the first by apple: .*BadDeviceToken/);
    assert.equal(found.outcome, "failed");
  } finally {
    await sdk.close();
  }
});

test("tidings trace lists the newest first, and says when nothing is kept", async () => {
  const url = `${server.ready.http}/api/hubs/listed/:send`;
  const answer = await fetch(url, { method: "POST", body: "x" });
  const id = answer.headers.get("x-ms-request-id").replaceAll("-", "");
  const { out } = await typed(["trace", "--outcome", "failed", "--since", "10m", "--data", server.data]);
  assert.match(out.split("\n")[0], new RegExp(`${id}  failed +1 stages  edge: POST /api/hubs/listed/:send: 401`));
  const json = JSON.parse((await typed(["trace", id, "--json", "--data", server.data])).out);
  assert.equal(json.stages[0].stage, "refused");
  const unknown = await typed(["trace", "unheard-of", "--data", server.data]);
  assert.equal(unknown.code, 1);
  assert.match(unknown.err, /Nothing is recorded under 'unheard-of'/);
});

test("an OpenTelemetry collector gets the same stages as spans", async () => {
  const { id, traceparent } = begun();
  const headers = { authorization: "Bearer nonsense", traceparent };
  await fetch(`${server.ready.http}/api/hubs/spans/:send`, { method: "POST", body: "x", headers });
  const [trace, parent] = [Buffer.from(id, "hex"), Buffer.from(traceparent.slice(36, 52), "hex")];
  const ours = async () => {
    const { url, type, body } = await within(PATIENCE_MS, "spans", collector.posted.next());
    assert.deepEqual([url, type], ["/v1/traces", "application/x-protobuf"]);
    return body.includes(trace) && body;
  };
  let body;
  while (!(body = await ours()));
  assert.ok(body.includes(parent), "the span belongs to that of the caller");
  assert.ok(body.includes("edge refused") && body.includes("tidings.detail"));
});

/** A tab in which a user's client is connected. */
async function connected(t, who) {
  const [page, browser] = [await startChatPage(), await startBrowser(server)];
  t.after(() => Promise.all([browser.close(), page.close()]));
  const tab = await browser.newTab();
  await tab.goto(page.url);
  await tab.waitForFunction(() => document.title === "ready", undefined, { timeout: PATIENCE_MS });
  await tab.evaluate(([at, token]) => globalThis.makeClient(at, token), [server.ready.https, who.token]);
  await tab.evaluate((names) => globalThis.start(names), ["chatMessageReceived"]);
  await tab.waitForFunction(() => globalThis.seen.states.length > 0, undefined, { timeout: PATIENCE_MS });
  return tab;
}
