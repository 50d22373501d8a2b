// Carries out calls on @azure/notification-hubs: `{connectionString, hub, name, args}` a line in, `{value}` or
// `{error}` a line out. `{$make: name, of: {...}}` within args is what the SDK's function of that name makes; the
// values of an iterator come as a list, and as a list of pages when the name ends in `:pages`.
import { createInterface } from "node:readline";
import * as sdk from "@azure/notification-hubs";

/** Plain JSON into the SDK's own objects, from the inside out. */
function made(_key, value) {
  if (typeof value?.$date === "string") return new Date(value.$date);
  return typeof value?.$make === "string" ? sdk[value.$make](value.of) : value;
}

async function gathered(result, form) {
  if (form === "pages") result = result.byPage();
  if (typeof result?.[Symbol.asyncIterator] !== "function") return (await result) ?? null;
  const all = [];
  for await (const one of result) all.push(one);
  return all;
}

for await (const line of createInterface({ input: process.stdin })) {
  const { connectionString, hub, name, args, retries = 0 } = JSON.parse(line, made);
  // No retries unless they are the subject: a suite must see the first answer, not the fourth.
  const client = new sdk.NotificationHubsClient(connectionString, hub, { retryOptions: { maxRetries: retries } });
  const [method, form] = name.split(":");
  const result = await (async () => ({ value: await gathered(client[method](...args), form) }))().catch(
    ({ name, message, code, statusCode, details }) => ({ error: { name, message, code, statusCode, details } }),
  );
  console.log(JSON.stringify(result));
}
