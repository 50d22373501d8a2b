// A webhook for events that answers as a test wants, well or badly, and keeps every request.
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import { Inbox } from "./inbox.mjs";

/** How a webhook answers when it is asked whether it wants events. */
const CONSENTS = {
  /** Yes, in both schemas. */
  yes: {
    event: (code) => [200, { validationResponse: code }],
    options: (origin) => ({ "webhook-allowed-origin": origin, "webhook-allowed-rate": "*" }),
  },
  /** Neither: somebody opens the validation URL, or nobody does. */
  later: { event: () => [200, {}], options: () => ({}) },
};

/** One request to a webhook. */
class Received {
  constructor(request, text) {
    this.at = performance.now();
    this.method = request.method;
    this.url = request.url;
    this.headers = request.headers;
    this.text = text;
  }

  /** Attempts that were made before. */
  get count() {
    return Number(this.headers["aeg-delivery-count"]);
  }

  /** The body as it was parsed. */
  get body() {
    return JSON.parse(this.text);
  }

  /** Its events, whether they came alone or in an array. */
  get events() {
    return [this.body].flat();
  }
}

export class Receiver {
  /** Questions whether it wants events: validation events and OPTIONS. */
  handshakes = new Inbox("handshake");
  deliveries = new Inbox("delivery");
  /** Notices that the event subscription was deleted. */
  deletions = new Inbox("deletion notice");
  /** Every delivery, also those that were taken from the inbox. */
  all = [];
  #listener;

  /**
   * @param {(delivery: Received, response: http.ServerResponse) => number | undefined} answer the
   *   status that a delivery gets; where it gives none, it answers itself or never
   * @param {keyof typeof CONSENTS | {event?: Function, options?: Function}} consent
   * @param {{key: Buffer, cert: Buffer}} tls serves HTTPS with this certificate
   */
  static async start({ answer = () => 200, consent = "yes", tls } = {}) {
    const receiver = new Receiver();
    receiver.answer = answer;
    receiver.consent = CONSENTS[consent] ?? consent;
    const take = (request, response) => receiver.#take(request, response);
    receiver.#listener = tls ? https.createServer(tls, take) : http.createServer(take);
    receiver.#listener.keepAliveTimeout = 60_000; // a connection that closes is a test's own doing
    receiver.#listener.listen(0, "localhost");
    await once(receiver.#listener, "listening");
    receiver.scheme = tls ? "https" : "http";
    receiver.port = receiver.#listener.address().port;
    return receiver;
  }

  /** Its address. */
  get url() {
    return `${this.scheme}://localhost:${this.port}/hook`;
  }

  /** Another certificate from the next connection on; those that are open end. */
  present(tls) {
    this.#listener.setSecureContext(tls);
    this.#listener.closeAllConnections();
  }

  async #take(request, response) {
    response.on("error", () => {}); // a server that is killed hears no answer
    const chunks = [];
    try {
      for await (const chunk of request) chunks.push(chunk);
    } catch {
      return; // nor does it finish its request
    }
    const received = new Received(request, Buffer.concat(chunks).toString());
    if (received.method === "OPTIONS") {
      const headers = this.consent.options(received.headers["webhook-request-origin"]);
      response.writeHead(200, headers).end();
      return this.handshakes.push(received);
    }
    if (received.headers["aeg-event-type"] === "SubscriptionValidation") {
      const [status, body] = this.consent.event(received.body[0].data.validationCode);
      response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(body));
      return this.handshakes.push(received);
    }
    if (received.headers["aeg-event-type"] === "SubscriptionDeletion") {
      response.writeHead(200).end();
      return this.deletions.push(received);
    }
    this.all.push(received);
    this.deliveries.push(received);
    const status = await this.answer(received, response);
    if (status !== undefined) response.writeHead(status).end();
  }

  async close() {
    if (!this.#listener.listening) return;
    this.#listener.close();
    this.#listener.closeAllConnections();
    await once(this.#listener, "close");
  }
}
