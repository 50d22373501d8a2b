// docs/compatibility.md holds what it promises: each test that it names exists, no row is empty, and
// every operation of the SDKs has its place.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { before, test } from "node:test";
import { promisify } from "node:util";
import { EventGridManagementClient } from "@azure/arm-eventgrid";
import { NotificationHubsManagementClient } from "@azure/arm-notificationhubs";
import { ChatClient, ChatThreadClient } from "@azure/communication-chat";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { EventGridDeserializer, EventGridPublisherClient } from "@azure/eventgrid";
import { NotificationHubsClient } from "@azure/notification-hubs";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import { WebPubSubClient } from "@azure/web-pubsub-client";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";
import { PYTHON } from "./lib/sdk.mjs";

const run = promisify(execFile);
const read = (path) => readFile(new URL(path, import.meta.url), "utf8");

let page;
let rows;

before(async () => {
  page = await read("../docs/compatibility.md");
  const lines = page.split("\n").filter((line) => line.startsWith("| ") && !line.endsWith("| proven by |"));
  rows = lines.map((line) => {
    const [subject, proof] = line.slice(2, -2).split(" | ");
    return { subject, proof: (proof ?? "").split(" · ") };
  });
});

/** The names of a suite's tests as patterns: what is put in when it runs may be anything. */
async function testsOf(suite) {
  const source = await read(`${suite}.test.mjs`);
  const names = [...source.matchAll(/\btest\(\s*(["`])((?:\\.|(?!\1).)+)\1/g)].map(([, , name]) => name);
  return names.map((name) => new RegExp(`^${name.split(/\$\{.*?\}/).map(RegExp.escape ?? escaped).join(".+")}$`));
}

const escaped = (text) => text.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");

test("each row names a test, and each test that is named exists", async () => {
  assert.ok(rows.length > 80, `${rows.length} rows`);
  for (const { subject, proof } of rows) {
    for (const one of proof) {
      const named = /^\[([a-z-]+)\]\(\.\.\/e2e\/\1\.test\.mjs\): (.+)$/.exec(one);
      assert.ok(named, `«${subject}» has no test, or one that cannot be read: «${one}»`);
      const [, suite, name] = named;
      const tests = await testsOf(suite);
      assert.ok(tests.some((pattern) => pattern.test(name)), `${suite} has no test «${name}»`);
    }
  }
});

/** The public methods of an object's class. */
const methods = (prototype) =>
  Object.getOwnPropertyNames(prototype).filter((name) => name !== "constructor" && !name.startsWith("_"));

/** What the Communication SDKs keep to themselves; at run time it looks like their operations. */
const PRIVATE = /(Page|All)$|^subscribeToSignalingEvents$|^canPostTypingNotification$/;

test("every operation of the npm packages is on the page", () => {
  const group = new WebPubSubServiceClient("Endpoint=https://localhost;AccessKey=none;", "hub").group("group");
  const classes = [WebPubSubServiceClient.prototype, Object.getPrototypeOf(group), WebPubSubClient.prototype, WebPubSubEventHandler.prototype];
  for (const name of classes.flatMap(methods)) assert.ok(page.includes(`\`${name}\``), name);
  const communication = [CommunicationIdentityClient.prototype, ChatClient.prototype, ChatThreadClient.prototype];
  const own = communication.flatMap(methods).filter((name) => !PRIVATE.test(name));
  for (const name of own) assert.ok(page.includes(`\`${name}\``), name);
  const eventGrid = [EventGridPublisherClient.prototype, EventGridDeserializer.prototype].flatMap(methods);
  for (const name of eventGrid) assert.ok(page.includes(`\`${name}\``), name);
  for (const name of methods(NotificationHubsClient.prototype)) assert.ok(page.includes(`\`${name}\``), name);
});

/** The groups of operations that are served, as JavaScript and Python name them. */
const EVENT_GRID = ["topics", "eventSubscriptions", "topicEventSubscriptions", "systemTopics", "systemTopicEventSubscriptions", "extensionTopics", "topicTypes", "operations"];
const NOTIFICATION_HUBS = ["namespaces", "notificationHubs", "operations"];
const snake = (name) => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);

test("every operation of the management packages is on the page", async () => {
  for (const [Client, groups] of [[EventGridManagementClient, EVENT_GRID], [NotificationHubsManagementClient, NOTIFICATION_HUBS]]) {
    const client = new Client({ getToken: async () => null }, "any");
    for (const group of groups) {
      const operations = methods(Object.getPrototypeOf(client[group])).filter((name) => !/Paging(Page|All)$/.test(name));
      // A caller waits for what begins, or takes it as it is.
      const told = operations.map((name) => (operations.includes(`${name}AndWait`) ? `${name}AndWait` : name));
      for (const name of [group, ...told]) assert.ok(page.includes(`\`${name}\``), `${group}: ${name}`);
    }
  }
  const script = `
from azure.mgmt.eventgrid import EventGridManagementClient
from azure.mgmt.notificationhubs import NotificationHubsManagementClient
of_hubs = ${JSON.stringify(NOTIFICATION_HUBS.map(snake))}
for Client, groups in ((EventGridManagementClient, ${JSON.stringify(EVENT_GRID.map(snake))}), (NotificationHubsManagementClient, of_hubs)):
    client = Client(type("", (), {"get_token": None})(), "any")
    for group in groups:
        print(group, *(name for name in dir(getattr(client, group)) if name[0] != "_" and name != "models"), sep="\\n")`;
  const { stdout } = await run(PYTHON, ["-c", script]);
  for (const name of stdout.trim().split("\n")) assert.ok(page.includes(`\`${name}\``), name);
});

test("every operation of the PyPI packages is on the page", async () => {
  const script = `
from azure.communication.chat import ChatClient, ChatThreadClient
from azure.communication.identity import CommunicationIdentityClient
from azure.eventgrid import EventGridConsumerClient, EventGridPublisherClient
from azure.messaging.webpubsubclient import WebPubSubClient
from azure.messaging.webpubsubservice import WebPubSubServiceClient
communication = (CommunicationIdentityClient, ChatClient, ChatThreadClient)
event_grid = (EventGridConsumerClient, EventGridPublisherClient)
for client in (WebPubSubClient, WebPubSubServiceClient, *communication, *event_grid):
    names = (name for name in dir(client) if not name.startswith("_") and name != "thread_id")
    print(*names, sep="\\n")`;
  const { stdout } = await run(PYTHON, ["-c", script]);
  for (const name of stdout.trim().split("\n")) assert.ok(page.includes(`\`${name}\``), name);
});

test("the page names the versions that are installed", async () => {
  const { devDependencies } = JSON.parse(await read("package.json"));
  const older = devDependencies["web-pubsub-client-1.0"].split("@").at(-1);
  assert.ok(page.includes(`\`@azure/web-pubsub-client\` ${devDependencies["@azure/web-pubsub-client"]} and ${older}`));
  for (const name of ["@azure/web-pubsub", "@azure/web-pubsub-express", "@azure/communication-chat", "@azure/communication-identity", "@azure/eventgrid", "@azure/arm-eventgrid", "@azure/arm-notificationhubs"]) {
    assert.ok(page.includes(`\`${name}\` ${devDependencies[name]}`), name);
  }
  for (const line of (await read("requirements.in")).trim().split("\n")) {
    if (line.includes("#")) continue; // what a package needs without asking for it
    const [name, version] = line.split("==");
    assert.ok(page.includes(`\`${name}\` ${version}`), line);
  }
});
