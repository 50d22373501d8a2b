// Carries out calls on the management SDKs: `{provider, subscription, operations, name, args}` a line in, `{value}`
// or `{error}` a line out. With the operations `raw`, `name` is a method and `args` are a path, a body and headers:
// a call that the SDK has no method for goes through the SDK's own pipeline. Set from outside: the server's address
// and the CA. Any token will do in development.
import { createInterface } from "node:readline";
import { CommunicationServiceManagementClient } from "@azure/arm-communication";
import { EventGridManagementClient } from "@azure/arm-eventgrid";
import { NotificationHubsManagementClient } from "@azure/arm-notificationhubs";
import { createHttpHeaders, createPipelineRequest } from "@azure/core-rest-pipeline";

const PROVIDERS = {
  communication: CommunicationServiceManagementClient,
  eventgrid: EventGridManagementClient,
  notificationhubs: NotificationHubsManagementClient,
};
const SUBSCRIPTION = "11111111-2222-3333-4444-555555555555";

const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };
// No retries: a suite must see the first answer, not the third.
const options = { endpoint: process.env.TIDINGS_URL, retryOptions: { maxRetries: 0 } };
const clients = new Map();

function clientOf(provider, subscription) {
  const key = `${provider} ${subscription}`;
  if (!clients.has(key)) clients.set(key, new PROVIDERS[provider](credential, subscription, options));
  return clients.get(key);
}

async function carryOut({ provider = "eventgrid", subscription = SUBSCRIPTION, operations, name, args }) {
  const client = clientOf(provider, subscription);
  if (operations === "raw") return raw(client, name, ...args);
  const value = await client[operations][name](...args);
  return value?.byPage ? pages(value) : (value ?? null);
}

/** A call that the SDK has no method for. */
async function raw(client, method, path, body, headers = {}) {
  const url = `${process.env.TIDINGS_URL}${path}${path.includes("?") ? "&" : "?"}api-version=2025-09-01`;
  const all = createHttpHeaders({ ...(body && { "content-type": "application/json" }), ...headers });
  const request = createPipelineRequest({ method, url, headers: all, body: body && JSON.stringify(body) });
  const answer = await client.sendRequest(request);
  return { status: answer.status, body: JSON.parse(answer.bodyAsText || "null") };
}

/** A paged result as a list of its pages. */
async function pages(paged) {
  const all = [];
  for await (const page of paged.byPage()) all.push(page);
  return all;
}

async function answer(line) {
  const result = await carryOut(JSON.parse(line)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode } }),
  );
  console.log(JSON.stringify(result));
}

for await (const line of createInterface({ input: process.stdin })) await answer(line);
