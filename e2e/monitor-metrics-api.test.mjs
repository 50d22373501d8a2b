// The packages that query metrics, unmodified, against what real traffic has counted; and the form in which
// `az monitor metrics list` asks.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent, fresh } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { OWN } from "./lib/logs.mjs";
import { inbox, startSdk } from "./lib/notification-hubs.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const HUBS = `${OWN}/providers/Microsoft.SignalRService/WebPubSub/local`;
const CHAT = `${OWN}/providers/Microsoft.Communication/CommunicationServices/local`;
const PUSH = `${OWN}/providers/Microsoft.NotificationHubs/namespaces/local/notificationHubs/local`;
const TOPICS = "Microsoft.EventGrid/topics";
const HOUR = { granularity: "PT1H", timespan: { duration: "PT1H" } };

let server;
let sdk;
let python;
let client;
let regional;
let events;

before(async () => {
  server = await Server.start({ flags: ["--retry-time-scale", "0.0001"] });
  sdk = new Sdk("js", server, "metrics");
  python = new Sdk("python", server, "metrics");
  client = sdk.client({});
  regional = sdk.client({ package: "monitor-query-metrics" });
  events = new EventGrid(server);
});

after(async () => {
  await Promise.all([sdk?.close(), python?.close()]);
  await server?.stop();
});

/** The sum over all points of a series. */
const total = ({ data }, aggregation = "total") => data.reduce((sum, point) => sum + (point[aggregation] ?? 0), 0);

test("queryResource: connections by the category of their end, now and at most", async (t) => {
  const hub = freshHub(t, server);
  const [gone] = [await hub.json(), await hub.json()];
  await gone.close();
  const names = ["ConnectionOpenCount", "ConnectionCloseCount", "TotalConnectionCount"];
  const ask = (options) => client.queryResource(HUBS, names, { ...HOUR, ...options });
  await eventually("the closed connection", async () => total((await ask()).metrics[1].timeseries[0]) === 1);
  const { metrics, namespace } = await ask({ aggregations: ["Total", "Maximum"] });
  assert.equal(namespace, "Microsoft.SignalRService/WebPubSub");
  assert.deepEqual(metrics.map(({ name, unit }) => [name, unit]), names.map((name) => [name, "Count"]));
  assert.equal(total(metrics[0].timeseries[0]), 2);
  assert.ok(metrics[2].timeseries[0].data.some(({ maximum }) => maximum >= 1));
  const split = await client.queryResource(HUBS, ["ConnectionCloseCount"], { ...HOUR, filter: "ConnectionCloseCategory eq '*'" });
  assert.deepEqual(split.metrics[0].timeseries.map((one) => one.metadataValues[0].value), ["Normal"]);
});

test("queryResource: chat calls by operation and status class", async () => {
  await request(`${server.ready.http}/chat/threads`);
  const filter = "Operation eq 'ListChatThreads' and StatusCodeClass eq '*'";
  const { metrics } = await client.queryResource(CHAT, ["APIRequestChat"], { ...HOUR, filter });
  const [series] = metrics[0].timeseries;
  assert.deepEqual(series.metadataValues.map(({ value }) => value), ["ListChatThreads", "4xx"]);
  assert.equal(total(series, "count"), 1);
});

test("listMetricDefinitions, listMetricNamespaces, and refusals", async () => {
  const definitions = await client.listMetricDefinitions(HUBS);
  const close = definitions.find(({ name }) => name === "ConnectionCloseCount");
  assert.deepEqual(close.dimensions, ["ConnectionCloseCategory"]);
  assert.equal(close.primaryAggregationType, "Total");
  const namespaces = await client.listMetricNamespaces(HUBS);
  assert.deepEqual(namespaces.map(({ name }) => name), ["Microsoft.SignalRService/WebPubSub"]);
  const wrong = await client.queryResource(HUBS, ["Nothing"], HOUR).catch((error) => error);
  assert.deepEqual([wrong.statusCode, wrong.code], [400, "BadRequest"]);
  assert.match(wrong.message, /ConnectionCloseCount/);
});

test("the form of az monitor metrics list: events of a topic, minute by minute", async () => {
  const topic = await events.topic();
  await events.publisher(topic).send([eventGridEvent(), eventGridEvent()]);
  const query = "metricnames=PublishSuccessCount%2CUnmatchedEventCount&aggregation=Total&interval=PT1M&timespan=PT5M&api-version=2018-01-01";
  const answer = await request(`${server.ready.https}${topic.id}/providers/microsoft.insights/metrics?${query}`, {
    headers: { authorization: "Bearer development" },
    ca: server.ca,
  });
  assert.equal(answer.status, 200, answer.text);
  const [published, unmatched] = answer.json().value;
  assert.equal(published.timeseries[0].data.length, 5);
  assert.deepEqual([total(published.timeseries[0]), total(unmatched.timeseries[0])], [2, 2]);
});

/**
 * What metrics of one resource were within the last hour, by their names. The SDK calls a metric by what the service
 * shows, so they are known by their order.
 */
async function told(resource, names, namespace, options = {}) {
  const [{ metrics }] = await regional.queryResources([resource], names, namespace, { interval: "FULL", ...options });
  assert.equal(metrics.length, names.length);
  return Object.fromEntries(metrics.map(({ timeseries }, at) => [names[at], timeseries]));
}

/** The sum of all series of a metric. */
const sum = (timeseries, aggregation = "total") => timeseries.reduce((all, { data }) => all + total({ data }, aggregation), 0);

test("queryResources: each topic by itself, in the range and the interval that are asked for", async () => {
  const topics = [await events.topic(), await events.topic()];
  await events.publisher(topics[0]).send([eventGridEvent()]);
  await events.publisher(topics[1]).send([eventGridEvent(), eventGridEvent(), eventGridEvent()]);
  const ids = topics.map(({ id }) => id);
  const ask = (options) => regional.queryResources(ids, ["PublishSuccessCount", "UnmatchedEventCount"], TOPICS, options);
  const results = await ask({ interval: "PT5M", aggregation: "Total" });
  assert.deepEqual(results.map(({ resourceId }) => resourceId), ids);
  assert.deepEqual(results.map(({ namespace, granularity }) => [namespace, granularity]), [[TOPICS, "PT5M"], [TOPICS, "PT5M"]]);
  for (const metric of [0, 1]) {
    assert.deepEqual(results.map(({ metrics }) => sum(metrics[metric].timeseries)), [1, 3]);
  }
  const earlier = { $date: new Date(Date.now() - 3_600_000).toISOString() };
  const past = { $date: new Date(Date.now() - 1_800_000).toISOString() };
  const [none] = await ask({ startTime: earlier, endTime: past, interval: "FULL" });
  assert.equal(none.metrics[0].timeseries[0].data.length, 1);
  assert.equal(sum(none.metrics[0].timeseries), 0);
  assert.ok(Date.parse(none.timespan.endTime) - Date.parse(none.timespan.startTime) >= 1_800_000);
});

test("queryResources: the first of many series, in order, and rolled up", async () => {
  await request(`${server.ready.http}/chat/threads`);
  await request(`${server.ready.http}/chat/threads`);
  await request(`${server.ready.http}/chat/threads/19:none@thread.v2/messages`);
  const namespace = "Microsoft.Communication/CommunicationServices";
  const filter = "Operation eq 'ListChatThreads' or Operation eq 'ListChatMessages'";
  const operations = async (options) => {
    const { APIRequestChat: series } = await told(CHAT, ["APIRequestChat"], namespace, { filter, ...options });
    return series.map(({ metadatavalues }) => metadatavalues.map(({ value }) => value).join());
  };
  assert.deepEqual(await operations(), ["ListChatThreads", "ListChatMessages"]);
  assert.deepEqual(await operations({ orderBy: "count asc" }), ["ListChatMessages", "ListChatThreads"]);
  assert.deepEqual(await operations({ orderBy: "count asc", top: 1 }), ["ListChatMessages"]);
  assert.deepEqual(await operations({ rollUpBy: "Operation" }), [""]);
});

test("queryResources: refusals say what is wrong", async () => {
  const refused = async (resources, names, namespace, options) => {
    const error = await regional.queryResources(resources, names, namespace, options).catch((it) => it);
    assert.deepEqual([error.statusCode, error.code], [400, "BadRequest"]);
    return error.message;
  };
  assert.match(await refused([CHAT], ["PublishSuccessCount"], TOPICS), /CommunicationServices, not in Microsoft.EventGrid.topics/);
  assert.match(await refused([CHAT], ["x"], "Some/type"), /There are: .*Microsoft.EventGrid.eventSubscriptions/);
  assert.match(await refused([events.local.id], ["Nothing"], TOPICS), /have no metric "Nothing"/);
  assert.match(await refused([events.local.id], ["PublishSuccessCount"], TOPICS, { filter: "Color eq '*'" }), /no dimension "Color"/);
});

test("Event Grid: advanced filters, failures by their kind, and what destinations take, of a topic and of each event subscription", async (t) => {
  const [well, badly] = [await Receiver.start(), await Receiver.start({ answer: () => 401 })];
  t.after(() => Promise.all([well.close(), badly.close()]));
  const topic = await events.topic();
  const advancedFilters = [
    { operatorType: "NumberGreaterThan", key: "data.n", value: 5 },
    { operatorType: "StringBeginsWith", key: "subject", values: ["/orders"] },
  ];
  const good = await events.subscribe(topic.id, well, { filter: { advancedFilters } });
  const bad = await events.subscribe(topic.id, badly, { retryPolicy: { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 60 } });
  await events.publisher(topic).send([eventGridEvent(), eventGridEvent({ data: { n: 1 } })]);
  const names = ["AdvancedFilterEvaluationCount", "MatchedEventCount", "DeliverySuccessCount", "DeliveryAttemptFailCount", "DeadLetteredCount"];
  await eventually("two dead letters", async () => {
    const { DeadLetteredCount: dead, DeliverySuccessCount: delivered } = await told(topic.id, names, TOPICS);
    return sum(dead) === 2 && sum(delivered) === 1;
  });
  const split = await told(topic.id, names, TOPICS, { filter: "EventSubscriptionName eq '*'" });
  const by = (series) => Object.fromEntries(series.map(({ metadatavalues, data }) => [metadatavalues[0].value, total({ data })]));
  assert.deepEqual(by(split.AdvancedFilterEvaluationCount), { [good.name]: 3 }, "two filters of one event, one of the other");
  assert.deepEqual(by(split.MatchedEventCount), { [good.name]: 1, [bad.name]: 2 });

  const id = (name) => `${topic.id}/providers/Microsoft.EventGrid/eventSubscriptions/${name}`;
  const namespace = "Microsoft.EventGrid/eventSubscriptions";
  const filter = "Error eq '*' and ErrorType eq '*'";
  const { DeliveryAttemptFailCount: failed } = await told(id(bad.name), ["DeliveryAttemptFailCount"], namespace, { filter });
  assert.deepEqual(failed.map(({ metadatavalues }) => metadatavalues.map(({ value }) => value)), [["Unauthorized", "UserError"]]);
  const counts = await told(id(good.name), ["MatchedEventCount", "DeliverySuccessCount", "DeadLetteredCount"], namespace);
  assert.deepEqual(Object.values(counts).map((series) => sum(series)), [1, 1, 0]);
  const { DestinationProcessingDurationInMs: took } = await told(id(good.name), ["DestinationProcessingDurationInMs"], namespace);
  const [{ average }] = took[0].data;
  assert.ok(average > 0 && average < 60_000, `${average} ms`);
});

test("Event Grid: a system topic has the events of its source, whoever subscribed to which", async (t) => {
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  const systemTopic = `${OWN}/providers/Microsoft.EventGrid/systemTopics/${fresh("chat-events")}`;
  const properties = { source: CHAT, topicType: "Microsoft.Communication.CommunicationServices" };
  const made = await events.manage("PUT", systemTopic, { location: "global", properties });
  assert.ok([200, 201].includes(made.status), made.text);
  const filter = { includedEventTypes: ["Microsoft.Communication.ChatThreadCreated"] };
  const ofTopic = await events.subscribe(systemTopic, receiver, { filter });
  const ofSource = await events.subscribe(CHAT, receiver, { filter });
  const people = new Sdk("js", server, "communication");
  const { token } = await people.client({ client: "identity" }).createUserAndToken(["chat"]);
  await people.client({ client: "chat", token }).createChatThread({ topic: "Plans" });
  await people.close();
  const names = ["PublishSuccessCount", "UnmatchedEventCount", "MatchedEventCount", "DeliverySuccessCount"];
  const namespace = "Microsoft.EventGrid/systemTopics";
  const delivered = async () => sum((await told(systemTopic, names, namespace)).DeliverySuccessCount);
  await eventually("both deliveries", async () => (await delivered()) === 2);
  const { PublishSuccessCount: published, UnmatchedEventCount: unmatched } = await told(systemTopic, names, namespace);
  assert.ok(sum(published) >= 2, "a thread is created for it, and for each participant");
  assert.equal(sum(unmatched), sum(published) - 1);
  const split = { filter: "EventSubscriptionName eq '*'" };
  const { MatchedEventCount: matched } = await told(systemTopic, ["MatchedEventCount"], namespace, split);
  assert.deepEqual(matched.map(({ metadatavalues }) => metadatavalues[0].value).toSorted(), [ofTopic.name, ofSource.name].toSorted());
  const extension = `${CHAT}/providers/Microsoft.EventGrid/extensionTopics/default`;
  const { PublishSuccessCount: same } = await told(extension, ["PublishSuccessCount"], "Microsoft.EventGrid/extensionTopics");
  assert.equal(sum(same), sum(published));
});

test("query_resources: Notification Hubs by their documented names, with dots", async (t) => {
  const hub = startSdk(server);
  t.after(() => hub.close());
  const deviceHandle = "AB".repeat(32);
  const notification = { $make: "createAppleNotification", of: { body: '{"aps":{"alert":"counted"}}' } };
  await hub.client.sendNotification(notification, { deviceHandle });
  await inbox(server, { service: "apns", contains: "counted" });
  await hub.client.getRegistration("nobody").catch(() => {});
  const names = ["incoming", "notificationhub.pushes", "outgoing.apns.success", "outgoing.fcmv1.success", "incoming.all.failedrequests", "scheduled.pending"];
  const ask = async (options) => {
    const [result] = await python.client({}).query_resources({
      resource_ids: [PUSH],
      metric_namespace: "Microsoft.NotificationHubs/namespaces/notificationHubs",
      metric_names: names,
      seconds: 3600,
      granularity_seconds: 300,
      ...options,
    });
    return result;
  };
  const totals = ({ metrics }) => metrics.map(({ timeseries }) => total(timeseries[0]));
  await eventually("the push", async () => totals(await ask())[2] === 1);
  const result = await ask({ aggregations: ["Total"] });
  assert.deepEqual(result.metrics.map(({ name, unit }) => [name, unit]), names.map((name) => [name, "Count"]));
  assert.deepEqual(totals(result), [1, 1, 1, 0, 1, 0]);
  assert.equal(result.granularity, 300);
  const definitions = await client.listMetricDefinitions(PUSH);
  assert.ok(definitions.length > 60 && definitions.every(({ unit }) => unit === "Count"));
});

test("query_resources: topics by event subscription, and refusals", async () => {
  const topic = await events.topic();
  await events.publisher(topic).send([eventGridEvent()]);
  const ask = (options) =>
    python.client({}).query_resources({
      resource_ids: [topic.id, events.local.id],
      metric_namespace: TOPICS,
      metric_names: ["PublishSuccessCount"],
      seconds: 900,
      granularity_seconds: 60,
      ...options,
    });
  const results = await ask();
  assert.deepEqual(results.map(({ metrics }) => total(metrics[0].timeseries[0])), [1, 0]);
  const refused = await ask({ metric_names: ["DroppedEventCount"] }).catch((error) => error);
  assert.deepEqual([refused.statusCode, refused.code], [400, "BadRequest"]);
  assert.match(refused.message, /AdvancedFilterEvaluationCount/);
});
