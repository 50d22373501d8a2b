// Calls by the PyPI package azure-communication-callautomation: each operation that this server has, and
// the refusal of one that it has not.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Callbacks } from "./lib/callbacks.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { Device } from "./lib/signaling.mjs";

let server;
let sdk;
let automation;
let caller;
let callee;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("python", server, "communication-calling");
  automation = sdk.client({ client: "automation" });
});

beforeEach(async (t) => {
  [caller, callee] = [await Callbacks.start(), await Callbacks.start()];
  t.after?.(() => Promise.all([caller, callee].map((it) => it.close())));
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

const types = async (application, count) => (await application.next(count)).map(({ type }) => type);
const connection = (id) => sdk.client({ client: "call", connection: id });

/** A user with a device that is connected: what it hears answers the call. */
async function person(t) {
  const [id, [token]] = await sdk.client({ client: "identity" }).create_user_and_token(["voip"], {});
  const device = await Device.connect(server, token);
  t.after(() => device.close());
  return { user: { $user: id }, id, rung: async () => (await device.next()).fields };
}

/** A call that an application has answered: its connection. */
async function talking(who) {
  const made = await automation.create_call(who.user, caller.url, {});
  const { incomingCallContext } = await who.rung();
  await automation.answer_call(incomingCallContext, callee.url, {});
  assert.deepEqual(await types(caller, 2), ["CallConnected", "ParticipantsUpdated"]);
  assert.deepEqual(await types(callee, 2), ["CallConnected", "ParticipantsUpdated"]);
  await who.rung();
  return made.call_connection_id;
}

test("create_call rings, answer_call connects, hang_up ends", async (t) => {
  const bob = await person(t);
  const made = await automation.create_call(bob.user, caller.url, { operation_context: "ctx", source_display_name: "Alice" });
  assert.equal(made.call_connection_state, "connecting");
  const rung = await bob.rung();
  assert.deepEqual([rung.displayName, rung.serverCallId], ["Alice", made.server_call_id]);
  const answered = await automation.answer_call(rung.incomingCallContext, callee.url, {});
  assert.deepEqual([answered.call_connection_state, answered.server_call_id], ["connected", made.server_call_id]);
  const [connected] = await caller.next(2);
  assert.deepEqual([connected.type, connected.data.operationContext], ["CallConnected", "ctx"]);
  await callee.next(2);
  const call = connection(made.call_connection_id);
  assert.equal((await call.get_call_properties({})).call_connection_state, "connected");
  await call.hang_up(true, {});
  assert.deepEqual([await types(caller, 1), await types(callee, 1)], [["CallDisconnected"], ["CallDisconnected"]]);
  await assert.rejects(call.hang_up(false, {}), { statusCode: 404 });
});

test("create_group_call, reject_call and redirect_call", async (t) => {
  const [bob, eve, dan] = [await person(t), await person(t), await person(t)];
  await automation.create_group_call([bob.user, eve.user], caller.url, {});
  const contexts = [(await bob.rung()).incomingCallContext, (await eve.rung()).incomingCallContext];
  await automation.reject_call(contexts[0], { call_reject_reason: "busy" });
  assert.equal((await bob.rung()).eventId, 110);
  await automation.redirect_call(contexts[1], dan.user, {});
  await automation.reject_call((await dan.rung()).incomingCallContext, {});
  const [failed] = await caller.next();
  assert.deepEqual([failed.type, failed.data.resultInformation.code], ["CreateCallFailed", 603]);
});

test("participants are added, listed, muted, removed, and an invitation is cancelled", async (t) => {
  const [bob, eve] = [await person(t), await person(t)];
  const call = connection(await talking(bob));
  const ids = async () => (await call.list_participants({})).map(({ identifier }) => identifier);
  assert.deepEqual(await ids(), [bob.id]);
  const added = await call.add_participant(eve.user, { invitation_timeout: 30, operation_context: "adding" });
  assert.ok(added.invitation_id);
  await automation.answer_call((await eve.rung()).incomingCallContext, callee.url, {});
  await eve.rung();
  const [succeeded] = await caller.next(2);
  assert.deepEqual([succeeded.type, succeeded.data.operationContext], ["AddParticipantSucceeded", "adding"]);
  assert.deepEqual(await ids(), [bob.id, eve.id]);
  await call.mute_participant(bob.user, {});
  await caller.next();
  assert.equal((await call.get_participant(bob.user, {})).is_muted, true);
  await call.remove_participant(eve.user, {});
  assert.deepEqual(await types(caller, 2), ["RemoveParticipantSucceeded", "ParticipantsUpdated"]);
  const { invitation_id } = await call.add_participant(eve.user, {});
  await eve.rung();
  await call.cancel_add_participant_operation(invitation_id, {});
  assert.deepEqual(await types(caller, 1), ["CancelAddParticipantSucceeded"]);
  assert.equal((await eve.rung()).missedCall, "true");
});

test("an operation on media is refused by name", async (t) => {
  const call = connection(await talking(await person(t)));
  await assert.rejects(call.start_transcription({ locale: "en-US" }), ({ statusCode, message }) => {
    assert.match(message, /startTranscription.*media/s);
    return statusCode === 404;
  });
});
