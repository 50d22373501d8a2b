// Carries out calls on @azure/eventgrid: `{topic, schema, credential, name, args}` a line in, `{value}` or
// `{error}` a line out. Set from outside: the CA, and `{endpoint, key}` of the topic with each call.
import { createInterface } from "node:readline";
import {
  AzureKeyCredential,
  AzureSASCredential,
  EventGridPublisherClient,
  generateSharedAccessSignature,
} from "@azure/eventgrid";

const HOUR = 3_600_000;

const CREDENTIALS = {
  key: async ({ key }) => new AzureKeyCredential(key),
  sas: async ({ endpoint, key, hours = 1 }) => {
    const until = new Date(Date.now() + hours * HOUR);
    return new AzureSASCredential(await generateSharedAccessSignature(endpoint, new AzureKeyCredential(key), until));
  },
  issued: async ({ token }) => ({ getToken: async () => ({ token, expiresOnTimestamp: Date.now() + HOUR }) }),
  // Any token will do in development.
  bearer: async () => ({ getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + HOUR }) }),
};

function bytes(_key, value) {
  return typeof value?.$bytes === "string" ? Uint8Array.from(Buffer.from(value.$bytes, "base64")) : value;
}

async function carryOut({ topic, schema, credential, name, args }) {
  // No retries: a suite must see the first answer, not the third.
  const options = { retryOptions: { maxRetries: 0 } };
  const client = new EventGridPublisherClient(topic.sentTo ?? topic.endpoint, schema, await CREDENTIALS[credential](topic), options);
  return (await client[name](...args)) ?? null;
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line, bytes)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode } }),
  );
  console.log(JSON.stringify(result));
}
