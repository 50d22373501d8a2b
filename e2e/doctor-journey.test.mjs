// `tidings doctor --journey`: why this very message, event, push or request did not arrive, and journeys as
// evidence of what is wrong at large.
import assert from "node:assert/strict";
import { test } from "node:test";
import { typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { confirms, doctor, patient, silent } from "./lib/doctor.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { freshHub } from "./lib/hub.mjs";
import { fail, settled, startSdk } from "./lib/notification-hubs.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { nowSeconds, tokenFor } from "./lib/token.mjs";

/** What a journey's report says first: the stages at which it stopped. */
async function stopped(server, id) {
  const { code, report } = await doctor(server, "--journey", id);
  const [first] = report.findings;
  assert.deepEqual([code, first.hypothesis, first.verdict], [1, "stopped-on-the-way", "confirmed"], JSON.stringify(report.findings));
  return { report, text: first.evidence.map(({ text }) => text).join("\n"), first };
}

const names = ({ findings }) => findings.map(({ hypothesis }) => hypothesis);
const confirmed = ({ findings }) => names({ findings: findings.filter(({ verdict }) => verdict === "confirmed") });

test("a message to nobody stopped when its receivers were looked for, and the printed command shows all of it", async (t) => {
  const server = await patient(t);
  const url = `${server.ready.http}/api/hubs/chat/users/ann/:send?api-version=2024-12-01`;
  const authorization = `Bearer ${tokenFor(server.accessKey, url.split("?")[0])}`;
  const sent = await fetch(url, { method: "POST", body: "hello", headers: { authorization, "content-type": "text/plain" } });
  assert.equal(sent.status, 202, await sent.text());
  const id = sent.headers.get("x-ms-request-id");
  const { text, report, first } = await stopped(server, id);
  assert.match(text, /It failed at the stage 'matched' of gateway: nobody: the user 'ann'/);
  assert.ok(!names(report).includes("webhook-failing"), "no event was raised");
  const [{ command }] = first.mitigations;
  const traced = await typed([...command.split(" ").slice(1), "--data", server.data]);
  assert.match(traced.out, /nobody: the user 'ann'/);

  // Asked nothing, it is told, and whether ann should have been there is left to the reader.
  const listed = (await doctor(server)).report.findings.find(({ hypothesis }) => hypothesis === "stopped-on-the-way");
  assert.equal(listed.verdict, "cannotTell");
  assert.equal(listed.evidence[1].trace, id.replaceAll("-", ""));
  const about = async (user) => (await silent(server, "stopped-on-the-way", "--user", user)).verdict;
  assert.deepEqual([await about("ann"), await about("bob")], ["cannotTell", "ruledOut"]);
});

test("a message that arrived went all the way", async (t) => {
  const server = await patient(t);
  const hub = freshHub(t, server, "chat");
  const client = await hub.json();
  let id;
  await hub.service.sendToAll({ n: 1 }, { onResponse: ({ headers }) => (id = headers.get("x-ms-request-id")) });
  await client.nextJson();
  const { code, report } = await doctor(server, "--journey", id);
  assert.equal(code, 0, JSON.stringify(report));
  const found = report.findings.find(({ hypothesis }) => hypothesis === "stopped-on-the-way");
  assert.match(found.evidence[0].text, /nothing of it failed or waits/);
});

test("of what nobody recorded nothing can be told", async (t) => {
  const server = await patient(t);
  const { code, out } = await typed(["doctor", "--data", server.data, "--journey", "a-letter"]);
  assert.equal(code, 2, out);
  assert.match(out, /^Nothing could be found out/);
  assert.match(out, /Nothing is recorded under 'a-letter'/);
});

test("a refused request: its own row of the log tables, and no other's", async (t) => {
  const server = await patient(t);
  const url = `${server.ready.http}/api/hubs/chat/:send?api-version=2024-12-01`;
  const send = (key, times = {}) =>
    fetch(url, { method: "POST", body: "x", headers: { authorization: `Bearer ${tokenFor(key, url.split("?")[0], times)}`, "content-type": "text/plain" } });
  const old = await send(server.accessKey, { exp: nowSeconds() - 3600 });
  const stranger = await send("another key");
  assert.deepEqual([old.status, stranger.status], [401, 401]);
  const [first, second] = [old, stranger].map(({ headers }) => headers.get("x-ms-request-id"));
  const of = async (id) => confirmed((await stopped(server, id)).report);
  assert.deepEqual(await of(first), ["stopped-on-the-way", "token-expired"]);
  assert.deepEqual(await of(second), ["stopped-on-the-way", "access-key-wrong"]);
  const { evidence } = await confirms(server, "token-expired", "Observed");
  assert.equal(evidence[0].trace, first);
});

test("an event whose webhook fails: the stage, and that event subscription alone", async (t) => {
  const server = await patient(t);
  const [grid, broken, other] = [new EventGrid(server), await Receiver.start({ answer: () => 500 }), await Receiver.start({ answer: () => 500 })];
  t.after(() => Promise.all([broken.close(), other.close()]));
  const topic = await grid.topic();
  await grid.subscribe(topic.id, broken, {}, "orders");
  await grid.subscribe(grid.local.id, other, {}, "invoices");
  const event = { ...eventGridEvent(), id: "event-7" };
  await grid.publisher(topic).send([event]);
  await grid.publisher(grid.local).send([eventGridEvent()]);
  for (const name of ["orders", "invoices"]) {
    await eventually("the attempt has ended", async () => (await grid.seen(name)).health.retried > 0);
  }
  const { text, report } = await stopped(server, "event-7");
  assert.match(text, /tried again after the stage 'webhook answered' of eventgrid: event subscription 'orders'/);
  assert.ok(confirmed(report).includes("webhook-failing"), confirmed(report));
  const { evidence } = report.findings.find(({ hypothesis }) => hypothesis === "webhook-failing");
  assert.ok(!JSON.stringify(evidence).includes("invoices"), JSON.stringify(evidence));

  const { evidence: all } = await confirms(server, "webhook-failing", "Observed");
  const { trace } = all.find((it) => it.trace && !it.query);
  assert.match((await typed(["trace", trace, "--data", server.data])).out, /webhook answered/);
});

test("a chat message: whom it was for, and why its receiver heard nothing", async (t) => {
  const server = await patient(t);
  const sdk = new Sdk("js", server, "communication");
  t.after(() => sdk.close());
  const identity = sdk.client({ client: "identity" });
  const [alice, bob] = [await identity.createUserAndToken(["chat"]), await identity.createUserAndToken(["chat"])];
  const chat = sdk.client({ client: "chat", token: alice.token });
  const participants = [{ id: bob.user }];
  const { chatThread } = await chat.createChatThread({ topic: "t" }, { participants });
  const { id } = await sdk.client({ client: "thread", token: alice.token, thread: chatThread.id }).sendMessage({ content: "hello?" });
  const { report } = await doctor(server, "--journey", id);
  assert.ok(confirmed(report).includes("realtime-never-started"), JSON.stringify(report));
  assert.ok(!names(report).includes("webhook-failing"), names(report));
});

test("a push that the push service refuses: the stage, and what the service said", async (t) => {
  const server = await patient(t);
  const sdk = startSdk(server);
  t.after(() => sdk.close());
  await sdk.client.createRegistration({ $make: "createFcmV1RegistrationDescription", of: { fcmV1RegistrationId: "one" } });
  await fail(server, { service: "fcm", device: "one", failure: "UNREGISTERED" });
  const body = JSON.stringify({ message: { notification: { title: "x" } } });
  const { notificationId } = await sdk.client.sendBroadcastNotification({ $make: "createFcmV1Notification", of: { body } });
  await settled(sdk.client, notificationId);
  const { text, report } = await stopped(server, notificationId);
  assert.match(text, /the stage 'push service answered' of notificationhubs/);
  assert.ok(confirmed(report).includes("dead-device-token"), confirmed(report));
});
