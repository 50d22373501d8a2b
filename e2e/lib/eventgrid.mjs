// Event Grid of a running server: topics and event subscriptions by plain management calls, which
// other suites prove with the management SDKs, and what its operator sees.
import assert from "node:assert/strict";
import { AzureKeyCredential, EventGridPublisherClient } from "@azure/eventgrid";
import { eventually } from "./deadline.mjs";
import { request } from "./http.mjs";

const VERSION = "api-version=2025-02-15";
const GROUP = "/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/e2e";
/** The group of what the configuration and `tidings dev` define. */
const OWN = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings";

/** The Web PubSub resource of development, whose clients raise events. */
export const WEB_PUBSUB = `${OWN}/providers/Microsoft.SignalRService/WebPubSub/local`;

let numbers = 0;

/** A name that no other test has. */
export const fresh = (what) => `${what}-${(numbers += 1)}`;

export class EventGrid {
  /** @param {import("./server.mjs").Server} server @param {string} token for management calls */
  constructor(server, token = "development") {
    this.server = server;
    this.token = token;
  }

  /** The topic of development. */
  get local() {
    const { endpoint, key } = this.server.ready.eventgrid;
    return { id: `${OWN}/providers/Microsoft.EventGrid/topics/local`, name: "local", endpoint, key };
  }

  /** One management call. */
  manage(method, path, body) {
    const base = this.server.ready.https ?? this.server.ready.http;
    return request(`${base}${path}?${VERSION}`, {
      method,
      headers: { authorization: `Bearer ${this.token}`, "content-type": "application/json" },
      body: body && JSON.stringify(body),
      ca: this.server.ca,
    });
  }

  /** A new topic with its first key. */
  async topic(properties = {}, name = fresh("topic")) {
    const id = `${GROUP}/providers/Microsoft.EventGrid/topics/${name}`;
    const answer = await this.manage("PUT", id, { location: "local", properties });
    assert.equal(answer.status, 201, answer.text);
    const keys = (await this.manage("POST", `${id}/listKeys`)).json();
    return { id, name, endpoint: answer.json().properties.endpoint, key: keys.key1, key2: keys.key2 };
  }

  /** A new event subscription that delivers to `to`: a receiver, or a whole destination. */
  async subscribe(scope, to, properties = {}, name = fresh("sub")) {
    const answer = await this.trySubscribe(scope, to, properties, name);
    assert.ok([200, 201].includes(answer.status), answer.text);
    return { name, ...answer.json().properties };
  }

  /** The same, whatever the answer is. */
  trySubscribe(scope, to, { webhook = {}, ...properties } = {}, name = fresh("sub")) {
    const destination = to.endpointType
      ? to
      : { endpointType: "WebHook", properties: { endpointUrl: to.url, ...webhook } };
    return this.manage("PUT", subscriptionPath(scope, name), { properties: { destination, ...properties } });
  }

  unsubscribe(scope, name) {
    return this.manage("DELETE", subscriptionPath(scope, name));
  }

  /** What the admin listener answers. */
  async admin(path, options) {
    const answer = await request(`${this.server.ready.admin}${path}`, options);
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  }

  /** An event subscription as its operator sees it. */
  async seen(name) {
    const { value } = await this.admin("/eventgrid/subscriptions");
    return value.find((it) => it.name === name);
  }

  /** Waits until nothing waits for its delivery; then nothing more can come. */
  async settled(name) {
    let last;
    await eventually(`nothing waits for ${name}`, async () => {
      last = await this.seen(name);
      return last.queued === 0 && last.inFlight === 0;
    });
    return last;
  }

  /** The dead letters of an event subscription, once there are `count`. */
  async deadLetters(name, count = 1) {
    let letters;
    await eventually(`${count} dead letters of ${name}`, async () => {
      ({ value: letters } = await this.admin(`/eventgrid/dead-letters?subscription=${name}&limit=1000`));
      return letters.length >= count;
    });
    assert.equal(letters.length, count);
    return letters;
  }

  /**
   * The npm publisher over plain HTTP, in this process: `send` is the SDK's own. Suites about
   * credentials and TLS give it a process of its own instead.
   */
  publisher(topic, schema = "EventGrid") {
    const { pathname } = new URL(topic.endpoint);
    const options = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
    const credential = new AzureKeyCredential(topic.key);
    return new EventGridPublisherClient(`${this.server.ready.http}${pathname}`, schema, credential, options);
  }
}

const subscriptionPath = (scope, name) => `${scope}/providers/Microsoft.EventGrid/eventSubscriptions/${name}`;

/** An event in Event Grid's schema, as its SDK takes it. */
export const eventGridEvent = (more = {}) => ({
  id: fresh("event"),
  subject: "/orders/7",
  eventType: "Order.Made",
  eventTime: "2026-01-02T03:04:05.678Z",
  data: { n: 7 },
  dataVersion: "1.5",
  ...more,
});

/** A CloudEvent, as the npm SDK takes it. */
export const cloudEvent = (more = {}) => ({
  id: fresh("event"),
  source: "/shop",
  type: "Order.Made",
  time: "2026-01-02T03:04:05.678Z",
  data: { n: 7 },
  ...more,
});
