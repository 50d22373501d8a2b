// The console in a real Chromium: signing in, every page at its work against a real server, keyboard,
// names of controls, both themes, wide and narrow.
import assert from "node:assert/strict";
import { mkdir } from "node:fs/promises";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { startBrowser } from "./lib/browser.mjs";
import { typed } from "./lib/command.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { raw } from "./lib/notification-hubs.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Server } from "./lib/server.mjs";
import { tokenFor } from "./lib/token.mjs";
import { connectJson } from "./lib/websocket.mjs";

const PICTURES = fileURLToPath(new URL(".work/screenshots/", import.meta.url));
const AXE = createRequire(import.meta.url)("axe-core").source;
/** The pages, and what is there once they have heard from the server. */
const PAGES = {
  "": ".tile strong",
  resources: 'section[aria-label="Event Grid topic local"]',
  pubsub: "[role=tabpanel] .pick, [role=tabpanel] .empty",
  chat: 'section[aria-label="People"]',
  events: 'section[aria-label="Topics"]',
  push: 'section[aria-label="Platforms"]',
  link: 'main section[aria-label^="Connect"]',
  journeys: 'section[aria-label="Journeys"], .empty',
  logs: "main textarea",
  playbook: 'section[aria-label="What is wrong?"], .empty',
};
const patience = { timeout: PATIENCE_MS };

let server;
let browser;
let page;
const violations = [];
const strangers = [];
const sizes = new Map();

before(async () => {
  server = await Server.start({ flags: ["--retry-time-scale", "0.001"] });
  browser = await startBrowser(server);
  page = await watched(await browser.newTab());
  await page.goto(server.ready.console);
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
});

after(async () => {
  await browser?.close();
  await server?.stop();
});

/** A tab that notes what the policy of the page forbids, and whom it asks. */
async function watched(tab) {
  tab.setDefaultTimeout(PATIENCE_MS);
  await tab.context().grantPermissions(["clipboard-read", "clipboard-write"]);
  tab.on("console", (message) => {
    if (/Content Security Policy|TrustedHTML|TrustedScript/.test(message.text())) violations.push(message.text());
  });
  tab.on("pageerror", (error) => violations.push(`${error.stack}`));
  tab.on("response", async (response) => {
    const url = new URL(response.url());
    if (url.origin !== new URL(server.ready.https).origin && url.protocol.startsWith("http")) strangers.push(url.href);
    if (url.pathname.startsWith("/console") && !url.pathname.includes("/api/") && response.status() === 200) {
      const body = await response.body().catch(() => undefined);
      if (body) sizes.set(url.pathname, gzipSync(body).length);
    }
  });
  return tab;
}

async function open(path, tab = page) {
  await tab.evaluate((hash) => (location.hash = hash), `#/${path}`);
  const name = path.split("?")[0];
  await tab.locator(`nav a[aria-current="page"][href="#/${name}"]`).waitFor({ ...patience, state: "attached" });
}

const button = (name, where = page) => where.getByRole("button", { name, exact: true });

test("a sign-in link works once, and `tidings console` prints another", async () => {
  assert.equal(new URL(page.url()).hash, "#/", "the code does not stay in the address");
  const other = await watched(await browser.newTab());
  await other.goto(server.ready.console);
  await other.getByRole("alert").filter({ hasText: "works once" }).waitFor(patience);
  assert.equal(await other.locator("#shell").isVisible(), false);

  const { code, out } = await typed(["console", "--data", server.data]);
  assert.equal(code, 0, out);
  assert.match(out, /works|signs in once/);
  await other.goto("about:blank");
  await other.goto(out.split("\n")[0]);
  await other.getByRole("heading", { name: "Overview" }).waitFor(patience);

  await other.getByRole("button", { name: "Sign out" }).click();
  await other.getByRole("heading", { name: "Sign in to the console" }).waitFor(patience);
  await other.reload();
  await other.getByRole("heading", { name: "Sign in to the console" }).waitFor(patience);
  await other.close();
});

test("without a session nothing is told, and a page of another origin changes nothing", async () => {
  const { https } = server.ready;
  const ask = (path, options) => raw(server, options?.method ?? "GET", path, options);
  for (const path of ["/console/api/session", "/console/api/operator/metrics", "/console/api/operator/webpubsub/hubs"]) {
    assert.equal((await ask(path)).status, 401, path);
  }
  const [cookie] = await page.context().cookies(`${https}/console`);
  assert.equal(cookie.httpOnly && cookie.secure && cookie.sameSite === "Strict" && cookie.path === "/console", true);
  const headers = { cookie: `${cookie.name}=${cookie.value}`, origin: "https://localhost:1", "content-type": "application/json" };
  const body = JSON.stringify({ service: "webpubsub", name: "local", key: "primary" });
  assert.equal((await ask("/console/api/keys", { method: "POST", headers, body })).status, 403);
  const { headers: told } = await ask("/console");
  assert.match(told["content-security-policy"], /default-src 'none'.*script-src 'self'/);
  const again = await ask("/console/app.js", { headers: { "if-none-match": (await ask("/console/app.js")).headers.etag } });
  assert.equal(again.status, 304);
});

test("the overview counts live connections", async () => {
  await open("");
  await page.getByRole("heading", { name: "Nobody has connected yet" }).waitFor(patience);
  const client = await connectJson(clientUrl("overview", "ann"), server.ca);
  await page.locator(".tile", { hasText: "Live connections" }).locator("strong", { hasText: "1" }).waitFor(patience);
  await client.close();
  await page.locator(".tile", { hasText: "Live connections" }).locator("strong", { hasText: "0" }).waitFor(patience);
});

test("resources show connection strings when asked, and keys are replaced", async () => {
  await open("resources");
  const card = page.getByRole("region", { name: "Web PubSub local" });
  assert.doesNotMatch(await card.innerText(), new RegExp(server.accessKey));
  await button("Show primary connection string of local", card).click();
  await card.getByText(server.connectionString).waitFor(patience);
  await button("Copy primary connection string of local", card).click();
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), server.connectionString);

  await button("New secondary key of local", card).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make a new key" }).click();
  await page.getByText("The secondary key of local is a new one.").waitFor(patience);
  await button("Show secondary connection string of local", card).click();
  const text = await card.locator(".secret.open code").last().innerText();
  const fresh = /AccessKey=([^;]+)/.exec(text)[1];
  const url = `${server.ready.https}/api/hubs/chat/:send?api-version=2024-12-01`;
  const send = (key) => raw(server, "POST", new URL(url).pathname + new URL(url).search, { headers: { Authorization: `Bearer ${tokenFor(key, url)}`, "content-type": "text/plain" }, body: "x" });
  assert.equal((await send(fresh)).status, 202, "the new key is in force at once");

  const topic = page.getByRole("region", { name: "Event Grid topic local" });
  await button("Show keys of topic local", topic).click();
  await button("Show key1 of topic local", topic).click();
  await topic.getByText(server.ready.eventgrid.key).waitFor(patience);
});

test("a client connects, joins, and hears what it and a backend publish", async () => {
  await open("pubsub?tab=try");
  await page.getByLabel("Hub", { exact: true }).fill("lobby");
  await page.getByLabel("User").fill("ann");
  await button("Connect").click();
  const log = page.getByRole("list", { name: "Messages" });
  await log.getByText(/as ann/).waitFor(patience);
  await log.locator("li", { hasText: "1 done" }).waitFor(patience);
  await page.getByLabel("Data").fill('{"from": "the page"}');
  await button("Send").click();
  await log.locator("li", { hasText: "group news, ann" }).filter({ hasText: "the page" }).waitFor(patience);
  await page.getByLabel("As").selectOption("all");
  await page.getByLabel("Data").fill("from a backend");
  await button("Send").click();
  await log.locator("li", { hasText: "server" }).filter({ hasText: "from a backend" }).waitFor(patience);
  await picture("pubsub-try");

  const watcher = await watched(await page.context().newPage());
  await watcher.goto(`${server.ready.https}/console#/pubsub`);
  await watcher.getByRole("button", { name: /^lobby/ }).click();
  const row = watcher.getByRole("row", { name: /ann.*news/ });
  await row.waitFor(patience);
  await picture("pubsub", watcher);
  await row.getByRole("button", { name: /Close connection/ }).click();
  await log.locator("li", { hasText: "Closed from the console." }).first().waitFor(patience);
  await watcher.getByText("Nobody is connected").waitFor(patience);
  await watcher.close();
});

test("two people talk, and one's page is told in real time", async () => {
  await open("chat");
  for (const name of ["Ada", "Bob"]) {
    await page.getByLabel("Name").fill(name);
    await button("Make a person").click();
    await button(`Act as ${name}`).waitFor(patience);
  }
  await page.getByText("connected", { exact: true }).waitFor(patience);
  await page.getByLabel("Topic of a new thread").fill("Lunch");
  await button("Make a thread").click();
  await page.getByRole("region", { name: "Thread Lunch" }).waitFor(patience);

  const bob = await watched(await page.context().newPage());
  await bob.goto(`${server.ready.https}/console#/chat`);
  await button("Act as Bob", bob).click();
  await bob.getByText("as Bob").waitFor(patience);
  await bob.locator(".tag.good", { hasText: "connected" }).waitFor(patience);
  await button("Lunch", bob.getByRole("region", { name: "Threads of Bob" })).or(bob.getByRole("button", { name: /^Lunch/ })).first().click();

  await page.getByLabel("Message", { exact: true }).fill("Soup at noon?");
  await button("Send").click();
  await bob.getByRole("list", { name: "Real-time notifications" }).locator("li", { hasText: "chatMessageReceived" }).filter({ hasText: "Soup at noon?" }).waitFor(patience);
  await bob.getByRole("list", { name: "Messages" }).getByText("Soup at noon?").waitFor(patience);
  await picture("chat", bob);
  await bob.close();
});

test("an event reaches its webhook, a dead letter is seen and sent again", async (t) => {
  let status = 200;
  const receiver = await Receiver.start({ answer: () => status });
  t.after(() => receiver.close());
  await open("events");
  await page.getByLabel("Name").fill("orders");
  await page.getByLabel("Webhook URL").fill(receiver.url);
  await button("Make it").click();
  await page.getByRole("row", { name: /orders.*Succeeded/ }).waitFor(patience);

  await page.getByRole("tab", { name: "Publish and watch" }).click();
  const log = page.getByRole("list", { name: "What happens" });
  await button("Publish").click();
  await log.locator("li", { hasText: "sent" }).first().waitFor(patience);
  assert.equal((await receiver.deliveries.next()).events[0].subject, "orders/7");
  await log.locator("li", { hasText: "delivered" }).first().waitFor(patience);
  await picture("events-watch");

  status = 400;
  await button("Publish").click();
  await receiver.deliveries.next();
  await page.getByRole("tab", { name: "Dead letters" }).click();
  const letters = page.getByRole("region", { name: "Dead letters" });
  for (;;) {
    if (await letters.getByRole("row", { name: /order\.made/ }).count()) break;
    await page.getByRole("tab", { name: "Dead letters" }).click();
    await page.locator('[role="tabpanel"] section, [role="tabpanel"] .empty').first().waitFor(patience);
  }
  await letters.getByRole("button", { name: /^Look at dead letter/ }).first().click();
  await page.getByRole("region", { name: "Event", exact: true }).getByText("orders/7").waitFor(patience);
  await picture("events-dead");
  status = 200;
  await letters.getByRole("button", { name: /^Redrive dead letter/ }).first().click();
  await page.getByText("One event is on its way again.").waitFor(patience);
  assert.equal((await receiver.deliveries.next()).events[0].subject, "orders/7");
  await page.getByRole("heading", { name: "No dead letters" }).waitFor(patience);

  await page.getByRole("tab", { name: "Event subscriptions" }).click();
  await button("Delete event subscription orders").waitFor(patience);
  await picture("events");
});

test("a refusal is told in the service's own words", async () => {
  await open("events");
  await page.getByLabel("Name").fill("no");
  await page.getByLabel("Webhook URL").fill("not a url");
  await button("Make it").click();
  await page.getByRole("alert").filter({ hasText: "400" }).first().waitFor(patience);
});

test("a push reaches the fake phone, and its outcome is shown", async () => {
  await open("push?tab=devices");
  await page.getByLabel("Tags").fill("news");
  await button("Make it").click();
  await page.getByRole("row", { name: /apns|apple/i }).filter({ hasText: "news" }).first().waitFor(patience);
  await picture("push-devices");
  await open("push?tab=sends");
  await page.getByLabel("Payload").fill('{"message": "Soup is ready"}');
  await button("Send").click();
  await page.getByRole("row", { name: /Success 1/ }).waitFor(patience);
  await picture("push");
  await page.getByRole("tab", { name: "Fake phone" }).click();
  await page.getByRole("button", { name: /Soup is ready/ }).click();
  await page.getByRole("region", { name: "Payload" }).getByText("Soup is ready").waitFor(patience);
  await picture("push-phone");
});

test("a hub is connected to the Communication resource, and disconnected", async () => {
  await open("link");
  await button("Connect").click();
  await page.getByRole("region", { name: "Connected hub" }).getByText("works").waitFor(patience);
  await picture("link");
  await button("Disconnect").click();
  await page.getByRole("dialog").getByRole("button", { name: "Disconnect" }).click();
  await page.getByRole("region", { name: "Connect a notification hub" }).waitFor(patience);
});

test("what clients do passes by in the live trace, and is asked for with a chart", async () => {
  await open("pubsub?tab=trace&hub=traced&user=eve");
  const trace = page.getByRole("list", { name: "Live trace" });
  await page.getByText("Watching eve in traced").waitFor(patience);
  const client = await connectJson(clientUrl("traced", "eve"), server.ca);
  const about = (text) => trace.locator("li", { hasText: client.connectionId }).filter({ hasText: text }).first().waitFor(patience);
  for (const what of ["opened", "connected"]) await about(what);
  client.send({ type: "sequenceAck", sequenceId: 1 });
  await about("text frame of 37 bytes");
  await picture("pubsub-trace");

  await open("pubsub?hub=traced");
  await page.getByRole("button", { name: /^traced/ }).click();
  await page.getByRole("link", { name: `Trace connection ${client.connectionId}` }).click();
  await page.getByText(`Watching ${client.connectionId} in traced`).waitFor(patience);
  await client.close();
  await about("ended");

  await open("logs");
  const query = page.getByLabel("Query");
  await query.fill("WebPubSubConnectivity | where UserId == 'eve' | project OperationName, UserId");
  await query.press("Control+Enter");
  await page.getByRole("row", { name: "ConnectionStarted eve" }).waitFor(patience);
  await query.fill("WebPubSubConnectivity | summarize Connections = count() by bin(TimeGenerated, 1m), OperationName | render timechart");
  await button("Run").click();
  await page.getByRole("region", { name: "Chart" }).getByRole("img", { name: /ConnectionStarted now [1-9]/ }).waitFor(patience);
  await picture("logs");
  await query.fill("WebPubSubConnectivity | nonsense");
  await button("Run").click();
  await page.getByRole("alert").filter({ hasText: "400" }).first().waitFor(patience);
});

test("the playbook finds what is wrong with a token, and says what it ruled out", async () => {
  await open("playbook");
  await page.getByLabel("Symptom").selectOption("connect");
  await page.getByText("More about it").click();
  const expired = tokenFor(server.accessKey, `${server.ready.https}/client/hubs/chat`, { exp: 1_700_000_000 });
  await page.getByLabel("A token that does not work").fill(expired);
  await button("Find out why").click();
  const found = page.getByRole("region", { name: "Findings" }).last();
  await found.getByRole("row", { name: /expired.*confirmed/s }).first().waitFor(patience);
  await found.getByText("[Observed]").first().waitFor(patience);
  assert.ok((await page.getByRole("region", { name: "Ruled out" }).last().getByRole("row").count()) > 3);
  assert.doesNotMatch(await page.locator("#main").innerText(), new RegExp(expired));
  await picture("playbook");
});

test("a journey is found by the id of its request, and drawn stage by stage", async () => {
  const url = `${server.ready.https}/api/hubs/traced/:send?api-version=2024-12-01`;
  const { pathname, search } = new URL(url);
  const headers = { Authorization: `Bearer ${tokenFor(server.accessKey, url)}`, "content-type": "text/plain" };
  const sent = await raw(server, "POST", pathname + search, { headers, body: "on its way" });
  assert.equal(sent.status, 202);
  await open(`journeys?subject=${sent.headers["x-ms-request-id"]}`);
  await page.getByRole("button", { name: /^Open journey/ }).first().click();
  await page.getByRole("list", { name: "Stages" }).getByText("accepted").first().waitFor(patience);
  await picture("journeys");
});

test("everything is reached by keyboard", async () => {
  await page.goto(`${server.ready.https}/console#/`);
  await page.reload();
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
  await page.keyboard.press("Tab");
  assert.equal(await page.evaluate(() => document.activeElement.textContent), "Skip to content");
  await page.keyboard.press("g");
  await page.keyboard.press("p");
  await page.getByRole("heading", { name: "Push", level: 1 }).waitFor(patience);
  await page.keyboard.press("Control+k");
  const box = page.getByRole("combobox", { name: "Go to" });
  await box.fill("event");
  await box.press("Enter");
  await page.getByRole("heading", { name: "Event Grid" }).waitFor(patience);
  await page.keyboard.press("Control+k");
  await page.keyboard.press("Escape");
  assert.equal(await page.getByRole("dialog").count(), 0);
  const tab = page.getByRole("tab", { selected: true });
  await tab.focus();
  await page.keyboard.press("ArrowRight");
  assert.equal(await page.getByRole("tab", { selected: true }).innerText(), "Dead letters");
});

test("light and dark follow the system until somebody chooses", async () => {
  const shown = (theme) => page.locator(`html[data-theme="${theme}"]`).waitFor(patience);
  await page.emulateMedia({ colorScheme: "dark" });
  await shown("dark");
  await page.emulateMedia({ colorScheme: "light" });
  await shown("light");
  await button("Theme: system").click();
  await button("Theme: light").click();
  await shown("dark");
  await button("Theme: dark").click();
});

for (const scheme of ["light", "dark"]) {
  test(`every control has a name, and every text can be read (${scheme})`, async () => {
    await page.emulateMedia({ colorScheme: scheme, reducedMotion: "reduce" });
    for (const path of Object.keys(PAGES)) {
      await openWhole(path);
      const found = await page.evaluate(`${AXE}; axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })`);
      const told = found.violations.map(({ id, help, nodes }) => `${id}: ${help}\n${nodes.map((it) => `  ${it.html}\n  ${it.failureSummary}`).join("\n")}`);
      assert.deepEqual(told, [], `/${path}`);
      await picture(`${path || "overview"}-${scheme}`);
    }
  });
}

test("each control of the accessibility tree has a name", async () => {
  const devtools = await page.context().newCDPSession(page);
  const kinds = ["button", "link", "textbox", "searchbox", "combobox", "checkbox", "tab", "option", "listbox", "dialog", "image"];
  for (const path of Object.keys(PAGES)) {
    await openWhole(path);
    const { nodes } = await devtools.send("Accessibility.getFullAXTree");
    const controls = nodes.filter((it) => !it.ignored && kinds.includes(it.role?.value));
    assert.ok(controls.length > 10, path);
    const nameless = controls.filter((it) => !it.name?.value?.trim()).map((it) => it.role.value);
    assert.deepEqual(nameless, [], `/${path}`);
  }
});

test("nothing is cut off on a phone", async () => {
  await page.setViewportSize({ width: 360, height: 740 });
  await page.emulateMedia({ colorScheme: "light" });
  for (const path of Object.keys(PAGES)) {
    await openWhole(path);
    const { wide, widest } = await page.evaluate(() => ({
      wide: document.documentElement.scrollWidth,
      widest: [...document.querySelectorAll("main *")].filter((it) => !it.closest(".scroll, pre, svg, [role=tablist], .log, dialog") && it.getBoundingClientRect().right > 361).map((it) => it.outerHTML.slice(0, 120)).slice(0, 3),
    }));
    assert.ok(wide <= 360, `/${path} is ${wide} wide: ${widest.join("\n")}`);
    await picture(`${path || "overview"}-narrow`);
  }
  await button("Menu").click();
  await page.getByRole("link", { name: "Chat", exact: true }).click();
  await page.getByRole("heading", { name: "Chat", level: 1 }).waitFor(patience);
  await page.setViewportSize({ width: 1280, height: 860 });
});

test("the page is small, asks nobody else, and never broke its own policy", () => {
  const all = [...sizes.values()].reduce((sum, it) => sum + it, 0);
  assert.ok(sizes.size >= 15 && all < 300_000, `${sizes.size} files, ${all} bytes compressed`);
  assert.deepEqual(strangers, []);
  assert.deepEqual(violations, []);
});

async function openWhole(path) {
  await open(path);
  await page.locator(PAGES[path]).first().waitFor(patience);
}

async function picture(name, tab = page) {
  await mkdir(PICTURES, { recursive: true });
  await tab.screenshot({ path: `${PICTURES}console-${name}.png`, fullPage: true });
}

/** Where a client of the hub connects, with a token. */
function clientUrl(hub, user) {
  const url = new URL(`/client/hubs/${hub}`, server.ready.https.replace("https", "wss"));
  const token = tokenFor(server.accessKey, `${server.ready.https}/client/hubs/${hub}`, { sub: user });
  url.searchParams.set("access_token", token);
  return url.href;
}
