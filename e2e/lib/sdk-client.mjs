// The npm WebSocket client SDK, with its events in inboxes. Over plain HTTP, since the SDK takes no
// CA of its own; the browser suite uses it over TLS.
import * as current from "@azure/web-pubsub-client";
import * as older from "web-pubsub-client-1.0";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Inbox } from "./inbox.mjs";

/** The releases under test by version, each with the two protocols that it speaks. */
export const RELEASES = { "1.1.0": current, "1.0.4": older };

const EVENTS = ["connected", "disconnected", "stopped", "group-message", "server-message", "rejoin-group-failed"];

/** An SDK client whose events wait to be taken: `client.on["group-message"].next()`. */
export class SdkClient {
  on = {};
  #stopped = Promise.resolve(); // before a start there is nothing to wait for

  /**
   * @param {typeof current} release
   * @param {string | {getClientAccessUrl: () => Promise<string>}} credential
   * @param {object} options the SDK's own
   */
  constructor(release, credential, options = {}) {
    const reconnectRetryOptions = { maxRetries: 10, retryDelayInMs: 10 };
    const messageRetryOptions = { maxRetries: 0 }; // a suite must see the first answer
    // Its timers outlive a stop by a third of the timeout, and keep the suite's process with them.
    const keepAlive = { keepAliveIntervalInMs: 1_000, keepAliveTimeoutInMs: 9_000 };
    const defaults = { reconnectRetryOptions, messageRetryOptions, ...keepAlive };
    this.sdk = new release.WebPubSubClient(credential, { ...defaults, ...options });
    for (const event of EVENTS) {
      this.on[event] = new Inbox(`«${event}» event`);
      this.sdk.on(event, (args) => this.on[event].push(args));
    }
  }

  /** Starts and waits for the connected event; `connectionId` and `userId` are known then. */
  async start() {
    await within(PATIENCE_MS, "start of the client", this.sdk.start());
    this.#stopped = new Promise((resolve) => this.sdk.on("stopped", resolve));
    return Object.assign(this, await this.on.connected.next());
  }

  /** Stops, unless it has stopped, and waits until it has. */
  async stop() {
    this.sdk.stop();
    await within(PATIENCE_MS, "stop of the client", this.#stopped);
  }
}
