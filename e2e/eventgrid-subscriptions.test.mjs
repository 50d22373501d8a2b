// Event subscriptions seen from their destinations: who is asked before the first event, what arrives,
// in which form, and when it ends. Webhooks here listen with node:http.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { EventGridDeserializer, isSystemEvent } from "@azure/eventgrid";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, WEB_PUBSUB, cloudEvent, eventGridEvent, fresh } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { RELEASES, SdkClient } from "./lib/sdk-client.mjs";
import { Server } from "./lib/server.mjs";

const CLOUD = { inputSchema: "CloudEventSchemaV1_0" };
const TO_CLOUD = { eventDeliverySchema: "CloudEventSchemaV1_0" };
const CUSTOM = {
  inputSchema: "CustomEventSchema",
  inputSchemaMapping: {
    inputSchemaMappingType: "Json",
    properties: { id: { sourceField: "key" }, eventType: { sourceField: "kind" }, subject: { defaultValue: "shop" } },
  },
};

let server;
let grid;

before(async () => {
  server = await Server.start({ flags: ["--retry-time-scale", "0.001"] });
  grid = new EventGrid(server);
});

after(() => server?.stop());

async function receiverFor(t, options) {
  const receiver = await Receiver.start(options);
  t.after(() => receiver.close());
  return receiver;
}

/** A topic whose events all go to a receiver. */
async function watched(t, { topic = {}, subscription, ...options } = {}) {
  const receiver = await receiverFor(t, options);
  const made = await grid.topic(topic);
  const { name } = await grid.subscribe(made.id, receiver, subscription);
  return { topic: made, receiver, name };
}

const state = async (name) => (await grid.seen(name)).state;

test("a webhook that returns the code of the validation event gets events from then on", async (t) => {
  const { topic, receiver, name } = await watched(t, { consent: { event: (code) => [200, { ValidationResponse: code }] } });
  const { headers, body } = await receiver.handshakes.next();
  assert.equal(headers["aeg-event-type"], "SubscriptionValidation");
  assert.equal(headers["aeg-subscription-name"], name.toUpperCase());
  assert.equal(headers["aeg-delivery-count"], "0");
  const [event] = await new EventGridDeserializer().deserializeEventGridEvents(JSON.stringify(body));
  assert.deepEqual(
    [body.length, event.eventType, event.topic],
    [1, "Microsoft.EventGrid.SubscriptionValidationEvent", topic.id],
  );
  assert.ok(isSystemEvent("Microsoft.EventGrid.SubscriptionValidationEvent", event));
  assert.equal(await state(name), "Succeeded");
  const sent = eventGridEvent();
  await grid.publisher(topic).send([sent]);
  const delivery = await receiver.deliveries.next();
  assert.equal(delivery.events[0].id, sent.id);
  assert.equal(delivery.headers["aeg-event-type"], "Notification");
  assert.equal(delivery.headers["aeg-subscription-name"], name.toUpperCase());
  assert.deepEqual([delivery.count, delivery.headers["aeg-data-version"], delivery.headers["aeg-metadata-version"]], [0, "1.5", "1"]);
});

test("no event goes out before somebody has opened the validation URL", async (t) => {
  const { topic, receiver, name } = await watched(t, { consent: "later" });
  const { data } = (await receiver.handshakes.next()).body[0];
  assert.equal(await state(name), "AwaitingManualAction");
  await grid.publisher(topic).send([eventGridEvent()]);
  const opened = await request(data.validationUrl, { ca: server.ca });
  assert.equal(opened.status, 200);
  await eventually("the webhook counts as validated", async () => (await state(name)) === "Succeeded");
  const later = eventGridEvent();
  await grid.publisher(topic).send([later]);
  assert.equal((await receiver.deliveries.next()).events[0].id, later.id, "what came before is not delivered");
  assert.equal((await grid.settled(name)).health.delivered, 1);
  assert.equal((await request(data.validationUrl.replace(data.validationCode, "0"), { ca: server.ca })).status, 404);
});

test("a webhook that answers the validation event badly is refused, and nothing is stored", async (t) => {
  const topic = await grid.topic();
  for (const event of [
    () => [200, { validationResponse: "another code" }],
    (code) => [202, { validationResponse: code }],
    (code) => [500, { validationResponse: code }],
  ]) {
    const receiver = await receiverFor(t, { consent: { event } });
    const name = fresh("refused");
    const answer = await grid.trySubscribe(topic.id, receiver, {}, name);
    assert.deepEqual([answer.status, answer.json().error.code], [400, "Url validation"], answer.text);
    assert.equal(await grid.seen(name), undefined);
  }
  const nowhere = await grid.trySubscribe(topic.id, { url: "http://no-such-host.invalid/hook?code=secret" });
  assert.equal(nowhere.status, 400);
  assert.match(nowhere.json().error.message, /no-such-host\.invalid/);
  assert.ok(!nowhere.text.includes("secret"));
});

test("a CloudEvents webhook is asked with OPTIONS, and deliveries name their origin", async (t) => {
  const { topic, receiver, name } = await watched(t, { topic: CLOUD });
  const { method, headers } = await receiver.handshakes.next();
  assert.deepEqual([method, headers["webhook-request-origin"]], ["OPTIONS", "eventgrid.azure.net"]);
  assert.match(headers["webhook-request-callback"], /^http:\/\/localhost:\d+\/eventsubscriptions\//);
  assert.equal(await state(name), "Succeeded");
  await grid.publisher(topic, "CloudEvent").send([cloudEvent()]);
  const delivery = await receiver.deliveries.next();
  assert.equal(delivery.headers.origin, "eventgrid.azure.net");
  assert.deepEqual([delivery.headers["aeg-data-version"], delivery.headers["aeg-metadata-version"]], ["", "1"]);
});

test("a CloudEvents webhook that names no origin waits for its callback, whether by GET or POST", async (t) => {
  for (const method of ["GET", "POST"]) {
    const { topic, receiver, name } = await watched(t, { topic: CLOUD, consent: "later" });
    const { headers } = await receiver.handshakes.next();
    assert.equal(await state(name), "AwaitingManualAction", "the status alone is no consent");
    await grid.publisher(topic, "CloudEvent").send([cloudEvent()]);
    assert.equal((await request(headers["webhook-request-callback"], { method })).status, 200);
    const later = cloudEvent();
    await grid.publisher(topic, "CloudEvent").send([later]);
    assert.equal((await receiver.deliveries.next()).body.id, later.id);
  }
});

test("a CloudEvents webhook that allows another origin is refused", async (t) => {
  const receiver = await receiverFor(t, { consent: { options: () => ({ "webhook-allowed-origin": "somebody.example" }) } });
  const topic = await grid.topic(CLOUD);
  const answer = await grid.trySubscribe(topic.id, receiver);
  assert.deepEqual([answer.status, answer.json().error.code], [400, "Url validation"]);
});

test("a webhook that allows a rate gets one request at a time", async (t) => {
  let [open, most] = [0, 0];
  const options = () => ({ "webhook-allowed-origin": "*", "webhook-allowed-rate": "30000" });
  const answer = async () => {
    most = Math.max(most, (open += 1));
    await new Promise(setImmediate);
    open -= 1;
    return 200;
  };
  const { topic, receiver } = await watched(t, { topic: CLOUD, consent: { options }, answer });
  await grid.publisher(topic, "CloudEvent").send(Array.from({ length: 50 }, () => cloudEvent()));
  await receiver.deliveries.take(50);
  assert.equal(most, 1);
});

test("a webhook that is replaced is asked before it gets events", async (t) => {
  const { topic, receiver: before, name } = await watched(t);
  const next = await receiverFor(t, { consent: "later" });
  await grid.subscribe(topic.id, next, {}, name);
  const { validationUrl } = (await next.handshakes.next()).body[0].data;
  assert.equal(await state(name), "AwaitingManualAction");
  await grid.publisher(topic).send([eventGridEvent()]);
  await request(validationUrl);
  const later = eventGridEvent();
  await grid.publisher(topic).send([later]);
  assert.equal((await next.deliveries.next()).events[0].id, later.id);
  assert.deepEqual(before.all, []);
});

test("filters: types, subjects and advanced filters choose events", async (t) => {
  const topic = await grid.topic();
  const events = [
    eventGridEvent({ id: "a", subject: "/orders/1", data: { n: 1, tags: ["red"] } }),
    eventGridEvent({ id: "b", subject: "/Orders/2.JPG", data: { n: 20 } }),
    eventGridEvent({ id: "c", eventType: "Order.Paid", subject: "/bills/3", data: { n: 30, deep: { er: "Text" } } }),
  ];
  const filters = [
    [{}, "abc"],
    [{ includedEventTypes: ["order.paid"] }, "c"],
    [{ subjectBeginsWith: "/orders", subjectEndsWith: ".jpg" }, "b"],
    [{ subjectBeginsWith: "/orders", isSubjectCaseSensitive: true }, "a"],
    [{ advancedFilters: [{ operatorType: "NumberInRange", key: "data.n", values: [[2, 20], [30, 30]] }] }, "bc"],
    [{ advancedFilters: [{ operatorType: "StringContains", key: "data.deep.er", values: ["EX"] }] }, "c"],
    [{ advancedFilters: [{ operatorType: "StringNotIn", key: "data.deep.er", values: ["text"] }] }, "ab"],
    [{ advancedFilters: [{ operatorType: "StringIn", key: "data.tags", values: ["red"] }], enableAdvancedFilteringOnArrays: true }, "a"],
    [{ advancedFilters: [{ operatorType: "IsNullOrUndefined", key: "data.tags" }, { operatorType: "NumberLessThan", key: "data.n", value: 30 }] }, "b"],
  ];
  const subscribed = [];
  for (const [filter, expected] of filters) {
    const receiver = await receiverFor(t);
    const { name } = await grid.subscribe(topic.id, receiver, { filter });
    subscribed.push({ receiver, name, filter, expected });
  }
  await grid.publisher(topic).send(events);
  for (const { receiver, name, filter, expected } of subscribed) {
    await receiver.deliveries.take(expected.length);
    assert.equal((await grid.settled(name)).health.delivered, expected.length);
    assert.equal(receiver.all.map(({ events: [event] }) => event.id).sort().join(""), expected, JSON.stringify(filter));
  }
});

test("a filter beyond its limits is refused", async (t) => {
  const receiver = await receiverFor(t);
  const topic = await grid.topic();
  const advancedFilters = Array.from({ length: 26 }, () => ({ operatorType: "IsNotNull", key: "data.n" }));
  const answer = await grid.trySubscribe(topic.id, receiver, { filter: { advancedFilters } });
  assert.equal(answer.status, 400);
  assert.match(answer.text, /25/);
});

test("schemas: events are delivered in the one that is asked for", async (t) => {
  const consumer = new EventGridDeserializer();
  const fromGrid = await watched(t, { subscription: TO_CLOUD });
  const sent = eventGridEvent();
  await grid.publisher(fromGrid.topic).send([sent]);
  const [converted] = await consumer.deserializeCloudEvents((await fromGrid.receiver.deliveries.next()).text);
  const { id, source, type, subject, data } = converted;
  assert.deepEqual({ id, source, type, subject, data }, { id: sent.id, source: fromGrid.topic.id, type: sent.eventType, subject: sent.subject, data: sent.data });

  const own = { key: "k", kind: "Opened", city: "Köln" };
  const custom = await grid.topic(CUSTOM);
  const received = {};
  for (const schema of ["EventGridSchema", "CloudEventSchemaV1_0", "CustomInputSchema"]) {
    received[schema] = await receiverFor(t);
    await grid.subscribe(custom.id, received[schema], { eventDeliverySchema: schema });
  }
  await grid.publisher(custom, "Custom").send([own]);
  const text = async (schema) => (await received[schema].deliveries.next()).text;
  const [asGrid] = await consumer.deserializeEventGridEvents(await text("EventGridSchema"));
  assert.deepEqual([asGrid.id, asGrid.eventType, asGrid.subject, asGrid.data], ["k", "Opened", "shop", own]);
  const [asCloud] = await consumer.deserializeCloudEvents(await text("CloudEventSchemaV1_0"));
  assert.deepEqual([asCloud.id, asCloud.type, asCloud.source, asCloud.data], ["k", "Opened", custom.id, own]);
  assert.deepEqual(JSON.parse(await text("CustomInputSchema")), [own]);

  const cloud = await grid.topic(CLOUD);
  const refused = await grid.trySubscribe(cloud.id, await receiverFor(t), { eventDeliverySchema: "EventGridSchema" });
  assert.equal(refused.status, 400, "CloudEvents have no form in Event Grid's schema");
});

test("batches hold at most as many events as the webhook takes", async (t) => {
  for (const [topic, schema, make, type] of [
    [{}, "EventGrid", eventGridEvent, "application/json; charset=utf-8"],
    [CLOUD, "CloudEvent", cloudEvent, "application/cloudevents-batch+json; charset=utf-8"],
  ]) {
    const made = await watched(t, { topic, subscription: { webhook: { maxEventsPerBatch: 10 } } });
    const sent = Array.from({ length: 100 }, () => make());
    await grid.publisher(made.topic, schema).send(sent);
    await grid.settled(made.name);
    const sizes = made.receiver.all.map(({ body }) => body.length);
    assert.ok(Math.max(...sizes) === 10, `${sizes}`);
    const ids = made.receiver.all.flatMap(({ body }) => body.map(({ id }) => id));
    assert.deepEqual(ids.sort(), sent.map(({ id }) => id).sort());
    assert.equal(made.receiver.all[0].headers["content-type"], type);
  }
});

test("delivery attributes become headers", async (t) => {
  const deliveryAttributeMappings = [
    { name: "x-static", type: "Static", properties: { value: "plain" } },
    { name: "authorization", type: "Static", properties: { value: "Bearer mine", isSecret: true } },
    { name: "x-number", type: "Dynamic", properties: { sourceField: "data.n" } },
    { name: "x-none", type: "Dynamic", properties: { sourceField: "data.none" } },
  ];
  const { topic, receiver } = await watched(t, { subscription: { webhook: { deliveryAttributeMappings } } });
  await grid.publisher(topic).send([eventGridEvent()]);
  const { headers } = await receiver.deliveries.next();
  assert.deepEqual(
    [headers["x-static"], headers.authorization, headers["x-number"], headers["x-none"]],
    ["plain", "Bearer mine", "7", undefined],
  );
});

test("an event subscription that has expired gets nothing any more", async (t) => {
  const topic = await grid.topic();
  const [expiring, lasting] = [await receiverFor(t), await receiverFor(t)];
  const expirationTimeUtc = new Date(Date.now() + 1_000).toISOString();
  const { name } = await grid.subscribe(topic.id, expiring, { expirationTimeUtc });
  const { name: other } = await grid.subscribe(topic.id, lasting);
  await eventually("the event subscription expires", async () => (await grid.seen(name))?.expired !== false);
  await grid.publisher(topic).send([eventGridEvent()]);
  await lasting.deliveries.next();
  await grid.settled(other);
  assert.deepEqual(expiring.all, []);
});

test("an event subscription that is deleted is told so, and what waits for it is gone", async (t) => {
  const { topic, receiver, name } = await watched(t, { answer: () => 503 });
  await grid.publisher(topic).send([eventGridEvent()]);
  await receiver.deliveries.next();
  assert.ok([200, 204].includes((await grid.unsubscribe(topic.id, name)).status));
  const { body } = await receiver.deletions.next();
  assert.equal(body[0].eventType, "Microsoft.EventGrid.SubscriptionDeletedEvent");
  assert.match(body[0].data.eventSubscriptionId, new RegExp(`/${name}$`));
  assert.equal(await grid.seen(name), undefined);
});

test("clients of a hub that come and go are events of its resource", async (t) => {
  const receiver = await receiverFor(t);
  const { name } = await grid.subscribe(WEB_PUBSUB, receiver, { filter: { subjectBeginsWith: "/hub/presence" } });
  t.after(() => grid.unsubscribe(WEB_PUBSUB, name));
  const client = await hubClient("presence", { userId: "ann" });
  const came = (await receiver.deliveries.next()).events[0];
  assert.equal(came.eventType, "Microsoft.SignalRService.ClientConnectionConnected");
  assert.deepEqual([came.topic, came.subject], [WEB_PUBSUB, "/hub/presence"]);
  const { hubName, connectionId, userId } = came.data;
  assert.deepEqual({ hubName, connectionId, userId }, { hubName: "presence", connectionId: client.connectionId, userId: "ann" });
  await client.stop();
  const went = (await receiver.deliveries.next()).events[0];
  assert.equal(went.eventType, "Microsoft.SignalRService.ClientConnectionDisconnected");
  assert.equal(went.data.connectionId, connectionId);
  await new EventGridDeserializer().deserializeEventGridEvents(JSON.stringify([came, went]));
});

/** A client of the npm SDK in a hub. */
async function hubClient(hub, options) {
  const service = new WebPubSubServiceClient(plainConnectionString(), hub, { allowInsecureConnection: true });
  const { url } = await service.getClientAccessToken(options);
  return new SdkClient(RELEASES["1.1.0"], url).start();
}

const plainConnectionString = () => server.connectionString.replace(/Endpoint=[^;]+/, `Endpoint=${server.ready.http}`);

test("events reach the clients of a hub, a group or a user of Web PubSub", async (t) => {
  const topic = await grid.topic();
  const to = (properties) => grid.subscribe(topic.id, { endpointType: "WebPubSub", properties });
  const hub = fresh("news").replace("-", "");
  const ann = await hubClient(hub, { userId: "ann", groups: ["sports"] });
  const ben = await hubClient(hub, { userId: "ben" });
  t.after(() => Promise.all([ann.stop(), ben.stop()]));
  const all = await to({ hub });
  assert.equal(all.provisioningState, "Succeeded");
  await to({ hub, group: "sports" });
  await to({ hub, user: "ben" });
  const sent = eventGridEvent();
  await grid.publisher(topic).send([sent]);
  const expected = { ...sent, topic: topic.id, metadataVersion: "1" };
  for (const client of [ann, ben]) {
    const { message } = await client.on["server-message"].next();
    assert.equal(message.dataType, "json");
    assert.deepEqual(message.data, expected);
  }
  const grouped = ann.on["group-message"].next();
  assert.deepEqual((await grouped).message.data, expected);
  assert.equal((await grouped).message.group, "sports");
  assert.deepEqual((await ben.on["server-message"].next()).message.data, expected);
});

test("a hub that cannot be is refused when it is named as a destination", async () => {
  const topic = await grid.topic();
  const answer = await grid.trySubscribe(topic.id, { endpointType: "WebPubSub", properties: { hub: "1 not a hub" } });
  assert.equal(answer.status, 400, answer.text);
  const elsewhere = await grid.trySubscribe(topic.id, { endpointType: "EventHub", properties: { resourceId: "/x" } });
  assert.equal(elsewhere.status, 400);
  assert.match(elsewhere.json().error.message, /WebHook.*WebPubSub/);
});
