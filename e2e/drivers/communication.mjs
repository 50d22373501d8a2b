// Carries out calls on @azure/communication-identity and @azure/communication-chat:
// `{client, token?, thread?, name, args}` a line in, `{value}` or `{error}` a line out. `client` is
// identity, chat or thread. Set from outside: the connection string and the CA.
import { createInterface } from "node:readline";
import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";

const connectionString = process.env.COMMUNICATION_CONNECTION_STRING;
const endpoint = /endpoint=([^;]+)/.exec(connectionString)[1];
// No retries: a suite must see the first answer, not the third.
const options = { retryOptions: { maxRetries: 0 } };

const chat = (token) => new ChatClient(endpoint, new AzureCommunicationTokenCredential(token), options);
const CLIENTS = {
  identity: () => new CommunicationIdentityClient(connectionString, options),
  chat: ({ token }) => chat(token),
  thread: ({ token, thread }) => chat(token).getChatThreadClient(thread),
};

const dates = (_key, value) => (typeof value?.$date === "string" ? new Date(value.$date) : value);

async function carryOut({ client, name, args, ...which }) {
  const value = await CLIENTS[client](which)[name](...args);
  return value?.byPage ? pages(value, args.at(-1)) : (value ?? null);
}

/** A paged result as a list of its pages. */
async function pages(paged, { maxPageSize } = {}) {
  const all = [];
  for await (const page of paged.byPage({ maxPageSize })) all.push([...page]);
  return all;
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line, dates)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode } }),
  );
  console.log(JSON.stringify(result));
}
