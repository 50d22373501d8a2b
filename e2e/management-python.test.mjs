// Event Grid managed by azure-mgmt-eventgrid, over HTTPS with the CA. This SDK takes no status but the
// one that each operation documents.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { Webhook } from "./lib/webhook.mjs";

const GROUP = "python-group";
const BELOW = `/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/${GROUP}/providers`;
const CHAT_TYPE = "Microsoft.Communication.CommunicationServices";
const TOPIC = `${BELOW}/Microsoft.EventGrid/topics/python-topic`;

const model = (name, content) => ({ $model: name, ...content });
const to = (webhook, more = {}) =>
  model("EventSubscription", {
    destination: model("WebHookEventSubscriptionDestination", { endpoint_url: webhook.url, ...more }),
  });
const listed = (pages) => pages.flat().map(({ name }) => name);

let server;
let sdk;
let webhook;

before(async () => {
  [server, webhook] = await Promise.all([Server.start(), Webhook.start()]);
  sdk = new Sdk("python", server, "management");
  await sdk.operations("topics").begin_create_or_update(GROUP, "python-topic", model("Topic", { location: "eastus" }));
});

after(() => Promise.all([sdk?.close(), server?.stop(), webhook?.close()]));

async function refused(call, statusCode, code) {
  const error = await call.then(() => assert.fail("the call went well"), (error) => error);
  assert.deepEqual({ statusCode: error.statusCode, code: error.code }, { statusCode, code }, error.message);
}

test("topics: each operation", async () => {
  const topics = sdk.operations("topics");
  const info = model("Topic", { location: "eastus", tags: { a: "1" }, input_schema: "CloudEventSchemaV1_0" });
  const created = await topics.begin_create_or_update(GROUP, "another", info);
  assert.deepEqual(
    [created.provisioning_state, created.input_schema, created.tags],
    ["Succeeded", "CloudEventSchemaV1_0", { a: "1" }],
  );
  assert.deepEqual(await topics.begin_create_or_update(GROUP, "another", info).then(({ id }) => id), created.id);
  const changed = await topics.begin_update(GROUP, "another", model("TopicUpdateParameters", { tags: { b: "2" } }));
  assert.deepEqual(changed.tags, { b: "2" });
  assert.equal((await topics.get(GROUP, "another")).endpoint, created.endpoint);

  const keys = await topics.list_shared_access_keys(GROUP, "another");
  const request = model("TopicRegenerateKeyRequest", { key_name: "key1" });
  const later = await topics.begin_regenerate_key(GROUP, "another", request);
  assert.deepEqual([later.key1 === keys.key1, later.key2 === keys.key2], [false, true]);

  assert.deepEqual(listed(await topics.list_by_resource_group(GROUP)), ["another", "python-topic"]);
  const pages = await topics.list_by_subscription("contains(name, 'o')", 1);
  assert.deepEqual(pages.map(listed.bind(null)).map((names) => names.length), [1, 1]);
  await topics.begin_delete(GROUP, "another");
  await topics.begin_delete(GROUP, "another");
  await refused(topics.get(GROUP, "another"), 404, "ResourceNotFound");
});

test("event_subscriptions: each operation", async () => {
  const subscriptions = sdk.operations("event_subscriptions");
  const mapping = model("StaticDeliveryAttributeMapping", { name: "x-secret", value: "hidden", is_secret: true });
  const created = await subscriptions.begin_create_or_update(TOPIC, "sub", to(webhook, { delivery_attribute_mappings: [mapping] }));
  assert.ok((await webhook.validations.next()).validationCode);
  assert.deepEqual([created.provisioning_state, created.topic], ["Succeeded", TOPIC]);
  const { destination } = await subscriptions.get(TOPIC, "sub");
  assert.equal(destination.endpoint_base_url, webhook.base);
  assert.ok(!JSON.stringify(destination).includes("hidden"));
  assert.deepEqual(await subscriptions.get_full_url(TOPIC, "sub"), { endpoint_url: webhook.url });
  assert.equal((await subscriptions.get_delivery_attributes(TOPIC, "sub")).value[0].value, "hidden");

  const filter = model("EventSubscriptionFilter", { subject_begins_with: "a" });
  const changed = await subscriptions.begin_update(TOPIC, "sub", model("EventSubscriptionUpdateParameters", { filter }));
  assert.equal(changed.filter.subject_begins_with, "a");
  assert.deepEqual(await subscriptions.get_full_url(TOPIC, "sub"), { endpoint_url: webhook.url });

  const topicType = "Microsoft.EventGrid.Topics";
  for (const pages of [
    await subscriptions.list_by_resource(GROUP, "Microsoft.EventGrid", "topics", "python-topic"),
    await subscriptions.list_regional_by_resource_group(GROUP, "eastus"),
    await subscriptions.list_regional_by_subscription("eastus"),
    await subscriptions.list_regional_by_resource_group_for_topic_type(GROUP, "eastus", topicType),
    await subscriptions.list_regional_by_subscription_for_topic_type("eastus", topicType),
  ]) {
    assert.deepEqual(listed(pages), ["sub"]);
  }
  for (const pages of [
    await subscriptions.list_global_by_resource_group(GROUP),
    await subscriptions.list_global_by_subscription(),
    await subscriptions.list_global_by_resource_group_for_topic_type(GROUP, CHAT_TYPE),
    await subscriptions.list_global_by_subscription_for_topic_type(CHAT_TYPE),
  ]) {
    assert.deepEqual(listed(pages), []);
  }
  await subscriptions.begin_delete(TOPIC, "sub");
  await subscriptions.begin_delete(TOPIC, "sub");
  await refused(subscriptions.get(TOPIC, "sub"), 404, "ResourceNotFound");
});

test("topic_event_subscriptions: each operation", async () => {
  const subscriptions = sdk.operations("topic_event_subscriptions");
  const created = await subscriptions.begin_create_or_update(GROUP, "python-topic", "child", to(webhook));
  assert.equal(created.id, `${TOPIC}/eventSubscriptions/child`);
  const labels = model("EventSubscriptionUpdateParameters", { labels: ["y"] });
  assert.deepEqual((await subscriptions.begin_update(GROUP, "python-topic", "child", labels)).labels, ["y"]);
  assert.deepEqual((await subscriptions.get(GROUP, "python-topic", "child")).labels, ["y"]);
  assert.deepEqual(await subscriptions.get_full_url(GROUP, "python-topic", "child"), { endpoint_url: webhook.url });
  assert.deepEqual((await subscriptions.get_delivery_attributes(GROUP, "python-topic", "child")).value ?? [], []);
  assert.deepEqual(listed(await subscriptions.list(GROUP, "python-topic")), ["child"]);
  await subscriptions.begin_delete(GROUP, "python-topic", "child");
  assert.deepEqual(listed(await subscriptions.list(GROUP, "python-topic")), []);
});

test("system_topics, their event subscriptions and extension_topics: each operation", async () => {
  const topics = sdk.operations("system_topics");
  const source = `${BELOW}/Microsoft.Communication/CommunicationServices/chat`;
  const info = model("SystemTopic", { location: "global", source, topic_type: CHAT_TYPE });
  const created = await topics.begin_create_or_update(GROUP, "system", info);
  assert.equal(created.provisioning_state, "Succeeded");
  const tags = model("SystemTopicUpdateParameters", { tags: { a: "1" } });
  assert.deepEqual((await topics.begin_update(GROUP, "system", tags)).tags, { a: "1" });
  assert.equal((await topics.get(GROUP, "system")).source, source);
  assert.deepEqual(listed(await topics.list_by_resource_group(GROUP)), ["system"]);
  assert.deepEqual(listed(await topics.list_by_subscription()), ["system"]);
  assert.equal((await sdk.operations("extension_topics").get(source)).system_topic, created.id);

  const subscriptions = sdk.operations("system_topic_event_subscriptions");
  await subscriptions.begin_create_or_update(GROUP, "system", "sub", to(webhook));
  const labels = model("EventSubscriptionUpdateParameters", { labels: ["y"] });
  await subscriptions.begin_update(GROUP, "system", "sub", labels);
  assert.deepEqual((await subscriptions.get(GROUP, "system", "sub")).labels, ["y"]);
  assert.deepEqual(await subscriptions.get_full_url(GROUP, "system", "sub"), { endpoint_url: webhook.url });
  assert.deepEqual((await subscriptions.get_delivery_attributes(GROUP, "system", "sub")).value ?? [], []);
  assert.deepEqual(listed(await subscriptions.list_by_system_topic(GROUP, "system")), ["sub"]);
  await subscriptions.begin_delete(GROUP, "system", "sub");
  await topics.begin_delete(GROUP, "system");
  await refused(topics.get(GROUP, "system"), 404, "ResourceNotFound");
});

test("topic_types, event types and operations tell what there is", async () => {
  const types = sdk.operations("topic_types");
  assert.ok(listed(await types.list()).includes("Microsoft.EventGrid.Topics"));
  assert.equal((await types.get(CHAT_TYPE)).provider, "Microsoft.Communication");
  const events = listed(await types.list_event_types(CHAT_TYPE));
  assert.ok(events.includes("Microsoft.Communication.ChatMessageReceived"));
  const ofResource = await sdk.operations("topics").list_event_types(GROUP, "Microsoft.Communication", "CommunicationServices", "chat");
  assert.deepEqual(listed(ofResource), events);
  assert.ok(listed(await sdk.operations("operations").list()).includes("Microsoft.EventGrid/topics/write"));
});
