// The main job, end to end: two tabs of a real browser show what the page, curl and Python broadcast.
// Set are the connection string and the CA, nothing else.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { startBrowser } from "./lib/browser.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { PYTHON_EXAMPLE, startBroadcastApp } from "./lib/example.mjs";
import { PYTHON } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { tokenFor } from "./lib/token.mjs";

const run = promisify(execFile);
const PICTURES = fileURLToPath(new URL(".work/screenshots/", import.meta.url));

let server;
let app;
let browser;
let tabs;

before(async () => {
  server = await Server.start();
  app = await startBroadcastApp(server);
  browser = await startBrowser(server);
  tabs = [await browser.newTab(), await browser.newTab()];
  for (const tab of tabs) {
    await tab.goto(app.url);
    await tab.locator('#state[data-state="connected"]').waitFor({ timeout: PATIENCE_MS });
  }
});

after(async () => {
  await browser?.close();
  await app?.stop();
  await server?.stop();
});

/** Waits until both tabs show `text` as their newest message, once. */
async function assertBothShow(text) {
  for (const tab of tabs) {
    const newest = tab.locator("#messages li").first();
    await newest.filter({ hasText: text }).waitFor({ timeout: PATIENCE_MS });
    assert.equal(await tab.locator("#messages li").filter({ hasText: text }).count(), 1, "each message is shown once");
  }
}

test("both tabs show what the page's button broadcasts", async () => {
  const [first] = tabs;
  await first.getByLabel("Message to everyone").fill("from the button, grüße");
  await first.getByRole("button", { name: "Broadcast" }).click();
  await assertBothShow("from the button, grüße");
});

test("both tabs show what curl sends to the app's backend", async () => {
  const body = JSON.stringify({ text: "from curl by way of the app", from: "curl" });
  await curl(`${app.url}/broadcast`, ["-H", "content-type: application/json", "-d", body]);
  await assertBothShow("from curl by way of the app");
});

test("both tabs show what curl sends to the REST API with a token", async () => {
  const url = `${server.ready.https}/api/hubs/chat/:send?api-version=2024-12-01`;
  const token = tokenFor(server.accessKey, url);
  const body = JSON.stringify({ text: "from curl straight to REST", from: "curl" });
  const headers = ["-H", "content-type: application/json", "-H", `authorization: Bearer ${token}`];
  await curl(url, ["--cacert", server.ready.ca, ...headers, "-d", body]);
  await assertBothShow("from curl straight to REST");
});

test("both tabs show what the Python SDK sends", async () => {
  await run(PYTHON, [PYTHON_EXAMPLE, "from", "Python"], { env: { ...process.env, ...server.sdkEnvironment() } });
  await assertBothShow("from Python");
});

test("a picture of the page is kept", async () => {
  await mkdir(PICTURES, { recursive: true });
  await tabs[0].setViewportSize({ width: 900, height: 700 });
  await tabs[0].screenshot({ path: `${PICTURES}broadcast.png` });
});

test("the page shows what it was told, not what it says as markup", async () => {
  const body = JSON.stringify({ text: "<img src=x onerror=alert(1)>", from: "curl" });
  await curl(`${app.url}/broadcast`, ["-H", "content-type: application/json", "-d", body]);
  await assertBothShow("<img src=x onerror=alert(1)>");
  for (const tab of tabs) assert.equal(await tab.locator("#messages img").count(), 0);
});

test("without the CA, the browser refuses the connection", async (t) => {
  const stranger = await startBrowser(undefined);
  t.after(() => stranger.close());
  const tab = await stranger.newTab();
  const complaint = tab.waitForEvent("console", {
    predicate: (message) => message.text().includes("ERR_CERT_AUTHORITY_INVALID"),
    timeout: PATIENCE_MS,
  });
  await tab.goto(app.url);
  await complaint;
  assert.equal(await tab.locator("#state").getAttribute("data-state"), "connecting");
});

/** `curl` as a user would call it; fails on an HTTP error. */
async function curl(url, options) {
  const { stdout } = await run("curl", ["--silent", "--show-error", "--fail-with-body", ...options, url]);
  return stdout;
}
