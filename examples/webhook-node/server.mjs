// A webhook for Event Grid: agrees to get events, in both schemas, and prints each one.
import { createServer } from "node:http";
import { text } from "node:stream/consumers";

const port = process.env.PORT ?? 3000;

async function answer(request, response) {
  if (request.method === "OPTIONS") {
    response.setHeader("WebHook-Allowed-Origin", request.headers["webhook-request-origin"] ?? "*");
    return response.setHeader("WebHook-Allowed-Rate", "*").end();
  }
  const events = [JSON.parse(await text(request))].flat();
  if (request.headers["aeg-event-type"] === "SubscriptionValidation") {
    response.setHeader("Content-Type", "application/json");
    return response.end(JSON.stringify({ validationResponse: events[0].data.validationCode }));
  }
  for (const event of events) console.log(event.eventType ?? event.type, event.subject, JSON.stringify(event.data));
  response.end();
}

const server = createServer((request, response) => answer(request, response).catch(() => response.writeHead(400).end()));
server.listen(port, () => console.log(`waiting for events at http://localhost:${server.address().port}/events`));
