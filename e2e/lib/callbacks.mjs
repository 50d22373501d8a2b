// An application that is told by callbacks what becomes of its calls.
import { once } from "node:events";
import http from "node:http";
import { Inbox } from "./inbox.mjs";

export class Callbacks {
  /** CloudEvents, in the order in which they came. */
  events = new Inbox("callback");
  #listener;

  static async start() {
    const callbacks = new Callbacks();
    callbacks.#listener = http.createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { authorization } = request.headers;
      for (const event of JSON.parse(Buffer.concat(chunks))) callbacks.events.push({ ...event, authorization });
      response.writeHead(200).end();
    });
    callbacks.#listener.listen(0, "localhost");
    await once(callbacks.#listener, "listening");
    return callbacks;
  }

  get url() {
    return `http://localhost:${this.#listener.address().port}/calls`;
  }

  /** The next `count` events: their types without the prefix, their data, and the credential they came with. */
  async next(count = 1) {
    const events = [];
    while (events.length < count) {
      const { type, data, authorization } = await this.events.next();
      events.push({ type: type.replace("Microsoft.Communication.", ""), data, authorization });
    }
    return events;
  }

  async close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
    await once(this.#listener, "close");
  }
}
