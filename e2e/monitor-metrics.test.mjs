// Metrics of real traffic by the documented dimensions, and that the dashboard and the page name what is there.
import assert from "node:assert/strict";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const read = (path) => readFile(new URL(path, import.meta.url), "utf8");

let server;
let topic;

/** Every series as `{name, labels, value}`. */
async function series() {
  const { text } = await request(`${server.ready.admin}/metrics`);
  const lines = text.split("\n").filter((line) => line && !line.startsWith("#"));
  return lines.map((line) => {
    const [, name, labels = "", value] = /^([a-z_]+)(?:\{(.*)\})? (\S+)/.exec(line);
    const pairs = [...labels.matchAll(/([a-z_]+)="([^"]*)"/g)].map(([, key, text_]) => [key, text_]);
    return { name, labels: Object.fromEntries(pairs), value: Number(value) };
  });
}

/** The sum of the series of a name with these labels. */
async function count(name, labels = {}) {
  const wanted = Object.entries(labels).map(([key, value]) => [key, `${value}`]);
  const found = (await series()).filter((one) => one.name === name && wanted.every(([key, value]) => one.labels[key] === value));
  return found.reduce((sum, { value }) => sum + value, 0);
}

before(async () => {
  server = await Server.start({ flags: ["--retry-time-scale", "0.0001"] });
  topic = await new EventGrid(server).topic();
});

after(() => server?.stop());

test("Web PubSub: connections by category of their end, requests by status, REST calls by time taken", async (t) => {
  const hub = freshHub(t, server);
  const [gone, stays, wrong, closed] = [await hub.json(), await hub.json(), await hub.json(), await hub.json({ userId: "cid" })];
  await gone.close();
  wrong.send("this is no JSON");
  await hub.service.closeUserConnections("cid");
  const stranger = new WebSocket(`${server.ready.http.replace("http", "ws")}/client/hubs/${hub.name}`);
  await once(stranger, "error");
  const resource = { resource: "local" };
  for (const [category, least] of [["Normal", 1], ["BadRequest", 1], ["ClosedByAppServer", 1]]) {
    await eventually(category, async () => (await count("tidings_webpubsub_connections_closed_total", { ...resource, category })) >= least);
  }
  assert.equal(await count("tidings_webpubsub_connections_opened_total", resource), 4);
  assert.equal(await count("tidings_webpubsub_connections", resource), 1);
  assert.equal(await count("tidings_webpubsub_client_requests_total", { status: 101, client_type: "WebPubSub" }), 4);
  assert.equal(await count("tidings_webpubsub_client_requests_total", { status: 401 }), 1);
  assert.equal(await count("tidings_webpubsub_rest_requests_total", { category: "CloseUserConnections", status: 204 }), 1);
  assert.ok((await count("tidings_webpubsub_rest_requests_total", { response_time: "LessThan100ms" })) > 0);
  for (const name of ["tidings_gateway_received_bytes_total", "tidings_gateway_sent_bytes_total", "process_cpu_seconds_total", "tidings_cores"]) {
    assert.ok((await count(name)) > 0, name);
  }
  await stays.close();
});

test("Communication Services: calls by operation, status and its class", async () => {
  const sdk = new Sdk("js", server, "communication");
  const { token } = await sdk.client({ client: "identity" }).createUserAndToken(["chat"]);
  const { chatThread } = await sdk.client({ client: "chat", token }).createChatThread({ topic: "Plans" });
  await sdk.client({ client: "thread", token, thread: chatThread.id }).sendMessage({ content: "hi" });
  await sdk.client({ client: "thread", token, thread: "19:none@thread.v2" }).sendMessage({ content: "hi" }).catch(() => {});
  await sdk.close();
  const calls = (labels) => count("tidings_communication_requests_total", labels);
  assert.equal(await calls({ service: "authentication", operation: "CreateIdentity", status_code: 201, status_class: "2xx" }), 1);
  assert.equal(await calls({ service: "chat", operation: "SendChatMessage", status_code: 201 }), 1);
  assert.equal(await calls({ service: "chat", operation: "SendChatMessage", status_class: "4xx" }), 1);
});

test("Event Grid: events published, matched and unmatched, deliveries, failures and what was given up", async (t) => {
  const events = new EventGrid(server);
  const [well, badly] = [await Receiver.start(), await Receiver.start({ answer: () => 500 })];
  t.after(() => Promise.all([well.close(), badly.close()]));
  const filter = { includedEventTypes: ["Order.Made"], advancedFilters: [{ operatorType: "IsNotNull", key: "data.n" }] };
  const good = await events.subscribe(topic.id, well, { filter });
  const bad = await events.subscribe(topic.id, badly, { filter, retryPolicy: { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 1440 } });
  await events.publisher(topic).send([eventGridEvent(), eventGridEvent({ eventType: "Order.Cancelled" })]);
  await request(topic.endpoint, { method: "POST", headers: { "aeg-sas-key": "nonsense" }, body: "[]", ca: server.ca });
  const of = { topic: topic.name, topic_type: "microsoft.eventgrid/topics" };
  const subscription = ({ name }) => ({ ...of, event_subscription: name });
  const given = () => count("tidings_eventgrid_dead_letters_total", { ...subscription(bad), reason: "attempts-exhausted" });
  await eventually("the dead letter", async () => (await given()) === 1);
  assert.equal(await count("tidings_eventgrid_events_published_total", of), 2);
  assert.equal(await count("tidings_eventgrid_events_unmatched_total", of), 1);
  assert.equal(await count("tidings_eventgrid_events_matched_total", subscription(good)), 1);
  assert.equal(await count("tidings_eventgrid_attempts_failed_total", { ...subscription(bad), error_type: "ServerError" }), 2);
  assert.equal(await count("tidings_eventgrid_advanced_filter_evaluations_total", subscription(good)), 1);
  await eventually("the delivery", async () => (await count("tidings_eventgrid_events_delivered_total", subscription(good))) === 1);
  assert.equal(await count("tidings_eventgrid_attempt_seconds_count", subscription(bad)), 2);
  assert.equal(await count("tidings_eventgrid_publish_seconds_count", of), 1);
  assert.equal(await count("tidings_eventgrid_publish_failures_total", { ...of, error: 401, error_type: "UserError" }), 1);
});

/** The names of our metrics in a text. */
const named = (text) => new Set(text.match(/\b(?:tidings|process)_[a-z_]+\b/g));

test("every query of the dashboard, and every name on the page, is a metric of the server", async () => {
  const there = new Set((await series()).map(({ name }) => name));
  const dashboard = JSON.parse(await read("../packaging/grafana/tidings.json"));
  const queries = dashboard.panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr));
  assert.ok(queries.length > 25);
  for (const query of queries) {
    assert.ok(named(query).size > 0, query);
    for (const name of named(query)) assert.ok(there.has(name), `${name} in ${query}`);
  }
  const page = await read("../docs/monitor.md");
  assert.ok(named(page).size > 15);
  for (const name of named(page)) assert.ok(there.has(name) || there.has(`${name}_count`), `${name} in docs/monitor.md`);
});
