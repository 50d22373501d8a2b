// A notification hub that keeps what it is asked to send, and answers as a test wants. It speaks as much
// of the protocol as a sender sees, and checks tokens by a computation of its own.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { once } from "node:events";
import http from "node:http";
import { request as call } from "./http.mjs";
import { Inbox } from "./inbox.mjs";

const GROUP = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings";
const RESOURCE = `${GROUP}/providers/Microsoft.Communication/CommunicationServices/local`;

export class FakeHub {
  /** Sends that were no questions: `{format, handle, headers, body}`. */
  sends = new Inbox("send");
  key = "a key of the hub, not a secret";
  /** Whether the key may send. */
  maySend = true;
  /** The platforms that it has credentials for. */
  platforms = ["apple", "fcmv1"];
  /** What a platform says to a test send. */
  outcome = "The Push Notification System handle for the registration is invalid";
  /** The status of other sends. */
  status = 201;
  /** Whether it takes no connection to its end. */
  away = false;
  #listener;

  static async start(name = "hub") {
    const hub = new FakeHub();
    hub.name = name;
    hub.#listener = http.createServer((request, response) => hub.#take(request, response));
    hub.#listener.listen(0, "localhost");
    await once(hub.#listener, "listening");
    return hub;
  }

  get resourceId() {
    return `${GROUP}/providers/Microsoft.NotificationHubs/namespaces/fake/notificationHubs/${this.name}`;
  }

  get connectionString() {
    const { port } = this.#listener.address();
    return `Endpoint=http://localhost:${port}/;SharedAccessKeyName=Full;SharedAccessKey=${this.key}`;
  }

  /** Links it to the Communication resource of a development server. */
  async linkTo({ ready, ca }) {
    const { resourceId, connectionString } = this;
    const linked = await call(`${ready.https}${RESOURCE}/linkNotificationHub?api-version=2023-04-01`, {
      method: "POST",
      ca,
      headers: { authorization: "Bearer development", "content-type": "application/json" },
      body: JSON.stringify({ resourceId, connectionString }),
    });
    assert.equal(linked.status, 200, linked.text);
  }

  async #take(request, response) {
    if (this.away) return request.socket.destroy();
    const chunks = [];
    for await (const chunk of request) chunks.push(chunk);
    const body = Buffer.concat(chunks).toString();
    const { headers } = request;
    const url = new URL(request.url, "http://localhost");
    const format = headers["servicebusnotification-format"];
    const say = (status, detail) => response.writeHead(status).end(`<Error><Code>${status}</Code><Detail>${detail}</Detail></Error>`);
    if (!this.#holds(headers.authorization)) return say(401, "InvalidSignature: The token has an invalid signature.");
    if (url.pathname !== `/${this.name}/messages/`) return say(404, "No service is hosted at the specified address.");
    if (!this.maySend) return response.writeHead(403).end();
    if (!this.platforms.includes(format)) {
      return say(400, `The notification has no target applications. The notification format is ${format}.`);
    }
    if (url.searchParams.has("test")) {
      const result = `<RegistrationResult><Outcome>${this.outcome}</Outcome></RegistrationResult>`;
      return response.writeHead(201).end(`<NotificationOutcome><Results>${result}</Results></NotificationOutcome>`);
    }
    this.sends.push({ format, handle: headers["servicebusnotification-devicehandle"], headers, body: JSON.parse(body) });
    response.writeHead(this.status).end();
  }

  /** Whether a token was made with the key; what was signed is its `sr` as it stands there. */
  #holds(authorization = "") {
    const parts = new URLSearchParams(authorization.replace("SharedAccessSignature ", "").replaceAll("+", "%2B"));
    const raw = /sr=([^&]+)/.exec(authorization)?.[1];
    const expected = createHmac("sha256", this.key).update(`${raw}\n${parts.get("se")}`).digest("base64");
    return parts.get("sig") === expected && Number(parts.get("se")) > Date.now() / 1000;
  }

  async close() {
    this.#listener.close();
    this.#listener.closeAllConnections();
    await once(this.#listener, "close");
  }
}
