// Carries out calls on the packages that query metrics: `{package?, name, args}` a line in, `{value}` or `{error}`
// a line out. `package` is `monitor-query`, if nothing is said, or `monitor-query-metrics`. Set from outside: the
// server's address and the CA. Any token will do in development.
import { createInterface } from "node:readline";
import { MetricsQueryClient } from "@azure/monitor-query";
import { MetricsClient } from "@azure/monitor-query-metrics";

const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };
const endpoint = process.env.TIDINGS_URL;
// No retries: a suite must see the first answer, not the third.
const options = { retryOptions: { maxRetries: 0 } };
const CLIENTS = {
  "monitor-query": new MetricsQueryClient(credential, { endpoint, ...options }),
  "monitor-query-metrics": new MetricsClient(endpoint, credential, options),
};

const dates = (_key, value) => (typeof value?.$date === "string" ? new Date(value.$date) : value);

async function carryOut({ package: name = "monitor-query", name: method, args }) {
  const value = CLIENTS[name][method](...args);
  if (!value[Symbol.asyncIterator]) return value;
  const all = [];
  for await (const one of value) all.push(one);
  return all;
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line, dates)).then(
    (value) => ({ value }),
    ({ name, message, code, statusCode }) => ({ error: { name, message, code, statusCode: Number(statusCode) } }),
  );
  console.log(JSON.stringify(result));
}
