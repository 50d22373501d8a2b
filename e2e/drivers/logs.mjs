// Carries out calls on the packages that query logs: `{package, path?, name, args}` a line in, `{value}` or
// `{error}` a line out. `package` is `monitor-query` or `monitor-query-logs`, `path` stands behind the server's
// address. Set from outside: the server's address and the CA. Any token will do in development.
import { createInterface } from "node:readline";
import { LogsQueryClient as Older } from "@azure/monitor-query";
import { LogsQueryClient as Newer } from "@azure/monitor-query-logs";

const CLIENTS = { "monitor-query": Older, "monitor-query-logs": Newer };
const credential = { getToken: async () => ({ token: "development", expiresOnTimestamp: Date.now() + 3_600_000 }) };

const dates = (_key, value) => (typeof value?.$date === "string" ? new Date(value.$date) : value);

function carryOut({ package: name, path = "", name: method, args }) {
  // No retries: a suite must see the first answer, not the third.
  const options = { endpoint: `${process.env.TIDINGS_URL}${path}`, retryOptions: { maxRetries: 0 } };
  return new CLIENTS[name](credential, options)[method](...args);
}

/** A result that failed in part is an error object with tables; both halves are told. */
function plain(value) {
  if (Array.isArray(value)) return value.map(plain);
  const { partialError } = value;
  return partialError ? { ...value, partialError: { code: partialError.code, message: partialError.message } } : value;
}

for await (const line of createInterface({ input: process.stdin })) {
  const result = await carryOut(JSON.parse(line, dates)).then(
    (value) => ({ value: plain(value) }),
    ({ name, message, code, statusCode, status }) => ({
      error: { name, message, code, statusCode: Number(statusCode ?? status) },
    }),
  );
  console.log(JSON.stringify(result));
}
