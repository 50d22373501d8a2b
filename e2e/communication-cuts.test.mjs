// Chat over a network that fails at random points, with the npm SDKs: a sender whose connections are cut
// while it writes, and a browser's while it listens. What was acknowledged is in the thread, and what is in
// the thread is on the screen of a client that recovers.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { startChatPage } from "./lib/chat-page.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { FAULTS, Proxy } from "./lib/proxy.mjs";
import { between, oneOf, randomSource, SEED } from "./lib/random.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const MESSAGES = Number(process.env.TIDINGS_CUT_MESSAGES ?? 300);
/** A connection to the page fails after so many bytes: within the handshake, or dozens of messages later. */
const LIFE_BYTES = { page: [1_000, 40_000], sender: [300, 12_000] };
/** Shorter than the page's patience with an unanswered sign of life, or it would wait that long each time. */
const SILENCE_MS = [20, 400];
/** How long a client waits between attempts grows with each that fails, to most of a minute. */
const RECOVERY_MS = 120_000;

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

/** A proxy that breaks every connection at a random byte, once `armed`. */
async function startFailingProxy(random, life) {
  const failures = {};
  const it = { failures, armed: false };
  const doom = (link) => {
    const [fault, silence] = [oneOf(random, Object.keys(FAULTS)), between(random, ...SILENCE_MS)];
    link.failAfter(between(random, ...life), () => {
      failures[fault] = (failures[fault] ?? 0) + 1;
      FAULTS[fault](link, silence);
    });
  };
  it.proxy = await Proxy.start(server.ready.https, { onLink: (link) => it.armed && doom(link) });
  it.arm = () => {
    it.armed = true;
    for (const link of it.proxy.links) doom(link);
  };
  it.calm = () => {
    it.armed = false;
    for (const link of it.proxy.links) link.failAfter(Infinity);
  };
  return it;
}

async function person() {
  const { user, token } = await sdk.client({ client: "identity" }).createUserAndToken(["chat"]);
  return { user, token, chat: sdk.client({ client: "chat", token }) };
}

async function openTab({ token }, endpoint) {
  const tab = await browser.newTab();
  await tab.exposeFunction("newToken", () => token);
  await tab.goto(page.url);
  await tab.waitForFunction(() => document.title === "ready", undefined, { timeout: PATIENCE_MS });
  await tab.evaluate(([at, it]) => globalThis.makeClient(at, it), [endpoint, token]);
  await tab.evaluate(() => globalThis.start(["chatMessageReceived"]));
  await tab.waitForFunction(() => globalThis.seen.states.length > 0, undefined, { timeout: PATIENCE_MS });
  return tab;
}

/** Everything that users have said in the thread, the oldest first. */
async function said(thread) {
  const pages = await thread.listMessages({});
  return pages.flat().filter(({ sender }) => sender).map(({ content }) => content.message).reverse();
}

test("connections cut at random points: nothing is missing from the thread or from the screen", async (t) => {
  t.diagnostic(`TIDINGS_SEED=${SEED}`);
  const random = randomSource();
  const [reading, writing] = [await startFailingProxy(random, LIFE_BYTES.page), await startFailingProxy(random, LIFE_BYTES.sender)];
  t.after(() => Promise.all([reading.proxy.close(), writing.proxy.close()]));
  const [alice, bob] = [await person(), await person()];
  const participants = [alice, bob].map(({ user }) => ({ id: user }));
  const { chatThread } = await alice.chat.createChatThread({ topic: "cuts" }, { participants });
  const tab = await openTab(bob, reading.proxy.url(server.ready.https));

  const through = new URL(writing.proxy.url(server.ready.https)).origin;
  const environment = () => ({
    ...server.sdkEnvironment(),
    COMMUNICATION_CONNECTION_STRING: server.ready.communication.connectionString.replace(server.ready.https, through),
  });
  const sender = new Sdk("js", { ready: server.ready, sdkEnvironment: environment }, "communication");
  t.after(() => sender.close());
  const mine = sender.client({ client: "thread", token: alice.token, thread: chatThread.id });
  [reading, writing].forEach((it) => it.arm());
  const acknowledged = [];
  let refused = 0;
  for (let n = 0; n < MESSAGES; n += 1) {
    const content = `message ${n}`;
    // The SDK repeats nothing here: one whose answer was cut off may be in the thread or not.
    await mine.sendMessage({ content }).then(() => acknowledged.push(content), () => (refused += 1));
  }
  [reading, writing].forEach((it) => it.calm());

  const thread = sdk.client({ client: "thread", token: bob.token, thread: chatThread.id });
  await thread.sendMessage({ content: "the last" });
  const all = await said(thread);
  const present = new Set(all);
  assert.deepEqual(acknowledged.filter((text) => !present.has(text)), [], "what was acknowledged is in the thread");
  assert.equal(present.size, all.length, "each once");

  const arrived = (wanted) => {
    const come = new Set(globalThis.seen.events.map(({ event }) => event.message));
    return wanted.every((text) => come.has(text));
  };
  await tab.waitForFunction(arrived, all, { timeout: RECOVERY_MS }).catch(async (error) => {
    const come = await tab.evaluate(() => globalThis.seen.events.map(({ event }) => event.message));
    const missing = all.filter((text) => !come.includes(text));
    throw new Error(`${error.message}\nmissing on the screen (seed ${SEED}): ${missing}`);
  });
  const { events, states } = await tab.evaluate(() => globalThis.seen);
  const shown = [...new Set(events.map(({ event }) => event.message))];
  assert.deepEqual([...shown].sort(), [...all].sort(), "nothing else");
  // What a living connection has lost is told again later; all else comes in the order of the thread.
  const late = shown.filter((text, at) => shown.slice(0, at).some((earlier) => all.indexOf(earlier) > all.indexOf(text)));
  assert.ok(late.length < all.length / 10, `${late.length} of ${all.length} came out of order: ${late}`);
  const reconnected = states.filter((state) => state === "connected").length - 1;
  assert.ok(reconnected > 0 && refused > 0, `the network did fail: ${reconnected} reconnections, ${refused} sends cut off`);
  t.diagnostic(
    `${all.length} messages, ${refused} sends cut off, ${reconnected} reconnections, ${events.length - shown.length} came twice, ` +
      `${late.length} late; ` +
      `failures: ${JSON.stringify({ reading: reading.failures, writing: writing.failures })}`,
  );
  await tab.context().close();
});
