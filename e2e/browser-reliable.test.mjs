// The npm WebSocket client SDK in a real browser, over TLS, through a network that goes and comes.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { freshHub } from "./lib/hub.mjs";
import { Inbox } from "./lib/inbox.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { startSdkPage } from "./lib/sdk-page.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

let server;
let sdk;
let page;
let browser;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server);
  page = await startSdkPage();
  browser = await startBrowser(server);
});

after(() => Promise.all([browser?.close(), page?.close(), sdk?.close(), server?.stop()]));

/** A tab with the client started, its connection by way of `proxy`. */
async function openTab(hub, proxy) {
  const { url } = await sdk.hub(hub.name).getClientAccessToken({ roles: ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"] });
  const tab = await browser.newTab();
  await tab.goto(page.url);
  await tab.waitForFunction(() => document.title === "ready", undefined, { timeout: PATIENCE_MS });
  await tab.evaluate((at) => globalThis.start(at), proxy.url(url));
  return tab;
}

const seen = (tab) => tab.evaluate(() => globalThis.seen);
const messages = (tab, count) =>
  tab.waitForFunction((n) => globalThis.seen.messages.length >= n, count, { timeout: PATIENCE_MS });

test("the client joins, sends and receives", async (t) => {
  const proxy = await Proxy.start(server.ready.https);
  t.after(() => proxy.close());
  const hub = freshHub(t, server);
  const tab = await openTab(hub, proxy);
  await tab.evaluate(() => globalThis.client.joinGroup("g"));
  await tab.evaluate(() => globalThis.client.sendToGroup("g", { text: "grüße" }, "json"));
  await hub.service.group("g").sendToAll("from the backend", { contentType: "text/plain" });
  await messages(tab, 2);
  assert.deepEqual((await seen(tab)).messages, [{ text: "grüße" }, "from the backend"]);
});

test("offline and online again: the connection is recovered, nothing is lost or doubled", async (t) => {
  const refused = new Inbox("attempt to connect while offline");
  const proxy = await Proxy.start(server.ready.https, { onRefused: () => refused.push("refused") });
  t.after(() => proxy.close());
  const hub = freshHub(t, server);
  const tab = await openTab(hub, proxy);
  await tab.evaluate(() => globalThis.client.joinGroup("g"));
  const group = hub.service.group("g");
  await group.sendToAll(1);
  await messages(tab, 1);

  proxy.down = true;
  proxy.cutAll();
  for (let n = 2; n <= 100; n += 1) await group.sendToAll(n);
  await refused.take(2); // it has noticed, and tries again and again
  proxy.down = false;

  await messages(tab, 100);
  await group.sendToAll(101);
  await messages(tab, 101);
  const after = await seen(tab);
  assert.deepEqual(after.messages, Array.from({ length: 101 }, (_, at) => at + 1));
  assert.equal(after.connected.length, 1);
  assert.deepEqual(after.disconnected, []);
});

test("what the page sends while the connection is cut arrives once", async (t) => {
  const proxy = await Proxy.start(server.ready.https);
  t.after(() => proxy.close());
  const hub = freshHub(t, server);
  const watcher = await hub.json({ groups: ["g"] });
  const tab = await openTab(hub, proxy);
  const sending = tab.evaluate(async () => {
    for (let n = 1; n <= 20; n += 1) await globalThis.client.sendToGroup("g", n, "json", { ackId: 1000 + n });
  });
  assert.equal((await watcher.nextJson()).data, 1);
  proxy.cutAll();
  await sending;
  for (let n = 2; n <= 20; n += 1) assert.equal((await watcher.nextJson()).data, n);
});
