// Recovery on the wire, without an SDK in between: what is sent again and what is not, who may come
// back, and how those that may not are told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { passingOf } from "./lib/deadline.mjs";
import { freshHub } from "./lib/hub.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { Server } from "./lib/server.mjs";
import { connectJson, connectReliable, connectWith, JSON_PROTOCOL, recoveryUrl, RELIABLE_PROTOCOL } from "./lib/websocket.mjs";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

/** A reliable client of a fresh hub, and what its URL was. */
async function connected(t, token) {
  const hub = freshHub(t, server);
  const url = await hub.url(token);
  const client = await connectReliable(url);
  t.after(() => client.socket.terminate());
  return { hub, url, client };
}

/** Comes back to the connection of `client`. */
async function recover(t, url, client) {
  const again = await connectReliable(recoveryUrl(url, client));
  t.after(() => again.close());
  assert.equal(again.connectionId, client.connectionId);
  return again;
}

/** Asserts that the next messages have these sequence ids and data. */
async function assertNumbered(client, ...expected) {
  for (const [sequenceId, data] of expected) {
    const message = await client.nextJson();
    assert.deepEqual([message.sequenceId, message.data], [sequenceId, data]);
  }
}

/** Acknowledges and waits until the server has taken it. */
async function acknowledge(client, sequenceId) {
  client.send({ type: "sequenceAck", sequenceId });
  client.send({ type: "ping" });
  assert.deepEqual(await client.nextJson(), { type: "pong" });
}

/** Asserts that coming back by `url` is refused: let in, and closed with 1008. */
async function assertRefused(url) {
  const client = await connectWith(RELIABLE_PROTOCOL, url);
  const { code, reason } = await client.end();
  assert.equal(code, 1008);
  assert.match(reason, /could not be recovered/);
}

test("data messages are numbered from 1, acks and pongs are not", async (t) => {
  const { hub, client } = await connected(t, { roles: ["webpubsub.joinLeaveGroup"] });
  assert.equal(typeof client.reconnectionToken, "string");
  assert.ok(!("sequenceId" in (await client.ask({ type: "joinGroup", group: "g", ackId: 1 }))));
  await hub.service.sendToAll("one");
  await assertNumbered(client, [1, "one"]);
  client.send({ type: "ping" });
  assert.deepEqual(await client.nextJson(), { type: "pong" });
  await hub.service.group("g").sendToAll("two");
  await assertNumbered(client, [2, "two"]);
});

test("what was not acknowledged comes again in order, then what came meanwhile, then what is new", async (t) => {
  const { hub, url, client } = await connected(t, { groups: ["g"] });
  for (const data of ["one", "two", "three"]) await hub.service.sendToAll(data);
  await assertNumbered(client, [1, "one"], [2, "two"], [3, "three"]);
  await acknowledge(client, 1);
  client.socket.terminate();
  await hub.service.group("g").sendToAll("four");
  await hub.service.sendToConnection(client.connectionId, "five");

  const again = await recover(t, url, client);
  await assertNumbered(again, [2, "two"], [3, "three"], [4, "four"], [5, "five"]);
  await hub.service.sendToAll("six");
  await assertNumbered(again, [6, "six"]);
});

test("groups, permissions and ack ids survive a recovery", async (t) => {
  const { hub, url, client } = await connected(t, { roles: ["webpubsub.joinLeaveGroup.g"], userId: "ana" });
  await client.ask({ type: "joinGroup", group: "g", ackId: 1 });
  await hub.service.grantPermission(client.connectionId, "sendToGroup", { targetName: "g" });
  client.socket.terminate();
  const again = await recover(t, url, client);
  assert.equal(again.userId, "ana");
  assert.equal((await again.ask({ type: "joinGroup", group: "g", ackId: 1 })).error.name, "Duplicate");
  const message = { type: "sendToGroup", group: "g", noEcho: true, dataType: "text", data: "x" };
  assert.equal((await again.ask({ ...message, ackId: 2 })).success, true);
  await hub.service.group("g").sendToAll("still a member");
  await assertNumbered(again, [1, "still a member"]);
});

test("while its client is away a connection exists, and is listed", async (t) => {
  const { hub, url, client } = await connected(t, { userId: "ana", groups: ["g"] });
  client.socket.terminate();
  await client.end();
  assert.equal(await hub.service.connectionExists(client.connectionId), true);
  assert.equal(await hub.service.userExists("ana"), true);
  const listed = [];
  for await (const { connectionId } of await hub.service.group("g").listConnections()) listed.push(connectionId);
  assert.deepEqual(listed, [client.connectionId]);
  await recover(t, url, client);
});

test("the access token is not looked at again", async (t) => {
  const { url, client } = await connected(t);
  client.socket.terminate();
  const bare = new URL(url);
  bare.searchParams.delete("access_token");
  const again = await recover(t, bare.href, client);
  again.socket.terminate();
  bare.searchParams.set("access_token", "expired");
  await recover(t, bare.href, client);
});

test("a recovery takes over while the old socket looks open, and the newest wins", async (t) => {
  const { hub, url, client } = await connected(t);
  await hub.service.sendToAll("one");
  await assertNumbered(client, [1, "one"]);
  const second = await recover(t, url, client); // nothing was closed
  await client.end();
  await assertNumbered(second, [1, "one"]);
  const third = await recover(t, url, client);
  await second.end();
  await hub.service.sendToAll("two");
  await assertNumbered(third, [1, "one"], [2, "two"]);
});

test("a recovery takes over while the old socket is half closed", async (t) => {
  const proxy = await Proxy.start(server.ready.http);
  t.after(() => proxy.close());
  const hub = freshHub(t, server);
  const url = proxy.url(await hub.url());
  const client = await connectReliable(url);
  proxy.newest.server.end(); // the server hears the end, the client's side is not shut
  const again = await recover(t, url, client);
  await hub.service.sendToAll("one");
  await assertNumbered(again, [1, "one"]);
});

test("a wrong token, an unknown connection, another hub and another's token are refused with 1008", async (t) => {
  const { url, client } = await connected(t);
  const { client: stranger, url: elsewhere } = await connected(t);
  const { connectionId, reconnectionToken } = client;
  const wrong = [
    recoveryUrl(url, { connectionId, reconnectionToken: "wrong" }),
    recoveryUrl(url, { connectionId, reconnectionToken: "" }),
    recoveryUrl(url, { connectionId, reconnectionToken: stranger.reconnectionToken }),
    recoveryUrl(url, { connectionId: "unknown", reconnectionToken }),
    recoveryUrl(elsewhere, client),
  ];
  for (const each of wrong) await assertRefused(each);
  client.send({ type: "ping" }); // nobody took its place
  assert.deepEqual(await client.nextJson(), { type: "pong" });
});

test("a connection that ended for good is refused: closed by REST, by its client, or by an error", async (t) => {
  const byRest = await connected(t);
  await byRest.hub.service.closeConnection(byRest.client.connectionId, {});
  const byClient = await connected(t);
  byClient.client.socket.close(1000);
  const byError = await connected(t);
  byError.client.socket.send("{not json");
  for (const { url, client } of [byRest, byClient, byError]) {
    await client.end();
    await assertRefused(recoveryUrl(url, client));
  }
});

test("a connection closed by REST while its client is away is refused", async (t) => {
  const { hub, url, client } = await connected(t);
  client.socket.terminate();
  await client.end();
  await hub.service.closeConnection(client.connectionId, {});
  assert.equal(await hub.service.connectionExists(client.connectionId), false);
  await assertRefused(recoveryUrl(url, client));
});

test("a message is kept for an absent client as long as its lifetime says", async (t) => {
  const { hub, url, client } = await connected(t, { groups: ["g"] });
  const publisher = await hub.json({ roles: ["webpubsub.sendToGroup"] });
  client.socket.terminate();
  await client.end();
  const brief = { messageTtlSeconds: 1 };
  await hub.service.sendToConnection(client.connectionId, "brief", brief);
  await hub.service.group("g").sendToAll("brief", brief);
  const sent = await publisher.ask({ type: "sendToGroup", group: "g", dataType: "text", data: "brief", ttlSeconds: 1, ackId: 1 });
  assert.equal(sent.success, true);
  await hub.service.group("g").sendToAll("long", { messageTtlSeconds: 300 });
  await hub.service.group("g").sendToAll("for ever", { messageTtlSeconds: 0 });
  await passingOf(2_000);
  const again = await recover(t, url, client);
  await assertNumbered(again, [4, "long"], [5, "for ever"]);
});

test("1000 messages wait for an absent client, one more ends its connection", async (t) => {
  for (const [count, fits] of [[1000, true], [1001, false]]) {
    const { hub, url, client } = await connected(t, { groups: ["g"] });
    const publisher = await hub.json({ roles: ["webpubsub.sendToGroup"] });
    client.socket.terminate();
    await client.end();
    for (let n = 1; n <= count; n += 1) {
      publisher.send({ type: "sendToGroup", group: "g", dataType: "json", data: n, ackId: n });
    }
    for (let n = 1; n <= count; n += 1) assert.equal((await publisher.nextJson()).success, true);
    if (fits) {
      const again = await recover(t, url, client);
      await assertNumbered(again, ...Array.from({ length: count }, (_, at) => [at + 1, at + 1]));
    } else {
      await assertRefused(recoveryUrl(url, client));
    }
  }
});

test("a client that acknowledges nothing is closed with 1008, whose reason names the buffer", async (t) => {
  const { hub, url, client } = await connected(t, { groups: ["g"] });
  const publisher = await hub.json({ roles: ["webpubsub.sendToGroup"] });
  for (let n = 1; n <= 1001; n += 1) publisher.send({ type: "sendToGroup", group: "g", dataType: "json", data: n });
  await assertNumbered(client, ...Array.from({ length: 1000 }, (_, at) => [at + 1, at + 1]));
  const { code, reason } = await client.end();
  assert.equal(code, 1008);
  assert.match(reason, /reliable message buffer/);
  await assertRefused(recoveryUrl(url, client));
});

test("acknowledged messages make room", async (t) => {
  const { hub, client } = await connected(t, { groups: ["g"] });
  const publisher = await hub.json({ roles: ["webpubsub.sendToGroup"] });
  for (let round = 0; round < 3; round += 1) {
    for (let n = 1; n <= 900; n += 1) publisher.send({ type: "sendToGroup", group: "g", dataType: "json", data: n });
    const first = 900 * round;
    await assertNumbered(client, ...Array.from({ length: 900 }, (_, at) => [first + at + 1, at + 1]));
    await acknowledge(client, first + 900);
  }
});

test("the plain protocol takes no part in recovery: it begins anew", async (t) => {
  const { url, client } = await connected(t);
  const fresh = await connectJson(recoveryUrl(url, client), undefined, JSON_PROTOCOL);
  t.after(() => fresh.close());
  assert.notEqual(fresh.connectionId, client.connectionId);
});
