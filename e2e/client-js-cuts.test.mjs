// The hard part of the reliable protocol, with the npm client SDK: the network fails at random points
// while thousands of numbered messages are published, and none is lost, doubled or out of order.
import assert from "node:assert/strict";
import { EventEmitter, once } from "node:events";
import { after, before, describe, test } from "node:test";
import { within } from "./lib/deadline.mjs";
import { FAULTS, Proxy } from "./lib/proxy.mjs";
import { between, oneOf, randomSource, SEED } from "./lib/random.mjs";
import { RELEASES, SdkClient } from "./lib/sdk-client.mjs";
import { Server } from "./lib/server.mjs";
import { plainService } from "./lib/service.mjs";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const MESSAGES = Number(process.env.TIDINGS_CUT_MESSAGES ?? 10_000);
/** How many messages each publisher sends before the next one takes its turn. */
const TURN = { rest: 40, publisher: 40, receiver: 10 };
/** Published and not acknowledged at most. The server keeps 1000; an acknowledgement may be lost in a cut. */
const WINDOW = 400;
/** A connection fails after this many bytes to the client: within the handshake, or hundreds of messages later. */
const LIFE_BYTES = [200, 40_000];
const SILENCE_MS = [20, 400];
const HARD_LIMIT_MS = 240_000;
const ROLES = ["webpubsub.sendToGroup", "webpubsub.joinLeaveGroup"];

/** A proxy that breaks every connection at a random byte, once `armed`, and sees what is acknowledged. */
async function startFailingProxy(random) {
  const progress = Object.assign(new EventEmitter(), { acknowledged: 0 });
  const failures = {};
  const doom = (link) => {
    const [fault, silence] = [oneOf(random, Object.keys(FAULTS)), between(random, ...SILENCE_MS)];
    link.failAfter(between(random, ...LIFE_BYTES), () => {
      failures[fault] = (failures[fault] ?? 0) + 1;
      FAULTS[fault](link, silence);
    });
  };
  const proxy = await Proxy.start(server.ready.http, {
    onLink: (link) => progress.armed && doom(link),
    onText: (text) => {
      const { type, sequenceId } = JSON.parse(text);
      if (type !== "sequenceAck" || sequenceId <= progress.acknowledged) return;
      progress.acknowledged = sequenceId;
      progress.emit("acknowledged");
    },
  });
  const arm = () => {
    progress.armed = true;
    doom(proxy.newest);
  };
  return { proxy, progress, failures, arm };
}

/** Publishes 1 to MESSAGES to the group, in turns of REST, another client, and the receiver itself. */
async function publishAll({ rest, publisher, receiver, progress }) {
  const turns = [
    { count: TURN.rest, send: async (n) => rest.sendToAll({ n }) },
    // Not awaited one by one: its connection keeps the order, the turn ends with all acks.
    { count: TURN.publisher, pipelined: true, send: async (n) => publisher.sdk.sendToGroup("g", { n }, "json") },
    // The same ack id at every attempt, so an attempt whose ack was lost is not carried out twice.
    { count: TURN.receiver, send: async (n) => receiver.sdk.sendToGroup("g", { n }, "json", { ackId: 1_000_000 + n }) },
  ];
  let sent = 0;
  while (sent < MESSAGES) {
    for (const { count, pipelined, send } of turns) {
      while (sent - progress.acknowledged > WINDOW) await once(progress, "acknowledged");
      const sending = [];
      for (const last = Math.min(sent + count, MESSAGES); sent < last; ) {
        sending.push(send((sent += 1)));
        if (!pipelined) await sending.at(-1);
      }
      await Promise.all(sending);
    }
  }
}

// Side by side, since most of the time goes by until clients acknowledge, which they do once a second.
describe("each release", { concurrency: true }, () => {
  for (const [version, release] of Object.entries(RELEASES)) {
    test(`${version}: ${MESSAGES} messages through a failing network, each once and in order`, async (t) => {
      t.diagnostic(`TIDINGS_SEED=${SEED}`);
      const random = randomSource();
      const { proxy, progress, failures, arm } = await startFailingProxy(random);
      const hub = `cuts${version.replaceAll(".", "_")}`;
      const service = plainService(server, hub);
      const urlFor = async (token) => (await service.getClientAccessToken({ roles: ROLES, ...token })).url;

      const publisher = new SdkClient(release, await urlFor(), { protocol: release.WebPubSubJsonProtocol() });
      const patient = { messageRetryOptions: { maxRetries: 100_000, retryDelayInMs: 5 } };
      const receiver = new SdkClient(release, proxy.url(await urlFor({ groups: ["g"] })), patient);
      const received = [];
      const all = new Promise((resolve) => {
        receiver.sdk.on("group-message", ({ message: { data, sequenceId } }) => {
          received.push([data.n, sequenceId]);
          if (data.n === MESSAGES) resolve();
        });
      });
      for (const client of [publisher, receiver]) {
        await client.start();
        t.after(() => client.stop());
      }
      t.after(() => proxy.close()); // last: a client that finds no server does not stop
      arm();

      const before = performance.now();
      const published = publishAll({ rest: service.group("g"), publisher, receiver, progress });
      const sofar = () => `${MESSAGES} messages (${received.length} came, seed ${SEED}, ${proxy.recoveries} recoveries)`;
      await within(HARD_LIMIT_MS, sofar, Promise.all([published, all]));
      const seconds = ((performance.now() - before) / 1000).toFixed(1);
      t.diagnostic(`${proxy.recoveries} recoveries in ${seconds} s; failures: ${JSON.stringify(failures)}`);

      progress.armed = false;
      proxy.newest.failAfter(Infinity);
      // Answered on a connection that lasts: the SDK cannot be stopped while it recovers.
      await receiver.sdk.sendToGroup("elsewhere", "still here", "text");
      const oneToAll = Array.from({ length: MESSAGES }, (_, at) => at + 1);
      assert.deepEqual(received.map(([, sequenceId]) => sequenceId), oneToAll, "sequence ids have no gap");
      assert.deepEqual(received.map(([n]) => n).sort((a, b) => a - b), oneToAll, "none is lost, none comes twice");
      assert.deepEqual(receiver.on.disconnected.rest, [], "no cut cost the connection");
      assert.deepEqual(receiver.on.connected.rest, [], "nor did a new one begin");
      assert.ok(proxy.recoveries >= MESSAGES / 500, `only ${proxy.recoveries} recoveries, seed ${SEED}`);
      assert.deepEqual(Object.keys(failures).sort(), Object.keys(FAULTS).sort(), "every kind of failure came");
      // A turn's messages are sent once those of the turn before are answered, so this is one order.
      assert.deepEqual(outOfOrder(received.map(([n]) => n)), [], "each message comes after those that were answered before it");
    });
  }
});

/** Where numbers do not follow one another: `[number, position]`, the first few. */
function outOfOrder(numbers) {
  return numbers.map((n, at) => [n, at + 1]).filter(([n, position]) => n !== position).slice(0, 5);
}
