// The client of @azure/monitor-query for metrics, unmodified, against what real traffic has counted; and the form
// in which `az monitor metrics list` asks.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { OWN } from "./lib/logs.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const HUBS = `${OWN}/providers/Microsoft.SignalRService/WebPubSub/local`;
const CHAT = `${OWN}/providers/Microsoft.Communication/CommunicationServices/local`;
const HOUR = { granularity: "PT1H", timespan: { duration: "PT1H" } };

let server;
let sdk;
let client;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "metrics");
  client = sdk.client({});
});

after(async () => {
  await sdk?.close();
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
  const events = new EventGrid(server);
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
