// The example app, started as its README says: a connection string and a CA in the environment.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Lines } from "./lines.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));

/** The Python script that broadcasts. */
export const PYTHON_EXAMPLE = `${EXAMPLES}broadcast-python/broadcast.py`;

/** Starts `examples/broadcast-node` against `server`; `url` is where its page is. */
export async function startBroadcastApp(server) {
  const log = new Lines();
  const app = spawn(process.execPath, ["server.mjs"], {
    cwd: `${EXAMPLES}broadcast-node`,
    env: { ...process.env, ...server.sdkEnvironment(), PORT: "0" },
  });
  app.stdout.on("data", (bytes) => log.push(bytes));
  app.stderr.on("data", (bytes) => log.push(bytes));
  const exited = once(app, "close");
  const early = exited.then(([code]) => Promise.reject(new Error(`the app ended with ${code}:\n${log}`)));
  const url = /http:\S+/.exec(await Promise.race([log.containing("http://"), early]))[0];
  early.catch(() => {}); // from here on its end is wanted
  return {
    url,
    log,
    stop: async () => {
      app.kill("SIGTERM");
      await within(PATIENCE_MS, "end of the app", exited);
    },
  };
}
