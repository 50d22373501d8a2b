// npm @azure/notification-hubs against the real program and its fake push services: registrations, installations,
// sends of every kind, and what became of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deviceToken, fail, inbox, settled, startSdk } from "./lib/notification-hubs.mjs";
import { Server } from "./lib/server.mjs";

let server;
let sdk;
let hub;

before(async () => {
  server = await Server.start();
  sdk = startSdk(server);
  hub = sdk.client;
});

after(async () => {
  await sdk?.close();
  await server?.stop();
});

const make = (name, of) => ({ $make: name, of });
const apple = (body) => make("createAppleNotification", { body: JSON.stringify(body) });
const fcm = (body) => make("createFcmV1Notification", { body: JSON.stringify(body) });

/** A registration of each kind, with what the SDK's list by channel takes. */
const KINDS = {
  Apple: { deviceToken: deviceToken(1) },
  FcmLegacy: { gcmRegistrationId: "gcm-1" },
  FcmV1: { fcmV1RegistrationId: "fcm-1" },
  Windows: { channelUri: "https://wns.example/one?token=a%2Bb" },
  Adm: { admRegistrationId: "adm-1" },
  Browser: { endpoint: "https://push.example/1", p256dh: "BA", auth: "aa" },
};

const TEMPLATES = {
  Apple: '{"aps":{"alert":"$(message)"}}',
  FcmLegacy: '{"data":{"m":"$(message)"}}',
  FcmV1: '{"message":{"data":{"m":"$(message)"}}}',
  Adm: '{"data":{"m":"$(message)"}}',
  Browser: '{"title":"$(message)"}',
};

test("a registration id is issued, and a registration made under it", async () => {
  const registrationId = await hub.createRegistrationId();
  assert.match(registrationId, /^\d+-\d+-\d+$/);
  const registration = make("createAppleRegistrationDescription", { registrationId, deviceToken: "ab".repeat(32) });
  const made = await hub.createOrUpdateRegistration(registration);
  assert.equal(made.deviceToken, "AB".repeat(32));
  assert.equal((await hub.getRegistration(registrationId)).registrationId, registrationId);
});

for (const [kind, handle] of Object.entries(KINDS)) {
  test(`registrations of ${kind}: create, get, update, list by channel, delete`, async () => {
    const description = make(`create${kind}RegistrationDescription`, { ...handle, tags: ["a", "b"] });
    const made = await hub.createRegistration(description);
    assert.deepEqual(made.tags, ["a", "b"]);
    const found = await hub.getRegistration(made.registrationId);
    for (const [name, value] of Object.entries(handle)) assert.equal(found[name], value);
    const changed = await hub.updateRegistration({ ...found, tags: ["c"] });
    assert.deepEqual(changed.tags, ["c"]);
    await assert.rejects(hub.updateRegistration({ ...found, tags: ["d"] }), { statusCode: 412 });
    const listed = await hub.listRegistrationsByChannel(channelOf(kind, handle));
    assert.ok(listed.some((it) => it.registrationId === made.registrationId), kind);
    await hub.deleteRegistration(made.registrationId);
    await assert.rejects(hub.getRegistration(made.registrationId), { statusCode: 404 });
  });
}

/** What the SDK's list by channel takes: the kind in its own words. */
const channelOf = (kind, handle) => ({ kind: kind === "FcmLegacy" ? "gcm" : kind.toLowerCase(), ...handle });

for (const [kind, bodyTemplate] of Object.entries(TEMPLATES)) {
  test(`template registrations of ${kind} come back as they were`, async () => {
    const description = make(`create${kind}TemplateRegistrationDescription`, {
      ...KINDS[kind], bodyTemplate, templateName: "T", tags: ["templated"],
    });
    const made = await hub.createRegistration(description);
    assert.equal(made.bodyTemplate, bodyTemplate);
    const found = await hub.getRegistration(made.registrationId);
    assert.deepEqual([found.bodyTemplate, found.templateName], [bodyTemplate, "T"]);
    await hub.deleteRegistration(made.registrationId);
  });
}

test("registrations are listed by tag and page by page", async () => {
  for (let number = 0; number < 5; number += 1) {
    const tags = ["paged:x"];
    await hub.createRegistration(make("createFcmV1RegistrationDescription", { fcmV1RegistrationId: `p${number}`, tags }));
  }
  const byTag = await hub.listRegistrationsByTag("paged:x", { top: 2 });
  assert.equal(byTag.length, 5);
  const all = await hub.listRegistrations({ top: 2 });
  assert.ok(all.length >= 5);
});

test("installations: put, get, patch, delete", async () => {
  const installation = {
    installationId: "i-1", platform: "apns", pushChannel: deviceToken(7), tags: ["one"],
    templates: { T: { body: '{"aps":{"alert":"$(message)"}}', tags: ["t"] } },
  };
  await hub.createOrUpdateInstallation(installation);
  assert.deepEqual((await hub.getInstallation("i-1")).tags, ["one"]);
  await hub.updateInstallation("i-1", [{ op: "add", path: "/tags", value: "two" }]);
  assert.deepEqual((await hub.getInstallation("i-1")).tags, ["one", "two"]);
  await hub.deleteInstallation("i-1");
  await assert.rejects(hub.getInstallation("i-1"), { statusCode: 404, message: /Installation not found/ });
});

test("a tagged send reaches exactly the devices that are meant", async () => {
  for (const [token, tags] of [["tag-a", ["news"]], ["tag-b", ["news", "muted"]], ["tag-c", ["other"]]]) {
    await hub.createRegistration(make("createFcmV1RegistrationDescription", { fcmV1RegistrationId: token, tags }));
  }
  const sent = await hub.sendNotification(fcm({ message: { data: { text: "tagged" } } }), { tagExpression: "news && !muted" });
  const details = await settled(hub, sent.notificationId);
  assert.equal(details.state, "Completed");
  assert.deepEqual(details.fcmV1OutcomeCounts, [{ state: "Success", count: 1 }]);
  const arrived = await inbox(server, { service: "fcm", contains: "tagged" });
  assert.deepEqual(arrived.map((it) => it.device), ["tag-a"]);
});

test("a direct send to an iPhone arrives over HTTP/2 with its headers", async () => {
  const notification = apple({ aps: { alert: "direct" } });
  const sent = await hub.sendNotification(notification, { deviceHandle: deviceToken(42) });
  assert.equal((await settled(hub, sent.notificationId)).state, "Completed");
  const [arrived] = await inbox(server, { service: "apns", contains: "direct" });
  assert.equal(arrived.device.toUpperCase(), deviceToken(42));
});

test("a batch reaches every handle once", async () => {
  const handles = [50, 51, 52].map(deviceToken);
  const sent = await hub.sendNotification(apple({ aps: { alert: "batch" } }), { deviceHandle: handles });
  assert.match(sent.notificationId, /^[0-9a-f]{32}-/);
  const arrived = await inbox(server, { service: "apns", contains: "batch" }, 3);
  assert.deepEqual(arrived.map((it) => it.device.toUpperCase()).sort(), handles);
});

test("a template send renders each device's own template", async () => {
  const of = { deviceToken: deviceToken(60), bodyTemplate: TEMPLATES.Apple, tags: ["templates"] };
  await hub.createRegistration(make("createAppleTemplateRegistrationDescription", of));
  const template = make("createTemplateNotification", { body: { message: "rendered" } });
  const sent = await hub.sendNotification(template, { tagExpression: "templates" });
  assert.equal((await settled(hub, sent.notificationId)).state, "Completed");
  const [arrived] = await inbox(server, { service: "apns", contains: "rendered" });
  assert.deepEqual(arrived.payload, { aps: { alert: "rendered" } });
});

test("a broadcast goes to everyone, a send to an unknown tag to nobody", async () => {
  const sent = await hub.sendBroadcastNotification(fcm({ message: { data: { text: "everyone" } } }));
  assert.equal((await settled(hub, sent.notificationId)).state, "Completed");
  const none = await hub.sendNotification(fcm({ message: { data: {} } }), { tagExpression: "nobody" });
  assert.equal((await settled(hub, none.notificationId)).state, "NoTargetFound");
});

test("a scheduled send waits, and can be taken back", async () => {
  const later = { $date: new Date(Date.now() + 3_600_000).toISOString() };
  const sent = await hub.scheduleNotification(later, fcm({ message: { data: {} } }), { tagExpression: "news" });
  assert.equal((await hub.getNotificationOutcomeDetails(sent.notificationId)).state, "Scheduled");
  await hub.cancelScheduledNotification(sent.notificationId);
  assert.match((await hub.getNotificationOutcomeDetails(sent.notificationId)).state, /^Cancell?ed$/);
  await assert.rejects(hub.cancelScheduledNotification(sent.notificationId), { statusCode: 404 });
  const soon = { $date: new Date(Date.now() + 1500).toISOString() };
  const due = await hub.scheduleNotification(soon, fcm({ message: { data: { text: "due" } } }), { tagExpression: "news" });
  assert.equal((await settled(hub, due.notificationId)).state, "Completed");
});

test("a test send answers with the outcome of each device", async () => {
  const result = await hub.sendNotification(fcm({ message: { data: {} } }), { tagExpression: "other", enableTestSend: true });
  assert.equal(result.successCount, 1);
  assert.match(result.results[0].outcome, /successfully sent/);
});

test("a device that its push service does not know any more is removed and reported", async () => {
  const of = { fcmV1RegistrationId: "gone", tags: ["gone"] };
  const { registrationId } = await hub.createRegistration(make("createFcmV1RegistrationDescription", of));
  await fail(server, { service: "fcm", device: "gone", failure: "UNREGISTERED" });
  const sent = await hub.sendNotification(fcm({ message: { data: {} } }), { tagExpression: "gone" });
  const details = await settled(hub, sent.notificationId);
  assert.deepEqual(details.fcmV1OutcomeCounts, [{ state: "ExpiredChannel", count: 1 }]);
  await assert.rejects(hub.getRegistration(registrationId), { statusCode: 404 });
  const container = await hub.getFeedbackContainerUrl();
  assert.match(container, /^https:\/\/.*sig=/);
});

test("refusals say what is wrong", async () => {
  const bad = make("createTemplateNotification", { body: "{" });
  await assert.rejects(hub.sendNotification(bad, { tagExpression: "a" }), { statusCode: 400 });
  const expression = { tagExpression: "a &&" };
  await assert.rejects(hub.sendNotification(fcm({ message: {} }), expression), { statusCode: 400 });
  const large = fcm({ message: { data: { k: "x".repeat(70_000) } } });
  await assert.rejects(hub.sendNotification(large, { tagExpression: "a" }), { statusCode: 413 });
});

test("a device may register, but not send", async () => {
  const device = startSdk(server, server.ready.notificationhubs.listenConnectionString);
  try {
    await device.client.createRegistrationId();
    const sent = device.client.sendBroadcastNotification(fcm({ message: {} }));
    await assert.rejects(sent, { statusCode: 403 });
  } finally {
    await device.close();
  }
});
