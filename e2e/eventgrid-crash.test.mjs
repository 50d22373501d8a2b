// kill -9 under load, again and again over the same data: whatever was answered with 200 reaches every
// webhook at least once, and nothing is stuck.
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { between, randomSource, SEED } from "./lib/random.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const ROUNDS = Number(process.env.TIDINGS_CRASH_ROUNDS ?? 10);
const PUBLISHERS = 8;
/** How many publications of a round are answered before the process is killed; the next are under way. */
const ANSWERED = [0, 60];
/** Events of one publication. */
const EVENTS = [1, 20];

/** Publishes until the server is gone; calls `answered` with the ids of each publication that was. */
async function publish(publisher, random, answered) {
  for (;;) {
    const events = Array.from({ length: between(random, ...EVENTS) }, () => eventGridEvent());
    try {
      await publisher.send(events);
    } catch (error) {
      assert.equal(error.statusCode, undefined, `a refusal: ${error.message}`);
      return;
    }
    answered(events.map(({ id }) => id));
  }
}

/** Load on a server until so many publications were answered, then its end. */
async function loadAndKill(server, publishers, random, accepted) {
  let left = between(random, ...ANSWERED);
  let enough;
  const killed = new Promise((resolve) => (enough = resolve)).then(() => server.kill());
  if (left === 0) enough();
  const answered = (ids) => {
    for (const id of ids) accepted.add(id);
    if ((left -= 1) === 0) enough();
  };
  await Promise.all([killed, ...publishers.map((publisher) => publish(publisher, random, answered))]);
}

/** Waits until nothing waits for its delivery. It may be much, so there only has to be progress. */
async function drained(grid, name) {
  let before = Infinity;
  for (;;) {
    let seen;
    await eventually(`fewer than ${before} deliveries wait for ${name}`, async () => {
      seen = await grid.seen(name);
      return seen.queued + seen.inFlight < before;
    });
    before = seen.queued + seen.inFlight;
    if (before === 0) return seen;
  }
}

/** What reached a receiver and was answered well, by id. */
const arrived = (receiver) => new Set(receiver.all.filter(({ taken }) => taken).flatMap(({ events }) => events.map(({ id }) => id)));

test(`${ROUNDS} times kill -9 under load: nothing that was accepted is lost or stuck`, async (t) => {
  t.diagnostic(`TIDINGS_SEED=${SEED}`);
  const random = randomSource();
  const folder = await temporaryFolder();
  t.after(folder.forget);
  // One request in ten fails, so that kills also meet deliveries that wait for their next attempt.
  const answer = (delivery) => {
    delivery.taken = random() >= 0.1;
    return delivery.taken ? 200 : 503;
  };
  const receivers = [await Receiver.start({ answer }), await Receiver.start({ answer })];
  t.after(() => Promise.all(receivers.map((receiver) => receiver.close())));
  // Pauses of a tenth of a second, and a time to live that outlasts every round.
  const start = () => Server.start({ data: join(folder.path, "data"), flags: ["--retry-time-scale", "0.01"] });

  const accepted = new Set();
  let server = await start();
  let grid = new EventGrid(server);
  const topic = await grid.topic();
  const [single, batched] = [
    await grid.subscribe(topic.id, receivers[0]),
    await grid.subscribe(topic.id, receivers[1], { webhook: { maxEventsPerBatch: 50 } }),
  ];
  for (let round = 0; round < ROUNDS; round += 1) {
    const publishers = Array.from({ length: PUBLISHERS }, () => grid.publisher(topic));
    await loadAndKill(server, publishers, random, accepted);
    server = await start();
    grid = new EventGrid(server);
  }
  t.after(() => server.stop());

  assert.ok(accepted.size > ROUNDS, `${accepted.size} events were accepted`);
  for (const [index, { name }] of [single, batched].entries()) {
    const { dead } = await drained(grid, name);
    const here = arrived(receivers[index]);
    assert.deepEqual([...accepted].filter((id) => !here.has(id)), [], `missing at ${name}, seed ${SEED}`);
    assert.equal(dead, 0);
  }
  const later = eventGridEvent();
  await grid.publisher(topic).send([later]);
  await grid.settled(single.name);
  assert.ok(arrived(receivers[0]).has(later.id), "it delivers as before");
  t.diagnostic(`${accepted.size} events accepted, ${receivers[0].all.length} requests for them one by one`);
});
