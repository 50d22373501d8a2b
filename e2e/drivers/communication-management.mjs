// Carries out calls on @azure/arm-communication: `{operations, name, args}` a line in, `{value}` or
// `{error}` a line out. `name` may also be `unlink`, which has no method of its own in the SDK: it goes
// through the SDK's own pipeline. Set from outside: the server's address and the CA.
import { createInterface } from "node:readline";
import { CommunicationServiceManagementClient } from "@azure/arm-communication";
import { createPipelineRequest } from "@azure/core-rest-pipeline";

const SUBSCRIPTION = "00000000-0000-0000-0000-000000000000";

const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };
// No retries: a suite must see the first answer, not the third.
const options = { endpoint: process.env.TIDINGS_URL, retryOptions: { maxRetries: 0 } };
const client = new CommunicationServiceManagementClient(credential, SUBSCRIPTION, options);

async function carryOut({ operations, name, args }) {
  if (operations === "raw") return raw(name, ...args);
  const value = await client[operations][name](...args);
  return value?.byPage ? pages(value) : (value ?? null);
}

/** A call that the SDK has no method for. */
async function raw(method, path) {
  const url = `${process.env.TIDINGS_URL}${path}?api-version=2025-09-01`;
  const answer = await client.sendRequest(createPipelineRequest({ method, url }));
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
