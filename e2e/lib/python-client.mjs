// The PyPI WebSocket client SDK in a process of its own, with its events in inboxes.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Inbox } from "./inbox.mjs";
import { PYTHON } from "./sdk.mjs";

const DRIVER = fileURLToPath(new URL("../drivers/client.py", import.meta.url));
const EVENTS = ["connected", "disconnected", "stopped", "group-message", "server-message", "rejoin-group-failed"];

export class PythonClient {
  on = Object.fromEntries(EVENTS.map((event) => [event, new Inbox(`«${event}» event`)]));
  #outcomes = new Inbox("outcome of a call");
  #process;

  /** @param {string} url @param {string} protocol @param {string} ca the path of the CA to trust */
  constructor(url, protocol, ca) {
    const env = { ...process.env, WEBSOCKET_CLIENT_CA_BUNDLE: ca };
    this.#process = spawn(PYTHON, [DRIVER, url, protocol], { env, stdio: ["pipe", "pipe", "inherit"] });
    createInterface({ input: this.#process.stdout }).on("line", (line) => {
      const { event, args, ...outcome } = JSON.parse(line, restoreBytes);
      if (event) this.on[event].push(args);
      else this.#outcomes.push(outcome);
    });
    this.ended = once(this.#process, "close");
  }

  /** Opens and waits for the connected event; `connection_id` and `user_id` are known then. */
  async open() {
    await this.call("open");
    return Object.assign(this, await this.on.connected.next());
  }

  /** Calls a method of the SDK; an object at the end holds its keyword arguments. */
  async call(name, args = [], keywords = {}) {
    this.#process.stdin.write(`${JSON.stringify({ name, args, keywords }, markBytes)}\n`);
    const early = this.ended.then(([code]) => Promise.reject(new Error(`Python ended with ${code} during ${name}`)));
    const { value, error } = await this.#outcomes.next(() => early);
    if (error) throw Object.assign(new Error(error.message), error);
    return value;
  }

  /** Ends the process, whatever state it is in. */
  async kill() {
    this.#process.kill("SIGKILL");
    await within(PATIENCE_MS, "end of Python", this.ended);
  }
}

/** Looks at the value itself, since a Buffer turns itself into something else first. */
function markBytes(key, value) {
  return this[key] instanceof Uint8Array ? { $bytes: Buffer.from(this[key]).toString("base64") } : value;
}

const restoreBytes = (_key, value) => (typeof value?.$bytes === "string" ? Buffer.from(value.$bytes, "base64") : value);
