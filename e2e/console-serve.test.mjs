// The console of a production server: signed in by `tidings console`, with several resources that host
// names tell apart and keys that the configuration owns.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { typed } from "./lib/command.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const GIVEN = Buffer.alloc(32, 1).toString("base64");
const CONFIG = `
  [server]
  bind = "127.0.0.1"
  http_port = 0
  admin_port = 0
  [data]
  folder = "data"
  [[resource]]
  name = "chat"
  kind = "webpubsub"
  hosts = ["chat.example"]
  [[resource]]
  name = "prices"
  kind = "webpubsub"
  hosts = ["prices.example"]
  primary_key_file = "key"
`;
const patience = { timeout: PATIENCE_MS };

let folder;
let file;
let server;
let browser;
let page;

before(async () => {
  folder = await temporaryFolder();
  file = join(folder.path, "tidings.toml");
  await writeFile(file, CONFIG);
  await writeFile(join(folder.path, "key"), GIVEN);
  server = await Server.start({ config: file });
  browser = await startBrowser();
  page = await browser.newTab();
  page.setDefaultTimeout(PATIENCE_MS);
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await folder?.forget();
});

test("no link stands in the log, and `tidings console` makes one", async () => {
  assert.equal(server.ready.console, undefined);
  const { code, out, err } = await typed(["console", "--config", file]);
  assert.equal(code, 0, err);
  assert.doesNotMatch(`${server.log}`, /code=/);
  await page.goto(out.split("\n")[0]);
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
  const [cookie] = await page.context().cookies(`${server.ready.http}/console`);
  assert.equal(cookie.httpOnly && cookie.sameSite === "Strict" && !cookie.secure, true, "plain HTTP has no secure cookie");
});

test("a client connects to the resource that is chosen, and a backend publishes to it", async () => {
  await page.goto(`${server.ready.http}/console#/pubsub?tab=try`);
  await page.getByLabel("Resource").selectOption("prices");
  await page.getByRole("button", { name: "Connect", exact: true }).click();
  const log = page.getByRole("list", { name: "Messages" });
  await log.getByText(/as me/).waitFor(patience);
  await page.getByLabel("As").selectOption("all");
  await page.getByLabel("Data").fill("42");
  await page.getByRole("button", { name: "Send", exact: true }).click();
  await log.locator("li", { hasText: "server" }).filter({ hasText: "42" }).waitFor(patience);
  await page.getByRole("tab", { name: "Live connections" }).click();
  await page.getByRole("button", { name: /^chat.*prices/s }).waitFor(patience);
});

test("a key that the configuration owns is not replaced, and the refusal says where it comes from", async () => {
  await page.goto(`${server.ready.http}/console#/resources`);
  await page.getByRole("button", { name: "New primary key of prices" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make a new key" }).click();
  await page.getByRole("alert").filter({ hasText: "replace it there and restart" }).waitFor(patience);
  await page.getByRole("button", { name: "New primary key of chat" }).click();
  await page.getByRole("dialog").getByRole("button", { name: "Make a new key" }).click();
  await page.getByText("The primary key of chat is a new one.").waitFor(patience);
});

test("there is no fake phone, and management calls are opened by the server's own key", async () => {
  await page.goto(`${server.ready.http}/console#/push`);
  await page.getByRole("heading", { name: "Push", level: 1 }).waitFor(patience);
  assert.equal(await page.getByRole("tab", { name: "Fake phone" }).count(), 0);
  await page.goto(`${server.ready.http}/console#/link`);
  await page.getByRole("region", { name: "Connect a notification hub" }).waitFor(patience);
});
