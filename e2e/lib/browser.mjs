// Real headless Chromium that trusts the development CA the way a user's does: through the NSS
// database of its home folder. Certificate errors are not ignored.
import { join } from "node:path";
import { chromium } from "playwright-core";
import { temporaryFolder } from "./server.mjs";
import { shell, trustCommand } from "./trust.mjs";

/** Where Debian installs it; another place by CHROMIUM. A browser is never downloaded. */
const EXECUTABLE = process.env.CHROMIUM ?? "/usr/bin/chromium";

/** No sandbox, since CI runs as root in a container; nothing that talks to the outside. */
const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

/**
 * Starts Chromium in a home folder of its own.
 *
 * @param {import("./server.mjs").Server | undefined} trusted the server whose CA it is to trust
 */
export async function startBrowser(trusted) {
  const home = await temporaryFolder();
  if (trusted) await shell(await trustCommand(trusted, "Chromium"), { HOME: home.path });
  const browser = await chromium.launch({
    executablePath: EXECUTABLE,
    headless: true,
    args: FLAGS,
    env: { ...process.env, HOME: home.path, XDG_CONFIG_HOME: join(home.path, ".config"), XDG_CACHE_HOME: join(home.path, ".cache") },
  });
  return {
    newTab: async () => (await browser.newContext()).newPage(),
    close: async () => {
      await browser.close();
      await home.forget();
    },
  };
}
