// Webhooks that fail in every way that there is a rule for: what is tried again and when, what is given
// up, and what becomes of it. Time is scaled, so attempts are counted and put in order, never timed.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { Command, typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, cloudEvent, eventGridEvent } from "./lib/eventgrid.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const run = promisify(execFile);

let server;
let grid;
let folder;
let certificates;

before(async () => {
  folder = await temporaryFolder();
  certificates = [await selfSigned("trusted"), await selfSigned("stranger")];
  server = await Server.start({
    flags: ["--retry-time-scale", "0.0001"],
    env: { TIDINGS_EVENTGRID_TIMEOUT_SECONDS: "1", TIDINGS_OUTBOUND_EXTRA_CA_FILE: certificates[0].file },
  });
  grid = new EventGrid(server);
});

after(() => Promise.all([server?.stop(), folder?.forget()]));

/** A certificate that only those trust who are told to. */
async function selfSigned(name) {
  const [key, file] = [join(folder.path, `${name}.key`), join(folder.path, `${name}.pem`)];
  const what = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", key, "-out", file];
  const of = ["-days", "2", "-subj", `/CN=${name}`, "-addext", "subjectAltName=DNS:localhost"];
  await run("openssl", ["req", "-x509", ...what, ...of, "-addext", "basicConstraints=critical,CA:FALSE"]);
  return { file, key: await readFile(key), cert: await readFile(file) };
}

/** A topic whose events all go to a receiver, with dead letters in a folder. */
async function watched(t, answer, { topic = {}, attempts = 30, on = grid, tls, ...properties } = {}) {
  const receiver = await Receiver.start({ answer, tls });
  t.after(() => receiver.close());
  const made = await on.topic(topic);
  const { name } = await on.subscribe(made.id, receiver, {
    retryPolicy: { maxDeliveryAttempts: attempts, eventTimeToLiveInMinutes: 1440 },
    deadLetterDestination: { endpointType: "StorageBlob", properties: { resourceId: "/any", blobContainerName: "graves" } },
    ...properties,
  });
  return { topic: made, receiver, name };
}

/** The whole records of dead letters in the folder, with the paths below it. */
async function buried(topic, count = 1) {
  const root = join(server.data, "dead-letters");
  let files = [];
  await eventually(`${count} files of dead letters`, async () => {
    const all = await readdir(root, { recursive: true }).catch(() => []);
    files = all.filter((path) => path.endsWith(".json") && path.includes(`/${topic.name.toUpperCase()}/`));
    return files.length >= count;
  });
  return Promise.all(files.map(async (path) => ({ path, records: JSON.parse(await readFile(join(root, path), "utf8")) })));
}

const silence = () => undefined;
const reset = (_delivery, response) => void response.socket.resetAndDestroy();
const redirect = (elsewhere) => (_delivery, response) => void response.writeHead(302, { location: elsewhere.url }).end();
const slow = (_delivery, response) => void setTimeout(() => response.writeHead(200).end(), 300);
const GIVEN_UP = "UndeliverableDueToClientError";
const EXHAUSTED = "MaxDeliveryAttemptsExceeded";

for (const [what, answer, outcome, attempts, reason] of [
  ["400", () => 400, "BadRequest", 1, GIVEN_UP],
  ["401", () => 401, "Unauthorized", 1, GIVEN_UP],
  ["403", () => 403, "Forbidden", 1, GIVEN_UP],
  ["413", () => 413, "PayloadTooLarge", 1, GIVEN_UP],
  ["404", () => 404, "NotFound", 3, EXHAUSTED],
  ["408", () => 408, "TimedOut", 3, EXHAUSTED],
  ["429", () => 429, "Busy", 3, EXHAUSTED],
  ["503", () => 503, "Busy", 3, EXHAUSTED],
  ["500", () => 500, "GenericError", 3, EXHAUSTED],
  ["206", () => 206, "GenericError", 3, EXHAUSTED],
  ["silence", silence, "TimedOut", 3, EXHAUSTED],
  ["a connection that is reset", reset, "SocketError", 3, EXHAUSTED],
]) {
  test(`a webhook that answers with ${what}: ${outcome}, ${attempts === 1 ? "given up at once" : "tried again"}`, async (t) => {
    const { topic, receiver, name } = await watched(t, answer, { attempts: 3 });
    const sent = eventGridEvent();
    await grid.publisher(topic).send([sent]);
    const [letter] = await grid.deadLetters(name);
    assert.deepEqual([letter.lastOutcome, letter.attempts, letter.event.id], [outcome, attempts, sent.id]);
    assert.deepEqual(receiver.all.map(({ count }) => count), [0, 1, 2].slice(0, attempts));
    const [{ path, records }] = await buried(topic);
    assert.match(path, new RegExp(`^graves/${topic.name.toUpperCase()}/${name.toUpperCase()}/\\d{4}/\\d+/\\d+/\\d+/[^/]+\\.json$`));
    const { deadLetterReason, deliveryAttempts, lastDeliveryOutcome, publishTime, lastDeliveryAttemptTime, ...event } = records[0];
    assert.deepEqual({ deadLetterReason, deliveryAttempts, lastDeliveryOutcome }, { deadLetterReason: reason, deliveryAttempts: attempts, lastDeliveryOutcome: outcome });
    assert.ok(Date.parse(publishTime) <= Date.parse(lastDeliveryAttemptTime));
    assert.deepEqual(event, { ...sent, topic: topic.id, metadataVersion: "1" });
    assert.equal(records.length, 1);
  });
}

for (const status of [200, 201, 202, 203, 204]) {
  test(`a webhook that answers with ${status} has got the event`, async (t) => {
    const { topic, receiver, name } = await watched(t, () => status);
    await grid.publisher(topic).send([eventGridEvent()]);
    await receiver.deliveries.next();
    const { health, dead } = await grid.settled(name);
    assert.deepEqual([health.delivered, health.retried, dead, receiver.all.length], [1, 0, 0, 1]);
  });
}

test("a webhook that takes its time has got the event", async (t) => {
  const { topic, receiver, name } = await watched(t, slow);
  await grid.publisher(topic).send([eventGridEvent()]);
  const { health } = await grid.settled(name);
  assert.deepEqual([health.delivered, receiver.all.length], [1, 1]);
});

test("a redirect is not followed", async (t) => {
  const elsewhere = await Receiver.start();
  t.after(() => elsewhere.close());
  const { topic, receiver, name } = await watched(t, redirect(elsewhere), { attempts: 2 });
  await grid.publisher(topic).send([eventGridEvent()]);
  const [letter] = await grid.deadLetters(name);
  assert.deepEqual([letter.lastOutcome, receiver.all.length, elsewhere.all.length], ["GenericError", 2, 0]);
});

test("a webhook that is gone: SocketError, tried again", async (t) => {
  const { topic, receiver, name } = await watched(t, () => 200, { attempts: 2 });
  await receiver.close();
  await grid.publisher(topic).send([eventGridEvent()]);
  const [letter] = await grid.deadLetters(name);
  assert.deepEqual([letter.lastOutcome, letter.attempts], ["SocketError", 2]);
});

test("a webhook whose certificate nobody trusts gets nothing", async (t) => {
  const [trusted, stranger] = certificates;
  const { topic, receiver, name } = await watched(t, () => 200, { attempts: 2, tls: trusted });
  await grid.publisher(topic).send([eventGridEvent()]);
  await receiver.deliveries.next();
  receiver.present(stranger);
  await grid.publisher(topic).send([eventGridEvent()]);
  const [letter] = await grid.deadLetters(name);
  assert.deepEqual([letter.lastOutcome, letter.attempts, receiver.all.length], ["SocketError", 2, 1]);
});

test("a webhook that recovers gets the event, and is told how often it was tried", async (t) => {
  const { topic, receiver, name } = await watched(t, ({ count }) => (count < 3 ? 503 : 200));
  await grid.publisher(topic).send([eventGridEvent()]);
  const tries = await receiver.deliveries.take(4);
  assert.deepEqual(tries.map(({ count }) => count), [0, 1, 2, 3]);
  assert.equal(new Set(tries.map(({ text }) => text)).size, 1, "the same event each time");
  const { health, dead } = await grid.settled(name);
  assert.deepEqual([health.delivered, health.retried, dead], [1, 3, 0]);
});

test("half an hour of retries is six attempts", async (t) => {
  const halfHour = await Server.start({ flags: ["--retry-time-scale", "0.001"] });
  t.after(() => halfHour.stop());
  const on = new EventGrid(halfHour);
  const retryPolicy = { maxDeliveryAttempts: 30, eventTimeToLiveInMinutes: 30 };
  const { topic, receiver, name } = await watched(t, () => 500, { on, retryPolicy });
  await on.publisher(topic).send([eventGridEvent()]);
  const [letter] = await on.deadLetters(name);
  assert.deepEqual([letter.reason, letter.attempts, receiver.all.length], ["expired", 6, 6]);
});

test("a day of retries is eleven attempts, each pause longer than the one before", async (t) => {
  const day = await Server.start({ flags: ["--retry-time-scale", "0.0002"] });
  t.after(() => day.stop());
  const on = new EventGrid(day);
  const { topic, receiver, name } = await watched(t, () => 500, { on });
  const tail = new Command("events", "tail", "--json", "--data", day.data);
  t.after(() => tail.interrupt());
  await tail.err.containing("listening");
  await on.publisher(topic).send([eventGridEvent()]);
  await receiver.deliveries.take(11);
  await tail.out.containing("deadLettered");
  const [letter] = await on.deadLetters(name);
  assert.deepEqual([letter.reason, letter.attempts, receiver.all.length], ["expired", 11, 11]);
  const at = receiver.all.map(({ at }) => at);
  const pauses = at.slice(1).map((time, index) => time - at[index]);
  // 10 and 30 seconds and a minute pass in 2 to 12 ms, less than what an attempt may take.
  const long = pauses.slice(3);
  assert.deepEqual(long, [...long].sort((one, other) => one - other), `${pauses}`);
});

test("dead letters of CloudEvents have lower-case attributes, those of custom events an envelope", async (t) => {
  const cloud = await watched(t, () => 400, { topic: { inputSchema: "CloudEventSchemaV1_0" } });
  const sent = cloudEvent();
  await grid.publisher(cloud.topic, "CloudEvent").send([sent]);
  const [{ records: [record] }] = await buried(cloud.topic);
  const { deadletterreason, deliveryattempts, lastdeliveryoutcome, publishtime, lastdeliveryattempttime, ...event } = record;
  assert.deepEqual([deadletterreason, deliveryattempts, lastdeliveryoutcome], [GIVEN_UP, 1, "BadRequest"]);
  assert.ok(Date.parse(publishtime) <= Date.parse(lastdeliveryattempttime));
  assert.deepEqual(event, { specversion: "1.0", datacontenttype: "application/json", ...sent });

  const custom = await watched(t, () => 400, {
    topic: { inputSchema: "CustomEventSchema", inputSchemaMapping: { inputSchemaMappingType: "Json", properties: { eventType: { sourceField: "kind" } } } },
    eventDeliverySchema: "CustomInputSchema",
  });
  await grid.publisher(custom.topic, "Custom").send([{ kind: "Opened", city: "Köln" }]);
  const [{ records: [wrapped] }] = await buried(custom.topic);
  assert.deepEqual([wrapped.eventType, wrapped.deadLetterReason], ["Opened", GIVEN_UP]);
  assert.deepEqual(wrapped.data, { kind: "Opened", city: "Köln" });
});

test("dead letters are listed, and put back they are delivered", async (t) => {
  const { topic, receiver, name } = await watched(t, () => 400);
  const events = [eventGridEvent(), eventGridEvent(), eventGridEvent()];
  await grid.publisher(topic).send(events);
  const letters = await grid.deadLetters(name, 3);
  const place = ["--data", server.data];
  const listed = await typed(["events", "dead-letters", "--subscription", name, "--json", ...place]);
  const lines = listed.out.trim().split("\n").map((line) => JSON.parse(line));
  assert.deepEqual(lines.map(({ id }) => id).sort(), letters.map(({ id }) => id).sort());
  assert.deepEqual(lines.map(({ lastAnswer }) => lastAnswer), Array(3).fill("HTTP 400"));

  receiver.answer = () => 200;
  await receiver.deliveries.take(3);
  const [one] = lines;
  const single = await typed(["events", "redrive", "--id", one.id, ...place]);
  assert.deepEqual([single.code, single.out], [0, "1 put back\n"]);
  const again = await receiver.deliveries.next();
  assert.deepEqual([again.events[0].id, again.count], [one.event.id, 0]);
  assert.equal((await typed(["events", "redrive", "--subscription", name, ...place])).out, "2 put back\n");
  await receiver.deliveries.take(2);
  const { dead, health } = await grid.settled(name);
  assert.deepEqual([dead, health.delivered], [0, 3]);
});

test("a webhook that keeps failing is left alone for a while, others are not, and it comes back", async (t) => {
  const { topic, receiver, name } = await watched(t, () => 404);
  const healthy = await Receiver.start();
  t.after(() => healthy.close());
  await grid.subscribe(topic.id, healthy);
  await grid.publisher(topic).send(Array.from({ length: 100 }, () => eventGridEvent()));
  await healthy.deliveries.take(100);
  await eventually("probation", async () => (await grid.seen(name)).health.probationUntil != null);
  const listed = await typed(["events", "subscriptions", "--topic", topic.name, "--data", server.data]);
  assert.match(listed.out, new RegExp(`/${name} .* on probation until `));
  receiver.answer = () => 200;
  const { health, dead } = await grid.settled(name);
  assert.deepEqual([health.delivered, dead, health.probationUntil ?? null], [100, 0, null]);
});
