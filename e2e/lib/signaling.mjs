// A device of a user on the real-time road, without any SDK: socket.io 0.9 over a WebSocket, as the
// clients speak it, in a few lines of its own.
import assert from "node:assert/strict";
import { randomUUID } from "node:crypto";
import WebSocket from "ws";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { request } from "./http.mjs";
import { Inbox } from "./inbox.mjs";

export class Device {
  /** Requests that were pushed: `{name, fields}`, the last part of the path and the body. */
  pushed = new Inbox("pushed request");
  /** What the server said beside them, such as that the token does not hold any more. */
  orders = new Inbox("order");

  /**
   * Connects a device of the token's user.
   *
   * @param {{name?: string, status?: number}} options its own name for itself, and how it answers
   */
  static async connect({ ready, ca }, token, { name = randomUUID(), status = 200 } = {}) {
    const headers = { "x-skypetoken": token };
    const url = (path) => `${ready.https}${path}`;
    const allocated = await request(url(`/v4/a?epid=${name}`), { method: "POST", headers, ca });
    assert.equal(allocated.status, 200, allocated.text);
    const query = new URLSearchParams({ ...allocated.json().connectparams, epid: name });
    const shaken = await request(url(`/socket.io/1/?${query}`), { headers, ca });
    assert.equal(shaken.status, 200, shaken.text);
    const [sid] = shaken.text.split(":");
    const device = new Device();
    device.name = name;
    device.status = status;
    device.socket = new WebSocket(`${url("/socket.io/1/websocket/").replace("https", "wss")}${sid}?${query}`, { ca });
    device.closed = new Promise((resolve) => device.socket.on("close", (code) => resolve(code)));
    const connected = new Promise((resolve, reject) => {
      device.socket.on("error", reject);
      device.socket.on("message", (data) => device.#hear(`${data}`, resolve));
    });
    await within(PATIENCE_MS, "connection of a device", connected);
    return device;
  }

  /** The next pushed request. */
  next() {
    return this.pushed.next();
  }

  /** The code with which the server ends the connection. */
  end() {
    return within(PATIENCE_MS, "close of a device's connection", this.closed);
  }

  async close() {
    this.socket.close();
    await this.end();
  }

  #hear(packet, connected) {
    const [type, , , ...rest] = packet.split(":");
    const data = rest.join(":");
    if (type === "3") return this.#answer(JSON.parse(data));
    if (type === "5" && JSON.parse(data).name === "trouter.connected") return connected();
    if (type === "0" || type === "5") this.orders.push(data);
  }

  #answer({ id, url, body }) {
    this.socket.send(`3:::${JSON.stringify({ id, status: this.status, headers: {}, body: "" })}`);
    this.pushed.push({ name: url.split("/").at(-1), fields: JSON.parse(body) });
  }
}
