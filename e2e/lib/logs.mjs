// The log tables of a running server, asked as its operator asks.
import assert from "node:assert/strict";
import { eventually } from "./deadline.mjs";
import { request } from "./http.mjs";

/** The id of the one workspace. */
export const WORKSPACE = "10ca1000-0000-4000-8000-000000000001";
/** Where the resources of development are. */
export const OWN = "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings";

/** The rows of a query as objects. */
export async function rows(server, query) {
  const answer = await request(`${server.ready.admin}/logs/query`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ query }),
  });
  assert.equal(answer.status, 200, answer.text);
  return objects(answer.json().tables[0]);
}

/** The rows of a table in the form of the API as objects. */
export function objects({ columns, columnDescriptors, rows: all }) {
  const names = (columns ?? columnDescriptors).map((column) => column.name ?? column);
  return all.map((row) => Object.fromEntries(names.map((name, at) => [name, row[at]])));
}

/** The first `count` rows of a query, as soon as there are so many. */
export async function rowsOf(server, query, count = 1) {
  let found = [];
  await eventually(`${count} rows of ${query}`, async () => (found = await rows(server, query)).length >= count);
  return found;
}
