// `tidings doctor`: the faults of pushes, each injected into a real server, its linked hub or the fake push
// services.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { eventually, PATIENCE_MS, within } from "./lib/deadline.mjs";
import { confirms, doctor, leads, patient, silent, well } from "./lib/doctor.mjs";
import { FakeHub } from "./lib/fake-hub.mjs";
import { request } from "./lib/http.mjs";
import { deviceToken, fail, settled, startSdk } from "./lib/notification-hubs.mjs";
import { Phone } from "./lib/phone.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";
import { changeStore, sealed } from "./lib/store.mjs";

const GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings/providers";
const RESOURCE = `${GROUP}/Microsoft.Communication/CommunicationServices/local`;
const OWN = `${GROUP}/Microsoft.NotificationHubs/namespaces/moved`;

/** One management call, which has to be taken. */
async function managed(server, method, path, body) {
  const version = path.includes("NotificationHubs") ? "2023-09-01" : "2023-04-01";
  const answer = await request(`${server.ready.https}${path}?api-version=${version}`, {
    method,
    ca: server.ca,
    headers: { authorization: "Bearer development", "content-type": "application/json" },
    body: body && JSON.stringify(body),
  });
  assert.ok(answer.status < 300, answer.text);
  return answer.text && answer.json();
}

const MANAGED = { provider: "communication", subscription: "00000000-0000-0000-0000-000000000000" };

/** A chat of two, the hub of a test's own, and what links it. */
async function linkable(t) {
  const server = await patient(t);
  const [sdk, management, hub] = [new Sdk("js", server, "communication"), new Sdk("js", server, "management"), await FakeHub.start()];
  t.after(() => Promise.all([sdk.close(), management.close(), hub.close()]));
  const identity = sdk.client({ client: "identity" });
  const [alice, bob] = [await identity.createUserAndToken(["chat"]), await identity.createUserAndToken(["chat"])];
  const chat = sdk.client({ client: "chat", token: alice.token });
  const participants = [{ id: bob.user, displayName: "Bob" }];
  const { chatThread } = await chat.createChatThread({ topic: "t" }, { participants });
  const thread = sdk.client({ client: "thread", token: alice.token, thread: chatThread.id });
  const link = ({ resourceId, connectionString } = hub) =>
    management
      .operations("communicationServices", MANAGED)
      .linkNotificationHub("tidings", "local", { linkNotificationHubParameters: { resourceId, connectionString } });
  const phone = (platform = "ios") => new Phone(server, bob.token, platform, { encrypted: false }).register();
  return { server, hub, link, phone, bob, send: (content) => thread.sendMessage({ content }) };
}

test("a system whose pushes arrive is healthy", async (t) => {
  const { server, hub, link, phone, send } = await linkable(t);
  await link();
  await phone();
  await send("hello");
  await within(PATIENCE_MS, "a push", hub.sends.next());
  await well(server);
  await well(server, "--symptom", "push");
});

test("hub-not-linked: a device waits, and there is no hub", async (t) => {
  const { server, hub, link, phone } = await linkable(t);
  await silent(server, "hub-not-linked");
  await phone();
  const found = await confirms(server, "hub-not-linked", "Observed");
  assert.match(found.evidence[0].text, /1 device/);
  await link(hub);
  await silent(server, "hub-not-linked");
});

test("platform-not-configured: the linked hub has no credentials for the platform of a device", async (t) => {
  const { server, hub, link, phone } = await linkable(t);
  hub.platforms = ["apple"];
  await link();
  await phone("ios");
  await silent(server, "platform-not-configured");
  await phone("android");
  await confirms(server, "platform-not-configured", "Measured");
});

/** What happens to a hub after it was linked, and what is told of it. */
const LATER = {
  "hub-deleted": (hub) => void (hub.name = "another"),
  "key-not-relinked": (hub) => void (hub.key = "regenerated"),
  "no-send-right": (hub) => void (hub.maySend = false),
  "fcm-credential-revoked": (hub) => void (hub.outcome = "The Token obtained from the Token Provider is wrong"),
};

for (const [hypothesis, happen] of Object.entries(LATER)) {
  test(`${hypothesis}: of a linked hub`, async (t) => {
    const { server, hub, link, phone } = await linkable(t);
    await link();
    await phone();
    await silent(server, hypothesis);
    happen(hub);
    await confirms(server, hypothesis, "Measured");
  });
}

test("key-not-relinked: with what a send found, and since when", async (t) => {
  const { server, hub, link, phone, send } = await linkable(t);
  await link();
  await phone();
  const { key } = hub;
  hub.key = "regenerated";
  await send("refused");
  await eventually("a send has found it", async () => {
    const { report } = await doctor(server, "--symptom", "push");
    const { evidence } = report.findings.find((it) => it.hypothesis === "key-not-relinked");
    return evidence.some(({ tag }) => tag === "Observed");
  });
  const { evidence } = await confirms(server, "key-not-relinked", "Correlated");
  await leads(server, evidence, /hub accepted/);
  hub.key = key;
  await silent(server, "key-not-relinked");
});

test("bad-connection-string: refused when it was linked, and a hub that is away", async (t) => {
  const { server, hub, link } = await linkable(t);
  await silent(server, "bad-connection-string");
  await assert.rejects(link({ resourceId: hub.resourceId, connectionString: "Endpoint=sb://h/" }), { statusCode: 400 });
  await confirms(server, "bad-connection-string", "Observed");
  await link();
  await silent(server, "bad-connection-string");
  hub.away = true;
  await confirms(server, "bad-connection-string", "Measured");
});

test("bad-connection-string: a resource id that is none", async (t) => {
  const { server, hub, link } = await linkable(t);
  await assert.rejects(link({ resourceId: "/subscriptions/x", connectionString: hub.connectionString }), { statusCode: 400 });
  const found = await confirms(server, "bad-connection-string", "Observed");
  assert.match(found.evidence[0].text, /1 time/);
});

test("registration-lapsed: the registration of a device has ended", async (t) => {
  const { server, link, phone, send } = await linkable(t);
  await link();
  await phone();
  await send("hello");
  await silent(server, "registration-lapsed");
  // The least that a registration holds is a minute; its end is moved here instead of awaited.
  await changeStore(server.data, "UPDATE communication_devices SET expires_at = 1");
  const found = await confirms(server, "registration-lapsed", "Inferred");
  const [, device] = /apple device '([^']+)'/.exec(found.evidence[0].text);
  await confirms(server, "registration-lapsed", "Inferred", "--device", device);
  const { verdict, evidence } = await silent(server, "registration-lapsed", "--device", "nobody's");
  assert.equal(verdict, "cannotTell");
  assert.match(evidence[0].text, /No device 'nobody's' is registered/);
});

/** A certificate for APNs as Apple once gave them to apps, which ran out yesterday: PKCS#12 in base64. */
async function oldCertificate(folder) {
  const openssl = (...args) => promisify(execFile)("openssl", args, { cwd: folder });
  const subject = "/UID=com.example.app/CN=Apple Push Services: com.example.app";
  await openssl("req", "-new", "-newkey", "rsa:2048", "-nodes", "-keyout", "key.pem", "-out", "request.pem", "-subj", subject);
  await openssl("x509", "-req", "-in", "request.pem", "-signkey", "key.pem", "-days", "-1", "-out", "old.pem");
  await assert.rejects(openssl("x509", "-in", "old.pem", "-noout", "-checkend", "0"), "it has run out");
  await openssl("pkcs12", "-export", "-inkey", "key.pem", "-in", "old.pem", "-passout", "pass:secret", "-out", "old.p12");
  return (await readFile(join(folder, "old.p12"))).toString("base64");
}

test("apns-certificate: a linked hub of this server that moved in with a certificate", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const data = join(folder.path, "data");
  const [first, hub] = [await Server.start({ data }), `${OWN}/notificationHubs/app`];
  const { apns: account } = await (await fetch(`${first.ready.http}/fake-push/accounts`)).json();
  const apns = { ...account, endpoint: `${first.ready.notificationhubs.apns}/3/device` };
  const token = { apnsCredential: { properties: apns } };
  await managed(first, "PUT", OWN, { location: "local" });
  await managed(first, "PUT", hub, { location: "local", properties: token });
  const rule = `${hub}/authorizationRules/DefaultFullSharedAccessSignature/listKeys`;
  const { primaryConnectionString: connectionString } = await managed(first, "POST", rule);
  await managed(first, "POST", `${RESOURCE}/linkNotificationHub`, { resourceId: hub, connectionString });
  await silent(first, "apns-certificate");
  const https = Number(new URL(first.ready.https).port);
  await first.stop();
  // Calls refuse certificates: it is put where an older version, or another program, would have left it.
  const certificate = { endpoint: apns.endpoint, apnsCertificate: await oldCertificate(folder.path), certificateKey: "secret" };
  const secret = JSON.stringify({ apnsCredential: { properties: certificate } });
  const blob = await sealed(data, "notificationhubs/moved/app/credentials", secret);
  await changeStore(data, "UPDATE push_hubs SET credentials = ? WHERE name = 'app'", blob);
  const server = await patient(t, { data, https });
  for (const tag of ["Measured", "Observed"]) {
    const found = await confirms(server, "apns-certificate", tag);
    assert.match(found.evidence[0].text, /'app' has a certificate for APNs/);
    assert.doesNotMatch(JSON.stringify(found), new RegExp(certificate.apnsCertificate.slice(0, 20)));
  }
  await silent(server, "platform-not-configured");
  await managed(server, "PUT", hub, { location: "local", properties: token });
  await silent(server, "apns-certificate");
});

/** A device at the hub of development, and a send to it. */
async function ownHub(t) {
  const server = await patient(t);
  const sdk = startSdk(server);
  t.after(() => sdk.close());
  const { client } = sdk;
  const send = async (name, body) => {
    const notification = { $make: `create${name}Notification`, of: { body: JSON.stringify(body) } };
    const { notificationId } = await client.sendBroadcastNotification(notification);
    return settled(client, notificationId);
  };
  const apple = (number) =>
    client.createRegistration({ $make: "createAppleRegistrationDescription", of: { deviceToken: deviceToken(number) } });
  const fcm = (token) =>
    client.createRegistration({ $make: "createFcmV1RegistrationDescription", of: { fcmV1RegistrationId: token } });
  const toApple = () => send("Apple", { aps: { alert: "x" } });
  const toFcm = () => send("FcmV1", { message: { notification: { title: "x" } } });
  return { server, client, apple, fcm, toApple, toFcm };
}

test("sends to the hub of development are no fault", async (t) => {
  const { server, apple, fcm, toApple, toFcm } = await ownHub(t);
  await Promise.all([apple(1), fcm("one")]);
  await toApple();
  await toFcm();
  await well(server);
});

test("dead-device-token: a push service does not know the device any more", async (t) => {
  const { server, fcm, toFcm } = await ownHub(t);
  await fcm("one");
  await toFcm();
  await silent(server, "dead-device-token");
  await fail(server, { service: "fcm", device: "one", failure: "UNREGISTERED" });
  await toFcm();
  const found = await confirms(server, "dead-device-token", "Observed");
  assert.match(found.evidence[0].text, /fcmv1/);
  await leads(server, found.evidence, /push service answered/);
});

test("wrong-apns-environment: APNs knows no device of the hub", async (t) => {
  const { server, apple, toApple } = await ownHub(t);
  await apple(1);
  await fail(server, { service: "apns", device: deviceToken(1).toLowerCase(), failure: "BadDeviceToken" });
  await fail(server, { service: "apns", device: deviceToken(1), failure: "BadDeviceToken" });
  await silent(server, "wrong-apns-environment");
  await toApple();
  await confirms(server, "wrong-apns-environment", "Observed");
});

test("wrong-apns-environment: the device belongs to another app", async (t) => {
  const { server, apple, toApple } = await ownHub(t);
  await apple(1);
  for (const device of [deviceToken(1), deviceToken(1).toLowerCase()]) {
    await fail(server, { service: "apns", device, failure: "DeviceTokenNotForTopic" });
  }
  await silent(server, "wrong-apns-environment");
  await toApple();
  const found = await confirms(server, "wrong-apns-environment", "Observed");
  assert.match(found.evidence[0].text, /DeviceTokenNotForTopic/);
});

test("platform-not-configured: a hub of this server without the credential of a device", async (t) => {
  const server = await patient(t);
  const hub = `${OWN}/notificationHubs/app`;
  await managed(server, "PUT", OWN, { location: "local" });
  await managed(server, "PUT", hub, { location: "local", properties: {} });
  const rule = `${hub}/authorizationRules/DefaultFullSharedAccessSignature/listKeys`;
  const { primaryConnectionString } = await managed(server, "POST", rule);
  const sdk = startSdk(server, primaryConnectionString, { hub: "app" });
  t.after(() => sdk.close());
  await silent(server, "platform-not-configured");
  await sdk.client.createRegistration({ $make: "createFcmV1RegistrationDescription", of: { fcmV1RegistrationId: "one" } });
  const found = await confirms(server, "platform-not-configured", "Observed");
  assert.match(found.evidence[0].text, /'app' has 1 device of fcmv1/);
});

test("limit-hit: a payload that the push service does not take", async (t) => {
  const { server, apple, toApple } = await ownHub(t);
  await apple(1);
  for (const device of [deviceToken(1), deviceToken(1).toLowerCase()]) {
    await fail(server, { service: "apns", device, failure: "PayloadTooLarge" });
  }
  await silent(server, "limit-hit");
  await toApple();
  const found = await confirms(server, "limit-hit", "Observed");
  assert.match(found.evidence[0].text, /to apple had a payload that is too large/);
});

test("fcm-credential-revoked: the service account of the hub is refused", async (t) => {
  const { server, fcm } = await ownHub(t);
  await fcm("one");
  await silent(server, "fcm-credential-revoked");
  await fail(server, { service: "fcm", failure: "PERMISSION_DENIED" });
  await confirms(server, "fcm-credential-revoked", "Measured");
});

test("throttled: a push service says that it is too much", async (t) => {
  const { server, apple, client } = await ownHub(t);
  await apple(1);
  await silent(server, "throttled");
  await fail(server, { service: "apns", device: deviceToken(1), failure: "TooManyRequests" });
  await client.sendBroadcastNotification({ $make: "createAppleNotification", of: { body: '{"aps":{"alert":"x"}}' } });
  await eventually("it was tried", async () => {
    const { report } = await doctor(server, "--symptom", "push");
    return report.findings.some(({ hypothesis, verdict }) => hypothesis === "throttled" && verdict === "confirmed");
  });
  const found = await confirms(server, "throttled", "Observed");
  assert.match(found.evidence[0].text, /apple/);
});
