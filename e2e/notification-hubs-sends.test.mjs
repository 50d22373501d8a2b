// Sends that are hard to carry out: through a crash, repeated by the client, to browsers that another
// implementation decrypts for, and requests as the other official clients write them.
import assert from "node:assert/strict";
import { createECDH, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer, request } from "node:https";
import { join } from "node:path";
import { after, before, test } from "node:test";
import ece from "http_ece";
import { HUB, inbox, raw, settled, startSdk } from "./lib/notification-hubs.mjs";
import { PATIENCE_MS, within } from "./lib/deadline.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const FCM = { "ServiceBusNotification-Format": "fcmv1", "Content-Type": "application/json;charset=utf-8" };
const message = (text) => JSON.stringify({ message: { data: { text } } });

const entry = (kind, members) =>
  `<entry xmlns="http://www.w3.org/2005/Atom"><content type="application/xml"><${kind} xmlns="http://schemas.microsoft.com/netservices/2010/10/servicebus/connect">${members}</${kind}></content></entry>`;

const fcmEntry = (token, tags) =>
  entry("FcmV1RegistrationDescription", `<Tags>${tags}</Tags><FcmV1RegistrationId>${token}</FcmV1RegistrationId>`);

for (const [style, path, idPath] of [
  ["net", "registrations", "registrationids"],
  ["java", "registrations/", "registrationids/"],
  ["android", "Registrations/", "registrationids/"],
  ["ios", "Registrations/", "registrationIDs/"],
]) {
  test(`requests in the style of ${style} are understood`, async () => {
    const issued = await raw(server, "POST", `/${HUB}/${idPath}?api-version=2015-04`, { style });
    assert.equal(issued.status, 201, issued.text);
    assert.match(issued.headers.location, new RegExp(`^https://[^/]+/${HUB}/registrationids/[^/?]+\\?api-version=2015-04$`));
    assert.match(issued.headers.trackingid, /^[0-9a-f-]{36}$/);
    const id = new URL(issued.headers.location).pathname.split("/").at(-1);
    const options = { style, body: fcmEntry(`device-${style}`, style) };
    const put = await raw(server, "PUT", `/${HUB}/${path.replace(/\/?$/, "/")}${id}?api-version=2015-04`, options);
    assert.equal(put.status, 200, put.text);
    assert.match(put.text, /<content type="application\/xml"><FcmV1RegistrationDescription /);
    assert.equal(put.headers.etag, 'W/"1"');
    const headers = { ...FCM, "ServiceBusNotification-Tags": style };
    const sent = await raw(server, "POST", `/${HUB}/messages?api-version=2015-04`, { style, headers, body: message(style) });
    assert.equal(sent.status, 201, sent.text);
    const [arrived] = await inbox(server, { service: "fcm", contains: style });
    assert.equal(arrived.device, `device-${style}`);
  });
}

const direct = (style, query, headers, body) =>
  raw(server, "POST", `/${HUB}/messages/?${query}`, { style, headers, body });

test("the forms of the .NET client: flags without values, its dates, its batch, channels as text", async () => {
  const style = "net";
  const schedule = { ...FCM, "ServiceBusNotification-ScheduleTime": "2030-01-01T00:00:00" };
  const scheduled = await raw(server, "POST", `/${HUB}/schedulednotifications?api-version=2017-04`, { style, headers: schedule, body: message("x") });
  assert.equal(scheduled.status, 201, scheduled.text);
  const later = new URL(scheduled.headers.location).pathname;
  assert.match(later, new RegExp(`^/${HUB}/schedulednotifications/[^/]+$`));
  assert.equal((await raw(server, "DELETE", `${later}?api-version=2017-04`, { style })).status, 200);

  const apple = { "ServiceBusNotification-Format": "apple", "Content-Type": "application/json;charset=utf-8" };
  const expiry = { ...apple, "ServiceBusNotification-DeviceHandle": "ab".repeat(32), "ServiceBusNotification-Apns-Expiry": "01/02/2030 03:04:05", "X-Apns-Priority": "5" };
  const one = await direct(style, "api-version=2017-04&direct", expiry, '{"aps":{"alert":"net expiry"}}');
  assert.equal(one.status, 201, one.text);
  const [arrived] = await inbox(server, { service: "apns", contains: "net expiry" });
  assert.equal(arrived.headers["apns-expiration"], `${Date.UTC(2030, 0, 2, 3, 4, 5) / 1000}`);
  assert.equal(arrived.headers["apns-priority"], "5");

  const boundary = "nh-batch-multipart-boundary";
  const part = (name, text) => `--${boundary}\r\nContent-Type: application/json\r\nContent-Disposition: inline; name=${name}\r\n\r\n${text}\r\n`;
  const handles = ["cd", "ef"].map((it) => it.repeat(32));
  const body = `${part("notification", '{"aps":{"alert":"net batch"}}')}${part("devices", JSON.stringify(handles))}--${boundary}--\r\n`;
  const headers = { "ServiceBusNotification-Format": "apple", "Content-Type": `multipart/mixed; boundary="${boundary}"` };
  const batch = await raw(server, "POST", `/${HUB}/messages/$batch?api-version=2017-04&direct`, { style, headers, body });
  assert.equal(batch.status, 201, batch.text);
  assert.match(new URL(batch.headers.location).pathname, new RegExp(`^/${HUB}/messages/[^/$]+$`));
  const reached = await inbox(server, { service: "apns", contains: "net batch" }, 2);
  assert.deepEqual(reached.map((it) => it.device.toLowerCase()).sort(), handles);

  const pushChannel = JSON.stringify({ endpoint: "https://push.example/net", p256dh: "P", auth: "A" });
  const installation = { installationId: "net-1", platform: "browser", pushChannel };
  const put = await raw(server, "PUT", `/${HUB}/installations/net-1?api-version=2017-04`, { style, body: JSON.stringify(installation) });
  assert.equal(put.status, 200, put.text);
  const got = await raw(server, "GET", `/${HUB}/installations/net-1?api-version=2017-04`, { style });
  assert.deepEqual(JSON.parse(JSON.parse(got.text).pushChannel), JSON.parse(pushChannel), "a text comes back as a text");
});

test("the forms of the Java client: quoted names, lines of its own, dates of the web", async () => {
  const style = "java";
  const part = (name, text) => `--b1\nContent-Type: application/json\nContent-Disposition: inline; name="${name}"\n\n${text}\n`;
  const body = `${part("notification", message("java batch"))}${part("devices", "['java-1', 'java-2']")}--b1--\n`;
  const headers = { "ServiceBusNotification-Format": "FcmV1", "Content-Type": "multipart/mixed; boundary=b1" };
  const batch = await raw(server, "POST", `/${HUB}/messages/$batch?direct&api-version=2020-06`, { style, headers, body });
  assert.equal(batch.status, 201, batch.text);
  assert.equal((await inbox(server, { service: "fcm", contains: "java batch" }, 2)).length, 2);
  const apple = { "ServiceBusNotification-Format": "apple", "ServiceBusNotification-DeviceHandle": "12".repeat(32), "ServiceBusNotification-Apns-Expiry": "2030-01-02T03:04:05Z" };
  assert.equal((await direct(style, "direct&api-version=2020-06", apple, '{"aps":{"alert":"java expiry"}}')).status, 201);
  const [arrived] = await inbox(server, { service: "apns", contains: "java expiry" });
  assert.equal(arrived.headers["apns-expiration"], `${Date.UTC(2030, 0, 2, 3, 4, 5) / 1000}`);
  const tested = await direct(style, "test&api-version=2020-06", { ...FCM, "ServiceBusNotification-Tags": "java" }, message("java test"));
  assert.equal(tested.status, 201, tested.text);
  assert.match(tested.text, /^<NotificationOutcome .*<Success>1<\/Success><Failure>0<\/Failure><Results><RegistrationResult>/);
});

test("the forms of device clients: dates without seconds, handles in any case, Listen alone", async () => {
  const connectionString = server.ready.notificationhubs.listenConnectionString;
  for (const [style, platform, pushChannel] of [["android", "fcmV1", "android-installed"], ["ios", "apns", "3f".repeat(32)]]) {
    const path = `/${HUB}/installations/${style}-1?api-version=2020-06`;
    const installation = { installationId: `${style}-1`, platform, pushChannel, expirationTime: "2030-05-01T10:20+0000", tags: [style], templates: { T: { name: "T", body: '{"a":"$(b)"}', tags: [] } } };
    const put = await raw(server, "PUT", path, { style, connectionString, body: JSON.stringify(installation) });
    assert.equal(put.status, 200, put.text);
    const got = JSON.parse((await raw(server, "GET", path, { style, connectionString })).text);
    assert.equal(got.expirationTime, "2030-05-01T10:20:00.0000000Z");
    const patch = await raw(server, "PATCH", path, { style, connectionString, body: '[{"op":"add","path":"/tags","value":"late"}]' });
    assert.equal(patch.status, 200, patch.text);
    assert.equal((await raw(server, "DELETE", path, { style, connectionString })).status, 204);
  }
  // Of the time before installations: one's own registrations are found by the handle.
  const body = entry("AppleRegistrationDescription", `<Tags>a, b</Tags><DeviceToken>${"4e".repeat(32)}</DeviceToken>`);
  assert.equal((await raw(server, "POST", `/${HUB}/Registrations/?api-version=2013-04`, { style: "ios", connectionString, body })).status, 200);
  const filter = encodeURIComponent(`deviceToken eq '${"4e".repeat(32)}'`);
  const found = await raw(server, "GET", `/${HUB}/Registrations/?$filter=${filter}&api-version=2013-04`, { style: "ios", connectionString });
  assert.equal(found.text.match(/<entry/g).length, 1);
  assert.match(found.text, /<Tags>a,b<\/Tags>/);
});

test("pages of a listing lead to one another with a token that every client can send back", async () => {
  const path = `/${HUB}/registrations?api-version=2020-06&%24top=2`;
  const first = await raw(server, "GET", path, {});
  const token = first.headers["x-ms-continuationtoken"];
  assert.match(token, /^[A-Za-z0-9_-]+$/);
  const second = await raw(server, "GET", `${path}&continuationtoken=${token}`, {});
  const ids = ({ text }) => [...text.matchAll(/<RegistrationId>([^<]+)/g)].map((it) => it[1]);
  assert.equal(new Set([...ids(first), ...ids(second)]).size, 4);
});

test("a refusal has the envelope of the service", async () => {
  const missing = await raw(server, "GET", "/nohub/registrations", {});
  assert.equal(missing.status, 404);
  assert.match(missing.text, /^<Error><Code>404<\/Code><Detail>No service is hosted.*TrackingId:.*<\/Detail><\/Error>$/);
  const wrong = await raw(server, "GET", `/${HUB}/registrations`, { headers: { Authorization: "SharedAccessSignature x" } });
  assert.equal(wrong.status, 401);
  assert.match(wrong.text, /MalformedToken/);
});

test("a send that the client repeats is carried out once", async () => {
  const headers = { ...FCM, "ServiceBusNotification-Tags": "net", "x-ms-client-request-id": "the-same" };
  const send = () => raw(server, "POST", `/${HUB}/messages`, { headers, body: message("once") });
  const [first, second] = [await send(), await send()];
  assert.deepEqual([first.status, second.status], [201, 201]);
  assert.equal(second.headers.location, first.headers.location);
  const other = await raw(server, "POST", `/${HUB}/messages`, { headers, body: message("another") });
  assert.notEqual(other.headers.location, first.headers.location);
});

test("a send whose answer is lost is repeated by the SDK, and carried out once", async () => {
  const folder = join(server.data, "tls");
  const [cert, key] = await Promise.all(["server.pem", "server-key.pem"].map((name) => readFile(join(folder, name))));
  let lost = 0;
  // Between the SDK and the server: it loses the first answer to a send.
  const between = createServer({ cert, key }, (asked, answered) => {
    const { method, url, headers } = asked;
    const onward = request(`${server.ready.https}${url}`, { method, headers, ca: server.ca }, (answer) => {
      if (url.includes("/messages/") && method === "POST" && (lost += 1) === 1) {
        answer.resume();
        return answered.writeHead(503).end();
      }
      answered.writeHead(answer.statusCode, answer.headers);
      answer.pipe(answered);
    });
    asked.pipe(onward);
  });
  between.listen(0, "localhost");
  await once(between, "listening");
  const { connectionString } = server.ready.notificationhubs;
  const sdk = startSdk(server, connectionString.replace(/localhost:\d+/, `localhost:${between.address().port}`), { retries: 3 });
  try {
    const notification = { $make: "createFcmV1Notification", of: { body: message("lost and found") } };
    const sent = await sdk.client.sendNotification(notification, { deviceHandle: "lost-1" });
    assert.equal(lost, 2, "the SDK has asked twice");
    const details = await settled(sdk.client, sent.notificationId);
    assert.deepEqual(details.fcmV1OutcomeCounts, [{ state: "Success", count: 1 }]);
    const answer = await fetch(`${server.ready.http}/fake-push/inbox?contains=lost%20and%20found`);
    assert.equal((await answer.json()).notifications.length, 1);
  } finally {
    await sdk.close();
    between.closeAllConnections();
    between.close();
  }
});

test("what is sent to a browser is decrypted by an independent implementation", async () => {
  const folder = join(server.data, "tls");
  const [cert, key] = await Promise.all(["server.pem", "server-key.pem"].map((name) => readFile(join(folder, name))));
  let arrived;
  const received = new Promise((resolve) => (arrived = resolve));
  const service = createServer({ cert, key }, (request, response) => {
    const pieces = [];
    request.on("data", (piece) => pieces.push(piece));
    request.on("end", () => {
      response.writeHead(201, { location: "https://localhost/1" }).end();
      arrived({ headers: request.headers, body: Buffer.concat(pieces) });
    });
  });
  service.listen(0, "127.0.0.1");
  await once(service, "listening");
  try {
    const browser = createECDH("prime256v1");
    const p256dh = browser.generateKeys("base64url");
    const auth = randomBytes(16).toString("base64url");
    const headers = {
      "ServiceBusNotification-Format": "browser", "Content-Type": "application/json;charset=utf-8",
      "ServiceBusNotification-DeviceHandle": `https://localhost:${service.address().port}/push/1`,
      P256DH: p256dh, Auth: auth,
    };
    const body = JSON.stringify({ title: "encrypted", text: "für dich" });
    const sent = await raw(server, "POST", `/${HUB}/messages/?direct`, { headers, body });
    assert.equal(sent.status, 201, sent.text);
    const got = await within(PATIENCE_MS, "message for the browser", received);
    assert.equal(got.headers["content-encoding"], "aes128gcm");
    assert.match(got.headers.authorization, /^vapid t=.+, k=.+/);
    const clear = ece.decrypt(got.body, { version: "aes128gcm", privateKey: browser, authSecret: auth });
    assert.equal(clear.toString(), body);
  } finally {
    service.close();
  }
});

test("a crash in the middle of a send repeats no more than a page", { timeout: 120_000 }, async () => {
  const folder = await temporaryFolder();
  const data = join(folder.path, "data");
  const [DEVICES, PAGE] = [5000, 1000];
  const counted = new Map();
  const count = async (at) => {
    for (let after = 0; ; ) {
      const answer = await fetch(`${at.ready.http}/fake-push/inbox?service=fcm&limit=1000&after=${after}`);
      const { notifications } = await answer.json();
      if (notifications.length === 0) return;
      for (const it of notifications) counted.set(it.device, (counted.get(it.device) ?? 0) + 1);
      after = notifications.at(-1).sequence;
    }
  };
  let first = await Server.start({ data });
  try {
    let number = 0;
    const register = async () => {
      while (number < DEVICES) {
        const body = fcmEntry(`crash-${(number += 1)}`, "crash");
        const made = await raw(first, "POST", `/${HUB}/registrations`, { body });
        assert.equal(made.status, 200, made.text);
      }
    };
    await Promise.all(Array.from({ length: 16 }, register));
    const headers = { ...FCM, "ServiceBusNotification-Tags": "crash" };
    const sent = await raw(first, "POST", `/${HUB}/messages`, { headers, body: message("crash") });
    assert.equal(sent.status, 201, sent.text);
    const id = new URL(sent.headers.location).pathname.split("/").at(-1);
    await inbox(first, { service: "fcm" }, 1000);
    await count(first);
    await first.kill();
    const before = counted.size;
    first = await Server.start({ data });
    const sdk = startSdk(first);
    const details = await settled(sdk.client, id);
    await sdk.close();
    assert.equal(details.state, "Completed");
    await count(first);
    assert.ok(before < DEVICES, "it was killed too late to prove anything");
    assert.equal(counted.size, DEVICES, "every device got it");
    const repeated = [...counted.values()].filter((times) => times > 1).length;
    assert.ok(repeated <= PAGE, `${repeated} devices got it again`);
  } finally {
    await first.stop();
    await folder.forget();
  }
});
