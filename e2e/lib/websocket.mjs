// An independent WebSocket client with an inbox, for watching what the server delivers.
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";
import { PATIENCE_MS, within } from "./deadline.mjs";

export const JSON_PROTOCOL = "json.webpubsub.azure.v1";

/** A client of the server. `next()` takes what arrived in order; nothing is lost or skipped. */
export class Client {
  #inbox = [];
  #takers = [];

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => {
      const message = isBinary ? data : data.toString();
      const taker = this.#takers.shift();
      if (taker) taker(message);
      else this.#inbox.push(message);
    });
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** The next message as it came: text as a string, binary as a Buffer. */
  async next() {
    if (this.#inbox.length > 0) return this.#inbox.shift();
    const message = new Promise((resolve) => this.#takers.push(resolve));
    const gone = this.closed.then(({ code, reason }) => {
      throw new Error(`closed with ${code} «${reason}» while a message was awaited`);
    });
    return within(PATIENCE_MS, "message", Promise.race([message, gone]));
  }

  /** The next message of a JSON subprotocol, decoded. */
  async nextJson() {
    const message = await this.next();
    assert.equal(typeof message, "string", "the JSON subprotocol uses text frames");
    return JSON.parse(message);
  }

  /** Sends a message of a JSON subprotocol. */
  send(message) {
    this.socket.send(JSON.stringify(message));
  }

  /** Sends a message with an ack id and returns the ack, which must be the next arrival. */
  async ask(message) {
    this.send(message);
    const ack = await this.nextJson();
    assert.equal(ack.type, "ack");
    assert.equal(ack.ackId, message.ackId);
    return ack;
  }

  /** How the connection ends: `{code, reason}`. */
  end() {
    return within(PATIENCE_MS, "close of the connection", this.closed);
  }

  /** Closes, if still open, and waits for the end. */
  async close() {
    this.socket.close();
    await this.end();
  }
}

/** A simple client: frames are the messages themselves. */
export async function connectSimple(url, ca) {
  const socket = new WebSocket(url, { ca });
  const client = new Client(socket);
  await within(PATIENCE_MS, "WebSocket opening", once(socket, "open"));
  assert.equal(socket.protocol, "", "no subprotocol was offered, so none may be chosen");
  return client;
}

/** A client of `json.webpubsub.azure.v1`, with its `connectionId` and `userId` known. */
export async function connectJson(url, ca) {
  const socket = new WebSocket(url, JSON_PROTOCOL, { ca });
  const client = new Client(socket);
  await within(PATIENCE_MS, "WebSocket opening", once(socket, "open"));
  assert.equal(socket.protocol, JSON_PROTOCOL);
  const connected = await client.nextJson();
  assert.equal(connected.type, "system");
  assert.equal(connected.event, "connected");
  assert.ok(connected.connectionId, "the connected message names the connection");
  client.connectionId = connected.connectionId;
  client.userId = connected.userId;
  return client;
}

/** The HTTP answer to an upgrade that is refused: `{status, headers, text}`. */
export async function refusedUpgrade(url, ca) {
  const socket = new WebSocket(url, { ca });
  // `ws` reports the abort of a handshake that it was told not to follow.
  socket.on("error", () => {});
  const answer = new Promise((resolve, reject) => {
    socket.on("open", () => {
      socket.terminate();
      reject(new Error("the upgrade was accepted"));
    });
    socket.on("unexpected-response", (_request, response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("end", () => {
        socket.terminate();
        resolve({ status: response.statusCode, headers: response.headers, text: Buffer.concat(chunks).toString() });
      });
    });
  });
  return within(PATIENCE_MS, `refusal of ${new URL(url).pathname}`, answer);
}
