// The npm packages @azure/communication-identity and @azure/communication-chat, as a backend uses them.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { request } from "./lib/http.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

let server;
let sdk;
let identity;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "communication");
  identity = sdk.client({ client: "identity" });
});

after(async () => {
  try {
    await sdk?.close();
  } finally {
    await server?.stop();
  }
});

/** A new user with a token, and its clients. */
async function person(displayName, scopes = ["chat"]) {
  const { user, token, expiresOn } = await identity.createUserAndToken(scopes);
  const chat = sdk.client({ client: "chat", token });
  const thread = (id) => sdk.client({ client: "thread", token, thread: id });
  return { user, token, expiresOn, displayName, chat, thread };
}

let alice;
let bob;
let id;

beforeEach(async () => {
  [alice, bob] = [await person("Alice"), await person("Bob")];
  const participants = [alice, bob].map(({ user, displayName }) => ({ id: user, displayName }));
  const created = await alice.chat.createChatThread({ topic: "Plans ☃" }, { participants });
  assert.equal(created.invalidParticipants, undefined);
  id = created.chatThread.id;
});

const refused = (statusCode, message) => (error) => {
  assert.equal(error.statusCode, statusCode, error.message);
  assert.match(error.message, message);
  return true;
};

/** What users wrote, the oldest first. */
const texts = (pages) => pages.flat().filter(({ sender }) => sender).map(({ content }) => content?.message).reverse();

test("a user is created, gets tokens with scopes and a lifetime, and loses them", async () => {
  const user = await identity.createUser();
  assert.match(user.communicationUserId, /^8:acs:[0-9a-f-]{36}_[0-9a-f-]{36}$/);
  const { token, expiresOn } = await identity.getToken(user, ["chat", "voip"], { tokenExpiresInMinutes: 60 });
  const minutes = (new Date(expiresOn) - Date.now()) / 60_000;
  assert.ok(minutes > 58 && minutes <= 60, `${minutes} minutes`);
  const claims = JSON.parse(Buffer.from(token.split(".")[1], "base64").toString());
  assert.equal(`8:${claims.skypeid}`, user.communicationUserId);
  assert.equal(claims.acsScope, "chat,voip");

  const chat = sdk.client({ client: "chat", token });
  assert.deepEqual(await chat.listChatThreads({}), [[]]);
  await identity.revokeTokens(user);
  await assert.rejects(chat.listChatThreads({}), refused(401, /^/));
  await identity.deleteUser(user);
  await assert.rejects(identity.getToken(user, ["chat"]), refused(404, /does not exist/));
});

test("a lifetime out of its range and an unknown user are refused with their cause", async () => {
  await assert.rejects(identity.getToken(alice.user, ["chat"], { tokenExpiresInMinutes: 1441 }), (error) => {
    assert.deepEqual([error.statusCode, error.code], [400, "ValidationError"]);
    return true;
  });
  await assert.rejects(identity.getToken({ communicationUserId: "8:acs:x_y" }, ["chat"]), refused(404, /does not exist/));
});

test("an exchange of a Teams token is refused with the reason", async () => {
  const options = { teamsUserAadToken: "token", clientId: "app", userObjectId: "user" };
  await assert.rejects(identity.getTokenForTeamsUser(options), refused(401, /trusts no Microsoft Entra tenant/));
});

test("a thread has its topic, its creator, metadata and retention policy, and they change", async () => {
  const settings = { metadata: { project: "x" }, retentionPolicy: { kind: "threadCreationDate", deleteThreadAfterDays: 40 } };
  const { chatThread } = await alice.chat.createChatThread({ topic: "one" }, settings);
  const thread = alice.thread(chatThread.id);
  const first = await thread.getProperties();
  assert.deepEqual([first.topic, first.metadata, first.retentionPolicy], ["one", settings.metadata, settings.retentionPolicy]);
  assert.deepEqual(first.createdBy, { kind: "communicationUser", communicationUserId: alice.user.communicationUserId });

  await thread.updateTopic("two");
  await thread.updateProperties({ metadata: { project: "y" }, retentionPolicy: { kind: "none" } });
  const second = await thread.getProperties();
  assert.deepEqual([second.topic, second.metadata, second.retentionPolicy], ["two", { project: "y" }, { kind: "none" }]);
  const types = (await thread.listMessages({})).flat().map(({ type }) => type);
  assert.deepEqual(types, ["topicUpdated", "topicUpdated", "participantAdded"]);
});

test("threads are listed for those who are in them, and a deleted one says so", async () => {
  const listed = (await bob.chat.listChatThreads({})).flat();
  assert.deepEqual(listed.map(({ id, topic }) => [id, topic]), [[id, "Plans ☃"]]);
  await alice.chat.deleteChatThread(id);
  await assert.rejects(bob.thread(id).getProperties(), refused(404, /does not exist/));
  const [gone] = (await bob.chat.listChatThreads({})).flat();
  assert.ok(gone.deletedOn, "deletedOn");
});

test("messages of both types carry text of every script, a name and metadata", async () => {
  const content = "Grüße, 你好, Привет, 🌍 50%41";
  const sent = await alice.thread(id).sendMessage({ content }, { senderDisplayName: "A.", metadata: { k: "v" } });
  const message = await bob.thread(id).getMessage(sent.id);
  assert.deepEqual(
    [message.type, message.content.message, message.senderDisplayName, message.metadata, message.sequenceId],
    ["text", content, "A.", { k: "v" }, "3"],
  );
  assert.equal(message.sender.communicationUserId, alice.user.communicationUserId);
  const html = await alice.thread(id).sendMessage({ content: "<b onclick='x()'>hi</b><script>x()</script>" }, { type: "html" });
  assert.equal((await bob.thread(id).getMessage(html.id)).content.message, "<b>hi</b>");
});

test("messages are listed page by page, the newest first, and from a time on", async () => {
  const thread = alice.thread(id);
  for (const content of ["1", "2", "3", "4", "5"]) await thread.sendMessage({ content });
  const pages = await bob.thread(id).listMessages({ maxPageSize: 3 });
  assert.deepEqual(pages.map((page) => page.length), [3, 3, 1]);
  assert.deepEqual(texts(pages), ["1", "2", "3", "4", "5"]);
  const later = { $date: new Date(Date.now() + 60_000).toISOString() };
  assert.deepEqual(texts(await bob.thread(id).listMessages({ startTime: later })), []);
});

test("a message is edited and deleted by its sender alone", async () => {
  const { id: message } = await alice.thread(id).sendMessage({ content: "one" });
  await assert.rejects(bob.thread(id).updateMessage(message, { content: "x" }), refused(403, /only its sender/));
  await alice.thread(id).updateMessage(message, { content: "two", metadata: { k: "v" } });
  const edited = await bob.thread(id).getMessage(message);
  assert.deepEqual([edited.content.message, edited.metadata], ["two", { k: "v" }]);
  assert.ok(edited.editedOn, "editedOn");
  await alice.thread(id).deleteMessage(message);
  const deleted = await bob.thread(id).getMessage(message);
  assert.ok(deleted.deletedOn && !deleted.content, JSON.stringify(deleted));
});

test("participants come with the history that is shared with them, and go", async () => {
  await alice.thread(id).sendMessage({ content: "before" });
  const [carol, dave] = [await person("Carol"), await person("Dave")];
  const beginning = { $date: "1970-01-01T00:00:00Z" };
  await alice.thread(id).addParticipants({
    participants: [
      { id: carol.user, displayName: "Carol", shareHistoryTime: beginning, metadata: { role: "guest" } },
      { id: dave.user, displayName: "Dave" },
    ],
  });
  assert.deepEqual(texts(await carol.thread(id).listMessages({})), ["before"]);
  assert.deepEqual(texts(await dave.thread(id).listMessages({})), []);
  const pages = await bob.thread(id).listParticipants({ maxPageSize: 3 });
  assert.deepEqual(pages.flat().map(({ displayName }) => displayName), ["Alice", "Bob", "Carol", "Dave"]);
  assert.deepEqual(pages.flat()[2].metadata, { role: "guest" });

  await alice.thread(id).removeParticipant(carol.user);
  await assert.rejects(carol.thread(id).sendMessage({ content: "x" }), refused(403, /not a participant/));
  assert.deepEqual(texts(await carol.thread(id).listMessages({})), ["before"]);
});

test("a user of another resource is an invalid participant, and the others are added", async () => {
  const stranger = { id: { communicationUserId: "8:acs:11111111-2222-3333-4444-555555555555_x" } };
  const result = await alice.thread(id).addParticipants({ participants: [stranger] });
  assert.equal(result.invalidParticipants[0].code, "403");
  assert.equal(result.invalidParticipants[0].target, stranger.id.communicationUserId);
});

test("typing and read receipts", async () => {
  assert.equal(await alice.thread(id).sendTypingNotification({ senderDisplayName: "A." }), true);
  const { id: chatMessageId } = await alice.thread(id).sendMessage({ content: "read me" });
  await bob.thread(id).sendReadReceipt({ chatMessageId });
  const [receipt] = (await alice.thread(id).listReadReceipts({})).flat();
  assert.equal(receipt.chatMessageId, chatMessageId);
  assert.equal(receipt.sender.communicationUserId, bob.user.communicationUserId);
  assert.ok(receipt.readOn, "readOn");
});

test("a scope that is missing is named", async () => {
  const limited = await person("Lim", ["chat.join.limited"]);
  await alice.thread(id).addParticipants({ participants: [{ id: limited.user }] });
  await limited.thread(id).sendMessage({ content: "may write" });
  await assert.rejects(limited.chat.createChatThread({ topic: "x" }, {}), (error) => {
    assert.deepEqual([error.statusCode, error.code], [403, "Forbidden"]);
    assert.match(error.message, /scope chat; this one has chat\.join\.limited/);
    return true;
  });
  const add = limited.thread(id).addParticipants({ participants: [{ id: bob.user }] });
  await assert.rejects(add, refused(403, /scope chat or chat\.join/));
});

test("requests above the rate limits are refused with the time to wait", async (t) => {
  const strict = await Server.start({ env: { TIDINGS_COMMUNICATION_RATE_LIMITS: "1" } });
  t.after(() => strict.stop());
  const driver = new Sdk("js", strict, "communication");
  t.after(() => driver.close());
  const { token } = await driver.client({ client: "identity" }).createUserAndToken(["chat"]);
  const { chatThread } = await driver.client({ client: "chat", token }).createChatThread({ topic: "busy" }, {});
  const thread = driver.client({ client: "thread", token, thread: chatThread.id });
  for (let n = 0; n < 10; n += 1) await thread.sendMessage({ content: `${n}` });
  await assert.rejects(thread.sendMessage({ content: "one too many" }), (error) => {
    assert.equal(error.code, "TooManyRequests");
    return refused(429, /10 requests of this kind in one thread in 10 seconds/)(error);
  });
  const url = `${strict.ready.https}/chat/threads/${encodeURIComponent(chatThread.id)}/messages?api-version=2025-03-15`;
  const headers = { authorization: `Bearer ${token}`, "content-type": "application/json" };
  const again = await request(url, { method: "POST", headers, body: '{"content":"again"}', ca: strict.ca });
  const seconds = Number(again.headers["retry-after"]);
  assert.ok(again.status === 429 && seconds >= 1 && seconds <= 10, `${again.status}, ${seconds} seconds`);
  assert.equal(texts(await thread.listMessages({})).length, 10, "reading is counted apart");
});

test("what was written is there after a restart, and the token still holds", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const first = await Server.start({ data: folder.path });
  const driver = new Sdk("js", first, "communication");
  t.after(() => driver.close());
  const { token } = await driver.client({ client: "identity" }).createUserAndToken(["chat"]);
  const { chatThread } = await driver.client({ client: "chat", token }).createChatThread({ topic: "kept" }, {});
  const thread = driver.client({ client: "thread", token, thread: chatThread.id });
  await thread.sendMessage({ content: "kept" });
  const https = Number(new URL(first.ready.https).port);
  await first.stop();

  const second = await Server.start({ data: folder.path, https });
  t.after(() => second.stop());
  assert.equal(second.ready.communication.connectionString, first.ready.communication.connectionString);
  assert.deepEqual(texts(await thread.listMessages({})), ["kept"]);
});
