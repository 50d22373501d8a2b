// Messages wake the phones of those who are away, through the linked hub.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually, PATIENCE_MS, within } from "./lib/deadline.mjs";
import { FakeHub } from "./lib/fake-hub.mjs";
import { request } from "./lib/http.mjs";
import { inbox } from "./lib/notification-hubs.mjs";
import { Phone } from "./lib/phone.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const RESOURCE =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings" +
  "/providers/Microsoft.Communication/CommunicationServices/local";
const MANAGED = { provider: "communication", subscription: "00000000-0000-0000-0000-000000000000" };

let server;
let sdk;
let management;
let hub;
let alice;
let bob;
let thread;

before(async () => {
  server = await Server.start();
  [sdk, management] = [new Sdk("js", server, "communication"), new Sdk("js", server, "management")];
  hub = await FakeHub.start();
  const identity = sdk.client({ client: "identity" });
  alice = await identity.createUserAndToken(["chat"]);
  bob = await identity.createUserAndToken(["chat", "voip"]);
  const chat = sdk.client({ client: "chat", token: alice.token });
  const participants = [{ id: bob.user, displayName: "Bob" }];
  const { chatThread } = await chat.createChatThread({ topic: "t" }, { participants });
  thread = sdk.client({ client: "thread", token: alice.token, thread: chatThread.id });
  thread.id = chatThread.id;
});

after(() => Promise.all([sdk?.close(), management?.close(), hub?.close(), server?.stop()]));

const link = () => {
  const { resourceId, connectionString } = hub;
  const services = management.operations("communicationServices", MANAGED);
  return services.linkNotificationHub("tidings", "local", { linkNotificationHubParameters: { resourceId, connectionString } });
};
const unlink = () => management.operations("raw", MANAGED).POST(`${RESOURCE}/unlinkNotificationHub`);
const nextSend = () => within(PATIENCE_MS, "a push", hub.sends.next());

async function phone(t, platform, options) {
  const phone = await new Phone(server, bob.token, platform, options).register();
  t.after(() => phone.unregister());
  return phone;
}

test("a message reaches the phones of who is away, encrypted for each", async (t) => {
  await link();
  const phones = [await phone(t, "android"), await phone(t, "ios")];
  const { id } = await thread.sendMessage({ content: "hello ☃" }, { senderDisplayName: "Alice" });
  for (const send of [await nextSend(), await nextSend()]) {
    const phone = phones.find(({ handle }) => handle === send.handle);
    assert.equal(send.format, phone.transport === "FCM" ? "fcmv1" : "apple");
    const { data } = phone.transport === "FCM" ? send.body.message : send.body;
    assert.equal(`${data.eventId}`, "200");
    const fields = phone.open(data.e);
    assert.deepEqual(
      [fields.messageBody, fields.messageId, fields.senderId, fields.recipientId, fields.senderDisplayName],
      ["hello ☃", id, alice.user.communicationUserId, bob.user.communicationUserId, "Alice"],
    );
    assert.doesNotMatch(JSON.stringify(send.body), /hello/);
  }
});

test("a phone that asked for no encryption gets the fields in the clear", async (t) => {
  await link();
  const { handle } = await phone(t, "ios", { encrypted: false });
  await thread.sendMessage({ content: "plain" });
  const send = await nextSend();
  assert.deepEqual([send.handle, send.body.data.messageBody], [handle, "plain"]);
  assert.equal(send.headers["apns-push-type"], "alert");
});

test("without a hub nothing is sent, and a new link holds at once", async (t) => {
  await phone(t, "ios", { encrypted: false });
  await unlink();
  await thread.sendMessage({ content: "unheard" });
  await link();
  await thread.sendMessage({ content: "heard" });
  assert.equal((await nextSend()).body.data.messageBody, "heard");
});

test("an unregistered phone is left alone", async (t) => {
  await link();
  const gone = await new Phone(server, bob.token, "ios", { encrypted: false }).register();
  await gone.unregister();
  const { handle } = await phone(t, "ios", { encrypted: false });
  await thread.sendMessage({ content: "who hears?" });
  assert.equal((await nextSend()).handle, handle);
});

test("a hub of this server carries pushes to both push services", async (t) => {
  const { hub: name, connectionString } = server.ready.notificationhubs;
  const resourceId = hub.resourceId.replace("namespaces/fake/notificationHubs/hub", `namespaces/local/notificationHubs/${name}`);
  const services = management.operations("communicationServices", MANAGED);
  await services.linkNotificationHub("tidings", "local", { linkNotificationHubParameters: { resourceId, connectionString } });
  for (const [platform, service] of [["android", "fcm"], ["ios", "apns"]]) {
    const { handle } = await phone(t, platform, { encrypted: false });
    await thread.sendMessage({ content: `by way of ${service}` });
    const [arrived] = await inbox(server, { service, contains: `by way of ${service}` });
    assert.equal(arrived.device.toLowerCase(), handle); // the hub writes tokens of APNs in capitals
  }
});

test("a key that was replaced is told by the link's status", async (t) => {
  await link();
  await phone(t, "ios", { encrypted: false });
  const { key } = hub;
  t.after(() => void (hub.key = key));
  hub.key = "another";
  await thread.sendMessage({ content: "refused" });
  const state = async () => {
    const { body } = await management.operations("raw", MANAGED).GET(RESOURCE);
    return body.properties.notificationHubStatus;
  };
  await eventually("the fault is shown", async () => (await state()).state === "Failing");
  assert.equal((await state()).code, "NotificationHubKeyRejected");
  const { text } = await request(`${server.ready.admin}/metrics`);
  const counted = /hub_faults_total\{code="NotificationHubKeyRejected",stage="send"\} (\d+)/.exec(text);
  assert.ok(Number(counted?.[1]) > 0, text);
  await link();
  assert.equal((await state()).state, "Working");
});

test("a registration without a token, or with a wrong body, is refused with the reason", async () => {
  const url = `${server.ready.https}/registrar/prod/v2/registrations`;
  const { ca } = server;
  assert.equal((await request(url, { method: "POST", ca, body: "{}" })).status, 401);
  const wrong = await request(url, { method: "POST", ca, headers: { "x-skypetoken": bob.token }, body: "{}" });
  assert.equal(wrong.status, 400);
  assert.match(wrong.json().error.message, /registrationId/);
});
