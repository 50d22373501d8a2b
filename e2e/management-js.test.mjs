// Event Grid managed by @azure/arm-eventgrid, over HTTPS with the CA.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { request } from "./lib/http.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { Webhook } from "./lib/webhook.mjs";

const SUBSCRIPTION = "/subscriptions/11111111-2222-3333-4444-555555555555";
const GROUP = "js-group";
const BELOW = `${SUBSCRIPTION}/resourceGroups/${GROUP}/providers`;
const CHAT = `${BELOW}/Microsoft.Communication/CommunicationServices/chat`;
const CHAT_TYPE = "Microsoft.Communication.CommunicationServices";
/** How often the SDK asks whether an operation has ended, where it has to ask at all. */
const ASK_OFTEN = { updateIntervalInMs: 20 };

let server;
let sdk;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "management");
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

let names = 0;

/** A name that no other test has. */
const fresh = (what) => `js-${what}-${(names += 1)}`;

const idOf = (topic) => `${BELOW}/Microsoft.EventGrid/topics/${topic}`;

/** A topic of the test's own. */
async function topicFor(t, info = {}) {
  const topics = sdk.operations("topics");
  const name = fresh("topic");
  const topic = await topics.beginCreateOrUpdateAndWait(GROUP, name, { location: "eastus", ...info });
  t.after(() => topics.beginDeleteAndWait(GROUP, name));
  return topic;
}

async function webhookFor(t, answer) {
  const webhook = await Webhook.start(answer);
  t.after(() => webhook.close());
  return webhook;
}

const to = (webhook, more = {}) => ({ destination: { endpointType: "WebHook", endpointUrl: webhook.url, ...more } });

/** The names of a paged result. */
const listed = (pages) => pages.flat().map(({ name }) => name);

async function refused(call, statusCode, code) {
  const error = await call.then(() => assert.fail("the call went well"), (error) => error);
  assert.deepEqual({ statusCode: error.statusCode, code: error.code }, { statusCode, code }, error.message);
  return error;
}

test("topics: beginCreateOrUpdateAndWait creates and replaces, get reads", async (t) => {
  const topics = sdk.operations("topics");
  const created = await topicFor(t, { tags: { team: "chat" }, inputSchema: "CloudEventSchemaV1_0" });
  const { id, name, type, location, tags, provisioningState, inputSchema, endpoint } = created;
  assert.deepEqual(
    { id, type, location, tags, provisioningState, inputSchema },
    {
      id: idOf(name),
      type: "Microsoft.EventGrid/topics",
      location: "eastus",
      tags: { team: "chat" },
      provisioningState: "Succeeded",
      inputSchema: "CloudEventSchemaV1_0",
    },
  );
  assert.match(endpoint, /^https?:\/\/localhost:\d+\/.*api\/events$/);
  assert.ok(created.systemData.createdAt);
  assert.deepEqual(await topics.get(GROUP, name), created);
  assert.deepEqual(await topics.get(GROUP.toUpperCase(), name.toUpperCase()), created, "case makes no difference");
  const replaced = await topics.beginCreateOrUpdateAndWait(GROUP, name, { location: "eastus", inputSchema });
  assert.equal(replaced.tags?.team, undefined);
});

test("topics: beginUpdateAndWait changes what it names", async (t) => {
  const topics = sdk.operations("topics");
  const { name } = await topicFor(t, { tags: { team: "chat" } });
  await topics.beginUpdateAndWait(GROUP, name, { disableLocalAuth: true });
  const changed = await topics.get(GROUP, name);
  assert.deepEqual([changed.disableLocalAuth, changed.tags], [true, { team: "chat" }]);
});

test("topics: lists by group and by subscription are filtered and paged", async (t) => {
  const topics = sdk.operations("topics");
  const [one, two] = [await topicFor(t), await topicFor(t)];
  const filter = `name eq '${one.name}' or contains(name, '${two.name.toUpperCase()}')`;
  for (const pages of [
    await topics.listByResourceGroup(GROUP, { top: 1, filter }),
    await topics.listBySubscription({ top: 1, filter }),
  ]) {
    assert.equal(pages.length, 2);
    assert.deepEqual(listed(pages).sort(), [one.name, two.name].sort());
  }
  await refused(topics.listBySubscription({ filter: "location eq 'eastus'" }), 400, "InvalidFilter");
  assert.deepEqual(listed(await topics.listByResourceGroup("another-group")), []);
});

test("topics: keys are listed, and replaced one at a time", async (t) => {
  const topics = sdk.operations("topics");
  const { name } = await topicFor(t);
  const before = await topics.listSharedAccessKeys(GROUP, name);
  assert.notEqual(before.key1, before.key2);
  await topics.beginRegenerateKeyAndWait(GROUP, name, { keyName: "key2" });
  const later = await topics.listSharedAccessKeys(GROUP, name);
  assert.equal(later.key1, before.key1);
  assert.notEqual(later.key2, before.key2);
});

test("topics: a key that was listed publishes to the endpoint that was told", async (t) => {
  const topic = await topicFor(t);
  const { key1 } = await sdk.operations("topics").listSharedAccessKeys(GROUP, topic.name);
  const webhook = await webhookFor(t);
  await sdk.operations("topicEventSubscriptions").beginCreateOrUpdateAndWait(GROUP, topic.name, "all", to(webhook));
  const event = { id: "1", subject: "s", eventType: "t", eventTime: "2026-01-01T00:00:00Z", data: {}, dataVersion: "1" };
  const publish = (key) =>
    request(topic.endpoint, {
      method: "POST",
      headers: { "content-type": "application/json", "aeg-sas-key": key },
      body: JSON.stringify([event]),
      ca: server.ca,
    });
  assert.equal((await publish(key1)).status, 200);
  assert.equal((await webhook.events.next()).event.topic, topic.id);
  assert.equal((await publish("bm90IGEga2V5bm90IGEga2V5bm90IGEga2V5")).status, 401);
});

test("topics: beginDeleteAndWait deletes the topic and what belongs to it, and may be repeated", async (t) => {
  const topics = sdk.operations("topics");
  const { name } = await topicFor(t);
  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("topicEventSubscriptions");
  await subscriptions.beginCreateOrUpdateAndWait(GROUP, name, "sub", to(webhook));
  await topics.beginDeleteAndWait(GROUP, name);
  await refused(topics.get(GROUP, name), 404, "ResourceNotFound");
  await refused(subscriptions.get(GROUP, name, "sub"), 404, "ResourceNotFound");
  await topics.beginDeleteAndWait(GROUP, name);
});

test("eventSubscriptions: creating asks the webhook first", async (t) => {
  const { id } = await topicFor(t);
  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("eventSubscriptions");
  const filter = { subjectBeginsWith: "a", advancedFilters: [{ operatorType: "NumberIn", key: "data.n", values: [1, 2] }] };
  const created = await subscriptions.beginCreateOrUpdateAndWait(id, "sub", { ...to(webhook), filter, labels: ["x"] });
  assert.ok((await webhook.validations.next()).validationCode);
  assert.equal(created.provisioningState, "Succeeded");
  assert.equal(created.id, `${id}/providers/Microsoft.EventGrid/eventSubscriptions/sub`);
  assert.equal(created.topic, id);
  const { endpointType, endpointBaseUrl, endpointUrl } = created.destination;
  assert.deepEqual({ endpointType, endpointBaseUrl, endpointUrl }, { endpointType: "WebHook", endpointBaseUrl: webhook.base, endpointUrl: undefined });
  assert.deepEqual(created.filter.advancedFilters, filter.advancedFilters);
  assert.deepEqual(created.labels, ["x"]);
  assert.deepEqual(await subscriptions.get(id, "sub"), created);
  assert.deepEqual(await subscriptions.getFullUrl(id, "sub"), { endpointUrl: webhook.url });
});

test("eventSubscriptions: beginUpdateAndWait changes what it names and keeps the rest, secrets included", async (t) => {
  const { id } = await topicFor(t);
  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("eventSubscriptions");
  await subscriptions.beginCreateOrUpdateAndWait(id, "sub", { ...to(webhook), labels: ["x"] });
  await webhook.validations.next();
  await subscriptions.beginUpdateAndWait(id, "sub", { filter: { subjectEndsWith: "z" } });
  const changed = await subscriptions.get(id, "sub");
  assert.deepEqual([changed.filter.subjectEndsWith, changed.labels], ["z", ["x"]]);
  assert.deepEqual(await subscriptions.getFullUrl(id, "sub"), { endpointUrl: webhook.url });
  assert.deepEqual(webhook.validations.rest, [], "the same webhook is not asked again");
});

test("eventSubscriptions: getDeliveryAttributes tells secrets, get does not", async (t) => {
  const { id } = await topicFor(t);
  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("eventSubscriptions");
  const deliveryAttributeMappings = [
    { type: "Static", name: "x-plain", value: "seen", isSecret: false },
    { type: "Static", name: "x-secret", value: "hidden", isSecret: true },
    { type: "Dynamic", name: "x-dynamic", sourceField: "data.system" },
  ];
  await subscriptions.beginCreateOrUpdateAndWait(id, "sub", to(webhook, { deliveryAttributeMappings }));
  assert.deepEqual((await subscriptions.getDeliveryAttributes(id, "sub")).value, deliveryAttributeMappings);
  const shown = (await subscriptions.get(id, "sub")).destination.deliveryAttributeMappings;
  assert.equal(shown[0].value, "seen");
  assert.ok(!JSON.stringify(shown).includes("hidden"));
});

test("eventSubscriptions: waiting for a validation by hand ends when somebody opens the URL", async (t) => {
  const { id } = await topicFor(t);
  const webhook = await webhookFor(t, "later");
  const waiter = new Sdk("js", server, "management"); // a call that waits keeps its process busy
  t.after(() => waiter.close());
  const waiting = waiter.operations("eventSubscriptions").beginCreateOrUpdateAndWait(id, "sub", to(webhook), ASK_OFTEN);
  const { validationUrl } = await webhook.validations.next();
  // The server answers once it has stored the state, so ask until it is there.
  let state;
  while (!state) {
    const found = await sdk.operations("eventSubscriptions").get(id, "sub").catch(() => undefined);
    state = found?.provisioningState;
  }
  assert.equal(state, "AwaitingManualAction");
  assert.equal((await request(validationUrl, { ca: server.ca })).status, 200);
  assert.equal((await waiting).provisioningState, "Succeeded");
});

test("eventSubscriptions: a webhook that refuses leaves nothing behind", async (t) => {
  const { id } = await topicFor(t);
  const webhook = await webhookFor(t, "refuse");
  const subscriptions = sdk.operations("eventSubscriptions");
  const error = await subscriptions.beginCreateOrUpdateAndWait(id, "sub", to(webhook)).catch((error) => error);
  assert.equal(error.statusCode, 400);
  assert.match(error.code, /^Url validation/i);
  assert.ok(!error.message.includes("secret"), error.message);
  await refused(subscriptions.get(id, "sub"), 404, "ResourceNotFound");
});

test("eventSubscriptions: what is wrong is told with its cure", async (t) => {
  const { id } = await topicFor(t);
  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("eventSubscriptions");
  const create = (scope, name, info) => subscriptions.beginCreateOrUpdateAndWait(scope, name, info);
  const queue = { destination: { endpointType: "StorageQueue", resourceId: CHAT, queueName: "q" } };
  const unsupported = await create(id, "sub", queue).catch((error) => error);
  assert.equal(unsupported.statusCode, 400);
  assert.match(unsupported.message, /WebHook/);
  await refused(create(idOf("no-such-topic"), "sub", to(webhook)), 404, "ParentResourceNotFound");
  await refused(create(id, "a_b", to(webhook)), 400, "InvalidResourceName");
  assert.deepEqual(webhook.validations.rest, [], "nobody was asked");
});

test("eventSubscriptions: lists by scope, location and topic type", async (t) => {
  const { id, name: topic } = await topicFor(t);
  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("eventSubscriptions");
  const [ofTopic, ofChat] = [fresh("sub"), fresh("sub")];
  await subscriptions.beginCreateOrUpdateAndWait(id, ofTopic, to(webhook));
  await subscriptions.beginCreateOrUpdateAndWait(CHAT, ofChat, to(webhook));
  t.after(() => subscriptions.beginDeleteAndWait(CHAT, ofChat));
  const topicType = "Microsoft.EventGrid.Topics";
  const cases = {
    [ofTopic]: [
      await subscriptions.listByResource(GROUP, "Microsoft.EventGrid", "topics", topic),
      await subscriptions.listRegionalByResourceGroup(GROUP, "eastus"),
      await subscriptions.listRegionalBySubscription("East US"),
      await subscriptions.listRegionalByResourceGroupForTopicType(GROUP, "eastus", topicType),
      await subscriptions.listRegionalBySubscriptionForTopicType("eastus", topicType),
    ],
    [ofChat]: [
      await subscriptions.listByResource(GROUP, "Microsoft.Communication", "CommunicationServices", "chat"),
      await subscriptions.listGlobalByResourceGroup(GROUP),
      await subscriptions.listGlobalBySubscription(),
      await subscriptions.listGlobalByResourceGroupForTopicType(GROUP, CHAT_TYPE),
      await subscriptions.listGlobalBySubscriptionForTopicType(CHAT_TYPE),
    ],
  };
  for (const [name, lists] of Object.entries(cases)) {
    for (const [at, pages] of lists.entries()) assert.deepEqual(listed(pages), [name], `list ${at}`);
  }
  assert.deepEqual(listed(await subscriptions.listRegionalBySubscription("westus")), []);
});

test("topicEventSubscriptions are the eventSubscriptions of the topic", async (t) => {
  const { id, name } = await topicFor(t);
  const webhook = await webhookFor(t);
  const [children, extensions] = [sdk.operations("topicEventSubscriptions"), sdk.operations("eventSubscriptions")];
  const created = await children.beginCreateOrUpdateAndWait(GROUP, name, "sub", to(webhook));
  assert.equal(created.id, `${id}/eventSubscriptions/sub`);
  assert.equal(created.type, "Microsoft.EventGrid/topics/eventSubscriptions");
  assert.deepEqual((await extensions.get(id, "sub")).destination, created.destination);
  await children.beginUpdateAndWait(GROUP, name, "sub", { labels: ["y"] });
  assert.deepEqual((await children.get(GROUP, name, "sub")).labels, ["y"]);
  assert.deepEqual(await children.getFullUrl(GROUP, name, "sub"), { endpointUrl: webhook.url });
  assert.deepEqual(await children.getDeliveryAttributes(GROUP, name, "sub"), { value: [] });
  assert.deepEqual(listed(await children.list(GROUP, name)), ["sub"]);
  await extensions.beginDeleteAndWait(id, "sub");
  await refused(children.get(GROUP, name, "sub"), 404, "ResourceNotFound");
  await children.beginDeleteAndWait(GROUP, name, "sub");
});

test("systemTopics and their event subscriptions", async (t) => {
  const topics = sdk.operations("systemTopics");
  const source = `${BELOW}/Microsoft.Communication/CommunicationServices/system`;
  const info = { location: "global", source, topicType: CHAT_TYPE };
  const topic = await topics.beginCreateOrUpdateAndWait(GROUP, "js-system", info);
  const { id, type, provisioningState } = topic;
  assert.deepEqual(
    { id, type, provisioningState, source: topic.source, topicType: topic.topicType },
    {
      id: `${BELOW}/Microsoft.EventGrid/systemTopics/js-system`,
      type: "Microsoft.EventGrid/systemTopics",
      provisioningState: "Succeeded",
      source,
      topicType: CHAT_TYPE,
    },
  );
  await topics.beginUpdateAndWait(GROUP, "js-system", { tags: { a: "1" } });
  assert.deepEqual((await topics.get(GROUP, "js-system")).tags, { a: "1" });
  assert.deepEqual(listed(await topics.listByResourceGroup(GROUP)), ["js-system"]);
  assert.deepEqual(listed(await topics.listBySubscription()), ["js-system"]);
  const extension = await sdk.operations("extensionTopics").get(source);
  assert.equal(extension.systemTopic, id);

  const webhook = await webhookFor(t);
  const subscriptions = sdk.operations("systemTopicEventSubscriptions");
  const created = await subscriptions.beginCreateOrUpdateAndWait(GROUP, "js-system", "sub", to(webhook));
  assert.equal(created.type, "Microsoft.EventGrid/systemTopics/eventSubscriptions");
  await subscriptions.beginUpdateAndWait(GROUP, "js-system", "sub", { labels: ["z"] });
  assert.deepEqual((await subscriptions.get(GROUP, "js-system", "sub")).labels, ["z"]);
  assert.deepEqual(await subscriptions.getFullUrl(GROUP, "js-system", "sub"), { endpointUrl: webhook.url });
  assert.deepEqual(await subscriptions.getDeliveryAttributes(GROUP, "js-system", "sub"), { value: [] });
  assert.deepEqual(listed(await subscriptions.listBySystemTopic(GROUP, "js-system")), ["sub"]);
  await subscriptions.beginDeleteAndWait(GROUP, "js-system", "sub");
  assert.deepEqual(listed(await subscriptions.listBySystemTopic(GROUP, "js-system")), []);
  await topics.beginDeleteAndWait(GROUP, "js-system");
  await refused(topics.get(GROUP, "js-system"), 404, "ResourceNotFound");
});

test("topicTypes, event types and operations tell what there is", async () => {
  const types = sdk.operations("topicTypes");
  assert.ok(listed(await types.list()).includes("Microsoft.EventGrid.Topics"));
  assert.equal((await types.get(CHAT_TYPE)).provider, "Microsoft.Communication");
  const events = listed(await types.listEventTypes(CHAT_TYPE));
  assert.ok(events.includes("Microsoft.Communication.ChatMessageReceived"));
  const ofResource = await sdk.operations("topics").listEventTypes(GROUP, "Microsoft.Communication", "CommunicationServices", "chat");
  assert.deepEqual(listed(ofResource), events);
  assert.ok(listed(await sdk.operations("operations").list()).includes("Microsoft.EventGrid/topics/write"));
  await refused(types.get("Microsoft.Nothing"), 404, "ResourceNotFound");
});

test("what is not served is refused by name", async () => {
  const error = await refused(sdk.operations("domains").get(GROUP, "one"), 404, "InvalidResourceType");
  assert.match(error.message, /topics, systemTopics/);
});
