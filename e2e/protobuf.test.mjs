// The protobuf subprotocols in both directions, read and written by an independent codec, and their
// data in the eyes of clients of other protocols.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { freshHub } from "./lib/hub.mjs";
import { connectProtobuf, PROTOBUF_PROTOCOL, RELIABLE_PROTOBUF_PROTOCOL } from "./lib/protobuf.mjs";
import { Server } from "./lib/server.mjs";
import { Upstream } from "./lib/upstream.mjs";
import { recoveryUrl } from "./lib/websocket.mjs";

const EVENTS_HUB = "events";
const MEMBER = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];
const ANY = { typeUrl: "type.googleapis.com/google.protobuf.StringValue", value: Buffer.of(10, 2, 104, 105) };

let upstream;
let server;

before(async () => {
  upstream = await Upstream.start();
  server = await Server.start({ flags: upstream.flags(EVENTS_HUB) });
  upstream.handle(EVENTS_HUB, {
    handleUserEvent: ({ context, data, dataType }, response) =>
      context.eventName === "fail"
        ? response.fail(400, "no")
        : response.success(dataType === "json" ? JSON.stringify(data) : data, dataType),
  });
});

after(() => Promise.all([server?.stop(), upstream?.close()]));

/** A hub of the test's own, with clients of the protobuf subprotocols too. */
function protobufHub(t, name) {
  const hub = freshHub(t, server, name);
  return { ...hub, protobuf: (token, protocol) => hub.join((url) => connectProtobuf(url, protocol), token) };
}

/** A data message without what only some of them have. */
async function nextData(client) {
  const { dataMessage } = await client.next();
  const { from, group, data } = dataMessage;
  delete data.data;
  return { from, group, data };
}

for (const protocol of [PROTOBUF_PROTOCOL, RELIABLE_PROTOBUF_PROTOCOL]) {
  describe(protocol, () => {
    const reliable = protocol === RELIABLE_PROTOBUF_PROTOCOL;

    test("connected names the connection and the user", async (t) => {
      const hub = protobufHub(t);
      const client = await hub.protobuf({ userId: "ana" }, protocol);
      assert.equal(client.userId, "ana");
      assert.equal(await hub.service.connectionExists(client.connectionId), true);
      assert.equal(Boolean(client.reconnectionToken), reliable);
    });

    test("join, send and leave are acknowledged and take effect", async (t) => {
      const hub = protobufHub(t);
      const client = await hub.protobuf({ roles: MEMBER }, protocol);
      assert.deepEqual(await client.ask({ joinGroup: { group: "g", ackId: 1 } }), { ackId: 1, success: true });
      client.send({ sendToGroup: { group: "g", data: { textData: "to all" } } });
      assert.deepEqual(await nextData(client), { from: "group", group: "g", data: { textData: "to all" } });
      const silent = { group: "g", data: { textData: "to others" }, noEcho: true, ackId: 2 };
      assert.equal((await client.ask({ sendToGroup: silent })).success, true);
      assert.equal((await client.ask({ leaveGroup: { group: "g", ackId: 3 } })).success, true);
      assert.equal(await hub.service.groupExists("g"), false);
    });

    test("ping is answered with pong", async (t) => {
      const client = await protobufHub(t).protobuf({}, protocol);
      client.send({ ping: {} });
      assert.deepEqual(await client.next(), { pongMessage: {} });
    });

    test("Forbidden and Duplicate come as errors of the ack", async (t) => {
      const client = await protobufHub(t).protobuf({ roles: ["webpubsub.joinLeaveGroup.mine"] }, protocol);
      const forbidden = await client.ask({ joinGroup: { group: "yours", ackId: 1 } });
      assert.deepEqual([Boolean(forbidden.success), forbidden.error.name], [false, "Forbidden"]);
      assert.match(forbidden.error.message, /'yours'/);
      await client.ask({ joinGroup: { group: "mine", ackId: 1 } });
      assert.equal((await client.ask({ joinGroup: { group: "mine", ackId: 1 } })).error.name, "Duplicate");
    });

    test("ack ids have 64 bits", async (t) => {
      const client = await protobufHub(t).protobuf({ roles: MEMBER }, protocol);
      const ackId = Number.MAX_SAFE_INTEGER;
      assert.equal((await client.ask({ joinGroup: { group: "g", ackId } })).ackId, ackId);
    });

    test("an event is answered before its ack, or fails with it", async (t) => {
      const client = await protobufHub(t, EVENTS_HUB).protobuf({}, protocol);
      client.send({ event: { event: "echo", data: { textData: "grüße" }, ackId: 1 } });
      assert.deepEqual(await nextData(client), { from: "server", group: undefined, data: { textData: "grüße" } });
      assert.deepEqual(await client.next(), { ackMessage: { ackId: 1, success: true } });
      client.send({ event: { event: "echo", data: { binaryData: Buffer.of(0, 255) }, ackId: 2 } });
      assert.deepEqual((await nextData(client)).data, { binaryData: Buffer.of(0, 255) });
      assert.equal((await client.next()).ackMessage.success, true);
      const failed = await client.ask({ event: { event: "fail", data: { textData: "" }, ackId: 3 } });
      assert.equal(failed.error.name, "InternalServerError");
    });

    test("data reaches clients of every protocol in its own form", async (t) => {
      const hub = protobufHub(t);
      const groups = ["g"];
      const [sender, member] = [await hub.protobuf({ roles: MEMBER }, protocol), await hub.protobuf({ groups }, protocol)];
      const [json, simple] = [await hub.json({ groups }), await hub.simple({ groups })];
      const anyBytes = Buffer.concat([Buffer.of(10, 47), Buffer.from(ANY.typeUrl), Buffer.of(18, 4), ANY.value]);
      const cases = [
        [{ textData: "grüße" }, ["text", "grüße"], "grüße"],
        [{ binaryData: Buffer.of(0, 255) }, ["binary", "AP8="], Buffer.of(0, 255)],
        [{ protobufData: ANY }, ["protobuf", anyBytes.toString("base64")], anyBytes],
      ];
      for (const [data, [dataType, text], frame] of cases) {
        sender.send({ sendToGroup: { group: "g", data } });
        assert.deepEqual((await nextData(member)).data, data);
        const message = await json.nextJson();
        assert.deepEqual([message.dataType, message.data], [dataType, text]);
        assert.deepEqual(await simple.next(), frame);
      }
    });

    test("data of every kind reaches this client in its own form", async (t) => {
      const hub = protobufHub(t);
      const client = await hub.protobuf({ groups: ["g"] }, protocol);
      const json = await hub.json({ roles: MEMBER });
      const group = hub.service.group("g");
      await group.sendToAll({ n: [1] });
      assert.deepEqual(await nextData(client), { from: "group", group: "g", data: { textData: '{"n":[1]}' } });
      await hub.service.sendToAll("text", { contentType: "text/plain" });
      assert.deepEqual(await nextData(client), { from: "server", group: undefined, data: { textData: "text" } });
      await hub.service.sendToConnection(client.connectionId, Uint8Array.of(1, 2).buffer);
      assert.deepEqual((await nextData(client)).data, { binaryData: Buffer.of(1, 2) });
      json.send({ type: "sendToGroup", group: "g", dataType: "protobuf", data: Buffer.from("0a0161", "hex").toString("base64") });
      assert.deepEqual((await nextData(client)).data.protobufData.typeUrl, "a");
    });

    test("metadata travels along", async (t) => {
      const hub = protobufHub(t);
      const client = await hub.protobuf({ groups: ["g"], roles: MEMBER }, protocol);
      client.send({ sendToGroup: { group: "g", data: { textData: "x" }, metadata: { trace: "abc" } } });
      assert.deepEqual((await client.next()).dataMessage.metadata, { trace: "abc" });
    });

    test("a close by REST is told with its reason", async (t) => {
      const hub = protobufHub(t);
      const client = await hub.protobuf({}, protocol);
      await hub.service.closeConnection(client.connectionId, { reason: "signed out" });
      const { disconnectedMessage } = (await client.next()).systemMessage;
      assert.deepEqual(disconnectedMessage, { reason: "signed out" });
      assert.deepEqual(await client.raw.end(), { code: 1000, reason: "signed out" });
    });

    test("a text frame closes with 1003, what is no message with 1007", async (t) => {
      const hub = protobufHub(t);
      const bad = [
        [1003, "{}"],
        [1007, Buffer.from("ffffffff", "hex")],
        [1007, Buffer.alloc(0)], // no message at all
        [1007, Buffer.from("320a0a01", "hex")], // joinGroup, cut off
        [1007, Buffer.from("32030a01ff", "hex")], // a group name that is not UTF-8
      ];
      for (const [code, frame] of bad) {
        const client = await hub.protobuf({}, protocol);
        client.raw.socket.send(frame);
        assert.equal((await client.raw.end()).code, code, frame.toString("hex"));
      }
    });
  });
}

test("messages are numbered, and what was not acknowledged comes again after a recovery", async (t) => {
  const hub = protobufHub(t);
  const url = await hub.url({ userId: "ana", groups: ["g"] });
  const first = await connectProtobuf(url, RELIABLE_PROTOBUF_PROTOCOL);
  const group = hub.service.group("g");
  const texts = async (client, count) => {
    const seen = [];
    while (seen.length < count) {
      const { dataMessage } = await client.next();
      seen.push([dataMessage.sequenceId, dataMessage.data.textData]);
    }
    return seen;
  };
  for (const text of ["one", "two", "three"]) await group.sendToAll(text, { contentType: "text/plain" });
  assert.deepEqual(await texts(first, 3), [[1, "one"], [2, "two"], [3, "three"]]);
  first.send({ sequenceAck: { sequenceId: 2 } });
  first.send({ ping: {} });
  assert.deepEqual(await first.next(), { pongMessage: {} }); // the acknowledgement has arrived
  first.raw.socket.terminate();
  await group.sendToAll("four", { contentType: "text/plain" });

  const again = await connectProtobuf(recoveryUrl(url, first), RELIABLE_PROTOBUF_PROTOCOL);
  t.after(() => again.close());
  assert.equal(again.connectionId, first.connectionId);
  assert.deepEqual(await texts(again, 2), [[3, "three"], [4, "four"]]);
});
