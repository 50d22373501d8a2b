// Carries out calls on @azure/web-pubsub: `{hub, group?, name, args}` a line in, `{value}` or
// `{error}` a line out. Set from outside: the connection string and the CA.
import { createInterface } from "node:readline";
import { WebPubSubServiceClient } from "@azure/web-pubsub";

const connectionString = process.env.WEBPUBSUB_CONNECTION_STRING;

function bytes(_key, value) {
  if (typeof value?.$bytes !== "string") return value;
  return Uint8Array.from(Buffer.from(value.$bytes, "base64")).buffer; // an ArrayBuffer, as the SDK takes it
}

async function carryOut({ hub, group, name, args }) {
  // No retries: a suite must see the first answer, not the third.
  const service = new WebPubSubServiceClient(connectionString, hub, { retryOptions: { maxRetries: 0 } });
  const target = group === undefined ? service : service.group(group);
  const value = await target[name](...args);
  return value?.byPage ? pages(value) : (value ?? null);
}

/** A paged result as a list of its pages. */
async function pages(paged) {
  const all = [];
  for await (const page of paged.byPage()) all.push(page);
  return all;
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line, bytes)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode } }),
  );
  console.log(JSON.stringify(result));
}
