// An app's event handlers: the npm package for Express, as its reader would set it up, with a look at
// what comes in on the wire.
import { once } from "node:events";
import { WebPubSubEventHandler } from "@azure/web-pubsub-express";
import express from "express";

export class Upstream {
  /** Each request as it came: `{method, path, query, headers}`. */
  requests = [];
  #app = express();
  #cookies = {};
  #listener;

  static async start() {
    const upstream = new Upstream();
    upstream.#app.disable("x-powered-by");
    upstream.#app.use((request, response, next) => {
      const { method, path, query, headers } = request;
      upstream.requests.push({ method, path, query, headers });
      const cookie = upstream.#cookies[headers["ce-hub"]]?.(request);
      if (cookie) response.setHeader("set-cookie", cookie);
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

  /** Sets the cookie that `make` returns in each answer to an event of `hub`. */
  giveCookies(hub, make) {
    this.#cookies[hub] = make;
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
