// What the log tables say of real traffic: each table, and of every refusal the reason with its evidence.
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, before, test } from "node:test";
import WebSocket from "ws";
import { typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { FakeHub } from "./lib/fake-hub.mjs";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { OWN, WORKSPACE, objects, rows, rowsOf } from "./lib/logs.mjs";
import { Phone } from "./lib/phone.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";
import { Device } from "./lib/signaling.mjs";

const CHAT = `${OWN}/providers/microsoft.communication/communicationservices/local`;
const HUBS = `${OWN}/providers/microsoft.signalrservice/webpubsub/local`;

let server;
let sdk;
let identity;

before(async () => {
  server = await Server.start({ flags: ["--retry-time-scale", "0.0001"] });
  sdk = new Sdk("js", server, "communication");
  identity = sdk.client({ client: "identity" });
});

after(async () => {
  await sdk?.close();
  await server?.stop();
});

async function person(displayName, scopes = ["chat"]) {
  const { user, token } = await identity.createUserAndToken(scopes);
  const chat = sdk.client({ client: "chat", token });
  return { id: user.communicationUserId, user, token, displayName, chat, thread: (id) => sdk.client({ client: "thread", token, thread: id }) };
}

async function threadOf(...people) {
  const participants = people.map(({ user, displayName }) => ({ id: user, displayName }));
  const created = await people[0].chat.createChatThread({ topic: "Plans" }, { participants });
  return created.chatThread.id;
}

const failure = (promise) => promise.then(() => assert.fail("it went well"), (error) => error);

test("ACSChatIncomingOperations: a row a request, with user, thread, message and client library", async () => {
  const [alice, bob] = [await person("Alice"), await person("Bob")];
  const thread = await threadOf(alice, bob);
  const { id } = await alice.thread(thread).sendMessage({ content: "hi" });
  const found = await rows(server, `ACSChatIncomingOperations | where ChatThreadId == '${thread}' | order by TimeGenerated asc`);
  assert.deepEqual(found.map(({ OperationName }) => OperationName), ["CreateChatThread", "SendChatMessage"]);
  const row = found[1];
  const { TenantId, Type, Category, ResultType, ResultSignature, ResultDescription, UserId, ChatMessageId, _ResourceId } = row;
  assert.deepEqual(
    { TenantId, Type, Category, ResultType, ResultSignature, ResultDescription, UserId, ChatMessageId, _ResourceId },
    {
      TenantId: WORKSPACE,
      Type: "ACSChatIncomingOperations",
      Category: "ChatOperational",
      ResultType: "Succeeded",
      ResultSignature: "201",
      ResultDescription: "",
      UserId: alice.id,
      ChatMessageId: Number(id),
      _ResourceId: CHAT.toLowerCase(),
    },
  );
  assert.match(row.SdkType, /^azsdk-js-communication-chat\//);
  assert.match(row.PlatformType, /^Node\//);
  assert.match(row.CorrelationId, /^[0-9a-f-]{36}$/);
  assert.match(row.OperationVersion, /^20\d\d-/);
  assert.ok(row.DurationMs >= 0 && row.CallerIpAddress.length > 0);
});

test("ACSChatIncomingOperations: a refusal says why, as the operator's log does, and what the token said", async () => {
  const [alice, mallory, weak] = [await person("Alice"), await person("Mallory"), await person("Weak", ["voip"])];
  const thread = await threadOf(alice);
  const stranger = await failure(mallory.thread(thread).sendMessage({ content: "hi" }));
  const scopeless = await failure(weak.chat.createChatThread({ topic: "x" }));
  await identity.revokeTokens(mallory.user);
  await failure(mallory.chat.createChatThread({ topic: "x" }));
  assert.deepEqual([stranger.statusCode, scopeless.statusCode], [403, 403]);
  const reasons = async (who) =>
    (await rows(server, `ACSChatIncomingOperations | where UserId == '${who.id}' and ResultType == 'Failed' | order by TimeGenerated asc`)).map(
      ({ ResultSignature, ResultDescription }) => [ResultSignature, ResultDescription],
    );
  const [[first, notParticipant], [second, revoked]] = await reasons(mallory);
  assert.deepEqual([first, second], ["403", "401"]);
  assert.ok(notParticipant.startsWith(stranger.message), notParticipant);
  assert.match(revoked, /^the token was revoked; issue a new one The token says: user=8:acs:.*scopes=chat.*expires=20/);
  assert.ok(`${server.log}`.includes('reason="the token was revoked; issue a new one"'), `${server.log}`);
  const [[, missing]] = await reasons(weak);
  assert.match(missing, /scopes=voip/);
  assert.ok(!missing.includes(weak.token.split(".")[1]), "a token never stands in a row");
});

test("ACSAuthIncomingOperations: whom a token was issued for, and with which scopes", async () => {
  const carol = await person("Carol", ["chat", "voip"]);
  await identity.deleteUser(carol.user);
  const found = await rows(server, `ACSAuthIncomingOperations | where Identity == '${carol.id}' | order by TimeGenerated asc`);
  assert.deepEqual(found.map(({ OperationName }) => OperationName), ["CreateIdentity", "DeleteIdentity"]);
  assert.deepEqual(JSON.parse(found[0].Scopes), ["chat", "voip"]);
  assert.deepEqual([found[0].ResultSignature, found[1].ResultSignature], ["201", "204"]);
  assert.match(found[0].SdkType, /^azsdk-js-communication-identity\//);
  const unsigned = await request(`${server.ready.http}/identities?api-version=2023-10-01`, { method: "POST" });
  assert.equal(unsigned.status, 401);
  const [refused] = await rows(server, "ACSAuthIncomingOperations | where ResultSignature == '401' | take 1");
  assert.match(refused.ResultDescription, /header Authorization is missing/);
});

test("ACSChatMessageReceivedEvents: a row for each client that answers, whatever it answers", async (t) => {
  const [alice, bob] = [await person("Alice"), await person("Bob")];
  const thread = await threadOf(alice, bob);
  const taking = await Device.connect(server, bob.token, { name: "bobs-tab" });
  const deaf = await Device.connect(server, bob.token, { name: "bobs-other-tab", status: 404 });
  t.after(() => Promise.all([taking.close(), deaf.close()]));
  const { id } = await alice.thread(thread).sendMessage({ content: 'a "quoted" ☃' });
  const query = `ACSChatMessageReceivedEvents | where ChatMessageId == ${id} | order by ResultSignature asc`;
  const found = await rowsOf(server, query, 2);
  const told = found.map((row) => [row.RecipientUserId, row.DeviceId, row.Channel, row.ResultSignature, row.ResultType]);
  assert.deepEqual(told, [
    [bob.id, "bobs-tab", "WebSocket", "200", "Succeeded"],
    [bob.id, "bobs-other-tab", "WebSocket", "404", "Failed"],
  ]);
  const { OperationName, ChatThreadId, SenderUserId, DurationMs } = found[0];
  assert.deepEqual(
    { OperationName, ChatThreadId, SenderUserId },
    { OperationName: "ChatMessageReceived", ChatThreadId: thread, SenderUserId: alice.id },
  );
  assert.ok(DurationMs >= 0 && DurationMs < 20_000);
  assert.equal(new Set(found.map(({ CorrelationId }) => CorrelationId)).size, 1);
  const joined = `ACSChatIncomingOperations | where OperationName == 'SendChatMessage'
    | join kind=inner (ACSChatMessageReceivedEvents | project ChatMessageId, RecipientUserId, ResultSignature) on ChatMessageId
    | where ChatMessageId == ${id} | count`;
  assert.deepEqual(await rows(server, joined), [{ Count: 2 }]);
});

test("ACSChatMessageReceivedEvents: a push to who is away, with what the hub says, and all rows of a message by one id", async (t) => {
  const [alice, bob, carol] = [await person("Alice"), await person("Bob"), await person("Carol")];
  const thread = await threadOf(alice, bob, carol);
  const logs = new Sdk("js", server, "logs");
  const hub = await FakeHub.start();
  const unlink = () => request(`${server.ready.https}${CHAT}/unlinkNotificationHub?api-version=2023-04-01`, {
    method: "POST",
    headers: { authorization: "Bearer development" },
    ca: server.ca,
  });
  t.after(() => Promise.all([logs.close(), unlink().then(() => hub.close())]));
  await hub.linkTo(server);
  const phone = await new Phone(server, bob.token, "android").register();
  const tab = await Device.connect(server, carol.token, { name: "carols-tab" });
  t.after(() => tab.close());
  const client = logs.client({ package: "monitor-query-logs" });
  /** The rows of a query by the SDK, as soon as there are so many. */
  const ask = async (query, count) => {
    let found;
    await eventually(`${count} rows of ${query}`, async () => {
      found = objects((await client.queryWorkspace(WORKSPACE, query, { duration: "PT1H" })).tables[0]);
      return found.length >= count;
    });
    return found;
  };

  const { id } = await alice.thread(thread).sendMessage({ content: "a secret" });
  const pushes = (message) => `ACSChatMessageReceivedEvents | where Channel == "Push" and ChatMessageId == ${message}`;
  const [push] = await ask(pushes(id), 1);
  const { OperationName, ChatThreadId, SenderUserId, RecipientUserId, DeviceId, ResultType, ResultSignature, Level } = push;
  assert.deepEqual(
    { OperationName, ChatThreadId, SenderUserId, RecipientUserId, DeviceId, ResultType, ResultSignature, Level },
    {
      OperationName: "PushNotification",
      ChatThreadId: thread,
      SenderUserId: alice.id,
      RecipientUserId: bob.id,
      DeviceId: phone.id,
      ResultType: "Succeeded",
      ResultSignature: "Accepted",
      Level: "Informational",
    },
  );
  const all = await ask(
    `union ACSChatIncomingOperations, ACSChatMessageReceivedEvents
     | where CorrelationId == "${push.CorrelationId}" | project OperationName, Channel, Type`,
    3,
  );
  assert.deepEqual(all.map(({ OperationName: name, Channel }) => `${name} ${Channel ?? ""}`).toSorted(), [
    "ChatMessageReceived WebSocket",
    "PushNotification Push",
    "SendChatMessage ",
  ]);
  const [{ told }] = await ask(
    `ACSChatIncomingOperations | where ChatMessageId == ${id}
     | join kind=inner (ACSChatMessageReceivedEvents | project CorrelationId, RecipientUserId) on CorrelationId
     | summarize told = dcount(RecipientUserId)`,
    1,
  );
  assert.equal(Number(told), 2);
  const { out } = await typed(["trace", push.CorrelationId, "--data", server.data]);
  assert.match(out, /push +hub accepted/, "the same id finds the journey");

  hub.key = "another";
  const refused = await alice.thread(thread).sendMessage({ content: "refused" });
  const [failed] = await ask(pushes(refused.id), 1);
  assert.deepEqual([failed.ResultType, failed.ResultSignature, failed.Level], ["Failed", "NotificationHubKeyRejected", "Warning"]);
  assert.match(failed.ResultDescription, /key/);
  assert.notEqual(failed.CorrelationId, push.CorrelationId);
  await phone.unregister();
});

test("WebPubSubConnectivity: clients that come, go, and are not let in", async (t) => {
  const hub = freshHub(t, server);
  const client = await hub.json({ userId: "ann" });
  const [come] = await rowsOf(server, "WebPubSubConnectivity | where UserId == 'ann'");
  assert.deepEqual([come.OperationName, come.Level, come._ResourceId], ["ConnectionStarted", "Informational", HUBS.toLowerCase()]);
  await client.close();
  const gone = await rowsOf(server, `WebPubSubConnectivity | where ConnectionId == '${come.ConnectionId}' | order by TimeGenerated asc`, 2);
  assert.equal(gone[1].OperationName, "ConnectionEnded");
  const url = new URL(await hub.url({ userId: "bob" }));
  url.pathname = "/client/hubs/another";
  const stranger = new WebSocket(url);
  const [error] = await once(stranger, "error");
  assert.match(error.message, /401/);
  const [refused] = await rows(server, "WebPubSubConnectivity | where OperationName == 'ConnectionRefused'");
  assert.deepEqual([refused.UserId, refused.Level], ["bob", "Warning"]);
  assert.match(refused.Message, new RegExp(`^A client was not let into the hub another with status 401: .*The token says: user=bob, audience=http://[^ ]*/client/hubs/${hub.name}`, "s"));
});

test("WebPubSubHttpRequest and WebPubSubMessaging: REST calls, and what clients publish", async (t) => {
  const hub = freshHub(t, server);
  const client = await hub.json({ userId: "cid", roles: ["webpubsub.sendToGroup.news"] });
  await hub.service.sendToUser("cid", "hello", { contentType: "text/plain" });
  client.send({ type: "sendToGroup", group: "news", ackId: 1, dataType: "text", data: "12345" });
  client.send({ type: "sendToGroup", group: "secret", ackId: 2, dataType: "text", data: "1" });
  client.send({ type: "event", event: "order", ackId: 3, dataType: "text", data: "12" });
  const found = await rowsOf(server, "WebPubSubMessaging | where UserId == 'cid' | order by TimeGenerated asc", 4);
  const lines = found.map(({ OperationName, Level }) => `${OperationName} ${Level}`);
  assert.deepEqual(lines, ["SendToUser Informational", "SendToGroup Informational", "SendToGroup Warning", "SendEvent Warning"]);
  assert.match(found[1].Message, /^A client has sent 5 bytes to the group news of the hub/);
  assert.match(found[2].Message, /does not have permission/);
  assert.match(found[3].Message, /no event handler/);
  const [sent] = await rows(server, `WebPubSubHttpRequest | where Hub == '${hub.name}' and OperationName == 'SendToUser'`);
  assert.deepEqual(
    [sent.HttpMethod, sent.StatusCode, sent.RouteTemplate, sent.UserId],
    ["POST", 202, "/api/hubs/{hub}/users/{user}/:send", "cid"],
  );
  assert.equal(sent.TraceId, found[0].TraceId);
  await request(`${server.ready.http}/api/hubs/${hub.name}/:send`, { method: "POST", headers: { authorization: "Bearer nonsense" } });
  const [refused] = await rows(server, `WebPubSubHttpRequest | where Hub == '${hub.name}' and StatusCode == 401`);
  assert.equal(refused.Level, "Warning");
  assert.ok(refused.Message.length > 20);
});

test("AegPublishFailureLogs and AegDeliveryFailureLogs: what was not taken, and what did not arrive", async (t) => {
  const events = new EventGrid(server);
  const topic = await events.topic();
  const refused = await request(topic.endpoint, {
    method: "POST",
    headers: { "aeg-sas-key": "nonsense", "content-type": "application/json" },
    body: "[]",
    ca: server.ca,
  });
  assert.equal(refused.status, 401);
  const [publish] = await rows(server, "AegPublishFailureLogs | where Message has 'status=401'");
  assert.equal(publish.OperationName, "Publish");
  assert.match(publish.Message, /error=.+/);
  assert.ok(!publish.Message.includes("nonsense"), "no credential stands in a row");
  assert.equal(publish._ResourceId, topic.id.toLowerCase());
  const receiver = await Receiver.start({ answer: () => 500 });
  t.after(() => receiver.close());
  const { name } = await events.subscribe(topic.id, receiver, { retryPolicy: { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 1440 } });
  await events.publisher(topic).send([eventGridEvent()]);
  const failed = await rowsOf(server, `AegDeliveryFailureLogs | where EventSubscriptionName == '${name}' | order by TimeGenerated asc`, 2);
  assert.deepEqual(failed.map((row) => [row.OperationName, row._ResourceId]), Array(2).fill(["Deliver", topic.id.toLowerCase()]));
  assert.match(failed[0].Message, /^outcome=\S+, id=\S+, state=Retried$/);
  assert.match(failed[1].Message, /state=attempts-exhausted$/);
});

test("tidings logs: a table for people, lines for programs, and the place where a query goes wrong", async () => {
  await person("Dora");
  const place = ["--data", server.data];
  const query = "ACSAuthIncomingOperations | where OperationName == 'CreateIdentity' and ResultType == 'Succeeded' | summarize count() by ResultType";
  const table = await typed(["logs", "query", query, ...place]);
  assert.match(table.out, /^ResultType\s+count_\nSucceeded\s+\d+\n\(1 rows\)\n$/);
  const json = await typed(["logs", "query", query, "--json", "--timespan", "1h", ...place]);
  assert.equal(JSON.parse(json.out).ResultType, "Succeeded");
  const piped = await typed(["logs", "query", "--file", "-", ...place], query);
  assert.equal(piped.out, table.out);
  const wrong = await typed(["logs", "query", "ACSAuthIncomingOperations | were x", ...place]);
  assert.equal(wrong.code, 1);
  assert.match(wrong.err, /were/);
  const tables = await typed(["logs", "tables", ...place]);
  for (const name of ["ACSChatIncomingOperations", "WebPubSubConnectivity", "AegDeliveryFailureLogs"]) {
    assert.ok(tables.out.includes(`${name}\n  TenantId`), name);
  }
});

test("rows outlive a restart, and none is written where the tables are switched off", async () => {
  const folder = await temporaryFolder();
  const data = folder.path;
  const first = await Server.start({ data });
  await request(`${first.ready.http}/chat/threads`);
  await first.stop();
  const second = await Server.start({ data, env: { TIDINGS_MONITOR_LOG_TABLES: "false" } });
  try {
    await request(`${second.ready.http}/chat/threads`);
    assert.deepEqual(await rows(second, "ACSChatIncomingOperations | count"), [{ Count: 1 }]);
  } finally {
    await second.stop();
    await folder.forget();
  }
});
