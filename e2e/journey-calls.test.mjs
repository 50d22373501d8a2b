// What becomes of a call, stage by stage under the ids that applications and phones have of it: who is rung, at which
// devices, by which pushes, who answers, and how it ends.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Callbacks } from "./lib/callbacks.mjs";
import { typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { request } from "./lib/http.mjs";
import { Journeys, detailsOf } from "./lib/journeys.mjs";
import { OWN } from "./lib/logs.mjs";
import { Phone } from "./lib/phone.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";
import { Device } from "./lib/signaling.mjs";

const RESOURCE = `${OWN}/providers/Microsoft.Communication/CommunicationServices/local`;

let server;
let calling;
let journeys;

before(async () => {
  server = await Server.start();
  calling = new Sdk("js", server, "communication-calling");
  journeys = new Journeys(server);
  const { hub, connectionString } = server.ready.notificationhubs;
  const resourceId = `${OWN}/providers/Microsoft.NotificationHubs/namespaces/local/notificationHubs/${hub}`;
  const linked = await request(`${server.ready.https}${RESOURCE}/linkNotificationHub?api-version=2023-04-01`, {
    method: "POST",
    ca: server.ca,
    headers: { authorization: "Bearer development", "content-type": "application/json" },
    body: JSON.stringify({ resourceId, connectionString }),
  });
  assert.equal(linked.status, 200, linked.text);
});

after(async () => {
  await calling?.close();
  await server?.stop();
});

/** A device answers for its user, with the user's token. */
function answer({ ready, ca }, { token }, { incomingCallContext }) {
  return request(`${ready.https}/calling/callConnections:answer?api-version=2026-03-12`, {
    method: "POST",
    ca,
    headers: { authorization: `Bearer ${token}`, "content-type": "application/json" },
    body: JSON.stringify({ incomingCallContext }),
  });
}

test("a call is followed from its caller to every device, through an answer by another request, to its end", async (t) => {
  const callbacks = await Callbacks.start();
  t.after(() => callbacks.close());
  const identity = calling.client({ client: "identity" });
  const [bob, carol] = [await identity.createUserAndToken(["voip"]), await identity.createUserAndToken(["voip"])];
  const tablet = await Device.connect(server, bob.token, { name: "bobs-tablet" });
  const browser = await Device.connect(server, bob.token, { name: "bobs-chat-tab", status: 404 });
  t.after(() => Promise.all([tablet.close(), browser.close()]));
  const phone = await new Phone(server, bob.token, "ios", { purpose: "Calls", encrypted: false }).register();
  t.after(() => phone.unregister());

  const invite = { targetParticipant: bob.user, sourceDisplayName: "Alice" };
  const made = (await calling.client({ client: "automation" }).createCall(invite, callbacks.url)).callConnectionProperties;
  const { fields } = await tablet.next();
  const ringing = await journeys.with(made.callConnectionId, [
    "calling accepted done",
    "calling call done",
    "signaling announced done",
    "signaling acknowledged done",
    "signaling dropped done",
    "push hub accepted done",
    "notificationhubs push service answered done",
    "edge answered done",
  ]);
  const { id } = ringing;
  const him = bob.user.communicationUserId;
  assert.match(detailsOf(ringing, "accepted")[0], new RegExp(`^28:acs:.* calls ${him}$`));
  assert.ok(detailsOf(ringing, "call").includes(`${him} is rung for 60 s at most`));
  assert.match(detailsOf(ringing, "announced")[0], /^incomingCall: sent to 2 connected devices of .*bobs-(tablet|chat-tab), bobs-(tablet|chat-tab)$/);
  assert.match(detailsOf(ringing, "acknowledged")[0], /^incomingCall: bobs-tablet, .* took it$/);
  assert.match(detailsOf(ringing, "dropped")[0], /^incomingCall: bobs-chat-tab, .* takes no calls \(404\)$/);
  assert.match(detailsOf(ringing, "hub accepted")[0], new RegExp(`^for apple, device ${phone.id}$`));
  assert.equal(ringing.outcome, "waiting", "it still rings");
  for (const known of [made.serverCallId, made.correlationId]) assert.equal((await journeys.of(known)).id, id, known);

  const answered = await answer(server, bob, fields);
  assert.equal(answered.status, 200, answered.text);
  const other = await journeys.with(answered.headers["x-ms-request-id"], ["calling call done", "edge answered done"]);
  assert.notEqual(other.id, id);
  assert.ok(other.stages.some(({ detail }) => detail.endsWith(id)), "the request that answers names the call's journey");
  assert.deepEqual((await callbacks.next(2)).map(({ type }) => type), ["CallConnected", "ParticipantsUpdated"]);

  const connection = calling.client({ client: "call", connection: made.callConnectionId });
  await connection.addParticipant({ targetParticipant: carol.user }, { invitationTimeoutInSeconds: 1 });
  assert.equal((await callbacks.next())[0].type, "AddParticipantFailed");
  await connection.hangUp(true);
  await callbacks.next();
  const she = carol.user.communicationUserId;
  const told = async () => detailsOf(await journeys.of(made.callConnectionId), "call");
  await eventually("the end", async () => (await told()).some((detail) => detail.startsWith("ended after")));
  const all = (await told()).map((detail) => detail.replace(/\d+(\.\d+)?(ms|s)$/, "a while"));
  const expected = [
    `${him} is rung for 60 s at most`,
    `${him} is rung no more: answered`,
    `${him} is in the call`,
    "an application holds the call",
    `${she} is rung for 1 s at most`,
    `${she} is rung no more: nobody answered in time`,
    `${him} has left`,
    "ended after a while",
  ];
  assert.deepEqual(all, expected);
  const whole = await journeys.with(made.callConnectionId, ["calling webhook answered done", "push dropped done"]);
  assert.equal(whole.id, id);
  assert.equal(whole.outcome, "failed", "somebody has missed it");
  assert.equal(whole.stages.filter(({ stage, detail }) => stage === "webhook answered" && detail.endsWith("taken")).length, 4);
  assert.doesNotMatch(JSON.stringify(whole), new RegExp(fields.incomingCallContext.split(".")[1]), "what answers a call is not told");

  const { out, code } = await typed(["trace", made.callConnectionId, "--data", server.data]);
  assert.equal(code, 0);
  assert.match(out, new RegExp(`^journey ${id}\n`));
  assert.match(out, new RegExp(`calling +call +failed +${she} is rung no more: nobody answered in time\n`));
});

test("a call that is answered at another server stays one journey", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const data = `${folder.path}/data`;
  const servers = [await Server.start({ data }), await Server.start({ data })];
  t.after(() => Promise.all(servers.map((one) => one.stop())));
  const own = new Sdk("js", servers[0], "communication-calling");
  const callbacks = await Callbacks.start();
  t.after(() => Promise.all([own.close(), callbacks.close()]));
  const bob = await own.client({ client: "identity" }).createUserAndToken(["voip"]);
  const phone = await Device.connect(servers[1], bob.token, { name: "there" });
  t.after(() => phone.close());
  const invite = { targetParticipant: bob.user };
  const made = (await own.client({ client: "automation" }).createCall(invite, callbacks.url)).callConnectionProperties;
  const { fields } = await phone.next();
  const answered = await answer(servers[1], bob, fields);
  assert.equal(answered.status, 200, answered.text);
  await callbacks.next(2);
  const told = new Journeys(servers[0]);
  const him = bob.user.communicationUserId;
  await eventually("what the other server did", async () => {
    const found = await told.of(made.callConnectionId);
    const [steps, announced] = [detailsOf(found, "call"), detailsOf(found, "announced")];
    return steps.includes(`${him} is in the call`) && announced.some((detail) => detail.endsWith(": there"));
  });
});

test("a call to somebody who does not exist says so", async (t) => {
  const callbacks = await Callbacks.start();
  t.after(() => callbacks.close());
  const { user } = await calling.client({ client: "identity" }).createUserAndToken(["voip"]);
  await calling.client({ client: "identity" }).deleteUser(user);
  const made = await calling.client({ client: "automation" }).createCall({ targetParticipant: user }, callbacks.url);
  assert.equal((await callbacks.next())[0].type, "CreateCallFailed");
  const found = await journeys.with(made.callConnectionProperties.callConnectionId, ["calling call failed", "edge answered done"]);
  assert.equal(found.outcome, "failed");
  assert.deepEqual(detailsOf(found, "call"), [
    `${user.communicationUserId} is rung no more: there is no such user`,
    "ended before anybody answered",
  ]);
});
