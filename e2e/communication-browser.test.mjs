// The npm chat SDK in a real browser: real-time notifications over WebSocket and over polling, each of
// the ten events with text that is easily damaged, several devices, and every way to lose a connection.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { CHAT_EVENTS, startChatPage } from "./lib/chat-page.mjs";
import { PATIENCE_MS, eventually } from "./lib/deadline.mjs";
import { Inbox } from "./lib/inbox.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

/** Percent signs, quotes, what looks like an escape, emoji, several scripts. */
const NAMES = { alice: `Álïce 50%41 "q" 😀`, bob: "Боб %22 \\ 'x'", carol: "كارول %u2603 ☃" };
const TOPIC = `T 100%25 ☃ "quoted" \\ 日本語`;
const METADATA = { key: `%41 "v" 🎉` };

let server;
let sdk;
let page;
let browser;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "communication");
  page = await startChatPage();
  browser = await startBrowser(server);
});

after(async () => {
  await Promise.all([browser?.close(), page?.close(), sdk?.close()]);
  await server?.stop();
});

/** A new user with a token, and its clients in the backend. */
async function person(displayName, using = sdk) {
  const { user, token } = await using.client({ client: "identity" }).createUserAndToken(["chat"]);
  const chat = using.client({ client: "chat", token });
  return { user, token, displayName, chat, thread: (id) => using.client({ client: "thread", token, thread: id }) };
}

/** Alice and Bob in a thread. */
async function pair(using = sdk) {
  const [alice, bob] = [await person(NAMES.alice, using), await person(NAMES.bob, using)];
  const participants = [alice, bob].map(({ user, displayName }) => ({ id: user, displayName }));
  const created = await alice.chat.createChatThread({ topic: TOPIC }, { participants });
  return { alice, bob, id: created.chatThread.id };
}

/** A tab in which a user's client is started. */
async function openTab(who, { endpoint = server.ready.https, websocket = true, events = CHAT_EVENTS } = {}) {
  const tab = await browser.newTab();
  if (!websocket) await tab.addInitScript(() => delete globalThis.WebSocket);
  await tab.exposeFunction("newToken", async () => {
    const issued = await sdk.client({ client: "identity" }).getToken(who.user, ["chat"]);
    return issued.token;
  });
  await tab.goto(page.url);
  await tab.waitForFunction(() => document.title === "ready", undefined, { timeout: PATIENCE_MS });
  await tab.evaluate(([at, token]) => globalThis.makeClient(at, token), [endpoint, who.token]);
  await tab.evaluate((names) => globalThis.start(names), events);
  await states(tab, 1);
  return tab;
}

const seen = (tab) => tab.evaluate(() => globalThis.seen);

/** Waits until the client has changed its state so often; returns all states so far. */
async function states(tab, count) {
  await tab.waitForFunction((n) => globalThis.seen.states.length >= n, count, { timeout: PATIENCE_MS });
  return (await seen(tab)).states;
}

/** Waits for the first event of this name and returns it. */
async function event(tab, name) {
  const there = (wanted) => globalThis.seen.events.some((it) => it.name === wanted);
  await tab.waitForFunction(there, name, { timeout: PATIENCE_MS });
  return (await seen(tab)).events.find((it) => it.name === name).event;
}

const messagesOf = ({ events }) => events.filter(({ name }) => name === "chatMessageReceived").map(({ event }) => event.message);

/** Waits until all `texts` have come, and checks that they came in order; a repetition is allowed if said so. */
async function assertMessages(tab, texts, { repeated = false } = {}) {
  const all = (wanted) => {
    const come = new Set(globalThis.seen.events.map(({ event }) => event.message));
    return wanted.every((text) => come.has(text));
  };
  await tab.waitForFunction(all, texts, { timeout: PATIENCE_MS }).catch(async (error) => {
    throw new Error(`${error.message}\n${JSON.stringify(await seen(tab))}`);
  });
  const come = messagesOf(await seen(tab));
  const first = repeated ? [...new Set(come)] : come;
  assert.deepEqual(first.filter((text) => texts.includes(text)), texts);
}

const send = (who, id, content, options = {}) =>
  who.thread(id).sendMessage({ content }, { senderDisplayName: who.displayName, ...options });

for (const websocket of [true, false]) {
  test(`each of the ten events arrives whole over ${websocket ? "WebSocket" : "polling"}`, async () => {
    const [alice, bob, carol] = [await person(NAMES.alice), await person(NAMES.bob), await person(NAMES.carol)];
    const tab = await openTab(bob, { websocket });

    const participants = [alice, bob].map(({ user, displayName }) => ({ id: user, displayName, metadata: METADATA }));
    const { chatThread } = await alice.chat.createChatThread({ topic: TOPIC }, { participants, metadata: METADATA });
    const { id } = chatThread;
    const created = await event(tab, "chatThreadCreated");
    assert.equal(created.threadId, id);
    assert.equal(created.properties.topic, TOPIC);
    assert.deepEqual(created.properties.metadata, METADATA);
    assert.equal(created.createdBy.displayName, NAMES.alice);
    assert.deepEqual(created.participants.map(({ displayName }) => displayName), [NAMES.alice, NAMES.bob]);

    const text = `m %41 %25 "q" \\ ☃ 😀 日本語`;
    const { id: messageId } = await send(alice, id, text, { metadata: METADATA });
    const received = await event(tab, "chatMessageReceived");
    assert.equal(received.message, text);
    assert.equal(received.id, messageId);
    assert.equal(received.threadId, id);
    assert.equal(received.type, "Text");
    assert.equal(received.senderDisplayName, NAMES.alice);
    assert.equal(received.sender.communicationUserId, alice.user.communicationUserId);
    assert.equal(received.recipient.communicationUserId, bob.user.communicationUserId);
    assert.deepEqual(received.metadata, METADATA);

    await alice.thread(id).updateMessage(messageId, { content: `edited ${text}`, metadata: METADATA });
    const edited = await event(tab, "chatMessageEdited");
    assert.equal(edited.message, `edited ${text}`);
    assert.equal(edited.id, messageId);
    assert.deepEqual(edited.metadata, METADATA);
    assert.ok(!Number.isNaN(new Date(edited.editedOn).valueOf()));

    await alice.thread(id).sendTypingNotification({ senderDisplayName: NAMES.alice });
    const typing = await event(tab, "typingIndicatorReceived");
    assert.equal(typing.threadId, id);
    assert.equal(typing.sender.communicationUserId, alice.user.communicationUserId);

    await alice.thread(id).sendReadReceipt({ chatMessageId: messageId });
    const receipt = await event(tab, "readReceiptReceived");
    assert.equal(receipt.chatMessageId, messageId);
    assert.ok(Math.abs(new Date(receipt.readOn) - Date.now()) < 60_000, `${receipt.readOn}`);

    await alice.thread(id).deleteMessage(messageId);
    const deleted = await event(tab, "chatMessageDeleted");
    assert.equal(deleted.id, messageId);
    assert.ok(!Number.isNaN(new Date(deleted.deletedOn).valueOf()));

    await alice.thread(id).updateTopic(`${TOPIC} 2`);
    const updated = await event(tab, "chatThreadPropertiesUpdated");
    assert.equal(updated.properties.topic, `${TOPIC} 2`);
    assert.equal(updated.updatedBy.displayName, NAMES.alice);

    await alice.thread(id).addParticipants({ participants: [{ id: carol.user, displayName: NAMES.carol }] });
    const added = await event(tab, "participantsAdded");
    assert.deepEqual(added.participantsAdded.map(({ displayName }) => displayName), [NAMES.carol]);
    assert.equal(added.addedBy.displayName, NAMES.alice);

    await alice.thread(id).removeParticipant(carol.user);
    const removed = await event(tab, "participantsRemoved");
    assert.deepEqual(removed.participantsRemoved.map(({ displayName }) => displayName), [NAMES.carol]);

    await alice.chat.deleteChatThread(id);
    const gone = await event(tab, "chatThreadDeleted");
    assert.equal(gone.threadId, id);
    assert.equal(gone.deletedBy.displayName, NAMES.alice);

    const { states: all, events } = await seen(tab);
    assert.deepEqual(all, ["connected"]);
    assert.deepEqual(events.map(({ name }) => name).sort(), [...CHAT_EVENTS].sort(), "each came once");
    await tab.context().close();
  });
}

test("every device of a user hears everything, also the sender's others", async () => {
  const { alice, bob, id } = await pair();
  const tabs = await Promise.all([openTab(bob), openTab(bob, { websocket: false }), openTab(alice)]);
  const texts = Array.from({ length: 20 }, (_, at) => `to all ${at}`);
  for (const text of texts) await send(alice, id, text);
  for (const tab of tabs) await assertMessages(tab, texts);
  await Promise.all(tabs.map((tab) => tab.context().close()));
});

for (const websocket of [true, false]) {
  const transport = websocket ? "WebSocket" : "polling";
  test(`a client whose network was down gets what it missed, over ${transport}`, async (t) => {
    const refused = new Inbox("attempt to connect while the network is down");
    const proxy = await Proxy.start(server.ready.https, { onRefused: () => refused.push("refused") });
    t.after(() => proxy.close());
    const { alice, bob, id } = await pair();
    const tab = await openTab(bob, { endpoint: proxy.url(server.ready.https), websocket });
    await send(alice, id, "before");
    await assertMessages(tab, ["before"]);

    proxy.down = true;
    proxy.cutAll();
    const missed = Array.from({ length: 30 }, (_, at) => `missed ${at}`);
    for (const text of missed) await send(alice, id, text);
    await refused.take(1);
    proxy.down = false;

    await assertMessages(tab, ["before", ...missed]);
    await send(alice, id, "after");
    await assertMessages(tab, ["before", ...missed, "after"]);
    assert.equal((await seen(tab)).states.at(-1), "connected");
    await tab.context().close();
  });
}

test("revoked tokens end what is open, and a client with a new one goes on", async () => {
  const { alice, bob, id } = await pair();
  const tab = await openTab(bob);
  await sdk.client({ client: "identity" }).revokeTokens(bob.user);
  assert.deepEqual(await states(tab, 2), ["connected", "disconnected"]);
  await tab.context().close();
  const { token } = await sdk.client({ client: "identity" }).getToken(bob.user, ["chat"]);
  const again = await openTab({ ...bob, token });
  await send(alice, id, "with the new token");
  await assertMessages(again, ["with the new token"]);
  await again.context().close();
});

test("a client whose token has ended asks for another and goes on", async () => {
  const { alice, bob, id } = await pair();
  const { token } = await sdk.client({ client: "identity" }).getToken(bob.user, ["chat"], { tokenExpiresInMinutes: 60 });
  const tab = await openTab({ ...bob, token });
  // The hour is over for the page; the server is told by a revocation, since its clock cannot be set.
  await tab.evaluate(() => {
    const now = Date.now;
    Date.now = () => now() + 61 * 60_000;
  });
  await sdk.client({ client: "identity" }).revokeTokens(bob.user);
  await send(alice, id, "between two tokens");
  assert.deepEqual(await states(tab, 3), ["connected", "disconnected", "connected"]);
  assert.equal((await seen(tab)).refreshed, 1);
  await send(alice, id, "with the new token");
  await assertMessages(tab, ["between two tokens", "with the new token"]);
  await tab.context().close();
});

test("a client that stops hears nothing, and starts again", async () => {
  const { alice, bob, id } = await pair();
  const tab = await openTab(bob);
  // The client does not wait for its own stop, so the server may not have heard of it yet.
  const unregistered = tab.waitForResponse((response) => response.request().method() === "DELETE");
  await tab.evaluate(() => globalThis.stop());
  await unregistered;
  await send(alice, id, "while stopped");
  await tab.evaluate((names) => globalThis.start(names), ["chatMessageReceived"]);
  await states(tab, 2);
  await send(alice, id, "after the start");
  await assertMessages(tab, ["after the start"]);
  assert.deepEqual(messagesOf(await seen(tab)), ["after the start"]);
  await tab.context().close();
});

test("a handler that is taken off hears nothing more", async () => {
  const { alice, bob, id } = await pair();
  const tab = await openTab(bob);
  await tab.evaluate(() => {
    globalThis.heard = [];
    globalThis.handler = ({ message }) => globalThis.heard.push(message);
    globalThis.client.on("chatMessageReceived", globalThis.handler);
  });
  await send(alice, id, "with two handlers");
  await assertMessages(tab, ["with two handlers"]);
  await tab.evaluate(() => globalThis.client.off("chatMessageReceived", globalThis.handler));
  await send(alice, id, "with one");
  await assertMessages(tab, ["with two handlers", "with one"]);
  assert.deepEqual(await tab.evaluate(() => globalThis.heard), ["with two handlers"]);
  await tab.context().close();
});

test("a token without the right to chat is refused when the client starts", async () => {
  const { user, token } = await sdk.client({ client: "identity" }).createUserAndToken(["voip"]);
  await assert.rejects(openTab({ user, token }));
});

/** How often clients have answered an event so, by the metrics. */
async function counted(event, outcome) {
  const metrics = await (await fetch(`${server.ready.admin}/metrics`)).text();
  const line = metrics.split("\n").find((it) => it.includes(`event="${event}"`) && it.includes(`outcome="${outcome}"`));
  return Number(line.split(" ").at(-1));
}

test("a call that rings does not disturb a chat client", async (t) => {
  const calling = new Sdk("js", server, "communication-calling");
  t.after(() => calling.close());
  const { alice, bob, id } = await pair();
  const tab = await openTab(bob);
  const before = await counted("incomingCall", "unhandled");
  await calling.client({ client: "automation" }).createCall({ targetParticipant: bob.user }, "https://localhost:1/");
  await eventually("the client says that it knows no calls", async () => (await counted("incomingCall", "unhandled")) > before);
  await send(alice, id, "while it rings");
  await assertMessages(tab, ["while it rings"]);
  assert.deepEqual((await seen(tab)).states, ["connected"]);
  await tab.context().close();
});

test("what clients answer is counted", async () => {
  const { alice, bob, id } = await pair();
  // Without a handler of the page: the chat client itself takes every notification that it can read.
  const tab = await openTab(bob, { events: ["chatMessageReceived"] });
  const before = [await counted("chatMessageReceived", "handled"), await counted("typingIndicatorReceived", "handled")];
  await send(alice, id, "heard");
  await alice.thread(id).sendTypingNotification();
  await eventually("both answers are counted", async () => {
    const after = [await counted("chatMessageReceived", "handled"), await counted("typingIndicatorReceived", "handled")];
    return after.every((count, at) => count === before[at] + 1);
  });
  await tab.context().close();
});

test("the time from a send to the page", async (t) => {
  const { alice, bob, id } = await pair();
  const tab = await openTab(bob);
  const sent = [];
  for (let n = 0; n < 200; n += 1) {
    sent.push(Date.now());
    await send(alice, id, `timed ${n}`);
  }
  await assertMessages(tab, sent.map((_, n) => `timed ${n}`));
  const { events } = await seen(tab);
  const times = events.map(({ at }, n) => at - sent[n]).sort((a, b) => a - b);
  t.diagnostic(`ms from the call of sendMessage to the page: p50 ${times[100]}, p99 ${times[198]}`);
  await tab.context().close();
});

test("a server that is killed and started again loses nothing", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const first = await Server.start({ data: `${folder.path}/data` });
  let firstSdk = new Sdk("js", first, "communication");
  const proxy = await Proxy.start(first.ready.https);
  t.after(() => proxy.close());
  const trusting = await startBrowser(first);
  t.after(() => trusting.close());
  const { alice, bob, id } = await pair(firstSdk);
  const [mine, theirs] = [browser, sdk];
  [browser, sdk] = [trusting, firstSdk];
  t.after(() => ([browser, sdk] = [mine, theirs]));
  const tab = await openTab(bob, { endpoint: proxy.url(first.ready.https) });
  await send(alice, id, "before");
  await assertMessages(tab, ["before"]);
  // Registered: what follows is promised over a crash.
  await eventually("the client registers", async () => (await registrations(tab)) > 0);

  for (const link of proxy.links) link.fallSilent();
  await send(alice, id, "on disk, on no screen");
  await first.kill();
  await firstSdk.close();

  const second = await Server.start({ data: `${folder.path}/data`, https: new URL(first.ready.https).port });
  t.after(() => second.stop());
  firstSdk = new Sdk("js", second, "communication");
  t.after(() => firstSdk.close());
  sdk = firstSdk;
  const again = firstSdk.client({ client: "thread", token: alice.token, thread: id });
  await again.sendMessage({ content: "while it was away" });
  proxy.cutAll();
  await assertMessages(tab, ["before", "on disk, on no screen", "while it was away"], { repeated: true });
  await again.sendMessage({ content: "after" });
  await assertMessages(tab, ["before", "on disk, on no screen", "while it was away", "after"], { repeated: true });
  assert.deepEqual((await seen(tab)).states, ["connected", "disconnected", "connected"]);
});

/** How often the page has registered its device. */
const registrations = (tab) =>
  tab.evaluate(() => performance.getEntriesByType("resource").filter(({ name }) => name.endsWith("/v3/registrations")).length);

test("clients move to another server while theirs drains", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const data = `${folder.path}/data`;
  const first = await Server.start({ data });
  const firstSdk = new Sdk("js", first, "communication");
  const proxy = await Proxy.start(first.ready.https);
  t.after(() => proxy.close());
  const trusting = await startBrowser(first);
  t.after(() => trusting.close());
  const [mine, theirs] = [browser, sdk];
  [browser, sdk] = [trusting, firstSdk];
  t.after(() => ([browser, sdk] = [mine, theirs]));
  const { alice, bob, id } = await pair(firstSdk);
  const tab = await openTab(bob, { endpoint: proxy.url(first.ready.https) });
  await send(alice, id, "before");
  await assertMessages(tab, ["before"]);
  await eventually("the client registers", async () => (await registrations(tab)) > 0);

  const second = await Server.start({ data });
  t.after(() => second.stop());
  const secondSdk = new Sdk("js", second, "communication");
  t.after(() => secondSdk.close());
  sdk = secondSdk;
  const again = secondSdk.client({ client: "thread", token: alice.token, thread: id });
  proxy.target = second.ready.https;
  await firstSdk.close();
  await first.stop();
  await again.sendMessage({ content: "from the other server" });
  await assertMessages(tab, ["before", "from the other server"], { repeated: true });
  const { states: all } = await seen(tab);
  assert.ok(!all.includes("disconnected"), `${all}: it moved without a gap`);
});
