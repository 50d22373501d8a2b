// A web page with the npm WebSocket client SDK, its browser build as published: no bundler, an import
// map names each module.
import { once } from "node:events";
import { readFile } from "node:fs/promises";
import http from "node:http";
import { extname } from "node:path";
import { fileURLToPath } from "node:url";

const MODULES = fileURLToPath(new URL("../node_modules", import.meta.url));
const RUNTIME = "/modules/@typespec/ts-http-runtime/dist/browser";

const IMPORTS = {
  "@azure/web-pubsub-client": "/modules/@azure/web-pubsub-client/dist/browser/index.js",
  "@azure/abort-controller": "/modules/@azure/abort-controller/dist/browser/index.js",
  "@azure/core-util": "/modules/@azure/core-util/dist/browser/index.js",
  "@azure/logger": "/modules/@azure/logger/dist/browser/index.js",
  "@typespec/ts-http-runtime/internal/util": `${RUNTIME}/util/internal.js`,
  "@typespec/ts-http-runtime/internal/logger": `${RUNTIME}/logger/internal.js`,
  events: "/modules/events/events.js",
};

const PAGE = `<!doctype html>
<link rel="icon" href="data:,">
<script type="importmap">${JSON.stringify({ imports: IMPORTS })}</script>
<script type="module">
  import { WebPubSubClient } from "@azure/web-pubsub-client";
  const seen = (globalThis.seen = { connected: [], disconnected: [], messages: [] });
  globalThis.start = async (url) => {
    const client = (globalThis.client = new WebPubSubClient(url));
    const connected = new Promise((resolve) => client.on("connected", resolve));
    client.on("connected", ({ connectionId }) => seen.connected.push(connectionId));
    client.on("disconnected", ({ connectionId }) => seen.disconnected.push(connectionId));
    client.on("group-message", ({ message }) => seen.messages.push(message.data));
    await client.start();
    await connected;
  };
  document.title = "ready";
</script>`;

/** The one dependency that is not an ES module, made one. */
const wrapped = (source) => `const module = { exports: {} };\n${source}\nexport default module.exports;`;

async function answer({ url }, response) {
  if (url === "/") return response.setHeader("content-type", "text/html").end(PAGE);
  const path = url.replace(/^\/modules/, "");
  if (![".js", ".mjs"].includes(extname(path)) || path.includes("..")) return response.writeHead(404).end();
  const source = await readFile(MODULES + path, "utf8");
  response.setHeader("content-type", "text/javascript").end(url === IMPORTS.events ? wrapped(source) : source);
}

/** Serves the page; `url` is where. */
export async function startSdkPage() {
  const listener = http.createServer((request, response) => {
    answer(request, response).catch((error) => response.writeHead(500).end(`${error}`));
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
