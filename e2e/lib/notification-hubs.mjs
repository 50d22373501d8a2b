// A hub and what it sends to, as suites see them: the SDK in a process of its own, the inbox of the fake push
// services, and raw requests with a signature of any style.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { request } from "node:https";
import { Sdk } from "./sdk.mjs";
import { PATIENCE_MS, within } from "./deadline.mjs";

export const HUB = "local";

/**
 * The SDK: its methods are those of NotificationHubsClient, and it ends with `close`.
 *
 * @param {string} [connectionString] that of development with every right, unless given
 * @param {{hub?: string, retries?: number}} [of] how often it repeats a request by itself; never, unless given
 */
export function startSdk(server, connectionString = server.ready.notificationhubs.connectionString, of = {}) {
  const sdk = new Sdk("js", server, "notification-hubs");
  return { client: sdk.client({ connectionString, hub: HUB, ...of }), close: () => sdk.close() };
}

/** The parts of a connection string. */
export function parts(connectionString) {
  const part = (name) => new RegExp(`${name}=([^;]+)`).exec(connectionString)[1];
  return { endpoint: part("Endpoint"), name: part("SharedAccessKeyName"), key: part("SharedAccessKey") };
}

/** How the clients write what a token is for, before they sign it. */
export const STYLES = {
  js: ({ origin }) => encodeURIComponent(`${origin}/`.toLowerCase()),
  net: ({ host, path }) => lower(encodeURIComponent(`http://${host}${path}/`.toLowerCase())),
  java: ({ url }) => lower(encodeURIComponent(url.toLowerCase())),
  android: ({ url }) => lower(encodeURIComponent(url)),
  ios: ({ url }) => lower(encodeURIComponent(url.toLowerCase().replace("https", "http"))),
};

const lower = (text) => text.replace(/%[0-9A-F]{2}/g, (it) => it.toLowerCase());

/** The `Authorization` of a request in the style of a client. */
export function token(connectionString, url, style = "js", expires = Math.floor(Date.now() / 1000) + 600) {
  const { name, key } = parts(connectionString);
  const { origin, hostname: host, pathname: path } = new URL(url);
  const sr = STYLES[style]({ origin, host, path, url });
  const sig = encodeURIComponent(createHmac("sha256", key).update(`${sr}\n${expires}`).digest("base64"));
  return `SharedAccessSignature sr=${sr}&sig=${sig}&se=${expires}&skn=${name}`;
}

/** One request as it is, with a signature in some style: `{status, headers, text}`. */
export function raw(server, method, path, { headers = {}, body, style = "js", connectionString } = {}) {
  const url = `${server.ready.https}${path}`;
  const string = connectionString ?? server.ready.notificationhubs.connectionString;
  const all = { Authorization: token(string, url, style), ...headers };
  return new Promise((resolve, reject) => {
    const sent = request(url, { method, headers: all, ca: server.ca }, (answer) => {
      let text = "";
      answer.setEncoding("utf8").on("data", (piece) => (text += piece));
      answer.on("end", () => resolve({ status: answer.statusCode, headers: answer.headers, text }));
    });
    sent.on("error", reject);
    sent.end(body);
  });
}

/** What has arrived at the fake push services; waits for `count` of it. */
export async function inbox(server, query, count = 1) {
  const parameters = new URLSearchParams({ ...query, count, wait: 20 });
  const url = `${server.ready.http}/fake-push/inbox?${parameters}`;
  const answer = await within(PATIENCE_MS, "inbox", fetch(url));
  assert.equal(answer.status, 200);
  const { notifications } = await answer.json();
  return notifications;
}

/** A browser that has subscribed at the fake push service, for messages of our hub alone: `{endpoint, keys}`. */
export async function subscribed(server) {
  const { browser } = await (await fetch(`${server.ready.http}/fake-push/accounts`)).json();
  const body = JSON.stringify({ applicationServerKey: browser.vapidPublicKey });
  const answer = await raw(server, "POST", "/fake-push/subscriptions", { body });
  assert.equal(answer.status, 201, answer.text);
  return JSON.parse(answer.text);
}

/** Lets the fake push services fail. */
export async function fail(server, rule) {
  const answer = await fetch(`${server.ready.http}/fake-push/failures`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(rule),
  });
  assert.ok(answer.ok, `${answer.status}: ${await answer.text()}`);
}

/** The telemetry of a notification once it is over. */
export async function settled(client, id) {
  return within(PATIENCE_MS, `end of ${id}`, (async () => {
    for (;;) {
      const details = await client.getNotificationOutcomeDetails(id);
      if (!["Enqueued", "Processing", "Scheduled"].includes(details.state)) return details;
      await new Promise(setImmediate);
    }
  })());
}

/** A device token of Apple's for a number. */
export const deviceToken = (number) => number.toString(16).toUpperCase().padStart(64, "0");
