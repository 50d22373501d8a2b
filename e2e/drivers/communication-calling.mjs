// Carries out calls on @azure/communication-call-automation: `{client, name, args, ...}` a line in,
// `{value}` or `{error}` a line out. `client` is automation, call (with the `connection`) or identity.
// Set from outside: the connection string and the CA.
import { createInterface } from "node:readline";
import { CallAutomationClient } from "@azure/communication-call-automation";
import { CommunicationIdentityClient } from "@azure/communication-identity";

const connectionString = process.env.COMMUNICATION_CONNECTION_STRING;
// No retries: a suite must see the first answer, not the third.
const options = { retryOptions: { maxRetries: 0 } };
const automation = new CallAutomationClient(connectionString, options);

const CLIENTS = {
  automation: () => automation,
  call: ({ connection }) => automation.getCallConnection(connection),
  identity: () => new CommunicationIdentityClient(connectionString, options),
};

async function carryOut({ client, name, args, ...which }) {
  return plain(await CLIENTS[client](which)[name](...args));
}

/** Without the clients that results carry. */
const plain = (value) => JSON.parse(JSON.stringify(value ?? null, (key, it) => (key === "callConnection" ? undefined : it)));

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode } }),
  );
  console.log(JSON.stringify(result));
}
