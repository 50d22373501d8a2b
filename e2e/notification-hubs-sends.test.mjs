// Sends that are hard to carry out: through a crash, repeated by the client, to browsers that another
// implementation decrypts for, and requests as the other official clients write them.
import assert from "node:assert/strict";
import { createECDH, randomBytes } from "node:crypto";
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import { createServer } from "node:https";
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
