// Every operation of the npm service SDK that this part of the product serves, over HTTPS, watched
// by simple clients and by clients of the JSON subprotocol.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { connectJson, connectSimple } from "./lib/websocket.mjs";

let server;
let sdk;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server);
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

let hubs = 0;

/** A hub of the test's own, with clients of it; all are closed when the test ends. */
function freshHub(t) {
  const name = `hub${(hubs += 1)}`;
  const service = sdk.hub(name);
  const join = async (connect, options) => {
    const client = await connect((await service.getClientAccessToken(options)).url, server.ca);
    t.after(() => client.close());
    return client;
  };
  return {
    service,
    group: (group) => sdk.hub(name, group),
    json: (options = {}) => join(connectJson, options),
    simple: (options = {}) => join(connectSimple, options),
  };
}

const fromServer = (dataType, data) => ({ type: "message", from: "server", dataType, data });
const fromGroup = (group, dataType, data, user) => ({
  type: "message",
  from: "group",
  ...(user === undefined ? {} : { fromUserId: user }),
  group,
  dataType,
  data,
});

/** A message without the members that are null, which mean the same as absent ones. */
async function received(client) {
  return Object.fromEntries(Object.entries(await client.nextJson()).filter(([, value]) => value !== null));
}

const MEMBER = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];

test("sendToAll carries objects, strings, text and bytes to both kinds of client", async (t) => {
  const hub = freshHub(t);
  const [simple, json] = [await hub.simple(), await hub.json()];

  await hub.service.sendToAll({ text: "grüße 🌍", n: [1, null, true] }, { contentType: "application/json" });
  assert.deepEqual(JSON.parse(await simple.next()), { text: "grüße 🌍", n: [1, null, true] });
  assert.deepEqual(await received(json), fromServer("json", { text: "grüße 🌍", n: [1, null, true] }));

  await hub.service.sendToAll("quoted", {});
  assert.equal(await simple.next(), '"quoted"');
  assert.deepEqual(await received(json), fromServer("json", "quoted"));

  await hub.service.sendToAll("plain", { contentType: "text/plain" });
  assert.equal(await simple.next(), "plain");
  assert.deepEqual(await received(json), fromServer("text", "plain"));

  await hub.service.sendToAll(Uint8Array.of(0, 1, 254, 255), {});
  assert.deepEqual(await simple.next(), Buffer.of(0, 1, 254, 255));
  assert.deepEqual(await received(json), fromServer("binary", "AAH+/w=="));
});

test("sendToAll reaches no other hub and no excluded connection", async (t) => {
  const hub = freshHub(t);
  const stranger = await freshHub(t).json();
  const [first, second, third] = [await hub.json(), await hub.json(), await hub.json()];

  const excludedConnections = [first.connectionId, third.connectionId];
  await hub.service.sendToAll("some", { excludedConnections });
  await hub.service.sendToAll("all", {});

  assert.deepEqual(await received(second), fromServer("json", "some"));
  for (const client of [first, second, third]) {
    assert.deepEqual(await received(client), fromServer("json", "all"));
  }
  stranger.send({ type: "ping" });
  assert.deepEqual(await stranger.nextJson(), { type: "pong" });
});

test("sendToUser reaches each connection of the user and nobody else", async (t) => {
  const hub = freshHub(t);
  const userId = "Ana María/1"; // a space, a letter beyond ASCII, and a slash in the path
  const [one, two, other] = [await hub.json({ userId }), await hub.json({ userId }), await hub.json({ userId: "bob" })];
  assert.equal(one.userId, userId);

  await hub.service.sendToUser(userId, { for: "ana" }, {});
  await hub.service.sendToUser("bob", "for bob", { contentType: "text/plain" });

  assert.deepEqual(await received(one), fromServer("json", { for: "ana" }));
  assert.deepEqual(await received(two), fromServer("json", { for: "ana" }));
  assert.deepEqual(await received(other), fromServer("text", "for bob"));
});

test("sendToConnection reaches that one connection", async (t) => {
  const hub = freshHub(t);
  const [one, two] = [await hub.json(), await hub.json()];
  await hub.service.sendToConnection(one.connectionId, { n: 1 }, {});
  await hub.service.sendToConnection(two.connectionId, Uint8Array.of(7), {});
  assert.deepEqual(await received(one), fromServer("json", { n: 1 }));
  assert.deepEqual(await received(two), fromServer("binary", "Bw=="));
});

test("a send to nobody is accepted", async (t) => {
  const hub = freshHub(t);
  await hub.service.sendToUser("nobody", "x", {});
  await hub.service.sendToConnection("no-such-connection", "x", {});
  await hub.group("empty").sendToAll("x", {});
});

test("a group send reaches its members, less the excluded ones", async (t) => {
  const hub = freshHub(t);
  const [member, excluded, outsider] = [
    await hub.json({ groups: ["news", "sport"] }),
    await hub.json({ groups: ["news"] }),
    await hub.json(),
  ];
  const excludedConnections = [excluded.connectionId];
  await hub.group("news").sendToAll({ n: 1 }, { excludedConnections });
  await hub.group("news").sendToAll("two", { contentType: "text/plain" });
  await hub.service.sendToAll("fence", {});

  assert.deepEqual(await received(member), fromGroup("news", "json", { n: 1 }));
  assert.deepEqual(await received(member), fromGroup("news", "text", "two"));
  assert.deepEqual(await received(excluded), fromGroup("news", "text", "two"));
  assert.deepEqual(await received(outsider), fromServer("json", "fence"));
});

test("group names are case-sensitive and may hold any character", async (t) => {
  const hub = freshHub(t);
  const client = await hub.json({ groups: ["a b/ü#?%"] });
  await hub.group("A B/ü#?%").sendToAll("wrong case", {});
  await hub.group("a b/ü#?%").sendToAll("right", {});
  assert.deepEqual(await received(client), fromGroup("a b/ü#?%", "json", "right"));
});

test("addConnection and removeConnection change who receives", async (t) => {
  const hub = freshHub(t);
  const group = hub.group("g");
  const client = await hub.json();

  assert.equal(await hub.service.groupExists("g"), false);
  await group.addConnection(client.connectionId);
  await group.addConnection(client.connectionId); // twice is once
  assert.equal(await hub.service.groupExists("g"), true);
  await group.sendToAll("in", {});
  await group.removeConnection(client.connectionId);
  assert.equal(await hub.service.groupExists("g"), false);
  await group.sendToAll("out", {});
  await hub.service.sendToAll("fence", {});

  assert.deepEqual(await received(client), fromGroup("g", "json", "in"));
  assert.deepEqual(await received(client), fromServer("json", "fence"));
});

test("addConnection of an unknown connection is a 404", async (t) => {
  const error = await assertRejects(freshHub(t).group("g").addConnection("no-such-connection"));
  assert.equal(error.statusCode, 404);
});

test("addUser and removeUser move all connections of a user", async (t) => {
  const hub = freshHub(t);
  const [one, two] = [await hub.json({ userId: "ana" }), await hub.json({ userId: "ana" })];
  await hub.group("g").addUser("ana");
  await hub.group("g").sendToAll("in", {});
  await hub.group("g").removeUser("ana");
  await hub.group("g").sendToAll("out", {});
  await hub.service.sendToUser("ana", "fence", {});
  for (const client of [one, two]) {
    assert.deepEqual(await received(client), fromGroup("g", "json", "in"));
    assert.deepEqual(await received(client), fromServer("json", "fence"));
  }
});

test("removeConnectionFromAllGroups and removeUserFromAllGroups empty the memberships", async (t) => {
  const hub = freshHub(t);
  const groups = ["a", "b"];
  const [one, two] = [await hub.json({ userId: "ana", groups }), await hub.json({ userId: "ana", groups })];

  await hub.service.removeConnectionFromAllGroups(one.connectionId);
  await hub.group("a").sendToAll("to two", {});
  assert.deepEqual(await received(two), fromGroup("a", "json", "to two"));

  await hub.service.removeUserFromAllGroups("ana");
  assert.equal(await hub.service.groupExists("a"), false);
  assert.equal(await hub.service.groupExists("b"), false);
  await hub.service.sendToAll("fence", {});
  assert.deepEqual(await received(one), fromServer("json", "fence"));
});

test("exists tells who is connected, and forgets who has left", async (t) => {
  const hub = freshHub(t);
  const client = await hub.json({ userId: "ana", groups: ["g"] });
  const witness = await hub.json();
  const exists = () =>
    Promise.all([
      hub.service.connectionExists(client.connectionId),
      hub.service.userExists("ana"),
      hub.service.groupExists("g"),
    ]);
  assert.deepEqual(await exists(), [true, true, true]);
  assert.deepEqual(
    [await hub.service.connectionExists("nobody"), await hub.service.userExists("nobody"), await hub.service.groupExists("none")],
    [false, false, false],
  );
  await client.close();
  await eventually("who has left is forgotten", async () => !(await exists()).includes(true));
  assert.equal(await hub.service.connectionExists(witness.connectionId), true);
});

test("closeConnection tells the client why and ends that one connection", async (t) => {
  const hub = freshHub(t);
  const [json, simple, other] = [await hub.json(), await hub.simple({ userId: "s" }), await hub.json()];
  await hub.service.closeConnection(json.connectionId, { reason: "duplicate session" });
  const goodbye = await received(json);
  assert.deepEqual(goodbye, { type: "system", event: "disconnected", message: "duplicate session" });
  assert.deepEqual(await json.end(), { code: 1000, reason: "duplicate session" });
  assert.equal(await hub.service.connectionExists(json.connectionId), false);

  await hub.service.closeUserConnections("s", { reason: "signed out" });
  assert.deepEqual(await simple.end(), { code: 1000, reason: "signed out" });
  assert.equal(await hub.service.connectionExists(other.connectionId), true);
});

test("closeAllConnections of a group and of a hub spare the others", async (t) => {
  const hub = freshHub(t);
  const [member, outsider, simple] = [await hub.json({ groups: ["g"] }), await hub.json(), await hub.simple()];
  await hub.group("g").closeAllConnections({ reason: "group closed" });
  assert.equal((await received(member)).message, "group closed");
  assert.equal((await member.end()).code, 1000);
  assert.equal(await hub.service.connectionExists(outsider.connectionId), true);

  await hub.service.closeAllConnections({ reason: "maintenance" });
  assert.equal((await received(outsider)).message, "maintenance");
  assert.deepEqual(await outsider.end(), { code: 1000, reason: "maintenance" });
  assert.deepEqual(await simple.end(), { code: 1000, reason: "maintenance" });
});

test("joinGroup, sendToGroup and leaveGroup are acknowledged and take effect", async (t) => {
  const hub = freshHub(t);
  const [ana, bob] = [await hub.json({ userId: "ana", roles: MEMBER }), await hub.json({ userId: "bob", groups: ["g"] })];

  assert.deepEqual(await ana.ask({ type: "joinGroup", group: "g", ackId: 1 }), { type: "ack", ackId: 1, success: true });
  ana.send({ type: "sendToGroup", group: "g", ackId: 2, dataType: "text", data: "hello" });
  assert.deepEqual(await received(bob), fromGroup("g", "text", "hello", "ana"));
  const [one, two] = [await received(ana), await received(ana)]; // echo and ack, in either order
  assert.deepEqual(new Set([one.type, two.type]), new Set(["message", "ack"]));

  assert.equal((await ana.ask({ type: "leaveGroup", group: "g", ackId: 3 })).success, true);
  await hub.group("g").sendToAll("after", {});
  await hub.service.sendToAll("fence", {});
  assert.deepEqual(await received(bob), fromGroup("g", "json", "after"));
  assert.deepEqual(await received(ana), fromServer("json", "fence"));
});

test("noEcho spares the sending connection, not the sender's other ones", async (t) => {
  const hub = freshHub(t);
  const options = { userId: "ana", roles: MEMBER, groups: ["g"] };
  const [sender, sibling] = [await hub.json(options), await hub.json(options)];
  const message = { type: "sendToGroup", group: "g", noEcho: true, dataType: "json", data: { n: 1 } };
  assert.equal((await sender.ask({ ...message, ackId: 1 })).success, true);
  assert.deepEqual(await received(sibling), fromGroup("g", "json", { n: 1 }, "ana"));

  await hub.service.sendToAll("fence", {});
  assert.deepEqual(await received(sender), fromServer("json", "fence"));
});

test("without a role, join and send are answered with Forbidden", async (t) => {
  const hub = freshHub(t);
  const client = await hub.json();
  const refused = [
    [{ type: "joinGroup", group: "g", ackId: 1 }, /join/],
    [{ type: "leaveGroup", group: "g", ackId: 2 }, /leave/],
    [{ type: "sendToGroup", group: "g", ackId: 3, dataType: "text", data: "x" }, /send/],
  ];
  for (const [message, verb] of refused) {
    const ack = await client.ask(message);
    assert.equal(ack.success, false);
    assert.equal(ack.error.name, "Forbidden");
    assert.match(ack.error.message, verb);
    assert.match(ack.error.message, /'g'/);
  }
  assert.equal(await hub.service.groupExists("g"), false);
});

test("a role for one group grants that group alone", async (t) => {
  const client = await freshHub(t).json({ roles: ["webpubsub.joinLeaveGroup.mine"] });
  assert.equal((await client.ask({ type: "joinGroup", group: "mine", ackId: 1 })).success, true);
  assert.equal((await client.ask({ type: "joinGroup", group: "yours", ackId: 2 })).error.name, "Forbidden");
});

test("an ack id that was carried out is a Duplicate, one that failed may be tried again", async (t) => {
  const hub = freshHub(t);
  const client = await hub.json({ roles: ["webpubsub.sendToGroup.g"], groups: ["g"] });
  const message = { type: "sendToGroup", group: "g", noEcho: true, dataType: "text", data: "once" };
  const watcher = await hub.json({ groups: ["g"] });

  assert.equal((await client.ask({ ...message, group: "forbidden", ackId: 9 })).error.name, "Forbidden");
  assert.equal((await client.ask({ ...message, ackId: 9 })).success, true);
  const repeated = await client.ask({ ...message, ackId: 9 });
  assert.equal(repeated.success, false);
  assert.equal(repeated.error.name, "Duplicate");
  assert.match(repeated.error.message, /\b9\b/);

  await hub.service.sendToAll("fence", {});
  assert.deepEqual(await received(watcher), fromGroup("g", "text", "once"));
  assert.deepEqual(await received(watcher), fromServer("json", "fence"));
});

test("ping is answered with pong", async (t) => {
  const client = await freshHub(t).json();
  client.send({ type: "ping" });
  assert.deepEqual(await client.nextJson(), { type: "pong" });
});

test("a message that is not of the protocol closes that connection alone, with 1007", async (t) => {
  const hub = freshHub(t);
  const [bad, good] = [await hub.json(), await hub.json()];
  bad.socket.send("{not json");
  const { code, reason } = await bad.end();
  assert.equal(code, 1007);
  assert.match(reason, /JSON/);
  await hub.service.sendToAll("still here", {});
  assert.deepEqual(await received(good), fromServer("json", "still here"));
});

test("a binary frame on the JSON subprotocol closes with 1003", async (t) => {
  const client = await freshHub(t).json();
  client.socket.send(Buffer.from("{}"));
  assert.equal((await client.end()).code, 1003);
});

test("a message above 1 MiB closes that connection alone, with 1009", async (t) => {
  const hub = freshHub(t);
  const [json, simple, witness] = [await hub.json({ roles: MEMBER }), await hub.simple(), await hub.json()];
  json.send({ type: "sendToGroup", group: "g", dataType: "text", data: "x".repeat(1024 * 1024) });
  simple.socket.send("x".repeat(1024 * 1024 + 1));
  for (const client of [json, simple]) assert.equal((await client.end()).code, 1009);
  await hub.service.sendToAll("still here", {});
  assert.deepEqual(await received(witness), fromServer("json", "still here"));
});

test("an event that nobody handles is acknowledged as failed, and the connection stays", async (t) => {
  const client = await freshHub(t).json();
  const ack = await client.ask({ type: "event", event: "order", ackId: 1, dataType: "text", data: "x" });
  assert.equal(ack.success, false);
  assert.ok(ack.error.name && ack.error.message, JSON.stringify(ack));
  client.send({ type: "ping" });
  assert.deepEqual(await client.nextJson(), { type: "pong" });
});

test("a simple client in the mode sendToGroup publishes its frames to that group", async (t) => {
  const hub = freshHub(t);
  const watcher = await hub.json({ groups: ["g"] });
  const { url } = await hub.service.getClientAccessToken({ userId: "ana", roles: ["webpubsub.sendToGroup.g"], groups: ["g"] });
  const sender = await connectSimple(`${url}&webpubsub_mode=sendToGroup&group=g&noEcho=true`, server.ca);
  t.after(() => sender.close());
  sender.socket.send("as text");
  sender.socket.send(Buffer.of(1, 2));
  assert.deepEqual(await received(watcher), fromGroup("g", "text", "as text", "ana"));
  assert.deepEqual(await received(watcher), fromGroup("g", "binary", "AQI=", "ana"));
  await hub.service.sendToAll("fence", { contentType: "text/plain" });
  assert.equal(await sender.next(), "fence");
});

test("the token's URL has the endpoint's scheme and host, and the hub", async (t) => {
  const { url, baseUrl, token } = await freshHub(t).service.getClientAccessToken({ userId: "ana" });
  const expected = server.ready.https.replace("https:", "wss:");
  assert.match(baseUrl, new RegExp(`^${expected}/client/hubs/hub\\d+$`));
  assert.equal(url, `${baseUrl}?access_token=${token}`);
});

/** The error of a call that must fail. */
async function assertRejects(call) {
  return call.then(
    () => assert.fail("the call succeeded"),
    (error) => error,
  );
}
