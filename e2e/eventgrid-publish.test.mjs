// Publishing to topics with @azure/eventgrid and azure-eventgrid, over HTTPS with the CA, and what the
// SDKs do not send by plain requests. Webhooks show what was accepted.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventGridDeserializer } from "@azure/eventgrid";
import { EventGrid, cloudEvent, eventGridEvent, fresh } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const CLOUD = { inputSchema: "CloudEventSchemaV1_0" };
const CUSTOM = {
  inputSchema: "CustomEventSchema",
  inputSchemaMapping: {
    inputSchemaMappingType: "Json",
    properties: {
      id: { sourceField: "key" },
      eventType: { sourceField: "kind", defaultValue: "Unknown" },
      subject: { sourceField: null, defaultValue: "shop" },
      dataVersion: { sourceField: null, defaultValue: "1.0" },
    },
  },
};
const WRONG_KEY = "bm90IGEga2V5bm90IGEga2V5bm90IGEga2V5";

const consumer = new EventGridDeserializer();

let server;
let grid;
let sdks;

before(async () => {
  server = await Server.start();
  grid = new EventGrid(server);
  sdks = { js: new Sdk("js", server, "eventgrid"), python: new Sdk("python", server, "eventgrid") };
});

after(() => Promise.all([sdks?.js.close(), sdks?.python.close(), server?.stop()]));

/** A topic whose events all go to a receiver. */
async function watched(t, properties = {}, subscription = {}) {
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  const topic = await grid.topic(properties);
  const { name } = await grid.subscribe(topic.id, receiver, subscription);
  return { topic, receiver, subscription: name };
}

const js = (topic, schema = "EventGrid", credential = "key") => sdks.js.client({ topic, schema, credential });
const python = (topic, credential = "key") => sdks.python.client({ topic, credential });

/** An event for the Python SDK, whose own models take these names. */
const model = (name, content) => ({ $model: name, ...content });
const pythonEvent = (more) =>
  model("EventGridEvent", { subject: "s", event_type: "Order.Made", data: { n: 7 }, data_version: "1.5", ...more });

/** A plain request to publish. */
const post = (topic, body, { headers, path = new URL(topic.endpoint).pathname, key = topic.key, base = server.ready.https } = {}) =>
  request(`${base}${path}`, {
    method: "POST",
    headers: { "content-type": "application/json", ...(key && { "aeg-sas-key": key }), ...headers },
    body: typeof body === "string" || Buffer.isBuffer(body) ? body : JSON.stringify(body),
    ca: server.ca,
  });

async function refused(call, statusCode, code) {
  const error = await call.then(() => assert.fail("the call went well"), (error) => error);
  assert.deepEqual({ statusCode: error.statusCode, code: error.code }, { statusCode, code }, error.message);
  return error;
}

test("JavaScript: send carries Event Grid events, and the deserializer takes what arrives", async (t) => {
  const { topic, receiver } = await watched(t);
  const events = [eventGridEvent(), eventGridEvent({ data: { none: null }, dataVersion: "" }), eventGridEvent({ data: { text: "ä", list: [1.5] } })];
  await js(topic).send(events);
  for (const received of await receiver.deliveries.take(3)) {
    assert.equal(received.headers["content-type"], "application/json; charset=utf-8");
    assert.ok(Array.isArray(received.body), "an array, even for one event");
    const sent = events.find(({ id }) => id === received.body[0].id);
    assert.deepEqual(received.body, [{ ...sent, topic: topic.id, metadataVersion: "1" }]);
    const [event] = await consumer.deserializeEventGridEvents(received.text);
    assert.deepEqual([event.id, event.eventTime], [sent.id, new Date(sent.eventTime)]);
  }
});

test("JavaScript: send carries CloudEvents with JSON, bytes and extensions", async (t) => {
  const { topic, receiver } = await watched(t, CLOUD);
  const events = [
    cloudEvent({ subject: "s", dataschema: "urn:s", extensionAttributes: { traceparent: "00-1", n: 1 } }),
    cloudEvent({ data: { $bytes: "AAH/" }, datacontenttype: "application/octet-stream" }),
  ];
  await js(topic, "CloudEvent").send(events);
  for (const received of await receiver.deliveries.take(2)) {
    assert.equal(received.headers["content-type"], "application/cloudevents+json; charset=utf-8");
    assert.ok(!Array.isArray(received.body), "an object, not an array");
    const [event] = await consumer.deserializeCloudEvents(received.text);
    const sent = events.find(({ id }) => id === event.id);
    const expected = { specversion: "1.0", datacontenttype: "application/json", ...sent, time: new Date(sent.time) };
    if (sent.data.$bytes) expected.data = new Uint8Array(Buffer.from(sent.data.$bytes, "base64"));
    assert.deepEqual({ ...event, data: event.data instanceof Uint8Array ? new Uint8Array(event.data) : event.data }, expected);
  }
});

test("JavaScript: send carries custom events, which are mapped", async (t) => {
  const { topic, receiver } = await watched(t, CUSTOM);
  await js(topic, "Custom").send([{ key: "k-1", kind: "Shop.Opened", where: { city: "Köln" } }]);
  const [event] = (await receiver.deliveries.next()).events;
  const { eventTime, ...rest } = event;
  assert.ok(Date.parse(eventTime) > 0);
  const data = { key: "k-1", kind: "Shop.Opened", where: { city: "Köln" } };
  const mapped = { id: "k-1", eventType: "Shop.Opened", subject: "shop", dataVersion: "1.0", metadataVersion: "1" };
  assert.deepEqual(rest, { ...mapped, topic: topic.id, data });
  await consumer.deserializeEventGridEvents([event]);
});

test("Python: send carries one event, several, and events as dictionaries", async (t) => {
  const { topic, receiver } = await watched(t);
  const time = "2026-01-02T03:04:05.964046Z";
  const dictionary = { id: "d", subject: "s", eventType: "Order.Made", eventTime: time, data: {}, dataVersion: "1" };
  await python(topic).send(pythonEvent({ id: "a" }));
  await python(topic).send([pythonEvent({ id: "b" }), pythonEvent({ id: "c", data: "text" })]);
  await python(topic).send([dictionary]);
  const received = new Map((await receiver.deliveries.take(4)).map(({ body: [event] }) => [event.id, event]));
  assert.deepEqual([...received.keys()].sort(), ["a", "b", "c", "d"]);
  assert.deepEqual(received.get("a").data, { n: 7 });
  assert.equal(received.get("c").data, "text");
  assert.equal(received.get("d").eventTime, time, "microseconds stay");
});

test("Python: send carries CloudEvents with JSON, text, bytes and extensions", async (t) => {
  const { topic, receiver } = await watched(t, CLOUD);
  const event = (more) => model("CloudEvent", { source: "/shop", type: "Order.Made", ...more });
  await python(topic).send(event({ id: "a", data: { n: 7 }, subject: "s", extensions: { trace: "1" } }));
  await python(topic).send([event({ id: "b", data: { $bytes: "AAH/" } }), event({ id: "c", data: null }), event({ id: "d", data: "text" })]);
  const received = new Map((await receiver.deliveries.take(4)).map(({ body }) => [body.id, body]));
  assert.deepEqual([...received.keys()].sort(), ["a", "b", "c", "d"]);
  assert.equal(received.get("d").data, "text");
  assert.deepEqual([received.get("a").data, received.get("a").trace], [{ n: 7 }, "1"]);
  assert.equal(received.get("b").data_base64, "AAH/");
});

test("Python: send carries custom events", async (t) => {
  const { topic, receiver } = await watched(t, CUSTOM, { eventDeliverySchema: "CustomInputSchema" });
  const event = { key: "k-1", kind: "Shop.Opened", list: [1, { two: 2 }] };
  await python(topic).send([event]);
  const received = await receiver.deliveries.next();
  assert.deepEqual([received.headers["content-type"], received.body], ["application/json", [event]]);
});

for (const [language, publish] of [
  ["JavaScript", (topic, credential) => js(topic, "EventGrid", credential).send([eventGridEvent()])],
  ["Python", (topic, credential) => python(topic, credential).send([pythonEvent()])],
]) {
  test(`${language}: both keys, signatures with both and bearer tokens publish`, async (t) => {
    const { topic, receiver } = await watched(t);
    const second = { ...topic, key: topic.key2 };
    await publish(topic, "key");
    await publish(second, "key");
    await publish(topic, "sas");
    await publish(second, "sas");
    await publish(topic, "bearer");
    await receiver.deliveries.take(5);
  });

  test(`${language}: a wrong key, an expired signature and one for another topic are refused`, async (t) => {
    const { topic, receiver } = await watched(t);
    const other = await grid.topic();
    for (const [credential, spoilt, cause] of [
      ["key", { ...topic, key: WRONG_KEY }, /neither of the two keys/],
      ["sas", { ...topic, key: WRONG_KEY }, /neither of the two keys/],
      ["sas", { ...topic, hours: -1 }, /expired/],
      ["sas", { ...topic, endpoint: other.endpoint, sentTo: topic.endpoint }, /is for/],
    ]) {
      const error = await refused(publish(spoilt, credential), 401, "Unauthorized");
      assert.match(error.message, cause);
      assert.ok(!error.message.includes(spoilt.key), "no key in a message");
    }
    assert.deepEqual(receiver.all, []);
  });

  test(`${language}: an unknown topic is refused with its name`, async () => {
    const unknown = { ...grid.local, endpoint: `${server.ready.https}/topics/no-such-topic/api/events` };
    const error = await publish(unknown, "key").then(() => assert.fail("it went well"), (error) => error);
    assert.equal(error.statusCode ?? 404, 404);
    assert.match(error.message, /no-such-topic|Resource not found/);
  });
}

test("an error tells code, message and the event at fault", async (t) => {
  const { topic } = await watched(t, CLOUD);
  const error = await refused(js(topic, "EventGrid").send([eventGridEvent()]), 400, "BadRequest");
  assert.equal(error.name, "RestError");
  assert.match(error.message, /CloudEventSchemaV1_0|CloudEventV1_0/);
  const plain = await post(topic, [cloudEvent({ specversion: "1.0" }), { id: "1" }], {
    headers: { "content-type": "application/cloudevents-batch+json" },
  });
  assert.equal(plain.status, 400);
  const [detail] = plain.json().error.details;
  assert.equal(detail.code, "InputJsonInvalid");
  assert.match(`${plain.text}`, /\[1\]/);
});

test("one bad event refuses all events of a request", async (t) => {
  const { topic, receiver, subscription } = await watched(t);
  const [good, after] = [eventGridEvent(), eventGridEvent()];
  for (const spoilt of [{ id: "" }, { eventTime: "yesterday" }, { topic: "/another" }, { metadataVersion: "2" }, { subject: 7 }]) {
    const answer = await post(topic, [good, { ...eventGridEvent(), ...spoilt }]);
    assert.deepEqual([answer.status, answer.json().error.code], [400, "BadRequest"], JSON.stringify(spoilt));
  }
  await js(topic).send([after]);
  const { health } = await grid.settled(subscription);
  assert.equal(health.delivered, 1);
  assert.deepEqual(receiver.all.map(({ body }) => body[0].id), [after.id]);
});

test("a request has at most 1,536,000 bytes, an event 1 MiB, a batch 5000 events", async (t) => {
  const { topic, receiver } = await watched(t, {}, { webhook: { maxEventsPerBatch: 5000, preferredBatchSizeInKilobytes: 1024 } });
  const sized = (bytes) => {
    const event = eventGridEvent({ data: [""] });
    return { ...event, data: ["x".repeat(bytes - JSON.stringify(event).length)] };
  };
  const MIB = 1024 * 1024;
  assert.equal((await post(topic, [sized(MIB)])).status, 200);
  const exact = `[${JSON.stringify(sized(MIB))},${JSON.stringify(sized(1_536_000 - MIB - 3))}]`;
  assert.equal(exact.length, 1_536_000);
  assert.equal((await post(topic, exact)).status, 200);
  const many = Array.from({ length: 5001 }, () => eventGridEvent());
  assert.equal((await post(topic, many.slice(1))).status, 200);
  for (const large of [[sized(MIB + 1)], `${exact} `, many]) {
    const answer = await post(topic, large);
    assert.deepEqual([answer.status, answer.json().error.code], [413, "RequestEntityTooLarge"]);
  }
  const error = await refused(js(topic).send([sized(MIB + 1)]), 413, "RequestEntityTooLarge");
  assert.match(error.message, /limit is 1048576/);
  let events = 0;
  while (events < 5003) events += (await receiver.deliveries.next()).events.length;
  assert.equal(events, 5003);
});

test("more publications at a time than the server takes are refused with 429, whole", async (t) => {
  const env = { TIDINGS_EVENTGRID_MAX_PUBLISHES_AT_A_TIME: "1" };
  const small = await Server.start({ env });
  t.after(() => small.stop());
  const on = new EventGrid(small);
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  const topic = await on.topic();
  const { name } = await on.subscribe(topic.id, receiver);
  const headers = { "content-type": "application/json", "aeg-sas-key": topic.key };
  const body = () => JSON.stringify([eventGridEvent(), eventGridEvent()]);
  const publish = () => request(`${small.ready.http}/topics/${topic.name}/api/events`, { method: "POST", headers, body: body() });
  const answers = await Promise.all(Array.from({ length: 100 }, publish));
  const accepted = answers.filter(({ status }) => status === 200);
  const refused = answers.filter(({ status }) => status === 429);
  assert.ok(accepted.length > 0 && refused.length > 0 && accepted.length + refused.length === 100, `${accepted.length}, ${refused.length}`);
  for (const { headers, text } of refused) {
    assert.deepEqual([headers["retry-after"], JSON.parse(text).error.code], ["1", "TooManyRequests"]);
  }
  assert.equal((await on.settled(name)).health.delivered, 2 * accepted.length);
});

test("a CloudEvent comes alone, in a batch, or with its attributes in headers", async (t) => {
  const { topic, receiver } = await watched(t, CLOUD);
  const event = { specversion: "1.0", ...cloudEvent() };
  const of = (type) => ({ headers: { "content-type": type } });
  assert.equal((await post(topic, event, of("application/cloudevents+json; charset=utf-8"))).status, 200);
  assert.deepEqual((await receiver.deliveries.next()).body, event);
  assert.equal((await post(topic, [event], of("application/cloudevents-batch+json"))).status, 200);
  assert.deepEqual((await receiver.deliveries.next()).body, event);

  const attributes = { "ce-specversion": "1.0", "ce-id": "b", "ce-source": "/shop", "ce-type": "t", "ce-subject": "K%C3%B6ln", "ce-mine": "x" };
  const binary = (type) => ({ headers: { ...attributes, "content-type": type } });
  assert.equal((await post(topic, { n: 7 }, binary("application/json"))).status, 200);
  const json = (await receiver.deliveries.next()).body;
  assert.deepEqual(
    { ...json, time: undefined },
    { specversion: "1.0", id: "b", source: "/shop", type: "t", subject: "Köln", mine: "x", datacontenttype: "application/json", data: { n: 7 }, time: undefined },
  );
  assert.equal((await post(topic, Buffer.from([0, 1, 255]), binary("application/octet-stream"))).status, 200);
  assert.equal((await receiver.deliveries.next()).body.data_base64, "AAH/");
});

test("a topic is found by its path, by its host, and in development by nothing", async (t) => {
  const { topic, receiver } = await watched(t);
  const base = server.ready.http; // the development certificate has no such hosts
  const ways = [
    { path: `/topics/${topic.name}/api/events` },
    { path: `/topics/${topic.name}/api/events/` },
    { path: `/topics/${topic.name.toUpperCase()}/api/events` },
    { path: `/${topic.name}/api/events` },
    { base, path: "/api/events", headers: { host: `${topic.name}.westeurope-1.eventgrid.azure.net` } },
    { base, path: "/", headers: { host: `${topic.name}.westeurope-1.eventgrid.azure.net:443` } },
    { path: `/topics/${topic.name}/api/events?aeg-sas-key=${encodeURIComponent(topic.key)}`, key: null },
  ];
  for (const way of ways) assert.equal((await post(topic, [eventGridEvent()], way)).status, 200, JSON.stringify(way));
  await receiver.deliveries.take(ways.length);
  assert.equal((await post(grid.local, [], { path: "/api/events" })).status, 200);
});

test("a topic without local credentials takes bearer tokens alone", async (t) => {
  const { topic, receiver } = await watched(t, { disableLocalAuth: true });
  await refused(js(topic).send([eventGridEvent()]), 401, "Unauthorized");
  await refused(js(topic, "EventGrid", "sas").send([eventGridEvent()]), 401, "Unauthorized");
  await js(topic, "EventGrid", "bearer").send([eventGridEvent()]);
  await receiver.deliveries.next();
});

test("a topic grants what CloudEvents webhooks are asked", async (t) => {
  const { topic } = await watched(t, CLOUD);
  const headers = { "webhook-request-origin": "shop.example" };
  const answer = await request(topic.endpoint, { method: "OPTIONS", headers, ca: server.ca });
  assert.equal(answer.status, 200);
  assert.ok(["*", "shop.example"].includes(answer.headers["webhook-allowed-origin"]));
  assert.ok(answer.headers["webhook-allowed-rate"]);
});

test("what is published while nobody subscribes is accepted and goes nowhere", async (t) => {
  const topic = await grid.topic({}, fresh("lonely"));
  assert.equal((await post(topic, [eventGridEvent()])).status, 200);
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  const { name } = await grid.subscribe(topic.id, receiver);
  const later = eventGridEvent();
  assert.equal((await post(topic, [later])).status, 200);
  assert.equal((await receiver.deliveries.next()).body[0].id, later.id);
  assert.equal((await grid.settled(name)).health.delivered, 1);
});
