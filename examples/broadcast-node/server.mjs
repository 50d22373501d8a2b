// The backend of a broadcast: it hands each page a client URL and sends to everyone.
// It knows nothing but a connection string, so it runs against Tidings and Azure alike.
import { fileURLToPath } from "node:url";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import express from "express";

const HUB = "chat";
const connectionString = process.env.WEBPUBSUB_CONNECTION_STRING;
if (!connectionString) {
  console.error(
    "WEBPUBSUB_CONNECTION_STRING is not set. Start `tidings dev` and paste the Web PubSub " +
      "connection string that it prints.",
  );
  process.exit(1);
}

const service = new WebPubSubServiceClient(connectionString, HUB);
const app = express();
app.use(express.static(fileURLToPath(new URL("public", import.meta.url))));
app.use(express.json({ limit: "64kb" }));

// The page asks where to connect. The access key stays here; the URL carries a short-lived token.
app.get("/negotiate", async (_request, response) => {
  const { url } = await service.getClientAccessToken({ expirationTimeInMinutes: 5 });
  response.set("cache-control", "no-store").json({ url });
});

// One message for everyone who is connected now.
app.post("/broadcast", async (request, response) => {
  const text = request.body?.text;
  if (typeof text !== "string" || text.trim() === "") {
    response.status(400).json({ error: 'Send a JSON object with a text, such as {"text":"hello"}.' });
    return;
  }
  await service.sendToAll(
    { text, from: request.body.from ?? "someone", sentAt: new Date().toISOString() },
    { contentType: "application/json" },
  );
  response.status(202).end();
});

// Express reports a fault as HTML by default; the page and curl are better served by a sentence.
app.use((error, _request, response, _next) => {
  console.error(error.message);
  response.status(error.status ?? 502).json({ error: error.message });
});

const listener = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", (error) => {
  if (error) {
    console.error(`Cannot listen: ${error.message}. Set PORT to a free port.`);
    process.exit(1);
  }
  console.log(`open http://localhost:${listener.address().port}`);
});
