// An app's event handlers made with the npm package for Express: the handshake, what they are told,
// and what their answers do to the client.
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { after, before, test } from "node:test";
import { freshHub } from "./lib/hub.mjs";
import { Inbox } from "./lib/inbox.mjs";
import { Server } from "./lib/server.mjs";
import { Upstream } from "./lib/upstream.mjs";
import { connectJson, connectReliable, JSON_PROTOCOL, recoveryUrl, refusedUpgrade } from "./lib/websocket.mjs";

const OPEN_HUB = "open"; // the one that strangers may connect to
const KEYED_HUB = "keyed"; // its handlers want a key in the URL

let upstream;
let server;

before(async () => {
  upstream = await Upstream.start();
  const keyed = `${KEYED_HUB}=${upstream.template("{event}?code=a%20secret")}`;
  // A hub with a handler of its own does not use that of `*`; one with another setting does.
  server = await Server.start({ flags: ["--event-handler", keyed, ...upstream.flags("*"), "--anonymous", OPEN_HUB] });
});

after(() => Promise.all([server?.stop(), upstream?.close()]));

/** A hub of the test's own, whose events `handlers` take. */
function handledHub(t, handlers = {}, name = undefined) {
  const hub = freshHub(t, server, name);
  upstream.handle(hub.name, handlers);
  return hub;
}

/** Handlers that keep what they are told in inboxes; connect and user events succeed. */
function listening() {
  const [connects, connected, disconnected, users] = ["connect", "connected", "disconnected", "user"].map((what) => new Inbox(`${what} event`));
  return {
    connects,
    connected,
    disconnected,
    users,
    handlers: {
      handleConnect: (request, response) => (connects.push(request), response.success()),
      onConnected: (request) => connected.push(request),
      onDisconnected: (request) => disconnected.push(request),
      handleUserEvent: (request, response) => (users.push(request), response.success()),
    },
  };
}

const event = (name, data = "x", dataType = "text") => ({ type: "event", event: name, dataType, data });

/** Sends an event with an ack id and returns what came before the ack, and the ack. */
async function raise(client, ackId, ...of) {
  client.send({ ...event(...of), ackId });
  const first = await client.nextJson();
  return first.type === "ack" ? { ack: first } : { reply: first, ack: await client.nextJson() };
}

test("the handshake comes before the first event, and once", async (t) => {
  const hub = handledHub(t, listening().handlers);
  await hub.json();
  await hub.json();
  const path = upstream.template().replace("{hub}", hub.name).replace(/^http:\/\/[^/]+/, "");
  const requests = upstream.requests.filter((request) => request.path === path);
  assert.equal(requests[0].method, "OPTIONS");
  assert.equal(requests[0].headers["webhook-request-origin"], new URL(server.ready.https).host);
  assert.equal(requests[0].headers["ce-awpsversion"], "1.0");
  assert.equal(requests.filter(({ method }) => method === "OPTIONS").length, 1);
});

test("handlers that allow this server's endpoint get events, others get none", async (t) => {
  const { connects, handlers } = listening();
  const welcome = handledHub(t, { ...handlers, allowedEndpoints: [server.ready.https] }); // as in the connection string
  await welcome.json();
  await connects.next();

  const stranger = handledHub(t, { ...handlers, allowedEndpoints: ["https://other.example"] });
  const refusal = await refusedUpgrade(await stranger.url());
  assert.equal(refusal.status, 500);
  assert.deepEqual(connects.rest, []);
  const line = await server.log.containing("Abuse protection for");
  assert.match(line, /missing allowed origins/);
});

test("a URL template has the hub, the event and its own query", async (t) => {
  const { handlers } = listening();
  const hub = handledHub(t, handlers, KEYED_HUB);
  const client = await hub.json();
  await raise(client, 1, "order.paid");
  const seen = upstream.requests.filter(({ path }) => path.includes(`/${KEYED_HUB}/`));
  const events = seen.map(({ method, path }) => `${method} ${path.split("/").at(-1)}`);
  assert.deepEqual(events, ["OPTIONS validate", "POST connect", "POST connected", "POST order.paid"]);
  for (const { query } of seen) assert.equal(query.code, "a secret");
});

test("connect is told claims, query, headers and subprotocols, never the token", async (t) => {
  const { connects, handlers } = listening();
  const hub = handledHub(t, handlers);
  const url = `${await hub.url({ userId: "ana", roles: ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"], groups: ["g"] })}&room=a%20b&room=c`;
  const client = await connectJson(url);
  t.after(() => client.close());
  const request = await connects.next();
  assert.deepEqual(request.claims.sub, ["ana"]);
  assert.deepEqual(request.claims.role, ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"]);
  assert.deepEqual(request.claims["webpubsub.group"], ["g"]);
  assert.match(request.claims.exp[0], /^\d+$/);
  assert.deepEqual(request.queries, { room: ["a b", "c"] });
  assert.deepEqual(request.subprotocols, [JSON_PROTOCOL]);
  assert.deepEqual(request.headers.Host, [new URL(url).host]);
  assert.deepEqual(request.clientCertificates, []);
  const token = new URL(url).searchParams.get("access_token");
  assert.ok(!JSON.stringify(request).includes(token), "the token stays here");
  assert.equal(request.context.userId, "ana");
  assert.equal(request.context.hub, hub.name);
  assert.equal(request.context.connectionId, client.connectionId);
});

test("connect may set user, groups, roles and state", async (t) => {
  const { connected, users, handlers } = listening();
  const handleConnect = (_request, response) => {
    response.setState("visits", 1);
    response.success({ userId: "bob", groups: ["from-handler"], roles: ["webpubsub.sendToGroup.mine"] });
  };
  const hub = handledHub(t, { ...handlers, handleConnect });
  const client = await hub.json({ userId: "ana", groups: ["from-token"], roles: ["webpubsub.joinLeaveGroup"] });

  assert.equal(client.userId, "bob");
  assert.equal(await hub.service.userExists("ana"), false);
  assert.equal(await hub.service.groupExists("from-handler"), true);
  assert.equal(await hub.service.groupExists("from-token"), false);
  assert.equal((await client.ask({ type: "joinGroup", group: "g", ackId: 1 })).error.name, "Forbidden");
  assert.equal((await client.ask({ type: "sendToGroup", group: "mine", dataType: "text", data: "x", ackId: 2 })).success, true);
  assert.deepEqual((await connected.next()).context.states, { visits: 1 });
  await raise(client, 3, "look");
  const { context } = await users.next();
  assert.deepEqual([context.userId, context.states], ["bob", { visits: 1 }]);
});

test("what connect leaves out stays as the token has it", async (t) => {
  const token = { userId: "ana", groups: ["g"], roles: ["webpubsub.joinLeaveGroup"] };
  const silent = handledHub(t); // without a handler for it, the package answers 200 with nothing
  const empty = handledHub(t, { handleConnect: (_request, response) => response.success() });
  const nulls = handledHub(t, { handleConnect: (_request, response) => response.success({ groups: [] }) });
  for (const hub of [silent, empty, nulls]) {
    const client = await hub.json(token);
    assert.equal(client.userId, "ana");
    assert.equal(await hub.service.groupExists("g"), true);
    assert.equal((await client.ask({ type: "joinGroup", group: "h", ackId: 1 })).success, true);
  }
});

test("an empty list of roles takes all roles away", async (t) => {
  const hub = handledHub(t, { handleConnect: (_request, response) => response.success({ roles: [] }) });
  const client = await hub.json({ roles: ["webpubsub.joinLeaveGroup"] });
  assert.equal((await client.ask({ type: "joinGroup", group: "g", ackId: 1 })).error.name, "Forbidden");
});

test("connect may refuse: its status and words reach the client, and no connection comes to be", async (t) => {
  const { disconnected, handlers } = listening();
  const handleConnect = ({ queries }, response) => response.fail(Number(queries.status[0]), "you are not on the list");
  const hub = handledHub(t, { ...handlers, handleConnect });
  for (const status of [400, 401]) {
    const refusal = await refusedUpgrade(`${await hub.url({ userId: "ana" })}&status=${status}`);
    assert.equal(refusal.status, status);
    assert.equal(refusal.text, "you are not on the list");
  }
  assert.equal(await hub.service.userExists("ana"), false);
  assert.deepEqual(disconnected.rest, []);
});

test("connect may choose among the subprotocols that are offered", async (t) => {
  const custom = handledHub(t, { handleConnect: (_request, response) => response.success({ subprotocol: "chat.v2" }) });
  const simple = await custom.offering(["chat.v1", "chat.v2", JSON_PROTOCOL]); // a simple client then
  assert.equal(simple.socket.protocol, "chat.v2");
  await custom.service.sendToAll("plain", { contentType: "text/plain" });
  assert.equal(await simple.next(), "plain");

  const ours = handledHub(t, { handleConnect: (_request, response) => response.success({ subprotocol: JSON_PROTOCOL }) });
  const json = await ours.offering(["chat.v1", JSON_PROTOCOL]);
  assert.equal(json.socket.protocol, JSON_PROTOCOL);
  assert.equal((await json.nextJson()).event, "connected");

  const confused = handledHub(t, { handleConnect: (_request, response) => response.success({ subprotocol: "not.offered" }) });
  assert.equal((await refusedUpgrade(await confused.url(), undefined, "chat.v1")).status, 500);
});

test("strangers may connect where the hub says so, and the handler names them", async (t) => {
  const handleConnect = (_request, response) => response.success({ userId: "guest" });
  const hub = handledHub(t, { handleConnect }, OPEN_HUB);
  const bare = new URL(await hub.url());
  bare.searchParams.delete("access_token");
  const client = await connectJson(bare.href);
  t.after(() => client.close());
  assert.equal(client.userId, "guest");

  const closed = handledHub(t, { handleConnect });
  const refusal = await refusedUpgrade(bare.href.replace(`/${OPEN_HUB}`, `/${closed.name}`));
  assert.equal(refusal.status, 401);
});

test("connected and disconnected are told, with the reason", async (t) => {
  const { connected, disconnected, handlers } = listening();
  const hub = handledHub(t, handlers);
  const client = await hub.json({ userId: "ana" });
  const { context } = await connected.next();
  assert.deepEqual([context.connectionId, context.userId, context.hub], [client.connectionId, "ana", hub.name]);
  assert.deepEqual(disconnected.rest, []);
  await hub.service.closeConnection(client.connectionId, { reason: "signed out" });
  const gone = await disconnected.next();
  assert.equal(gone.context.connectionId, client.connectionId);
  assert.equal(gone.reason, "signed out");

  const other = await hub.json();
  await connected.next();
  await other.close();
  assert.equal((await disconnected.next()).context.connectionId, other.connectionId);
});

test("each request names its event, its source and its connection, signed with both keys", async (t) => {
  const { disconnected, handlers } = listening();
  const hub = handledHub(t, handlers);
  const client = await hub.json({ userId: "ana maría" });
  await raise(client, 1, "order");
  await client.close();
  await disconnected.next();

  const types = { connect: "sys.connect", connected: "sys.connected", order: "user.order", disconnected: "sys.disconnected" };
  const ids = [];
  for (const [name, type] of Object.entries(types)) {
    const [{ headers }] = upstream.requestsOf(hub.name, name);
    assert.equal(headers["ce-type"], `azure.webpubsub.${type}`);
    assert.equal(headers["ce-source"], `/hubs/${hub.name}/client/${client.connectionId}`);
    assert.equal(headers["ce-connectionid"], client.connectionId);
    assert.equal(headers["ce-specversion"], "1.0");
    assert.equal(headers["ce-awpsversion"], "1.0");
    assert.equal(decodeURIComponent(headers["ce-userid"]), "ana maría");
    assert.match(headers["ce-time"], /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/);
    assert.equal(headers["ce-subprotocol"], name === "connect" ? undefined : JSON_PROTOCOL);
    const signatures = headers["ce-signature"].split(",");
    assert.equal(signatures.length, 2);
    const primary = createHmac("sha256", server.accessKey).update(client.connectionId).digest("hex");
    assert.equal(signatures[0], `sha256=${primary}`);
    assert.match(signatures[1], /^sha256=[0-9a-f]{64}$/);
    ids.push(Number(headers["ce-id"]));
  }
  assert.deepEqual(ids, [0, 1, 2, 3]);
});

test("a user event carries text, JSON and bytes, and its reply comes before the ack", async (t) => {
  const handleUserEvent = ({ data, dataType }, response) =>
    response.success(dataType === "json" ? JSON.stringify({ got: data }) : data, dataType);
  const client = await handledHub(t, { handleUserEvent }).json();
  const cases = [
    [["e", "grüße", "text"], { dataType: "text", data: "grüße" }],
    [["e", { n: [1, null] }, "json"], { dataType: "json", data: { got: { n: [1, null] } } }],
    [["e", "AAH+/w==", "binary"], { dataType: "binary", data: "AAH+/w==" }],
  ];
  for (const [at, [of, expected]] of cases.entries()) {
    const { reply, ack } = await raise(client, at + 1, ...of);
    assert.deepEqual({ dataType: reply.dataType, data: reply.data }, expected);
    assert.deepEqual([reply.type, reply.from], ["message", "server"]);
    assert.deepEqual(ack, { type: "ack", ackId: at + 1, success: true });
  }
});

test("a success without data sends nothing but the ack", async (t) => {
  const client = await handledHub(t, listening().handlers).json();
  const { reply, ack } = await raise(client, 1, "e");
  assert.equal(reply, undefined);
  assert.equal(ack.success, true);
});

test("state that a user event sets comes back with the next one", async (t) => {
  const counts = new Inbox("count");
  const handleUserEvent = ({ context }, response) => {
    const count = (context.states.count ?? 0) + 1;
    counts.push(count);
    response.setState("count", count);
    response.success();
  };
  const hub = handledHub(t, { handleUserEvent });
  const [one, two] = [await hub.json(), await hub.json()];
  for (const [at, client] of [one, one, two, one].entries()) await raise(client, at + 1, "e");
  assert.deepEqual(await counts.take(4), [1, 2, 1, 3]);
});

test("cookies of the handler come back to it, for their connection alone", async (t) => {
  const handleUserEvent = (request, response) => response.success();
  const hub = handledHub(t, { handleUserEvent });
  upstream.giveCookies(hub.name, ({ headers }) => `node=${headers["ce-connectionid"]}; Path=/; HttpOnly`);
  const clients = [await hub.json(), await hub.json()];
  for (const client of clients) await raise(client, 1, "e");
  const cookies = upstream.requestsOf(hub.name, "e").map(({ headers }) => headers.cookie);
  assert.deepEqual(cookies, clients.map(({ connectionId }) => `node=${connectionId}`));
});

test("an event that the handler refuses fails with its ack, and the connection stays", async (t) => {
  const handleUserEvent = ({ data }, response) => (data === "good" ? response.success() : response.fail(400, "bad"));
  const client = await handledHub(t, { handleUserEvent }).json();
  const { ack } = await raise(client, 1, "e", "bad");
  assert.equal(ack.success, false);
  assert.equal(ack.error.name, "InternalServerError");
  assert.equal((await raise(client, 1, "e", "good")).ack.success, true); // what failed may be tried again
  assert.equal((await raise(client, 1, "e", "good")).ack.error.name, "Duplicate");
});

test("an event that fails for a moment is tried again, and what follows it waits", async (t) => {
  const attempts = [];
  const handleUserEvent = ({ data }, response) => {
    attempts.push(data);
    return attempts.length === 1 ? response.fail(500, "not now") : response.success();
  };
  const client = await handledHub(t, { handleUserEvent }).json();
  client.send({ ...event("e", "first"), ackId: 1 });
  client.send({ ...event("e", "second"), ackId: 2 });
  assert.deepEqual([await client.nextJson(), await client.nextJson()].map(({ ackId, success }) => [ackId, success]), [[1, true], [2, true]]);
  assert.deepEqual(attempts, ["first", "first", "second"]);
});

test("events of one connection stay in order, each sent once the one before is answered", async (t) => {
  const order = [];
  let open = 0;
  const handleUserEvent = ({ data }, response) => {
    order.push(Number(data));
    assert.equal((open += 1), 1, "one at a time");
    // Later ones are answered faster, so that only waiting keeps the order.
    setTimeout(() => ((open -= 1), response.success(data, "text")), Math.max(0, 20 - data));
  };
  const client = await handledHub(t, { handleUserEvent }).json();
  const count = 50;
  for (let n = 1; n <= count; n += 1) client.send({ ...event("e", `${n}`), ackId: n });
  const expected = Array.from({ length: count }, (_, at) => at + 1);
  const [replies, acks] = [[], []];
  while (acks.length < count) {
    const message = await client.nextJson();
    if (message.type === "ack") acks.push(message.ackId);
    else replies.push(Number(message.data));
  }
  assert.deepEqual([order, replies, acks], [expected, expected, expected]);
});

test("a slow handler of one connection delays no other connection, nor the slow one's messages", async (t) => {
  const waiting = new Inbox("slow event");
  const handleUserEvent = ({ data }, response) => (data === "slow" ? waiting.push(response) : response.success());
  const hub = handledHub(t, { handleUserEvent });
  const [slow, quick] = [await hub.json(), await hub.json()];
  slow.send({ ...event("e", "slow"), ackId: 1 });
  const response = await waiting.next();
  for (let n = 1; n <= 20; n += 1) assert.equal((await raise(quick, n, "e", "quick")).ack.success, true);
  await hub.service.sendToAll("meanwhile");
  assert.equal((await slow.nextJson()).data, "meanwhile");
  slow.send({ type: "ping" });
  assert.equal((await slow.nextJson()).type, "pong");
  response.success();
  assert.deepEqual(await slow.nextJson(), { type: "ack", ackId: 1, success: true });
});

test("a simple client's frames are the event «message», and the reply is a frame", async (t) => {
  const { users, handlers } = listening();
  const handleUserEvent = (request, response) => (users.push(request), response.success(request.data, request.dataType));
  const client = await handledHub(t, { ...handlers, handleUserEvent }).simple({ userId: "ana" });
  client.socket.send("grüße");
  assert.equal(await client.next(), "grüße");
  client.socket.send(Buffer.of(0, 255));
  assert.deepEqual(await client.next(), Buffer.of(0, 255));
  const seen = await users.take(2);
  assert.deepEqual(seen.map(({ context, dataType }) => [context.eventName, dataType]), [["message", "text"], ["message", "binary"]]);
});

test("a simple client whose event fails is closed with 1011", async (t) => {
  const handleUserEvent = (_request, response) => response.fail(400, "no");
  const client = await handledHub(t, { handleUserEvent }).simple();
  client.socket.send("x");
  assert.equal((await client.end()).code, 1011);
});

test("a recovered connection tells neither connected nor disconnected", async (t) => {
  const { connects, connected, disconnected, users, handlers } = listening();
  const hub = handledHub(t, handlers);
  const url = await hub.url({ userId: "ana" });
  const first = await connectReliable(url);
  await connected.next();
  first.socket.terminate();
  const again = await connectReliable(recoveryUrl(url, first));
  t.after(() => again.close());
  assert.equal(again.connectionId, first.connectionId);
  await raise(again, 1, "still.me");
  assert.equal((await users.next()).context.connectionId, first.connectionId);
  await connects.next();
  assert.deepEqual([connects.rest, connected.rest, disconnected.rest], [[], [], []]);
});

test("metadata of a message travels to the handler", async (t) => {
  const hub = handledHub(t, listening().handlers);
  const client = await hub.json();
  client.send({ ...event("traced"), ackId: 1, metadata: { "Trace-Id": "abc 1" } });
  assert.equal((await client.nextJson()).success, true);
  const [{ headers }] = upstream.requestsOf(hub.name, "traced");
  assert.equal(headers["x-webpubsub-metadata-trace-id"], "abc 1");
});
