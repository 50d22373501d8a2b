// Carries out calls on @azure/arm-eventgrid: `{operations, name, args}` a line in, `{value}` or `{error}`
// a line out. Set from outside: the server's address and the CA. Any token will do in development.
import { createInterface } from "node:readline";
import { EventGridManagementClient } from "@azure/arm-eventgrid";

const SUBSCRIPTION = "11111111-2222-3333-4444-555555555555";

const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };
// No retries: a suite must see the first answer, not the third.
const options = { endpoint: process.env.TIDINGS_URL, retryOptions: { maxRetries: 0 } };
const client = new EventGridManagementClient(credential, SUBSCRIPTION, options);

async function carryOut({ operations, name, args }) {
  const value = await client[operations][name](...args);
  return value?.byPage ? pages(value) : (value ?? null);
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
