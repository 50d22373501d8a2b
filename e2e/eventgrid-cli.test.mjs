// `tidings events …` as people type it, and `tidings dev --event-subscription`.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Command, typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid } from "./lib/eventgrid.mjs";
import { startWebhookApp } from "./lib/example.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

let server;
let grid;
let orders;

before(async () => {
  orders = await Receiver.start();
  const subscriptions = [`orders=${orders.url}?code=secret`, "nobody=http://no-such-host.invalid/hook"];
  const flags = ["--retry-time-scale", "0.0001", ...subscriptions.flatMap((it) => ["--event-subscription", it])];
  server = await Server.start({ flags });
  grid = new EventGrid(server);
  await eventually("the webhook of the flag is validated", async () => (await grid.seen("orders")).state === "Succeeded");
});

after(() => Promise.all([server?.stop(), orders?.close()]));

const events = (...args) => typed(["events", ...args, "--data", server.data]);

async function tail(t, ...args) {
  const command = new Command("events", "tail", ...args, "--data", server.data);
  t.after(() => command.process.kill("SIGKILL"));
  await command.err.containing("listening");
  return command;
}

test("send publishes an event that the webhook of the flag gets", async () => {
  const { code, err } = await events("send", "order.made", '{"n": 7}', "--subject", "/orders/7");
  assert.deepEqual([code, err], [0, "sent to the topic local\n"]);
  const [event] = (await orders.deliveries.next()).events;
  const { eventType, subject, data, topic } = event;
  assert.deepEqual({ eventType, subject, data, topic }, { eventType: "order.made", subject: "/orders/7", data: { n: 7 }, topic: grid.local.id });
});

test("send takes data from a file and from standard input", async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const file = join(folder.path, "data.json");
  await writeFile(file, '["from a file"]');
  assert.equal((await events("send", "a", "--file", file)).code, 0);
  assert.deepEqual((await orders.deliveries.next()).events[0].data, ["from a file"]);
  assert.equal((await typed(["events", "send", "a", "--file", "-", "--data", server.data], '"typed"')).code, 0);
  assert.deepEqual((await orders.deliveries.next()).events[0].data, "typed");
});

test("send speaks the schema of the topic", async (t) => {
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  for (const inputSchema of ["CloudEventSchemaV1_0", "CustomEventSchema"]) {
    const inputSchemaMapping = { inputSchemaMappingType: "Json", properties: { eventType: { sourceField: "kind" } } };
    const topic = await grid.topic(inputSchema === "CustomEventSchema" ? { inputSchema, inputSchemaMapping } : { inputSchema });
    await grid.subscribe(topic.id, receiver);
    assert.equal((await events("send", "t", '{"kind": "k"}', "--topic", topic.name)).code, 0);
    const [event] = (await receiver.deliveries.next()).events;
    assert.deepEqual([event.data, event.type ?? event.eventType], [{ kind: "k" }, inputSchema === "CustomEventSchema" ? "k" : "t"]);
  }
});

test("send tells what is wrong, and exits with 1 or 2", async () => {
  for (const [args, code, cause] of [
    [["send", "t", "{not json"], 1, /not JSON/],
    [["send", "t", "{}", "--topic", "no-such-topic"], 1, /no-such-topic/],
    [["send", "t"], 2, /required/],
    [["send"], 2, /required/],
    [["send", "t", "{}", "--endpoint", "http://localhost:1"], 1, /localhost:1/],
  ]) {
    const said = await events(...args);
    assert.deepEqual([said.code, said.out], [code, ""], said.err);
    assert.match(said.err, cause);
  }
});

test("tail shows events and what becomes of them, for people and as JSON", async (t) => {
  const [people, json] = [await tail(t), await tail(t, "--json")];
  await events("send", "order.paid", "{}");
  await orders.deliveries.next();
  assert.match(await people.out.containing("published"), /order\.paid .* for orders$/);
  assert.match(await people.out.containing("delivered"), /to orders after \d+ ms$/);
  const published = JSON.parse(await json.out.containing("published"));
  const { kind, eventType, topic, deliveries } = published;
  assert.deepEqual({ kind, eventType, topic }, { kind: "published", eventType: "order.paid", topic: grid.local.id });
  const delivered = JSON.parse(await json.out.containing('"delivered"'));
  assert.deepEqual([delivered.eventSubscription, delivered.delivery], ["orders", deliveries[0].id]);
  assert.deepEqual([await people.interrupt(), await json.interrupt()], [0, 0]);
});

test("tail shows failures, and that an event was given up", async (t) => {
  const receiver = await Receiver.start({ answer: () => 500 });
  t.after(() => receiver.close());
  const topic = await grid.topic();
  const retryPolicy = { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 1440 };
  const { name } = await grid.subscribe(topic.id, receiver, { retryPolicy });
  const people = await tail(t);
  await events("send", "t", "{}", "--topic", topic.name);
  assert.match(await people.out.containing("failed"), new RegExp(`GenericError at ${name}, again 20`));
  assert.match(await people.out.containing("given up"), new RegExp(`attempts-exhausted at ${name}, last GenericError$`));
  assert.equal(await people.interrupt(), 0);
  receiver.answer = () => 200;
  assert.equal((await events("redrive", "--subscription", name)).out, "1 put back\n");
  assert.equal((await grid.settled(name)).dead, 0);
});

test("subscriptions lists state, queue, health and why a webhook has not consented", async () => {
  const { code, out } = await events("subscriptions", "--topic", "local");
  assert.equal(code, 0);
  const lines = out.trim().split("\n");
  assert.equal(lines.length, 2);
  assert.match(lines.find((line) => line.startsWith("local/orders ")), new RegExp(`Succeeded  queued 0  dead 0  last Delivered  to ${orders.url}$`));
  assert.match(lines.find((line) => line.startsWith("local/nobody ")), /Creating .*no-such-host\.invalid/);
  const json = (await events("subscriptions", "--topic", "local", "--json")).out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(json.map(({ name }) => name).sort(), ["nobody", "orders"]);
  const none = await events("subscriptions", "--topic", "no-such-topic");
  assert.deepEqual([none.code, none.out, none.err], [0, "", "none\n"]);
});

test("dead-letters and redrive choose by event subscription, topic, reason and id", async (t) => {
  const made = [];
  for (const status of [400, 500]) {
    const receiver = await Receiver.start({ answer: () => status });
    t.after(() => receiver.close());
    const topic = await grid.topic();
    const retryPolicy = { maxDeliveryAttempts: 2, eventTimeToLiveInMinutes: 1440 };
    await grid.subscribe(topic.id, receiver, { retryPolicy }, "same-name");
    for (const type of ["one", "two"]) await events("send", type, "{}", "--topic", topic.name);
    made.push({ topic, receiver });
  }
  await eventually("four dead letters", async () => (await events("dead-letters", "--json")).out.split("\n").length === 5);
  const ambiguous = await events("dead-letters", "--subscription", "same-name");
  assert.equal(ambiguous.code, 1);
  assert.match(ambiguous.err, /name the topic/);
  const [refusing, failing] = made.map(({ topic }) => ["--subscription", "same-name", "--topic", topic.name]);
  const ofFirst = (await events("dead-letters", ...refusing)).out.trim().split("\n");
  assert.equal(ofFirst.length, 2);
  for (const line of ofFirst) assert.match(line, /same-name {2}(one|two) {2}refused after 1 attempts {2}last BadRequest {2}\S+$/);
  const exhausted = (await events("dead-letters", "--reason", "attempts-exhausted", "--json")).out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(exhausted.map(({ eventType }) => eventType), ["two", "one"], "newest first");
  const limited = await events("dead-letters", "--limit", "1");
  assert.equal(limited.out.trim().split("\n").length, 1);
  assert.match(limited.err, /there are more/);

  for (const { receiver } of made) receiver.answer = () => 200;
  const nothingSaid = await events("redrive");
  assert.deepEqual([nothingSaid.code, nothingSaid.out], [1, ""]);
  assert.match(nothingSaid.err, /subscription|--all/);
  assert.equal((await events("redrive", "--id", exhausted[0].id)).out, "1 put back\n");
  assert.equal((await events("redrive", ...failing)).out, "1 put back\n");
  assert.equal((await events("redrive", "--reason", "refused")).out, "2 put back\n");
  assert.equal((await events("redrive", "--all")).out, "0 put back\n");
  for (const { receiver } of made) await eventually("all four arrive", () => receiver.all.filter(({ count }) => count === 0).length === 4);
  assert.equal((await events("dead-letters")).err, "none\n");
});

test("each command explains itself, and a wrong one ends with 2", async () => {
  const overview = await typed(["events", "--help"]);
  assert.equal(overview.code, 0);
  for (const command of ["tail", "send", "subscriptions", "dead-letters", "redrive"]) {
    assert.match(overview.out, new RegExp(`^ {2}${command} `, "m"));
    const help = await typed(["events", command, "--help"]);
    assert.equal(help.code, 0);
    assert.match(help.out, new RegExp(`Usage: tidings events ${command} `));
    assert.equal((await typed(["events", command, "--no-such-flag"])).code, 2);
  }
  assert.equal((await typed(["events", "redrive", "--reason", "bad-luck"])).code, 2);
  assert.equal((await typed(["events", "redrive", "--all", "--id", "1"])).code, 2);
});

test("the example of a webhook prints events of both schemas", async (t) => {
  const app = await startWebhookApp();
  t.after(() => app.stop());
  for (const inputSchema of ["EventGridSchema", "CloudEventSchemaV1_0"]) {
    const topic = await grid.topic({ inputSchema });
    await grid.subscribe(topic.id, app);
    await events("send", inputSchema, '{"number": 7}', "--subject", "/orders/7", "--topic", topic.name);
    assert.equal(await app.log.containing(inputSchema), `${inputSchema} /orders/7 {"number":7}`);
  }
});

test("without a server, commands say so and exit with 1", async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  for (const args of [["tail"], ["subscriptions"], ["dead-letters"], ["redrive", "--all"], ["send", "t", "{}"]]) {
    const said = await typed(["events", ...args, "--data", folder.path]);
    assert.deepEqual([said.code, said.out], [1, ""], args[0]);
    assert.match(said.err, /no server has been started|there is no topic/, args[0]);
  }
});
