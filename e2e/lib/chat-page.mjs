// A web page with the npm chat SDK as its users bundle it, unchanged: esbuild, browser platform. It is
// served from an origin of its own, so every call to the server is a cross-origin one.
import { once } from "node:events";
import http from "node:http";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const E2E = fileURLToPath(new URL("..", import.meta.url));

/** The ten events of chat. */
export const CHAT_EVENTS = [
  "chatMessageReceived",
  "chatMessageEdited",
  "chatMessageDeleted",
  "typingIndicatorReceived",
  "readReceiptReceived",
  "chatThreadCreated",
  "chatThreadPropertiesUpdated",
  "chatThreadDeleted",
  "participantsAdded",
  "participantsRemoved",
];

const SCRIPT = `
  import { ChatClient } from "@azure/communication-chat";
  import { AzureCommunicationTokenCredential } from "@azure/communication-common";

  const seen = (globalThis.seen = { states: [], events: [], refreshed: 0 });

  /** A client as an app makes one; token is asked for again when the service wants another one. */
  globalThis.makeClient = (endpoint, token) => {
    const tokenRefresher = async () => {
      seen.refreshed += 1;
      return globalThis.newToken();
    };
    const credential = new AzureCommunicationTokenCredential({ token, tokenRefresher, refreshProactively: false });
    globalThis.client = new ChatClient(endpoint, credential);
  };

  globalThis.start = async (events) => {
    client.on("realTimeNotificationConnected", () => seen.states.push("connected"));
    client.on("realTimeNotificationDisconnected", () => seen.states.push("disconnected"));
    await client.startRealtimeNotifications();
    for (const name of events) {
      client.on(name, (event) => seen.events.push({ name, event, at: Date.now() }));
    }
  };

  globalThis.stop = () => client.stopRealtimeNotifications();
  document.title = "ready";
`;

const PAGE = `<!doctype html><meta charset="utf-8"><link rel="icon" href="data:,"><script src="/page.js"></script>`;

/** Serves the page; `url` is where. */
export async function startChatPage() {
  const bundled = await build({
    stdin: { contents: SCRIPT, resolveDir: E2E },
    bundle: true,
    platform: "browser",
    format: "iife",
    write: false,
    logLevel: "error",
  });
  const script = bundled.outputFiles[0].contents;
  const listener = http.createServer(({ url }, response) => {
    if (url === "/page.js") return response.setHeader("content-type", "text/javascript").end(script);
    response.setHeader("content-type", "text/html").end(PAGE);
  });
  listener.listen(0, "localhost");
  await once(listener, "listening");
  return {
    url: `http://localhost:${listener.address().port}/`,
    close: async () => {
      listener.close();
      listener.closeAllConnections();
      await once(listener, "close");
    },
  };
}
