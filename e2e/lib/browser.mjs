// Real headless Chromium that trusts the development CA the way a user's does: through the NSS
// database of its home folder. Certificate errors are not ignored.
import { execFile } from "node:child_process";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { chromium } from "playwright-core";
import { BINARY, temporaryFolder } from "./server.mjs";

const run = promisify(execFile);

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
  if (trusted) await trustAsTold(trusted, home.path);
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

/** Runs, word for word, the command that `tidings trust` gives for Chromium. */
async function trustAsTold(server, home) {
  const { stdout } = await run(BINARY, ["trust", "--data", server.data]);
  const command = chromiumCommand(stdout);
  // A script, so that the shell sees the line as a user's would.
  const script = join(home, "trust.sh");
  await writeFile(script, `set -e\n${command}\n`);
  await run("bash", [script], { env: { ...process.env, HOME: home } });
}

/** The command with certutil in the output of `tidings trust`, without the words before it. */
export function chromiumCommand(output) {
  const line = output.split("\n").find((text) => text.includes("certutil") && text.includes("nssdb"));
  if (!line) throw new Error(`tidings trust names no certutil command for Chromium:\n${output}`);
  return line.slice(line.search(/mkdir|certutil/)).trim();
}
