// npm @azure/notification-hubs against the real program and its fake push services: registrations, installations,
// sends of every kind, and what became of them.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { deviceToken, fail, inbox, raw, settled, startSdk, subscribed } from "./lib/notification-hubs.mjs";
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
  Baidu: { baiduUserId: "user1", baiduChannelId: "3456" },
  Xiaomi: { xiaomiRegistrationId: "xiaomi-1" },
  Mpns: { channelUri: "https://mpns.example/one" },
};

/** What the SDK does not list by channel: it knows no filter of theirs, or not the kind. */
const UNLISTED = ["Xiaomi", "Mpns"];

const TEMPLATES = {
  Apple: { bodyTemplate: '{"aps":{"alert":"$(message)"}}', apnsHeaders: { "apns-collapse-id": "$(topic)" } },
  FcmLegacy: { bodyTemplate: '{"data":{"m":"$(message)"}}' },
  FcmV1: { bodyTemplate: '{"message":{"data":{"m":"$(message)"}}}' },
  Adm: { bodyTemplate: '{"data":{"m":"$(message)"}}' },
  Browser: { bodyTemplate: '{"title":"$(message)"}' },
  Baidu: { bodyTemplate: '{"title":"$(message)"}' },
  Xiaomi: { bodyTemplate: '{"title":"$(message)"}' },
  Windows: { bodyTemplate: '<toast launch="$(message)"/>', wnsHeaders: { "X-WNS-Type": "wns/toast" } },
  Mpns: { bodyTemplate: '<toast launch="$(message)"/>', mpnsHeaders: { "X-WindowsPhone-Target": "toast" } },
};

/** What the SDK makes of a description; for a kind that it has no function for, the description with its kind. */
const described = (kind, template, of) =>
  kind === "Mpns" ? { kind: `Mpns${template}`, ...of } : make(`create${kind}${template}RegistrationDescription`, of);

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
    const description = described(kind, "", { ...handle, tags: ["a", "b"] });
    const made = await hub.createRegistration(description);
    assert.deepEqual(made.tags, ["a", "b"]);
    const found = await hub.getRegistration(made.registrationId);
    for (const [name, value] of Object.entries(handle)) assert.equal(found[name], value);
    const changed = await hub.updateRegistration({ ...found, tags: ["c"] });
    assert.deepEqual(changed.tags, ["c"]);
    await assert.rejects(hub.updateRegistration({ ...found, tags: ["d"] }), { statusCode: 412 });
    const listed = UNLISTED.includes(kind)
      ? await hub.listRegistrations()
      : await hub.listRegistrationsByChannel(channelOf(kind, handle));
    assert.ok(listed.some((it) => it.registrationId === made.registrationId), kind);
    await hub.deleteRegistration(made.registrationId);
    await assert.rejects(hub.getRegistration(made.registrationId), { statusCode: 404 });
  });
}

/** What the SDK's list by channel takes: the kind in its own words. */
const channelOf = (kind, handle) => ({ kind: kind === "FcmLegacy" ? "gcm" : kind.toLowerCase(), ...handle });

for (const [kind, template] of Object.entries(TEMPLATES)) {
  test(`template registrations of ${kind} come back as they were`, async () => {
    const of = { ...KINDS[kind], ...template, templateName: "T", tags: ["templated"], pushVariables: { city: "Rome" } };
    const made = await hub.createRegistration(described(kind, "Template", of));
    const found = await hub.getRegistration(made.registrationId);
    for (const [name, value] of Object.entries(of)) assert.deepEqual(found[name], value, name);
    await hub.deleteRegistration(made.registrationId);
  });
}

test("an expiry of a template is taken as the client writes a date", async () => {
  const of = { deviceToken: deviceToken(8), bodyTemplate: TEMPLATES.Apple.bodyTemplate, expiry: { $date: "2031-01-01T00:00:00Z" } };
  const made = await hub.createRegistration(make("createAppleTemplateRegistrationDescription", of));
  assert.equal((await hub.getRegistration(made.registrationId)).deviceToken, deviceToken(8));
  await hub.deleteRegistration(made.registrationId);
});

test("a registration is replaced by who has its id, and its number of changes grows", async () => {
  const registrationId = await hub.createRegistrationId();
  const of = (tags) => make("createFcmV1RegistrationDescription", { registrationId, fcmV1RegistrationId: "upsert", tags });
  assert.equal((await hub.createOrUpdateRegistration(of(["one"]))).etag, "1");
  const changed = await hub.createOrUpdateRegistration(of(["two"]));
  assert.deepEqual([changed.etag, changed.tags], ["2", ["two"]]);
  await hub.deleteRegistration(registrationId, { etag: changed.etag });
  await assert.rejects(hub.deleteRegistration(registrationId), { statusCode: 404 });
});

test("registrations are listed by tag and page by page", async () => {
  for (let number = 0; number < 5; number += 1) {
    const tags = ["paged:x"];
    await hub.createRegistration(make("createFcmV1RegistrationDescription", { fcmV1RegistrationId: `p${number}`, tags }));
  }
  const byTag = await hub.listRegistrationsByTag("paged:x", { top: 2 });
  assert.equal(byTag.length, 5);
  const ids = new Set(byTag.map((it) => it.registrationId));
  assert.equal(ids.size, 5, "none twice");
  const pages = await hub["listRegistrationsByTag:pages"]("paged:x", { top: 2 });
  assert.deepEqual(pages.map((page) => page.length), [2, 2, 1]);
  const all = await hub["listRegistrations:pages"]({ top: 3 });
  assert.ok(all.length > 1 && all.slice(0, -1).every((page) => page.length === 3), "every page but the last is full");
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

/** What an application gives the SDK's functions for installations: platform and handle. */
const INSTALLATIONS = {
  Apple: ["apns", deviceToken(20)],
  FcmLegacy: ["gcm", "gcm-i"],
  FcmV1: ["fcmv1", "fcm-i"],
  Windows: ["wns", "https://wns.example/i"],
  Adm: ["adm", "adm-i"],
  Baidu: ["baidu", "user1-3456"],
  Xiaomi: ["xiaomi", "xiaomi-i"],
  Browser: ["browser", { endpoint: "https://push.example/i", p256dh: "BA", auth: "aa" }],
};

for (const [kind, [platform, pushChannel]] of Object.entries(INSTALLATIONS)) {
  test(`installations of ${kind} come back as they were`, async () => {
    const of = {
      installationId: `i-${platform}`, pushChannel, tags: ["installed"], userId: "alice@example.com",
      pushVariables: { city: "Rome" }, expirationTime: "2031-05-01T10:20:00.0000000Z",
    };
    await hub.createOrUpdateInstallation(make(`create${kind}Installation`, of));
    const found = await hub.getInstallation(of.installationId);
    assert.deepEqual([found.platform, found.pushChannel], [platform, pushChannel]);
    assert.deepEqual([found.tags, found.userId, found.pushVariables], [of.tags, of.userId, of.pushVariables]);
    assert.equal(new Date(found.expirationTime).getTime(), new Date(of.expirationTime).getTime());
    const derived = await hub.listRegistrationsByTag(`$InstallationId:{i-${platform}}`);
    assert.deepEqual(derived[0].tags.includes("$UserId:{alice@example.com}"), true);
    await hub.deleteInstallation(of.installationId);
  });
}

test("installations are changed in parts", async () => {
  const template = JSON.stringify({ body: '{"message":{"data":{"m":"$(message)"}}}', tags: ["weather"] });
  await hub.createOrUpdateInstallation({ installationId: "parts", platform: "fcmv1", pushChannel: "parts", tags: ["a", "b"] });
  await hub.updateInstallation("parts", [
    { op: "remove", path: "/tags/a" },
    { op: "add", path: "/userId", value: "bob" },
    { op: "replace", path: "/pushChannel", value: "parts-2" },
    { op: "add", path: "/templates/T", value: template },
    { op: "add", path: "/pushVariables/city", value: "Oslo" },
  ]);
  const found = await hub.getInstallation("parts");
  assert.deepEqual([found.tags, found.userId, found.pushChannel], [["b"], "bob", "parts-2"]);
  assert.deepEqual([found.templates.T.tags, found.pushVariables], [["weather", "T"], { city: "Oslo" }]);
  await hub.updateInstallation("parts", [{ op: "remove", path: "/templates/T" }, { op: "remove", path: "/userId" }]);
  const left = await hub.getInstallation("parts");
  assert.deepEqual([left.templates, left.userId], [undefined, undefined]);
  await assert.rejects(hub.updateInstallation("parts", [{ op: "add", path: "/nonsense", value: "x" }]), { statusCode: 400 });
  await assert.rejects(hub.updateInstallation("none", [{ op: "add", path: "/tags", value: "x" }]), { statusCode: 404 });
  await hub.deleteInstallation("parts");
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

test("a direct send to a browser arrives decrypted", async () => {
  const { endpoint, keys } = await subscribed(server);
  const notification = make("createBrowserNotification", { body: JSON.stringify({ title: "to a browser" }) });
  const sent = await hub.sendNotification(notification, { deviceHandle: { endpoint, ...keys } });
  assert.equal((await settled(hub, sent.notificationId)).state, "Completed");
  const [arrived] = await inbox(server, { service: "webpush", contains: "to a browser" });
  assert.deepEqual(arrived.payload, { title: "to a browser" });
});

test("a batch reaches every handle once", async () => {
  const handles = [50, 51, 52].map(deviceToken);
  const sent = await hub.sendNotification(apple({ aps: { alert: "batch" } }), { deviceHandle: handles });
  assert.match(sent.notificationId, /^[0-9a-f]{32}-/);
  const arrived = await inbox(server, { service: "apns", contains: "batch" }, 3);
  assert.deepEqual(arrived.map((it) => it.device.toUpperCase()).sort(), handles);
});

test("a template send renders each device's own template", async () => {
  const of = { deviceToken: deviceToken(60), ...TEMPLATES.Apple, tags: ["templates"], pushVariables: { topic: "own" } };
  await hub.createRegistration(make("createAppleTemplateRegistrationDescription", of));
  const template = make("createTemplateNotification", { body: { message: "rendered" } });
  const sent = await hub.sendNotification(template, { tagExpression: "templates" });
  assert.equal((await settled(hub, sent.notificationId)).state, "Completed");
  const [arrived] = await inbox(server, { service: "apns", contains: "rendered" });
  assert.deepEqual(arrived.payload, { aps: { alert: "rendered" } });
  assert.equal(arrived.headers["apns-collapse-id"], "own", "a header of the template, from a variable of the device");
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

test("a scheduled broadcast goes to everyone at its time, and can be taken back", async () => {
  const later = { $date: new Date(Date.now() + 3_600_000).toISOString() };
  const kept = await hub.scheduleBroadcastNotification(later, fcm({ message: { data: {} } }));
  assert.equal((await hub.getNotificationOutcomeDetails(kept.notificationId)).state, "Scheduled");
  await hub.cancelScheduledNotification(kept.notificationId);
  const soon = { $date: new Date(Date.now() + 1500).toISOString() };
  const due = await hub.scheduleBroadcastNotification(soon, fcm({ message: { data: { text: "to all, later" } } }));
  const details = await settled(hub, due.notificationId);
  assert.deepEqual([details.state, details.tags], ["Completed", undefined]);
  const devices = (await inbox(server, { service: "fcm", contains: "to all, later" }, 3)).map((it) => it.device);
  for (const device of ["tag-a", "tag-b", "tag-c"]) assert.ok(devices.includes(device), device);
});

test("a test broadcast reaches ten devices at most", async () => {
  // The SDK sends the word undefined as tags then.
  const result = await hub.sendBroadcastNotification(fcm({ message: { data: {} } }), { enableTestSend: true });
  assert.ok(result.successCount >= 3 && result.successCount <= 10, `${result.successCount}`);
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
  // What is kept of it, in the shape of storage.
  const container = await hub.getFeedbackContainerUrl();
  assert.match(container, /^https:\/\/.*sig=/);
  const read = async (url) => {
    const { pathname, search } = new URL(url);
    const answer = await raw(server, "GET", `${pathname}${search}`, { headers: { Authorization: "" } });
    assert.equal(answer.status, 200, answer.text);
    return answer.text;
  };
  const listed = await read(`${container}&restype=container&comp=list`);
  const [, name] = /<Blob><Name>(\d{8})<\/Name>/.exec(listed);
  const records = await read(container.replace("/feedback?", `/feedback/${name}?`));
  const ours = records.split("\n").find((line) => line.includes(`<NotificationId>${sent.notificationId}</NotificationId>`));
  const members = /<NotificationSystemError>ExpiredChannel<.*<Platform>fcmv1<.*<PnsHandle>gone<.*<RegistrationId>/;
  assert.match(ours, members);
  const errors = (await read(details.pnsErrorDetailsUrl)).trim().split("\n");
  assert.deepEqual(errors, [ours]);
});

test("refusals say what is wrong", async () => {
  const bad = make("createTemplateNotification", { body: "{" });
  await assert.rejects(hub.sendNotification(bad, { tagExpression: "a" }), { statusCode: 400 });
  const expression = { tagExpression: "a &&" };
  await assert.rejects(hub.sendNotification(fcm({ message: {} }), expression), { statusCode: 400 });
  const many = (count, operator) => Array.from({ length: count }, (_, at) => `t${at}`).join(operator);
  for (const [count, operator] of [[21, " || "], [7, " && "]]) {
    const refused = hub.sendNotification(fcm({ message: {} }), { tagExpression: many(count, operator) });
    await assert.rejects(refused, { statusCode: 400, message: /tags/ });
    await hub.sendNotification(fcm({ message: { data: {} } }), { tagExpression: many(count - 1, operator) });
  }
  const large = fcm({ message: { data: { k: "x".repeat(70_000) } } });
  await assert.rejects(hub.sendNotification(large, { tagExpression: "a" }), { statusCode: 413 });
});

test("what is not there, not allowed or not in the version asked for is a RestError with our sentence", async () => {
  const missing = { name: "RestError", statusCode: 404 };
  await assert.rejects(hub.getRegistration("1-2-3"), missing);
  await assert.rejects(hub.getNotificationOutcomeDetails("nothing"), { ...missing, message: /No notification has this id/ });
  const wrong = server.ready.notificationhubs.connectionString.replace(/SharedAccessKey=.*/, "SharedAccessKey=wrong");
  const others = startSdk(server, wrong);
  const elsewhere = startSdk(server, undefined, { hub: "nohub" });
  try {
    const refusal = { name: "RestError", statusCode: 401, message: /InvalidSignature/ };
    await assert.rejects(others.client.createRegistrationId(), refusal);
    await assert.rejects(others.client.sendBroadcastNotification(fcm({ message: {} })), refusal);
    await assert.rejects(elsewhere.client.createRegistrationId(), { ...missing, message: /No service is hosted.*nohub/ });
  } finally {
    await Promise.all([others.close(), elsewhere.close()]);
  }
});

test("a platform that nothing is sent to is named in the outcome", async () => {
  await hub.createRegistration(described("Windows", "", { channelUri: "https://wns.example/two", tags: ["windows"] }));
  const toast = make("createWindowsToastNotification", { body: "<toast/>" });
  const tested = await hub.sendNotification(toast, { tagExpression: "windows", enableTestSend: true });
  assert.match(tested.results[0].outcome, /no sender for the platform windows yet/);
  const sent = await hub.sendNotification(toast, { tagExpression: "windows" });
  assert.deepEqual((await settled(hub, sent.notificationId)).wnsOutcomeCounts, [{ state: "Skipped", count: 1 }]);
  const direct = hub.sendNotification(toast, { deviceHandle: "https://wns.example/two" });
  await assert.rejects(direct, { statusCode: 400, message: /no sender for the platform windows yet/ });
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
