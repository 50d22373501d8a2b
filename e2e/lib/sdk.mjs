// An official SDK in a process of its own, driven over its standard streams: one JSON line a call,
// one a result. Its own process, since Node reads NODE_EXTRA_CA_CERTS at the start alone, and so that
// the SDK sees the very environment that a user's backend has.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, within } from "./deadline.mjs";

const E2E = fileURLToPath(new URL("..", import.meta.url));

/** The Python of the suites, with the SDK installed. */
export const PYTHON = `${E2E}.venv/bin/python`;

const LANGUAGES = { js: [process.execPath, "mjs"], python: [PYTHON, "py"] };

export class Sdk {
  #pending = [];
  #process;

  /**
   * @param {"js" | "python"} language
   * @param {import("./server.mjs").Server} server
   * @param {string} driver which SDK
   */
  constructor(language, server, driver = "service") {
    const [program, suffix] = LANGUAGES[language];
    this.#process = spawn(program, [`${E2E}drivers/${driver}.${suffix}`], {
      env: { ...process.env, ...server.sdkEnvironment(), TIDINGS_URL: server.ready.https },
      stdio: ["pipe", "pipe", "inherit"],
    });
    createInterface({ input: this.#process.stdout }).on("line", (line) => this.#pending.shift()(JSON.parse(line)));
    this.ended = once(this.#process, "close").then(([code]) => code);
  }

  /** The service client of `hub`: its methods are the SDK's own. JavaScript only: `group` picks a group client. */
  hub(hub, group) {
    return this.#methods({ hub, group });
  }

  /**
   * One group of operations of a management client, such as `topics`: its methods are the SDK's own.
   *
   * @param {{provider?: "communication" | "eventgrid" | "notificationhubs", subscription?: string}} of whose;
   *   Event Grid's if nothing is said
   */
  operations(operations, of = {}) {
    return this.#methods({ ...of, operations });
  }

  /** A client of the Communication SDKs, such as `{client: "chat", token}`: its methods are the SDK's own. */
  client(which) {
    return this.#methods(which);
  }

  /** Ends the process; fails unless it ends well. */
  async close() {
    this.#process.stdin.end();
    assert.equal(await within(PATIENCE_MS, "end of the SDK's process", this.ended), 0);
  }

  #methods(target) {
    const method = (_proxy, name) => (name === "then" ? undefined : (...args) => this.#call({ ...target, name, args }));
    return new Proxy({}, { get: method });
  }

  async #call(call) {
    const answer = new Promise((resolve) => this.#pending.push(resolve));
    this.#process.stdin.write(`${JSON.stringify(call, markBytes)}\n`);
    const early = this.ended.then((code) => assert.fail(`the SDK's process ended with ${code} during ${call.name}`));
    const { value, error } = await within(PATIENCE_MS, `answer to ${call.name}`, Promise.race([answer, early]));
    if (error) throw Object.assign(new Error(error.message), error);
    return value;
  }
}

/** JSON has no bytes; the drivers turn this form back into the language's own. */
function markBytes(_key, value) {
  return value instanceof Uint8Array ? { $bytes: Buffer.from(value).toString("base64") } : value;
}
