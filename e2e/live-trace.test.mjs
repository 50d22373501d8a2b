// Live trace: what happens to the connections of a user, a connection or a hub, as it happens; and what that
// adds to the journeys of messages.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Command, typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { freshHub } from "./lib/hub.mjs";
import { RELEASES, SdkClient } from "./lib/sdk-client.mjs";
import { Server } from "./lib/server.mjs";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

/** A live trace in a terminal, which is listening when this returns. */
async function live(t, ...args) {
  const command = new Command("trace", "--live", ...args, "--data", server.data);
  t.after(() => command.process.kill("SIGKILL"));
  await command.err.containing("listening");
  return command;
}

/** The SDK's client, which speaks the reliable protocol and acknowledges by itself. */
async function sdkClient(t, hub, userId) {
  const roles = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];
  const client = new SdkClient(RELEASES["1.1.0"], { getClientAccessUrl: () => hub.url({ userId, roles }) });
  t.after(() => client.stop());
  return client.start();
}

const linesOf = ({ out }) => `${out}`.split("\n").filter(Boolean);

test("the SDK's client is watched from its handshake to its goodbye", async (t) => {
  const hub = freshHub(t, server);
  const people = await live(t, hub.name, "--user", "ann");
  const json = await live(t, hub.name, "--user", "ann", "--json");
  const bob = await hub.json({ userId: "bob" });
  const ann = await sdkClient(t, hub, "ann");
  await ann.sdk.joinGroup("news");
  await hub.service.group("news").sendToAll("a secret", { contentType: "text/plain" });
  assert.equal((await ann.on["group-message"].next()).message.data, "a secret");
  await json.out.containing('"acknowledged"');
  await ann.stop();
  await people.out.containing("ended");
  await json.out.containing('"ended"');

  const seen = linesOf(json).map((line) => JSON.parse(line));
  for (const it of seen) assert.deepEqual([it.connection, it.user], [ann.connectionId, "ann"], "nobody else is told of");
  const kinds = seen.map(({ kind }) => kind);
  const order = ["opened", "connected", "read", "joined", "received", "written", "acknowledged", "ended"];
  order.reduce((from, kind) => {
    const at = kinds.indexOf(kind, from);
    assert.ok(at >= from, `${kind} after ${kinds.slice(0, from)} in ${kinds}`);
    return at;
  }, 0);
  const received = seen.find(({ kind }) => kind === "received");
  assert.match(received.detail, /^message of \d+ bytes, sequence id 1$/);
  assert.match(received.journey, /^[0-9a-f]{32}$/);
  assert.equal(seen.find(({ kind }) => kind === "joined").detail, "the group 'news'");
  assert.match(linesOf(people)[0], new RegExp(`^\\d{4}-.*Z  ${ann.connectionId}  ann  opened `));
  assert.doesNotMatch(`${json.out}${people.out}`, /a secret/, "payloads are not told");
  assert.deepEqual([await people.interrupt(), await json.interrupt()], [0, 0]);
  await bob.close();
});

test("a journey tells of each watched connection by name, and of the others by number", async (t) => {
  const hub = freshHub(t, server);
  const [ann, bob] = [await sdkClient(t, hub, "ann"), await sdkClient(t, hub, "bob")];
  const watching = await live(t, hub.name, "--connection", ann.connectionId);
  await hub.service.sendToAll("to everybody", { contentType: "text/plain" });
  for (const it of [ann, bob]) await it.on["server-message"].next();
  const line = await watching.out.containing("journey");
  await watching.out.containing("acknowledged");
  const id = /\(journey ([0-9a-f]{32})\)/.exec(line)[1];
  const trace = async () => (await typed(["trace", id, "--data", server.data])).out;
  const mine = `connection ${ann.connectionId} of 'ann'`;
  const expected = [`to ${mine}`, `by the client of ${mine}`];
  await eventually("both are told", async () => {
    const told = await trace();
    return expected.every((it) => told.includes(it)) && (told.match(/by (the client|all 2 clients) on shard/g) ?? []).length > 0;
  });
  const told = await trace();
  assert.doesNotMatch(told, new RegExp(bob.connectionId), "who is not watched is counted only");
  assert.match(told, /gateway +written +done +to [12] connections? on shard/);
  const byConnection = await typed(["trace", ann.connectionId, "--data", server.data]);
  assert.match(byConnection.out, new RegExp(`^journey ${id}\n`), "it is found by the connection");
});

test("without a watcher, the acknowledgement of a reliable client is a stage of the journey", async (t) => {
  const hub = freshHub(t, server);
  const ann = await sdkClient(t, hub, "ann");
  let id;
  const onResponse = ({ headers }) => (id = headers.get("x-ms-request-id"));
  await hub.service.sendToUser("ann", "x", { contentType: "text/plain", onResponse });
  await ann.on["server-message"].next();
  await eventually("the acknowledgement", async () => {
    const { stages } = JSON.parse((await typed(["trace", id, "--json", "--data", server.data])).out);
    const found = stages.find(({ stage }) => stage === "acknowledged");
    return found && found.outcome === "done" && /^by the client on shard \d+$/.test(found.detail) && found.tookMs >= 0;
  });
});

test("a message whose client never acknowledged it says so when the client is given up", async (t) => {
  const hub = freshHub(t, server);
  const ann = await hub.reliable({ userId: "ann" });
  let id;
  const onResponse = ({ headers }) => (id = headers.get("x-ms-request-id"));
  await hub.service.sendToUser("ann", "x", { contentType: "text/plain", onResponse });
  assert.equal((await ann.nextJson()).data, "x");
  await ann.close(); // a goodbye, without any acknowledgement
  await eventually("the journey has failed", async () => {
    const found = JSON.parse((await typed(["trace", id, "--json", "--data", server.data])).out);
    const acknowledged = found.stages.find(({ stage }) => stage === "acknowledged");
    return found.outcome === "failed" && acknowledged?.detail.startsWith("by 0 of 1 clients");
  });
});

test("what cannot be watched is refused with what can", async () => {
  for (const [args, code, cause] of [
    [["--live", "chat", "--connection", "nonsense"], 1, /id of a connection/],
    [["--live", "chat", "--resource", "nobody"], 1, /no such Web PubSub resource; there are: local/],
    [["--live", "no/hub"], 1, /hub/i],
    [["--live", "chat", "--user", "a", "--connection", "b"], 2, /cannot be used with/],
    [["--user", "a"], 2, /--live <HUB>/],
  ]) {
    const said = await typed(["trace", ...args, "--data", server.data]);
    assert.deepEqual([said.code, said.out], [code, ""], said.err);
    assert.match(said.err, cause);
  }
});

test("a server that stops ends its live traces", async (t) => {
  const own = await Server.start();
  const command = new Command("trace", "--live", "chat", "--data", own.data);
  t.after(() => command.process.kill("SIGKILL"));
  await command.err.containing("listening");
  await own.stop();
  assert.equal(await command.end(), 0);
});
