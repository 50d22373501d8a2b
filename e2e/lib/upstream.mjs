// An app's event handlers: the npm package for Express, as its reader would set it up, with a look at
// what comes in on the wire.
import { once } from "node:events";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";
import express from "express";
import { Inbox } from "./inbox.mjs";

export class Upstream {
  /** Each request as it came: `{method, path, query, headers}`. */
  requests = [];
  #app = express();
  #listener;

  static async start() {
    const upstream = new Upstream();
    upstream.#app.disable("x-powered-by");
    upstream.#app.use(({ method, path, query, headers }, _response, next) => {
      upstream.requests.push({ method, path, query, headers });
      next();
    });
    upstream.#listener = upstream.#app.listen(0, "localhost");
    await once(upstream.#listener, "listening");
    return upstream;
  }

  /** Where events go; `tail` is appended to the path that the package serves. */
  template(tail = "") {
    return `http://localhost:${this.#listener.address().port}/api/webpubsub/hubs/{hub}/${tail}`;
  }

  /** Flags that send all events of these hubs (`*` for all) here. */
  flags(...hubs) {
    return hubs.flatMap((hub) => ["--event-handler", `${hub}=${this.template()}`]);
  }

  /** Handles the events of `hub` with the package's own options. */
  handle(hub, options) {
    this.#app.use(new WebPubSubEventHandler(hub, options).getMiddleware());
  }

  /** Handles a request by hand, for answers that the package never gives. Register it before `handle`. */
  use(path, handler) {
    this.#app.use(path, handler);
  }

  /** The requests for events of `hub`, by event name. */
  requestsOf(hub, event) {
    return this.requests.filter(({ headers }) => headers["ce-hub"] === hub && headers["ce-eventname"] === event);
  }

  async close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
    await once(this.#listener, "close");
  }
}

/** An inbox as the handler of an event. */
export function eventInbox(what) {
  const inbox = new Inbox(`«${what}» event upstream`);
  return { inbox, push: (request) => inbox.push(request) };
}
