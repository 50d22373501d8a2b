// A call that rings: at every connected device over its WebSocket, at the sleeping ones by push, until the
// first of them answers or nobody does.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Callbacks } from "./lib/callbacks.mjs";
import { PATIENCE_MS, within } from "./lib/deadline.mjs";
import { FakeHub } from "./lib/fake-hub.mjs";
import { request } from "./lib/http.mjs";
import { Phone } from "./lib/phone.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";
import { Device } from "./lib/signaling.mjs";

let server;
let sdk;
let hub;
let caller;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "communication-calling");
  hub = await FakeHub.start();
  await hub.linkTo(server);
});

beforeEach(async (t) => {
  caller = await Callbacks.start();
  t.after?.(() => caller.close());
});

after(() => Promise.all([sdk?.close(), hub?.close(), server?.stop()]));

const user = (using = sdk) => using.client({ client: "identity" }).createUserAndToken(["voip"]);
const nextSend = () => within(PATIENCE_MS, "a push", hub.sends.next());

async function connect(t, { token }, options, at = server) {
  const device = await Device.connect(at, token, options);
  t.after(() => device.close());
  return device;
}

async function call({ user }, using = sdk) {
  const invite = { targetParticipant: user, sourceDisplayName: "Alice 50%41 ☃" };
  const made = await using.client({ client: "automation" }).createCall(invite, caller.url);
  return made.callConnectionProperties;
}

/** A device answers for its user, with the user's token. */
async function answer({ token }, incomingCallContext, at = server) {
  return request(`${at.ready.https}/calling/callConnections:answer?api-version=2026-03-12`, {
    method: "POST",
    ca: at.ca,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ incomingCallContext }),
  });
}

const hangUp = ({ callConnectionId }) => sdk.client({ client: "call", connection: callConnectionId }).hangUp(true);

test("a call rings at every connected device, and the first that answers stops it at the others", async (t) => {
  const [bob, eve] = [await user(), await user()];
  const devices = [await connect(t, bob), await connect(t, bob)];
  const stranger = await connect(t, eve);
  const made = await call(bob);
  const contexts = [];
  for (const device of devices) {
    const { name, fields } = await device.next();
    assert.equal(name, "incomingCall");
    assert.deepEqual([fields.eventId, fields.displayName, fields.videoCall], [107, "Alice 50%41 ☃", "false"]);
    assert.deepEqual([fields.serverCallId, fields.callId], [made.serverCallId, made.correlationId]);
    assert.equal(fields.recipientMri, bob.user.communicationUserId);
    assert.ok(new Date(fields.ringsUntil) > new Date(), fields.ringsUntil);
    contexts.push(fields.incomingCallContext);
  }
  // One that comes while it rings hears it, too.
  const late = await connect(t, bob);
  assert.equal((await late.next()).fields.incomingCallContext, contexts[0]);

  assert.equal((await answer(bob, contexts[0])).status, 200);
  for (const device of [...devices, late]) {
    const { name, fields } = await device.next();
    assert.deepEqual([name, fields.serverCallId, fields.missedCall], ["callEnded", made.serverCallId, "false"]);
  }
  assert.equal((await answer(bob, contexts[1])).status, 404);
  assert.deepEqual((await caller.next(2)).map(({ type }) => type), ["CallConnected", "ParticipantsUpdated"]);
  assert.deepEqual(stranger.pushed.rest, []);
  await hangUp(made);
  await caller.next();
});

test("a device whose connection breaks while it rings is told again, and of the end it missed", async (t) => {
  const bob = await user();
  const broken = await connect(t, bob, { name: "phone" });
  const made = await call(bob);
  const { fields } = await broken.next();
  broken.socket.terminate();
  await broken.end();
  const back = await connect(t, bob, { name: "another" });
  assert.equal((await back.next()).fields.incomingCallContext, fields.incomingCallContext);
  await hangUp(made);
  const returned = await connect(t, bob, { name: "phone" });
  const missed = await returned.next();
  assert.deepEqual([missed.name, missed.fields.missedCall], ["callEnded", "true"]);
  assert.deepEqual(returned.pushed.rest, []);
  await caller.next();
});

test("a missed call is told to connected devices and to phones", async (t) => {
  const bob = await user();
  const device = await connect(t, bob);
  await new Phone(server, bob.token, "ios", { purpose: "Calls", encrypted: false }).register();
  const made = await call(bob);
  assert.equal((await device.next()).name, "incomingCall");
  assert.equal((await nextSend()).body.data.eventId, 107);
  await hangUp(made);
  const { name, fields } = await device.next();
  assert.deepEqual([name, fields.missedCall], ["callEnded", "true"]);
  const { data } = (await nextSend()).body;
  assert.deepEqual([data.eventId, data.missedCall, data.callId], [110, "true", made.correlationId]);
  assert.deepEqual((await caller.next()).map(({ type }) => type), ["CallDisconnected"]);
});

test("devices that are not connected are woken, each as its platform rings, and one that is connected is not", async (t) => {
  const bob = await user();
  const phones = {};
  for (const [name, platform] of [["iphone", "ios"], ["android", "android"], ["tablet", "android"]]) {
    phones[name] = await new Phone(server, bob.token, platform, { purpose: "Calls", encrypted: false }).register();
  }
  // The tablet is connected, under the name with which it has registered.
  const tablet = await connect(t, bob, { name: phones.tablet.id });
  const made = await call(bob);
  const rings = [await nextSend(), await nextSend()].sort((one, other) => one.format.localeCompare(other.format));
  assert.deepEqual(rings.map(({ handle }) => handle), [phones.iphone.handle, phones.android.handle]);
  assert.equal(rings[0].headers["apns-push-type"], "voip");
  assert.equal(rings[1].body.message.android.priority, "HIGH");
  const { fields } = await tablet.next();
  assert.equal((await answer(bob, fields.incomingCallContext)).status, 200);
  const stops = [await nextSend(), await nextSend()].map(({ handle }) => handle).sort();
  assert.deepEqual(stops, [phones.iphone.handle, phones.android.handle].sort());
  assert.deepEqual(hub.sends.rest, []);
  await hangUp(made);
  await caller.next(3);
});

test("a push that a hub is slow to take is not overtaken by the one that ends it", async () => {
  const bob = await user();
  await new Phone(server, bob.token, "ios", { purpose: "Calls", encrypted: false }).register();
  hub.status = 503;
  const made = await call(bob);
  await nextSend();
  await hangUp(made);
  hub.status = 201;
  const numbers = [await nextSend(), await nextSend()].map(({ body }) => body.data.eventId);
  assert.deepEqual(numbers, [107, 110]);
  await caller.next();
});

test("servers on one store ring together, and an answer at one stops it at the others", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const data = `${folder.path}/data`;
  const servers = [await Server.start({ data }), await Server.start({ data })];
  t.after(() => Promise.all(servers.map((one) => one.stop())));
  const own = new Sdk("js", servers[0], "communication-calling");
  t.after(() => own.close());
  const bob = await user(own);
  const devices = [await connect(t, bob, {}, servers[0]), await connect(t, bob, {}, servers[1])];
  const made = await call(bob, own);
  const [first, second] = [await devices[0].next(), await devices[1].next()];
  assert.deepEqual([first.name, second.name], ["incomingCall", "incomingCall"]);
  assert.equal((await answer(bob, second.fields.incomingCallContext, servers[1])).status, 200);
  for (const device of devices) {
    const { name, fields } = await device.next();
    assert.deepEqual([name, fields.serverCallId, fields.missedCall], ["callEnded", made.serverCallId, "false"]);
  }
});

test("a token that one server revokes ends connections of the others, and a newer one stays", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const data = `${folder.path}/data`;
  const servers = [await Server.start({ data }), await Server.start({ data })];
  t.after(() => Promise.all(servers.map((one) => one.stop())));
  const own = new Sdk("js", servers[0], "communication-calling");
  t.after(() => own.close());
  const identity = own.client({ client: "identity" });
  const [bob, eve] = [await user(own), await user(own)];
  const devices = [await Device.connect(servers[1], bob.token), await Device.connect(servers[1], eve.token)];
  await identity.revokeTokens(bob.user);
  const { token } = await identity.getToken(bob.user, ["voip"]);
  const newer = await connect(t, { token }, {}, servers[1]);
  assert.equal(await devices[0].end(), 1008);
  assert.match((await devices[0].orders.next()), /unauthorized/);
  await identity.deleteUser(eve.user);
  assert.equal(await devices[1].end(), 1008);
  assert.equal(newer.socket.readyState, newer.socket.OPEN);
  assert.deepEqual(newer.orders.rest, []);
});
