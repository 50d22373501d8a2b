// The example apps, started as their READMEs say.
import { spawn } from "node:child_process";
import { fileURLToPath } from "node:url";
import { once } from "node:events";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Lines } from "./lines.mjs";

const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));

/** The Python script that broadcasts. */
export const PYTHON_EXAMPLE = `${EXAMPLES}broadcast-python/broadcast.py`;

/** Starts `examples/broadcast-node` against `server`: a connection string and a CA in the environment. */
export const startBroadcastApp = (server) => start("broadcast-node", server.sdkEnvironment());

/** Starts `examples/webhook-node`. */
export const startWebhookApp = () => start("webhook-node", {});

/** Starts `examples/chat` against `server`, with a hub, so that the two people have phones. */
export const startChatApp = (server) =>
  start("chat", {
    ...server.sdkEnvironment(),
    NOTIFICATION_HUB_CONNECTION_STRING: server.ready.notificationhubs.connectionString,
    NOTIFICATION_HUB_NAME: server.ready.notificationhubs.hub,
    PHONE_URL: server.ready.notificationhubs.inbox,
  });

/** Starts an app of Node; `url` is the first address that it prints. */
async function start(name, environment) {
  const log = new Lines();
  const app = spawn(process.execPath, ["server.mjs"], {
    cwd: `${EXAMPLES}${name}`,
    env: { ...process.env, ...environment, PORT: "0" },
  });
  app.stdout.on("data", (bytes) => log.push(bytes));
  app.stderr.on("data", (bytes) => log.push(bytes));
  const exited = once(app, "close");
  const early = exited.then(([code]) => Promise.reject(new Error(`the app ended with ${code}:\n${log}`)));
  const url = /http:\/\/[^/\s]+/.exec(await Promise.race([log.containing("http://"), early]))[0];
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
