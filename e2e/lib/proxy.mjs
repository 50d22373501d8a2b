// A TCP proxy between clients and the server that fails as networks do: connections are cut at any
// byte, from one side or both, or fall silent while both ends believe that they are open.
import { once } from "node:events";
import net from "node:net";
import { ClientFrames } from "./client-frames.mjs";

/** How a link may fail. */
export const FAULTS = {
  /** Both ends learn of it at once. */
  cut: (link) => link.cut(),
  /** The client alone learns of it: to the server the old connection looks open. */
  "half open": (link) => link.cutFromClient(),
  /** Nothing passes for a while, then the connection is cut. */
  silence: (link, ms) => {
    link.fallSilent();
    link.later(ms, () => link.cut());
  },
};

/** One connection through the proxy. */
class Link {
  #silent = false;
  #timers = new Set();
  #budget = Infinity;
  #onSpent;

  constructor(client, server, onText) {
    this.client = client;
    this.server = server;
    const said = onText && new ClientFrames(onText);
    client.on("data", (bytes) => {
      if (this.#silent || server.destroyed) return;
      server.write(bytes);
      said?.push(bytes);
    });
    server.on("data", (bytes) => this.#toClient(bytes));
    for (const socket of [client, server]) {
      socket.setNoDelay(true);
      socket.on("error", () => {}); // its close says all there is to say
    }
    client.on("close", () => this.#silent || server.destroy());
    server.on("close", () => this.#silent || client.destroy());
  }

  /** Calls `spent` once `bytes` more have gone to the client; the byte after them does not go. */
  failAfter(bytes, spent) {
    this.#budget = bytes;
    this.#onSpent = spent;
  }

  cut() {
    this.#stopTimers();
    this.client.resetAndDestroy();
    this.server.resetAndDestroy();
  }

  cutFromClient() {
    this.fallSilent();
    this.client.resetAndDestroy();
  }

  fallSilent() {
    this.#silent = true;
  }

  later(ms, act) {
    this.#timers.add(setTimeout(act, ms));
  }

  #stopTimers() {
    for (const timer of this.#timers) clearTimeout(timer);
  }

  #toClient(bytes) {
    if (this.#silent || this.client.destroyed) return;
    const passing = bytes.subarray(0, Math.min(bytes.length, this.#budget));
    this.client.write(passing);
    this.#budget -= passing.length;
    if (this.#budget > 0) return;
    const spent = this.#onSpent;
    this.failAfter(Infinity, undefined);
    spent();
  }
}

export class Proxy {
  links = [];
  /** Connections that came to recover an older one. */
  recoveries = 0;
  /** Where new connections go. */
  target;
  /** Set to turn new connections away, as a network that is down does. */
  down = false;
  #listener;

  /**
   * @param {string} target the server's URL; only host and port count
   * @param {{onLink?: (link: Link) => void, onText?: (text: string) => void, onRefused?: () => void}}
   *   watch what to do with each new connection, with each text frame of a client (plain HTTP only)
   *   and when a connection is turned away
   */
  static async start(target, { onLink = () => {}, onText, onRefused = () => {} } = {}) {
    const proxy = new Proxy();
    proxy.target = target;
    proxy.#listener = net.createServer((client) => {
      if (proxy.down) {
        client.resetAndDestroy();
        return onRefused();
      }
      const { hostname, port } = new URL(proxy.target);
      const link = new Link(client, net.connect(Number(port), hostname), onText);
      proxy.links.push(link);
      client.once("data", (bytes) => (proxy.recoveries += bytes.includes("awps_reconnection_token=") ? 1 : 0));
      onLink(link);
    });
    proxy.#listener.listen(0, "localhost");
    await once(proxy.#listener, "listening");
    return proxy;
  }

  /** The same URL by way of the proxy. */
  url(direct) {
    const url = new URL(direct);
    url.port = `${this.#listener.address().port}`;
    return url.href;
  }

  /** The newest connection. */
  get newest() {
    return this.links.at(-1);
  }

  /** Cuts all connections that there are. */
  cutAll() {
    for (const link of this.links) link.cut();
  }

  async close() {
    this.cutAll();
    this.#listener.close();
    await once(this.#listener, "close");
  }
}
