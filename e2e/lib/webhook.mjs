// A receiver of events: answers the question whether it wants any, and keeps what comes.
import { once } from "node:events";
import http from "node:http";
import { Inbox } from "./inbox.mjs";

/** How a webhook answers the validation event. */
const ANSWERS = {
  /** Yes, at once. */
  consent: (code) => [200, { validationResponse: code }],
  /** Neither: somebody opens the URL in the event, or nobody does. */
  later: () => [200, {}],
  /** No. */
  refuse: () => [403, { error: "not for me" }],
};

export class Webhook {
  /** The data of validation events: `{validationCode, validationUrl}`. */
  validations = new Inbox("validation event");
  /** Other events, each with the headers that it came with: `{headers, event}`. */
  events = new Inbox("event");
  #listener;

  /** @param {keyof typeof ANSWERS} answer */
  static async start(answer = "consent") {
    const webhook = new Webhook();
    webhook.#listener = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const [status, body] = webhook.#take(request.headers, JSON.parse(Buffer.concat(chunks)), ANSWERS[answer]);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
    });
    webhook.#listener.listen(0, "localhost");
    await once(webhook.#listener, "listening");
    return webhook;
  }

  /** Its address, with a secret in the query. */
  get url() {
    return `${this.base}?code=secret`;
  }

  /** Its address as it may be shown. */
  get base() {
    return `http://localhost:${this.#listener.address().port}/hook`;
  }

  #take(headers, events, answer) {
    if (headers["aeg-event-type"] === "SubscriptionValidation") {
      this.validations.push(events[0].data);
      return answer(events[0].data.validationCode);
    }
    for (const event of events) this.events.push({ headers, event });
    return [200, {}];
  }

  async close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
    await once(this.#listener, "close");
  }
}
