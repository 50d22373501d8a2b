// Signing in to the console of a production server with an identity provider, in a real Chromium. The
// provider is another site than the console, as it is in life.
import assert from "node:assert/strict";
import { mkdir, writeFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { join } from "node:path";
import { after, before, beforeEach, test } from "node:test";
import { fileURLToPath } from "node:url";
import { startBrowser } from "./lib/browser.mjs";
import { typed } from "./lib/command.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { request } from "./lib/http.mjs";
import { IdentityProvider } from "./lib/identity-provider.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const PICTURES = fileURLToPath(new URL(".work/screenshots/", import.meta.url));
const AXE = createRequire(import.meta.url)("axe-core").source;
const SECRET = "tell+nobody/this: 100%";
const patience = { timeout: PATIENCE_MS };

let provider;
let folder;
let server;
let home;
let browser;
let page;

/** A server whose console trusts the provider; `more` stands in its section. */
async function serve(name, more) {
  const file = join(folder.path, `${name}.toml`);
  await writeFile(file, `
    [server]
    bind = "127.0.0.1"
    http_port = 0
    admin_port = 0
    [data]
    folder = "${name}"
    [outbound]
    allow = ["127.0.0.0/8"]
    [console]
    issuer = "${provider.issuer}"
    client_id = "tidings console"
    ${more}
    [[resource]]
    name = "chat"
    kind = "webpubsub"
  `);
  const started = await Server.start({ config: file });
  started.file = file;
  return started;
}

const homeOf = ({ ready }) => `http://localhost:${new URL(ready.http).port}`;

before(async () => {
  await mkdir(PICTURES, { recursive: true });
  [provider, folder] = [await IdentityProvider.start(), await temporaryFolder()];
  provider.people = {
    ada: { claims: { sub: "248", email: "ada@example.com", email_verified: true }, userInfo: { groups: ["all", "ops"] } },
    eve: { claims: { sub: "666", email: "eve@example.com", email_verified: true }, userInfo: { groups: ["all"] } },
    joe: { claims: { sub: "777", email: "ada@example.com", email_verified: false } },
  };
  await writeFile(join(folder.path, "secret"), `${SECRET}\n`);
  server = await serve("own", `client_secret_file = "secret"\noperators = ["ada@example.com"]`);
  home = homeOf(server);
  browser = await startBrowser();
});

beforeEach(async () => {
  provider.client = { id: "tidings console", secret: SECRET, redirectUri: `${home}/console/oidc/callback` };
  provider.spoil = (claims) => claims;
  await page?.context().close();
  page = await newTab();
});

after(async () => {
  await browser?.close();
  await server?.stop();
  await Promise.all([provider?.close(), folder?.forget()]);
});

async function newTab() {
  const tab = await browser.newTab();
  tab.setDefaultTimeout(PATIENCE_MS);
  return tab;
}

const button = (tab = page) => tab.getByRole("link", { name: `Sign in with ${new URL(provider.issuer).host}` });
const alert = () => page.getByRole("alert");

/** Goes to the provider from the console's page, and is somebody there. */
async function signIn(name, at = home) {
  await page.goto(`${at}/console`);
  await button().click();
  await page.getByRole("link", { name, exact: true }).click();
}

async function refused(...expected) {
  await page.getByRole("heading", { name: "Sign in to the console" }).waitFor(patience);
  const told = await alert().textContent();
  for (const it of expected) assert.match(told, it);
  assert.equal(await page.locator("#shell").isVisible(), false);
  assert.equal(page.url(), `${home}/console#/`, "neither code nor state stays in the address");
  const names = (await page.context().cookies()).map(({ name }) => name);
  assert.deepEqual(names, [], "there is no session");
  await page.reload();
  assert.equal(await alert().count(), 0, "it was told once");
}

test("an operator signs in by clicking through, works, and signs out", async () => {
  await page.goto(`${home}/console`);
  await page.getByText("tidings console", { exact: true }).waitFor(patience);
  await button().click();
  await page.getByRole("heading", { name: "Who are you?" }).waitFor(patience);
  const [away] = await page.context().cookies(`${home}/console/oidc/callback`);
  assert.deepEqual([away.httpOnly, away.sameSite, away.path], [true, "Lax", "/console/oidc"]);

  const back = page.waitForRequest((it) => it.url().startsWith(`${home}/console/oidc/callback`));
  await page.getByRole("link", { name: "ada" }).click();
  const { code, state } = Object.fromEntries(new URL((await back).url()).searchParams);
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
  assert.equal(new URL(page.url()).pathname, "/console");
  const cookies = await page.context().cookies(`${home}/console/oidc/callback`);
  assert.equal(cookies.length, 1, "the cookie of the sign-in is gone");
  const [session] = cookies;
  assert.deepEqual([session.httpOnly, session.sameSite, session.path], [true, "Strict", "/console"]);
  await page.reload();
  await page.goto(`${home}/console#/resources`);
  await page.getByRole("button", { name: "New primary key of chat" }).waitFor(patience);
  await page.getByText("Signed in as ada@example.com").waitFor(patience);
  await page.screenshot({ path: join(PICTURES, "signed-in.png") });
  assert.match(`${server.log}`, /an operator has signed in.*subject="?248"?.*claim="?email"?.*value="?ada@example\.com/);
  for (const secret of [SECRET, "access-of-ada", code, state, session.value]) assert.ok(!`${server.log}`.includes(secret), "no secret is logged");

  await page.getByRole("button", { name: "Sign out" }).click();
  await button().waitFor(patience);
  await page.reload();
  await button().waitFor(patience);
});

test("who opens the console at another of its names is led to the one that the provider knows", async () => {
  await signIn("ada", home.replace("localhost", "127.0.0.1"));
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
  assert.equal(new URL(page.url()).origin, home);
});

test("who is not on the list is refused, and hears what to do", async () => {
  await signIn("eve");
  await refused(/'eve@example\.com'/, /claim 'email'/, /console\.operators/);
  assert.match(`${server.log}`, /request refused.*NoOperator.*eve@example\.com/);
  await signIn("joe");
  await refused(/has not verified/);
});

test("what the provider says is shown as text", async () => {
  await signIn("nobody");
  await refused(/access_denied \(The person said <b>no<\/b>\)/);
  provider.client.secret = "replaced";
  await signIn("ada");
  await refused(/invalid_client \(Who are you\?\)/, /console\.client_id and the client secret/);
});

test("an ID token of another sign-in, client or issuer opens nothing", async () => {
  for (const [change, expected] of [
    [{ nonce: "n".repeat(43) }, /another sign-in/],
    [{ aud: "another client" }, /for 'another client'/],
    [{ aud: ["tidings console", "b"], azp: "b" }, /for 'b'/],
    [{ iss: "https://evil.example" }, /comes from 'https:\/\/evil\.example'/],
    [{ exp: 1 }, /expired/],
  ]) {
    provider.spoil = (claims) => ({ ...claims, ...change });
    await signIn("ada");
    await refused(expected);
  }
  provider.spoil = (claims) => claims;
  provider.rotate();
  await signIn("ada");
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
});

test("an answer that this browser has not asked for is refused", async () => {
  await page.goto(`${home}/console/oidc/callback?code=c&state=foreign`);
  await refused(/has begun no sign-in/);
  await page.goto(`${home}/console`);
  await button().click();
  await page.getByRole("heading", { name: "Who are you?" }).waitFor(patience);
  await page.goto(`${home}/console/oidc/callback?code=c&state=${"f".repeat(43)}`);
  await refused(/belongs to another sign-in/);

  // Somebody else's answer, whole and good, in this browser.
  const other = await newTab();
  await other.goto(`${home}/console`);
  await button(other).click();
  const decide = await other.getByRole("link", { name: "ada" }).getAttribute("href");
  const { headers } = await request(decide);
  await page.goto(headers.location);
  await refused(/has begun no sign-in/);
  await other.goto(headers.location);
  await other.getByRole("heading", { name: "Overview" }).waitFor(patience);
  await other.context().close();
});

test("a provider that is away is told, and links work all the same", async () => {
  const { issuer } = provider;
  const gone = await IdentityProvider.start();
  provider.issuer = gone.issuer;
  const lonely = await serve("lonely", `operators = ["ada@example.com"]`).finally(() => (provider.issuer = issuer));
  await gone.close();
  try {
    await page.goto(`${homeOf(lonely)}/console`);
    await page.getByRole("link", { name: "Sign in with" }).click();
    await alert().filter({ hasText: "cannot be asked just now" }).waitFor(patience);
    assert.match(`${lonely.log}`, /request failed.*cannot be connected to/);
    const { out } = await typed(["console", "--config", lonely.file]);
    await page.goto("about:blank");
    await page.goto(out.split("\n")[0]);
    await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
  } finally {
    await lonely.stop();
  }
});

test("a public client, and operators by a group that only the userinfo endpoint tells", async () => {
  const grouped = await serve("grouped", `operator_claim = "groups"\noperators = ["ops"]\nscopes = ["groups"]`);
  try {
    const at = homeOf(grouped);
    provider.client = { id: "tidings console", redirectUri: `${at}/console/oidc/callback` };
    await signIn("eve", at);
    await alert().filter({ hasText: "the claim 'groups' is 'all'" }).waitFor(patience);
    await signIn("ada", at);
    await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
    assert.match(`${grouped.log}`, /claim="?groups"? value="?ops/);
  } finally {
    await grouped.stop();
  }
});

test("the page has accessible names and contrast, in light and dark", async () => {
  for (const colorScheme of ["light", "dark"]) {
    await page.emulateMedia({ colorScheme });
    for (const kind of ["ways", "refusal"]) {
      if (kind === "ways") await page.goto(`${home}/console`);
      else await signIn("eve");
      await button().waitFor(patience);
      const found = await page.evaluate(`${AXE}; axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"] })`);
      assert.deepEqual(found.violations.map(({ id, nodes }) => `${id}: ${nodes[0].html}`), [], `${colorScheme} ${kind}`);
      await page.screenshot({ path: join(PICTURES, `sign-in-${kind}-${colorScheme}.png`) });
    }
  }
});

test("without somebody who may, a configuration is refused", async () => {
  const file = join(folder.path, "nobody.toml");
  await writeFile(file, `[console]\nissuer = "${provider.issuer}"\nclient_id = "x"\n`);
  const { code, out, err } = await typed(["config", "check", file]);
  assert.notEqual(code, 0);
  assert.match(out + err, /console\.operators, so nobody could sign in/);
});
