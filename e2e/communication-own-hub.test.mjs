// A notification hub of this server linked to its own Communication resource: everything that may be wrong
// with it is told when it is linked, and again when a message should wake a phone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { request } from "./lib/http.mjs";
import { inbox } from "./lib/notification-hubs.mjs";
import { Phone } from "./lib/phone.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings/providers";
const RESOURCE = `${GROUP}/Microsoft.Communication/CommunicationServices/local`;
const SPACE = `${GROUP}/Microsoft.NotificationHubs/namespaces/Own`;
const FULL = "DefaultFullSharedAccessSignature";
const LISTEN = "DefaultListenSharedAccessSignature";

let server;
let sdk;
let accounts;
let alice;
let bob;
let thread;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "communication");
  accounts = await (await fetch(`${server.ready.http}/fake-push/accounts`)).json();
  const identity = sdk.client({ client: "identity" });
  [alice, bob] = [await identity.createUserAndToken(["chat"]), await identity.createUserAndToken(["chat"])];
  const participants = [{ id: bob.user }];
  const { chatThread } = await sdk.client({ client: "chat", token: alice.token }).createChatThread({ topic: "t" }, { participants });
  thread = sdk.client({ client: "thread", token: alice.token, thread: chatThread.id });
  assert.ok((await manage("PUT", SPACE, { location: "eastus" })).status < 300);
  await new Phone(server, bob.token, "android", { encrypted: false }).register();
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

async function manage(method, path, body) {
  const version = path.includes("NotificationHubs") ? "2023-09-01" : "2023-04-01";
  const answer = await request(`${server.ready.https}${path}?api-version=${version}`, {
    method,
    ca: server.ca,
    headers: { authorization: "Bearer development", "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  return { status: answer.status, body: answer.text ? answer.json() : undefined };
}

/** A hub of the test's own that reaches the fake of Google. */
async function hubNamed(name, credentials = { fcmV1Credential: { properties: accounts.fcmV1 } }) {
  const id = `${SPACE}/notificationHubs/${name}`;
  const made = await manage("PUT", id, { location: "eastus", properties: credentials });
  assert.ok(made.status < 300, JSON.stringify(made.body));
  return id;
}

async function keysOf(id, rule = FULL) {
  const { status, body } = await manage("POST", `${id}/authorizationRules/${rule}/listKeys`);
  assert.equal(status, 200, JSON.stringify(body));
  return body.primaryConnectionString;
}

const link = (resourceId, connectionString) => manage("POST", `${RESOURCE}/linkNotificationHub`, { resourceId, connectionString });

async function refused(linking, code) {
  const { status, body } = await linking;
  assert.deepEqual([status, body.error?.code], [400, code], JSON.stringify(body));
}

/** A message is written, and the link's status and the metrics tell why no phone buzzes. */
async function assertSendFails(code) {
  await thread.sendMessage({ content: code });
  await eventually(`${code} is shown`, async () => {
    const { body } = await manage("GET", RESOURCE);
    return body.properties.notificationHubStatus?.code === code;
  });
  const { text } = await request(`${server.ready.admin}/metrics`);
  assert.match(text, new RegExp(`hub_faults_total\\{code="${code}",stage="send"\\} [1-9]`));
}

/** A hub that is linked and works. */
async function linked(name) {
  const id = await hubNamed(name);
  const connectionString = await keysOf(id);
  const { status, body } = await link(id, connectionString);
  assert.equal(status, 200, JSON.stringify(body));
  await thread.sendMessage({ content: `by way of ${name}` });
  await inbox(server, { service: "fcm", contains: `by way of ${name}` });
  return { id, connectionString };
}

test("a rule without the right to send is refused", async () => {
  const id = await hubNamed("mute");
  await refused(link(id, await keysOf(id, LISTEN)), "NotificationHubSendRightMissing");
});

test("a key that was regenerated is told until the hub is linked again", async () => {
  const { id, connectionString } = await linked("rotated");
  const rotated = await manage("POST", `${id}/authorizationRules/${FULL}/regenerateKeys`, { policyKey: "PrimaryKey" });
  assert.equal(rotated.status, 200, JSON.stringify(rotated.body));
  await assertSendFails("NotificationHubKeyRejected");
  await refused(link(id, connectionString), "NotificationHubKeyRejected");
  assert.equal((await link(id, await keysOf(id))).status, 200);
  await thread.sendMessage({ content: "linked again" });
  await inbox(server, { service: "fcm", contains: "linked again" });
  const { body } = await manage("GET", RESOURCE);
  assert.equal(body.properties.notificationHubStatus.state, "Working");
});

test("credentials that a hub has not are told", async (t) => {
  const bare = await hubNamed("bare", {});
  await refused(link(bare, await keysOf(bare)), "NotificationHubCredentialsMissing");
  // With those of one platform it is linked, and devices of the other are in vain.
  await linked("half");
  const iphone = await new Phone(server, bob.token, "ios", { encrypted: false }).register();
  t.after(() => iphone.unregister());
  await assertSendFails("NotificationHubCredentialsMissing");
});

test("a hub that was deleted is told", async () => {
  const { id, connectionString } = await linked("gone");
  assert.ok((await manage("DELETE", id)).status < 300);
  await assertSendFails("NotificationHubNotFound");
  await refused(link(id, connectionString), "NotificationHubNotFound");
});
