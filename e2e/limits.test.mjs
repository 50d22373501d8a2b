// Both sides of every limit, over the wire: what just fits does, and one more is refused with the
// status or the close code that the protocol has for it.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { connectProtobuf, encode } from "./lib/protobuf.mjs";
import { Server } from "./lib/server.mjs";
import { tokenFor } from "./lib/token.mjs";
import { Upstream } from "./lib/upstream.mjs";
import { refusedUpgrade } from "./lib/websocket.mjs";

const MIB = 1024 * 1024;
const MEMBER = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];
const EVENTS_HUB = "events";

let upstream;
let server;

before(async () => {
  upstream = await Upstream.start();
  server = await Server.start({ flags: upstream.flags(EVENTS_HUB) });
  upstream.handle(EVENTS_HUB, { handleUserEvent: (_request, response) => response.success() });
});

after(() => Promise.all([server?.stop(), upstream?.close()]));

const text = (group, data, more) => ({ type: "sendToGroup", group, dataType: "text", data, ...more });

/** A frame of exactly `bytes` that `make` builds around a filling text. */
function frameOf(bytes, make) {
  const empty = Buffer.byteLength(make(""));
  return make("x".repeat(bytes - empty));
}

/** Sends a frame and returns the close code, or 0 when the connection still answers. */
async function verdict(client, frame) {
  client.socket.send(frame);
  client.socket.send('{"type":"ping"}');
  const answered = async () => {
    while ((await client.nextJson()).type !== "pong");
    return 0;
  };
  return Promise.race([client.closed.then(({ code }) => code), answered().catch(async () => (await client.end()).code)]);
}

/** A REST call by hand. */
function call(method, path, { body, headers } = {}) {
  const url = server.ready.http + path;
  return request(url, { method, headers: { authorization: `Bearer ${tokenFor(server.accessKey, url)}`, ...headers }, body });
}

test("a client message has at most 1 MiB", async (t) => {
  const hub = freshHub(t, server);
  const make = (data) => JSON.stringify(text("g", data, { ackId: 1 }));
  const [fits, over] = [await hub.json({ roles: MEMBER }), await hub.json({ roles: MEMBER })];
  fits.socket.send(frameOf(MIB, make));
  assert.equal((await fits.nextJson()).success, true);
  over.socket.send(frameOf(MIB + 1, make));
  const { code, reason } = await over.end();
  assert.equal(code, 1009);
  assert.match(reason, /too large/);

  const simple = await hub.simple();
  simple.socket.send("x".repeat(MIB + 1));
  assert.equal((await simple.end()).code, 1009);

  const protobuf = (data) => encode({ sendToGroup: { group: "g", ackId: 1, data: { textData: data } } });
  const sizes = [MIB - 100, MIB + 100].map((size) => protobuf("x".repeat(size)));
  const clients = [await hub.join(connectProtobuf, { roles: MEMBER }), await hub.join(connectProtobuf, { roles: MEMBER })];
  for (const [at, client] of clients.entries()) client.raw.socket.send(sizes[at]);
  assert.equal((await clients[0].next()).ackMessage.success, true);
  assert.equal((await clients[1].raw.end()).code, 1009);
});

test("a message of many frames counts as one", async (t) => {
  const hub = freshHub(t, server);
  const client = await hub.simple();
  for (let part = 0; part < 17; part += 1) client.socket.send("x".repeat(MIB / 16), { fin: false });
  assert.equal((await client.end()).code, 1009);
});

test("a REST body has at most 1 MiB, and reaches every kind of client whole", async (t) => {
  const hub = freshHub(t, server);
  const [json, simple] = [await hub.json(), await hub.simple()];
  const body = "x".repeat(MIB);
  const headers = { "content-type": "text/plain" };
  assert.equal((await call("POST", `/api/hubs/${hub.name}/:send`, { body, headers })).status, 202);
  assert.equal((await json.nextJson()).data, body);
  assert.equal(await simple.next(), body);
  const refused = await call("POST", `/api/hubs/${hub.name}/:send`, { body: `${body}x`, headers });
  assert.ok([400, 413].includes(refused.status), `${refused.status}`);
});

test("group names have 1 to 1024 characters, of any alphabet", async (t) => {
  const hub = freshHub(t, server);
  const [longest, over] = ["群".repeat(1024), "群".repeat(1025)];
  const client = await hub.json({ roles: MEMBER });
  assert.equal((await client.ask({ type: "joinGroup", group: longest, ackId: 1 })).success, true);
  assert.equal((await call("HEAD", `/api/hubs/${hub.name}/groups/${encodeURIComponent("g".repeat(1024))}`)).status, 404);
  for (const bad of ["", " ", over]) {
    const probe = await hub.json({ roles: MEMBER });
    assert.equal(await verdict(probe, JSON.stringify({ type: "joinGroup", group: bad, ackId: 1 })), 1007, bad.slice(0, 9));
  }
  assert.equal((await call("HEAD", `/api/hubs/${hub.name}/groups/${"g".repeat(1025)}`)).status, 400);
  assert.equal((await call("HEAD", `/api/hubs/${hub.name}/groups/%20`)).status, 400);
  assert.equal((await refusedUpgrade(await hub.url({ groups: [over] }))).status, 400);
});

test("event names have 1 to 128 letters, digits and . _ -, a letter first", async (t) => {
  const hub = freshHub(t, server, EVENTS_HUB);
  const event = (name) => JSON.stringify({ type: "event", event: name, dataType: "text", data: "" });
  for (const good of ["e", "Order.paid_2-a", "e".repeat(128)]) assert.equal(await verdict(await hub.json(), event(good)), 0, good);
  for (const bad of ["", "1order", "or der", ".a", "e".repeat(129), "événement"]) {
    assert.equal(await verdict(await hub.json(), event(bad)), 1007, bad);
  }
});

test("hub names have 1 to 128 characters, a letter first", async () => {
  for (const [hub, status] of [["h".repeat(128), 202], ["h".repeat(129), 400], ["1hub", 400], ["h-ub", 400], ["H_`,.[]1", 202]]) {
    const path = `/api/hubs/${encodeURIComponent(hub)}/:send`;
    assert.equal((await call("POST", path, { body: "x", headers: { "content-type": "text/plain" } })).status, status, hub);
  }
});

test("metadata: key, value and whole have their limits, from clients and over REST", async (t) => {
  const hub = freshHub(t, server);
  const pairs = (count, size) => Object.fromEntries(Array.from({ length: count }, (_, n) => [`k${n}`, "v".repeat(size)]));
  const good = [{ ["k".repeat(256)]: "v" }, { k: "v".repeat(1024) }, { "!#$%&'*+-.^_`|~0az": "" }, pairs(8, 1022)];
  const bad = [{ ["k".repeat(257)]: "v" }, { k: "v".repeat(1025) }, { "a b": "v" }, { "": "v" }, { ü: "v" }, { k: 1 }, pairs(8, 1023)];
  const message = (metadata) => JSON.stringify(text("g", "x", { metadata }));
  for (const metadata of good) {
    assert.equal(await verdict(await hub.json({ roles: MEMBER }), message(metadata)), 0, JSON.stringify(metadata).slice(0, 60));
  }
  for (const metadata of bad) {
    assert.equal(await verdict(await hub.json({ roles: MEMBER }), message(metadata)), 1007, JSON.stringify(metadata).slice(0, 60));
  }
  const twice = '{"type":"sendToGroup","group":"g","dataType":"text","data":"x","metadata":{"k":"1","K":"2"}}';
  assert.equal(await verdict(await hub.json({ roles: MEMBER }), twice), 1007);

  const send = (key, value) => {
    const headers = { "content-type": "text/plain", [`x-webpubsub-metadata-${key}`]: value };
    return call("POST", `/api/hubs/${hub.name}/:send`, { body: "x", headers });
  };
  assert.equal((await send("k", "v".repeat(1024))).status, 202);
  assert.equal((await send("k", "v".repeat(1025))).status, 400);
});

test("the newest 1000 ack ids are remembered, older ones forgotten", async (t) => {
  const hub = freshHub(t, server);
  const client = await hub.json({ roles: MEMBER });
  const send = (ackId) => client.send(text("g", "x", { ackId, noEcho: true }));
  const acks = async (count) => {
    const outcomes = [];
    while (outcomes.length < count) outcomes.push((await client.nextJson()).success);
    return outcomes;
  };
  for (let ackId = 1; ackId <= 1001; ackId += 1) send(ackId);
  assert.ok((await acks(1001)).every((success) => success === true));
  for (const ackId of [2, 1001]) send(ackId);
  assert.deepEqual(await acks(2), [false, false]);
  send(1);
  assert.deepEqual(await acks(1), [true]);
});

test("ack ids are whole numbers of 64 bits", async (t) => {
  const hub = freshHub(t, server);
  const join = (ackId) => `{"type":"joinGroup","group":"g","ackId":${ackId}}`;
  const client = await hub.json({ roles: MEMBER });
  client.socket.send(join("18446744073709551615"));
  assert.match(await client.next(), /"ackId":18446744073709551615\b/);
  for (const bad of ["18446744073709551616", "-1", "1.5", '"1"']) {
    assert.equal(await verdict(await hub.json({ roles: MEMBER }), join(bad)), 1007, bad);
  }
});

test("ttlSeconds is 0 to 300", async (t) => {
  const hub = freshHub(t, server);
  for (const [ttlSeconds, code] of [[0, 0], [300, 0], [301, 1007], [-1, 1007], [1.5, 1007]]) {
    const client = await hub.json({ roles: MEMBER });
    assert.equal(await verdict(client, JSON.stringify(text("g", "x", { ttlSeconds }))), code, `${ttlSeconds}`);
  }
});

test("what is not of the JSON protocol closes with 1007", async (t) => {
  const hub = freshHub(t, server);
  const bad = [
    "{}",
    "[]",
    '"ping"',
    '{"type":"nonsense"}',
    '{"type":"joinGroup"}',
    '{"type":"sendToGroup","group":"g"}',
    '{"type":"sendToGroup","group":"g","dataType":"json","data":null}',
    '{"type":"sendToGroup","group":"g","dataType":"text","data":1}',
    '{"type":"sendToGroup","group":"g","dataType":"binary","data":"%%%"}',
    '{"type":"sendToGroup","group":"g","dataType":"xml","data":"x"}',
    '{"type":"event","dataType":"text","data":"x"}',
    '{"type":"sequenceAck"}',
  ];
  for (const frame of bad) assert.equal(await verdict(await hub.json({ roles: MEMBER }), frame), 1007, frame);
  assert.equal(await verdict(await hub.json({ roles: MEMBER }), '{"type":"JOINgroup","group":"g"}'), 0, "type names in any case");
});

test("a page of a listing has 1 to 200 connections", async (t) => {
  const hub = freshHub(t, server);
  const count = 201;
  for (let n = 0; n < count; n += 1) await hub.simple({ groups: ["g"] });
  const sizes = [];
  for await (const page of (await hub.service.group("g").listConnections()).byPage()) sizes.push(page.length);
  assert.deepEqual(sizes, [200, 1]);
  const list = (query) => call("GET", `/api/hubs/${hub.name}/groups/g/connections?${query}`);
  assert.equal((await list("maxpagesize=1")).json().value.length, 1);
  assert.equal((await list("maxpagesize=200")).json().value.length, 200);
  for (const query of ["maxpagesize=0", "maxpagesize=201"]) assert.equal((await list(query)).status, 400);
});

test("a permission takes 1000 rules about single groups, the next is a conflict", async (t) => {
  const hub = freshHub(t, server);
  const { connectionId } = await hub.json();
  const grant = (n) => hub.service.grantPermission(connectionId, "joinLeaveGroup", { targetName: `g${n}` });
  for (let n = 0; n < 1000; n += 1) await grant(n);
  await assert.rejects(grant(1000), { statusCode: 409, code: "Error.Conflict" });
  await grant(999); // what is granted already needs no room
  await hub.service.revokePermission(connectionId, "joinLeaveGroup", { targetName: "g0" });
  await grant(1000);
});
