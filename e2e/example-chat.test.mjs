// The chat example as its README says: two people in two tabs of a real browser, and a phone that rings
// when a tab is closed.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startBrowser } from "./lib/browser.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { startChatApp } from "./lib/example.mjs";
import { Server } from "./lib/server.mjs";

const PICTURES = fileURLToPath(new URL(".work/screenshots/", import.meta.url));

let server;
let app;
let browser;
let alice;
let bob;

before(async () => {
  server = await Server.start();
  app = await startChatApp(server);
  browser = await startBrowser(server);
  [alice, bob] = [await open("alice"), await open("bob")];
  await mkdir(PICTURES, { recursive: true });
});

after(async () => {
  await browser?.close();
  await app?.stop();
  await server?.stop();
});

async function open(me) {
  const tab = await browser.newTab();
  await tab.setViewportSize({ width: 420, height: 640 });
  await tab.goto(`${app.url}/?me=${me}`);
  await tab.locator('#state[data-state="connected"]').waitFor({ timeout: PATIENCE_MS });
  return tab;
}

async function say(tab, text) {
  await tab.getByLabel("Message", { exact: true }).fill(text);
  await tab.getByRole("button", { name: "Send" }).click();
}

const message = (tab, text, kind = "li") => tab.locator(`#messages ${kind}`).filter({ hasText: text });
const shows = (tab, text, kind) => message(tab, text, kind).waitFor({ timeout: PATIENCE_MS });
const picture = (tab, name) => tab.screenshot({ path: `${PICTURES}${name}.png` });

test("what one says the other sees, and that it was read", async () => {
  await say(alice, "Shall we meet at 7? ☕");
  await shows(bob, "Shall we meet at 7? ☕", "li.theirs");
  await shows(alice, "Shall we meet at 7? ☕", "li.mine.read");
  await say(bob, "Yes, at the usual place.");
  await shows(alice, "Yes, at the usual place.", "li.theirs");
  assert.equal(await message(alice, "Yes, at").count(), 1, "each message is shown once");
});

test("who writes is seen writing", async () => {
  await alice.getByLabel("Message", { exact: true }).pressSequentially("I will b");
  await bob.getByText("Alice is typing …").waitFor({ timeout: PATIENCE_MS });
  await picture(bob, "chat-typing");
  await say(alice, "I will be there.");
  await shows(bob, "I will be there.");
});

test("a page that comes back shows what was said, once and in order", async () => {
  await bob.reload();
  await bob.locator('#state[data-state="connected"]').waitFor({ timeout: PATIENCE_MS });
  await shows(bob, "I will be there.");
  const texts = await bob.locator("#messages li").allTextContents();
  const said = ["Shall we meet", "Yes, at the usual", "I will be there."];
  assert.deepEqual(texts.map((text) => said.findIndex((start) => text.startsWith(start))), [0, 1, 2]);
  await picture(bob, "chat");
});

test("who has closed the tab is rung up on the phone", async () => {
  const phones = await browser.newTab();
  await phones.goto(server.ready.notificationhubs.inbox);
  await bob.context().close();
  await say(alice, "Where are you?");
  await phones.getByText("Where are you?").first().waitFor({ timeout: PATIENCE_MS });
  await picture(phones, "chat-phone");
  await picture(alice, "chat-alice");

  bob = await open("bob");
  await shows(bob, "Where are you?");
  await shows(alice, "Where are you?", "li.mine.read");
});

test("nobody else may be either of them", async () => {
  const answer = await fetch(`${app.url}/people/mallory`);
  assert.equal(answer.status, 404);
  assert.match((await answer.json()).error, /alice and bob/);
});
