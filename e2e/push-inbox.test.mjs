// The page of the fake push services in a real browser: what a phone would show of a notification, what it does
// without showing anything, and the details of each.
import assert from "node:assert/strict";
import { mkdir, readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { HUB, deviceToken, inbox, raw, subscribed } from "./lib/notification-hubs.mjs";
import { Server } from "./lib/server.mjs";

const SCREENSHOTS = new URL(".work/push-inbox/", import.meta.url).pathname;
const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

let server;
let browser;

before(async () => {
  server = await Server.start();
  browser = await startBrowser(server);
  await mkdir(SCREENSHOTS, { recursive: true });
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

async function send(format, handle, payload, more = {}) {
  const headers = { "ServiceBusNotification-Format": format, "ServiceBusNotification-DeviceHandle": handle, ...more };
  const body = typeof payload === "string" ? payload : JSON.stringify(payload);
  const sent = await raw(server, "POST", `/${HUB}/messages/?direct`, { headers, body });
  assert.equal(sent.status, 201, sent.text);
}

/** One of each kind, one after another, so that their order is known. */
async function sendAll() {
  const { endpoint, keys } = await subscribed(server);
  const web = { P256DH: keys.p256dh, Auth: keys.auth };
  const all = [
    ["apple", deviceToken(1), { aps: { alert: { title: "Flight LH 456", subtitle: "Gate change", body: "Now at gate B42" }, badge: 3, sound: "default" } }],
    ["apple", deviceToken(2), { aps: { badge: 7 } }],
    ["apple", deviceToken(3), { aps: { "content-available": 1 } }],
    ["apple", deviceToken(4), { aps: { alert: "Anna" } }, { "apns-push-type": "voip" }],
    ["fcmv1", "android-notification", { message: { notification: { title: "Order shipped", body: "It arrives tomorrow" } } }],
    ["fcmv1", "android-data", { message: { data: { text: "only data" } } }],
    ["browser", endpoint, { title: "New comment", body: "<b>looks good</b> to me" }, web],
  ];
  for (const [at, of] of all.entries()) {
    await send(...of);
    await inbox(server, {}, at + 1);
  }
  return all.length;
}

/** The page, with what has arrived so far. */
async function open({ scheme = "light", width = 1280, height = 900 } = {}) {
  const tab = await browser.newTab();
  await tab.setViewportSize({ width, height });
  await tab.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
  const mistakes = [];
  tab.on("pageerror", (error) => mistakes.push(error.message));
  tab.on("console", (line) => line.type() === "error" && mistakes.push(line.text()));
  await tab.goto(`${server.ready.https}/fake-push`);
  return { tab, mistakes, notifications: tab.getByRole("list", { name: "Notifications, the newest first" }).getByRole("button") };
}

test("an empty inbox says how something gets into it", async () => {
  const { tab, mistakes } = await open();
  await tab.getByText("No notifications yet").waitFor();
  await tab.getByText("tidings push send --format apple").waitFor();
  await tab.getByText("live · waiting for notifications").waitFor();
  assert.deepEqual(mistakes, []);
});

test("what arrives is drawn at once, as a phone would", async () => {
  const { tab, mistakes, notifications } = await open();
  await tab.getByText("live").waitFor();
  const count = await sendAll();
  await tab.getByText(`live · ${count} shown`).waitFor();
  const names = await notifications.evaluateAll((all) => all.map((it) => it.innerText.replace(/\s+/g, " ")));
  for (const [at, expected] of [
    [0, /New comment .* <b>looks good<\/b> to me Browser · .* service worker/],
    [1, /fake-project .* \{"text":"only data"\} Google · .* data/],
    [2, /Order shipped .* It arrives tomorrow Google/],
    [3, /com\.example\.app .* Anna Apple · .* voip/],
    [4, /com\.example\.app .* nothing is shown Apple · .* background/],
    [5, /7 com\.example\.app .* badge 7 Apple/],
    [6, /3 Flight LH 456 .* Gate change Now at gate B42 Apple · 000000…0001 · alert/],
  ]) {
    assert.match(names[at], expected);
  }
  assert.match(await tab.locator("#said").innerText(), /New notification/, "told to who does not see it");
  assert.deepEqual(mistakes, []);
});

test("each notification says what it does on the device, with headers and payload", async () => {
  const { tab, notifications } = await open();
  const chosen = tab.getByRole("region", { name: /^Notification \d+$/ });
  for (const [name, does, header] of [
    [/Flight LH 456/, "shows an alert, plays a sound, puts the badge 3 on the app.", "apns-push-type"],
    [/background/, "wakes the app for some seconds and shows nothing.", "apns-priority"],
    [/voip/, "rings; the app has to report the call at once", "com.example.app.voip"],
    [/only data/, "hands the data to the app and shows nothing.", "android-data"],
    [/New comment/, "wakes the service worker", "aes128gcm"],
  ]) {
    await notifications.filter({ hasText: name }).click();
    await chosen.getByText(does).waitFor();
    await chosen.getByText(header, { exact: true }).first().waitFor();
    assert.equal(await notifications.filter({ hasText: name }).getAttribute("aria-pressed"), "true");
  }
  await chosen.getByLabel("Payload").filter({ hasText: '"title": "New comment"' }).waitFor();
});

test("it is narrowed by service and device, and emptied", async () => {
  const { tab, notifications } = await open();
  await notifications.first().waitFor();
  await tab.getByLabel("Service").selectOption("fcm");
  assert.equal(await notifications.count(), 2);
  await tab.getByLabel("Device").fill("android-data");
  assert.equal(await notifications.count(), 1);
  await tab.getByLabel("Device").fill("");
  await tab.getByLabel("Service").selectOption("");
  await tab.getByRole("button", { name: "Empty" }).click();
  await tab.getByText("No notifications yet").waitFor();
  const left = await (await fetch(`${server.ready.http}/fake-push/inbox`)).json();
  assert.deepEqual(left.notifications, []);
});

for (const scheme of ["light", "dark"]) {
  for (const [shape, width, height] of [["wide", 1280, 900], ["narrow", 390, 844]]) {
    test(`everybody can use it: ${scheme}, ${shape}`, async () => {
      if ((await (await fetch(`${server.ready.http}/fake-push/inbox`)).json()).notifications.length === 0) {
        await sendAll();
      }
      const { tab, notifications } = await open({ scheme, width, height });
      await notifications.first().waitFor();
      await tab.screenshot({ path: `${SCREENSHOTS}${shape}-${scheme}.png` });
      await notifications.filter({ hasText: "Order shipped" }).focus();
      await tab.keyboard.press("Enter");
      const heading = tab.getByRole("heading", { name: /^Notification \d+$/ });
      await heading.waitFor();
      const box = await heading.boundingBox();
      assert.ok(box.y >= 0 && box.y < height, "the details are in view");
      const overflow = await tab.evaluate(() => document.documentElement.scrollWidth > innerWidth);
      assert.equal(overflow, false, "nothing is cut off at the side");
      await tab.evaluate(await readFile(AXE, "utf8"));
      const { violations } = await tab.evaluate(() => globalThis.axe.run());
      const told = violations.map((it) => `${it.id}: ${it.nodes.map((node) => node.target).join(" ")}`);
      assert.deepEqual(told, []);
    });
  }
}
