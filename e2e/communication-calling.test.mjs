// Calls by @azure/communication-call-automation: who rings, who answers, and who is told.
import assert from "node:assert/strict";
import { createHash, createHmac, createPublicKey, verify } from "node:crypto";
import { after, before, beforeEach, test } from "node:test";
import { Callbacks } from "./lib/callbacks.mjs";
import { PATIENCE_MS, within } from "./lib/deadline.mjs";
import { EventGrid } from "./lib/eventgrid.mjs";
import { FakeHub } from "./lib/fake-hub.mjs";
import { request } from "./lib/http.mjs";
import { Phone } from "./lib/phone.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { Webhook } from "./lib/webhook.mjs";

const RESOURCE =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings" +
  "/providers/Microsoft.Communication/CommunicationServices/local";

let server;
let sdk;
let automation;
let webhook;
let caller;
let callee;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "communication-calling");
  automation = sdk.client({ client: "automation" });
  webhook = await Webhook.start();
  await new EventGrid(server).subscribe(RESOURCE, webhook);
});

/** Applications of each test's own, so that what one test does not wait for is not the next one's. */
beforeEach(async (t) => {
  [caller, callee] = [await Callbacks.start(), await Callbacks.start()];
  const both = [caller, callee];
  t.after?.(() => Promise.all(both.map((it) => it.close())));
});

after(() => Promise.all([sdk?.close(), webhook?.close(), server?.stop()]));

const user = async (scopes = ["voip"]) => sdk.client({ client: "identity" }).createUserAndToken(scopes);
const call = (connection) => sdk.client({ client: "call", connection });
const names = (events) => events.map(({ type }) => type);

/** The next event of this type; events of one change come in any order. */
async function event(type) {
  for (;;) {
    const { event } = await within(PATIENCE_MS, type, webhook.events.next());
    if (event.eventType === `Microsoft.Communication.${type}`) return event;
  }
}

/** A call that rings: its properties, and the word that answers it. */
async function ringing({ user }, { sourceDisplayName, ...more } = {}) {
  const invite = { targetParticipant: user, sourceDisplayName };
  const { callConnectionProperties } = await automation.createCall(invite, caller.url, more);
  const incoming = await event("IncomingCall");
  return { ...callConnectionProperties, incoming, context: incoming.data.incomingCallContext };
}

/** The same, answered by an application. */
async function talking(who) {
  const rings = await ringing(who);
  const answered = await automation.answerCall(rings.context, callee.url);
  assert.deepEqual(names(await caller.next(2)), ["CallConnected", "ParticipantsUpdated"]);
  assert.deepEqual(names(await callee.next(2)), ["CallConnected", "ParticipantsUpdated"]);
  return { ...rings, answered: answered.callConnectionProperties };
}

test("createCall rings the user, and answerCall connects both sides", async () => {
  const bob = await user();
  const rings = await ringing(bob, { operationContext: "ctx", sourceDisplayName: "Alice" });
  const id = bob.user.communicationUserId;
  assert.equal(rings.callConnectionState, "connecting");
  assert.equal(rings.incoming.data.to.rawId, id);
  assert.equal(rings.incoming.data.callerDisplayName, "Alice");
  assert.equal(rings.incoming.data.serverCallId, rings.serverCallId);
  assert.equal(rings.incoming.subject, `/caller/${rings.incoming.data.from.rawId}/recipient/${id}`);

  const { callConnectionProperties: answered } = await automation.answerCall(rings.context, callee.url);
  assert.equal(answered.callConnectionState, "connected");
  assert.equal(answered.serverCallId, rings.serverCallId);
  const [connected, updated] = await caller.next(2);
  assert.equal(connected.type, "CallConnected");
  assert.deepEqual([connected.data.callConnectionId, connected.data.operationContext], [rings.callConnectionId, "ctx"]);
  assert.deepEqual(updated.data.participants.map(({ identifier }) => identifier.rawId), [id]);
  assert.deepEqual(names(await callee.next(2)), ["CallConnected", "ParticipantsUpdated"]);
  assert.equal((await event("CallStarted")).data.serverCallId, rings.serverCallId);
  const { callConnectionState } = await call(rings.callConnectionId).getCallConnectionProperties();
  assert.equal(callConnectionState, "connected");
});

test("the first answer wins, and a call that was answered rings no more", async () => {
  const rings = await ringing(await user());
  const both = [automation.answerCall(rings.context, callee.url), automation.answerCall(rings.context, callee.url)];
  const outcomes = await Promise.allSettled(both);
  assert.deepEqual(outcomes.map(({ status }) => status).sort(), ["fulfilled", "rejected"]);
  assert.equal(outcomes.find(({ reason }) => reason).reason.statusCode, 404);
  await assert.rejects(automation.rejectCall(rings.context), { statusCode: 404 });
  await Promise.all([caller.next(2), callee.next(2)]);
});

test("rejectCall fails the call with its reason", async () => {
  for (const [callRejectReason, code] of [["busy", 486], ["none", 603], ["forbidden", 403]]) {
    const rings = await ringing(await user());
    await automation.rejectCall(rings.context, { callRejectReason });
    const [failed] = await caller.next();
    assert.deepEqual([failed.type, failed.data.resultInformation.code], ["CreateCallFailed", code]);
  }
});

test("a user who does not exist fails the call with 404", async () => {
  const nobody = { communicationUserId: (await user()).user.communicationUserId.replace(/.{4}$/, "0000") };
  await automation.createCall({ targetParticipant: nobody }, caller.url);
  const [failed] = await caller.next();
  assert.deepEqual([failed.type, failed.data.resultInformation.code], ["CreateCallFailed", 404]);
});

test("redirectCall rings somebody else", async () => {
  const [bob, eve] = [await user(), await user()];
  const rings = await ringing(bob);
  await automation.redirectCall(rings.context, { targetParticipant: eve.user });
  const { data } = await event("IncomingCall");
  assert.equal(data.to.rawId, eve.user.communicationUserId);
  await automation.rejectCall(data.incomingCallContext);
  assert.deepEqual(names(await caller.next()), ["CreateCallFailed"]);
});

test("hangUp ends a call of two, for everybody or by leaving it", async () => {
  for (const forEveryone of [true, false]) {
    const { callConnectionId, serverCallId } = await talking(await user());
    await call(callConnectionId).hangUp(forEveryone);
    assert.deepEqual(names(await caller.next()), ["CallDisconnected"]);
    assert.deepEqual(names(await callee.next()), ["CallDisconnected"]);
    const ended = await event("CallEnded");
    assert.equal(ended.subject, `call/${serverCallId}`);
    await assert.rejects(call(callConnectionId).hangUp(true), { statusCode: 404 });
  }
});

test("participants are listed, added, muted, removed, and an invitation is cancelled", async () => {
  const [bob, eve] = [await user(), await user()];
  const { callConnectionId } = await talking(bob);
  const connection = call(callConnectionId);
  const ids = async () => (await connection.listParticipants()).values.map(({ identifier }) => identifier.communicationUserId);
  assert.deepEqual(await ids(), [bob.user.communicationUserId]);

  const added = await connection.addParticipant({ targetParticipant: eve.user }, { operationContext: "add" });
  assert.ok(added.invitationId);
  const { data } = await event("IncomingCall");
  await automation.answerCall(data.incomingCallContext, callee.url);
  const [succeeded] = await caller.next(2);
  assert.deepEqual([succeeded.type, succeeded.data.operationContext], ["AddParticipantSucceeded", "add"]);
  assert.deepEqual(await ids(), [bob, eve].map(({ user }) => user.communicationUserId));
  await callee.next(3);

  await connection.muteParticipant(bob.user);
  await caller.next();
  assert.equal((await connection.getParticipant(bob.user)).isMuted, true);
  await connection.removeParticipant(eve.user);
  assert.deepEqual(names(await caller.next(2)), ["RemoveParticipantSucceeded", "ParticipantsUpdated"]);
  assert.deepEqual(await ids(), [bob.user.communicationUserId]);

  const { invitationId } = await connection.addParticipant({ targetParticipant: eve.user });
  await event("IncomingCall");
  await connection.cancelAddParticipantOperation(invitationId);
  assert.deepEqual(names(await caller.next()), ["CancelAddParticipantSucceeded"]);
  await connection.hangUp(true);
  assert.deepEqual(names(await caller.next()), ["CallDisconnected"]);
});

test("a group call rings everybody, and goes on with whoever answers", async () => {
  const [bob, eve] = [await user(), await user()];
  const { callConnectionProperties } = await automation.createGroupCall([bob.user, eve.user], caller.url);
  const rings = [await event("IncomingCall"), await event("IncomingCall")].map(({ data }) => data.incomingCallContext);
  await automation.rejectCall(rings[0]);
  await automation.answerCall(rings[1], callee.url);
  assert.deepEqual(names(await caller.next(2)), ["CallConnected", "ParticipantsUpdated"]);
  await callee.next(2);
  await call(callConnectionProperties.callConnectionId).hangUp(true);
  await Promise.all([caller.next(), callee.next()]);
});

test("an invitation that nobody takes in time fails", async () => {
  const [bob, eve] = [await user(), await user()];
  const { callConnectionId } = await talking(bob);
  await call(callConnectionId).addParticipant({ targetParticipant: eve.user }, { invitationTimeoutInSeconds: 1 });
  const { data } = await event("IncomingCall");
  const [failed] = await caller.next();
  assert.deepEqual([failed.type, failed.data.resultInformation.code], ["AddParticipantFailed", 408]);
  await assert.rejects(automation.answerCall(data.incomingCallContext, callee.url), { statusCode: 404 });
  await call(callConnectionId).hangUp(true);
  await Promise.all([caller.next(), callee.next()]);
});

test("a user's own device answers with its access token, and nobody else's does", async () => {
  const [bob, eve, chatter] = [await user(), await user(), await user(["chat"])];
  const { context } = await ringing(bob);
  const answer = (token) =>
    request(`${server.ready.https}/calling/callConnections:answer?api-version=2026-03-12`, {
      method: "POST",
      ca: server.ca,
      headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
      body: JSON.stringify({ incomingCallContext: context }),
    });
  assert.equal((await answer(chatter.token)).status, 403);
  assert.equal((await answer(eve.token)).status, 404);
  assert.equal((await answer(bob.token)).status, 200);
  assert.deepEqual(names(await caller.next(2)), ["CallConnected", "ParticipantsUpdated"]);
  assert.equal((await answer(bob.token)).status, 404);
});

test("a call rings the sleeping phone, and stops when somebody else answers", async (t) => {
  const hub = await FakeHub.start();
  t.after(() => hub.close());
  await hub.linkTo(server);
  const bob = await user();
  await new Phone(server, bob.token, "ios", { purpose: "Calls", encrypted: false }).register();
  const rings = await ringing(bob, { sourceDisplayName: "Alice" });
  const ring = await within(PATIENCE_MS, "a push", hub.sends.next());
  assert.equal(ring.headers["apns-push-type"], "voip");
  assert.deepEqual([ring.body.data.eventId, ring.body.data.displayName], [107, "Alice"]);
  assert.equal(ring.body.data.callId, rings.correlationId);
  await automation.answerCall(rings.context, callee.url);
  const stop = await within(PATIENCE_MS, "a push", hub.sends.next());
  assert.deepEqual([stop.body.data.eventId, stop.body.data.missedCall], [110, "false"]);
  await Promise.all([caller.next(2), callee.next(2)]);
});

/** A request signed by a computation of its own, for what the SDK does not let a caller choose. */
function signed(method, path, body, headers) {
  const { connectionString } = server.ready.communication;
  const [, endpoint, key] = /endpoint=(.+)\/;accesskey=(.+)/.exec(connectionString);
  const date = new Date().toUTCString();
  const hash = createHash("sha256").update(body).digest("base64");
  const text = `${method}\n${path}\n${date};${new URL(endpoint).host};${hash}`;
  const signature = createHmac("sha256", Buffer.from(key, "base64")).update(text).digest("base64");
  const authorization = `HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=${signature}`;
  const own = { authorization, "x-ms-date": date, "x-ms-content-sha256": hash, "content-type": "application/json" };
  return request(`${endpoint}${path}`, { method, ca: server.ca, body, headers: { ...own, ...headers } });
}

test("callbacks are signed for the application's resource, with a key that is published", async () => {
  const bob = await user();
  const { context } = await ringing(bob);
  await automation.rejectCall(context);
  const [{ authorization }] = await caller.next();
  const token = authorization.replace("Bearer ", "");
  const [head, claims] = token.split(".").slice(0, 2).map((part) => JSON.parse(Buffer.from(part, "base64url")));

  const get = async (url) => (await request(url, { ca: server.ca })).json();
  const configuration = await get(`${server.ready.https}/calling/.well-known/acsopenidconfiguration`);
  const { keys } = await get(configuration.jwks_uri);
  const key = createPublicKey({ key: keys.find(({ kid }) => kid === head.kid), format: "jwk" });
  const [signed, signature] = [token.slice(0, token.lastIndexOf(".")), Buffer.from(token.split(".")[2], "base64url")];
  assert.ok(verify("sha256", Buffer.from(signed), { key, dsaEncoding: "ieee-p1363" }, signature));
  assert.ok(configuration.id_token_signing_alg_values_supported.includes(head.alg));
  const [, resource] = /^8:acs:([0-9a-f-]{36})_/.exec(bob.user.communicationUserId);
  assert.deepEqual([claims.iss, claims.aud], [configuration.issuer, resource]);
  assert.ok(claims.nbf <= Date.now() / 1000 + 5 && claims.exp > Date.now() / 1000);

  // It opens nothing here.
  const answered = await request(`${server.ready.https}/calling/callConnections:answer?api-version=2026-03-12`, {
    method: "POST",
    ca: server.ca,
    headers: { authorization, "content-type": "application/json" },
    body: JSON.stringify({ incomingCallContext: context }),
  });
  assert.equal(answered.status, 401);
});

test("a request that is repeated makes one call", async () => {
  const { communicationUserId: id } = (await user()).user;
  const body = JSON.stringify({ targets: [{ rawId: id, communicationUser: { id } }], callbackUri: caller.url });
  const headers = { "repeatability-request-id": "1fc1aa40-7a3b-4f6a-9d2a-111111111111" };
  const order = () => signed("POST", "/calling/callConnections?api-version=2026-03-12", body, headers);
  const answers = await Promise.all([order(), order(), order()]);
  assert.deepEqual(answers.map(({ status }) => status), [201, 201, 201]);
  assert.equal(new Set(answers.map((answer) => answer.json().callConnectionId)).size, 1);
  assert.deepEqual(answers.map((answer) => answer.headers["repeatability-result"]), ["accepted", "accepted", "accepted"]);
  const { incomingCallContext } = (await event("IncomingCall")).data;
  const reject = (id) => {
    const order = JSON.stringify({ incomingCallContext });
    return signed("POST", "/calling/callConnections:reject?api-version=2026-03-12", order, { "repeatability-request-id": id });
  };
  const statuses = [];
  for (const id of ["first", "first", "another"]) statuses.push((await reject(id)).status);
  assert.deepEqual(statuses, [204, 204, 404]);
  assert.deepEqual(names(await caller.next()), ["CreateCallFailed"]);
});

test("what is not part of this server is refused by name", async () => {
  const answer = await signed("POST", "/calling/callConnections/one:play?api-version=2026-03-12", "{}");
  assert.equal(answer.status, 404);
  assert.match(answer.json().error.message, /'play'.*media/s);
});
