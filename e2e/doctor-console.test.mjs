// The console's playbook in a real browser: asked about one message, it tells the stage at which that stopped,
// and leads on to its journey.
import assert from "node:assert/strict";
import { test } from "node:test";
import { startBrowser } from "./lib/browser.mjs";
import { PATIENCE_MS } from "./lib/deadline.mjs";
import { patient } from "./lib/doctor.mjs";
import { tokenFor } from "./lib/token.mjs";

const patience = { timeout: PATIENCE_MS };

test("a message is asked about by its id, and its journey is one step away", async (t) => {
  const server = await patient(t);
  const browser = await startBrowser(server);
  t.after(() => browser.close());
  const url = `${server.ready.http}/api/hubs/chat/users/ann/:send?api-version=2024-12-01`;
  const authorization = `Bearer ${tokenFor(server.accessKey, url.split("?")[0])}`;
  const sent = await fetch(url, { method: "POST", body: "hello", headers: { authorization, "content-type": "text/plain" } });
  assert.equal(sent.status, 202);

  const page = await browser.newTab();
  page.setDefaultTimeout(PATIENCE_MS);
  await page.goto(server.ready.console);
  await page.getByRole("heading", { name: "Overview" }).waitFor(patience);
  await page.getByRole("link", { name: "Playbook", exact: true }).click();
  await page.getByLabel("Why did this one not arrive?").fill(sent.headers.get("x-ms-request-id"));
  await page.getByRole("button", { name: "Find out why" }).click();
  const findings = page.getByRole("region", { name: "Findings" }).last();
  await findings.getByRole("row", { name: /stopped on its way.*confirmed/s }).first().waitFor(patience);
  await findings.getByText(/nobody: the user 'ann'/).first().waitFor(patience);
  await findings.getByRole("link", { name: "its journey" }).first().click();
  await page.getByRole("button", { name: /^Open journey/ }).first().click();
  await page.getByRole("list", { name: "Stages" }).getByText("matched").first().waitFor(patience);
});
