// An independent WebSocket client with an inbox, for watching what the server delivers.
import assert from "node:assert/strict";
import { once } from "node:events";
import WebSocket from "ws";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Inbox } from "./inbox.mjs";

export const JSON_PROTOCOL = "json.webpubsub.azure.v1";
export const RELIABLE_PROTOCOL = "json.reliable.webpubsub.azure.v1";

/** A client of the server. `next()` takes what arrived in order; nothing is lost or skipped. */
export class Client {
  #inbox = new Inbox("message");

  /** @param {WebSocket} socket */
  constructor(socket) {
    this.socket = socket;
    socket.on("message", (data, isBinary) => this.#inbox.push(isBinary ? data : data.toString()));
    this.closed = new Promise((resolve) => {
      socket.on("close", (code, reason) => resolve({ code, reason: reason.toString() }));
    });
  }

  /** The next message as it came: text as a string, binary as a Buffer. */
  next() {
    return this.#inbox.next(async () => {
      const { code, reason } = await this.closed;
      throw new Error(`closed with ${code} «${reason}» while a message was awaited`);
    });
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

/** Opens `url` with these subprotocols offered, of which the server must choose one. */
export async function connectWith(protocols, url, ca) {
  const socket = new WebSocket(url, protocols, { ca });
  const client = new Client(socket);
  await within(PATIENCE_MS, "WebSocket opening", once(socket, "open"));
  assert.ok([protocols].flat().includes(socket.protocol), `one that was offered, not «${socket.protocol}»`);
  return client;
}

/** A client of a JSON subprotocol, with what its connected message tells. */
export async function connectJson(url, ca, protocol = JSON_PROTOCOL) {
  const client = await connectWith(protocol, url, ca);
  const connected = await client.nextJson();
  assert.equal(connected.type, "system");
  assert.equal(connected.event, "connected");
  assert.ok(connected.connectionId, "the connected message names the connection");
  client.connectionId = connected.connectionId;
  client.userId = connected.userId;
  client.reconnectionToken = connected.reconnectionToken;
  return client;
}

/** A client that may recover. */
export const connectReliable = (url, ca) => connectJson(url, ca, RELIABLE_PROTOCOL);

/** Where `client`, which was connected at `url`, comes back to. */
export function recoveryUrl(url, { connectionId, reconnectionToken }) {
  const recovery = new URL(url);
  recovery.searchParams.set("awps_connection_id", connectionId);
  recovery.searchParams.set("awps_reconnection_token", reconnectionToken);
  return recovery.href;
}

/** The HTTP answer to an upgrade that is refused: `{status, headers, text}`. */
export async function refusedUpgrade(url, ca, protocols = []) {
  const socket = new WebSocket(url, protocols, { ca });
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
