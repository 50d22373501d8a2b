// Carries out calls on the packages that query metrics: `{name, args}` a line in, `{value}` or `{error}` a line
// out. Set from outside: the server's address and the CA. Any token will do in development.
import { createInterface } from "node:readline";
import { MetricsQueryClient } from "@azure/monitor-query";

const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };
// No retries: a suite must see the first answer, not the third.
const client = new MetricsQueryClient(credential, { endpoint: process.env.TIDINGS_URL, retryOptions: { maxRetries: 0 } });

async function carryOut({ name, args }) {
  const value = client[name](...args);
  if (!value[Symbol.asyncIterator]) return value;
  const all = [];
  for await (const one of value) all.push(one);
  return all;
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode } }),
  );
  console.log(JSON.stringify(result));
}
