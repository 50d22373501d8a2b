// The PyPI WebSocket client SDK on both of its protocols: each of its operations and each of its
// events, and a recovery from a network that fails.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { eventually } from "./lib/deadline.mjs";
import { FAULTS, Proxy } from "./lib/proxy.mjs";
import { freshHub } from "./lib/hub.mjs";
import { PythonClient } from "./lib/python-client.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { Upstream } from "./lib/upstream.mjs";
import { JSON_PROTOCOL, RELIABLE_PROTOCOL } from "./lib/websocket.mjs";

const EVENTS_HUB = "events";
const MEMBER = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];

let upstream;
let server;
let sdk;

before(async () => {
  upstream = await Upstream.start();
  server = await Server.start({ flags: upstream.flags(EVENTS_HUB) });
  sdk = new Sdk("js", server);
  upstream.handle(EVENTS_HUB, {
    handleUserEvent: ({ context, data, dataType }, response) =>
      context.eventName === "echo"
        ? response.success(dataType === "json" ? JSON.stringify(data) : data, dataType)
        : response.fail(400, "no such event"),
  });
});

after(() => Promise.all([sdk?.close(), server?.stop(), upstream?.close()]));

/** A hub with Python clients that trust the CA and connect over TLS. */
function pythonHub(t, protocol, name) {
  const hub = freshHub(t, server, name);
  const open = async (token = {}, by = (url) => url) => {
    const { url } = await sdk.hub(hub.name).getClientAccessToken(token);
    const client = new PythonClient(by(url), protocol, server.ready.ca);
    t.after(() => client.kill());
    return client.open();
  };
  return { ...hub, open };
}

/** The next `count` group messages in the order of their texts: the SDK calls back on threads of its own. */
async function texts(client, count, event = "group-message") {
  return (await client.on[event].take(count)).map(({ data }) => data).sort();
}

for (const protocol of [JSON_PROTOCOL, RELIABLE_PROTOCOL]) {
  describe(protocol, () => {
    test("open tells the user and the connection, close ends it", async (t) => {
      const { service, open } = pythonHub(t, protocol);
      const client = await open({ userId: "ana" });
      assert.equal(client.user_id, "ana");
      assert.equal(await service.connectionExists(client.connection_id), true);
      assert.equal(await client.call("is_connected"), true);
      await client.call("close");
      await client.on.stopped.next();
      assert.equal(await client.call("is_connected"), false);
    });

    test("join_group and leave_group decide what arrives", async (t) => {
      const { service, open } = pythonHub(t, protocol);
      const client = await open({ roles: MEMBER });
      await client.call("join_group", ["g"]);
      await service.group("g").sendToAll({ n: 1 });
      const { group, data_type, data } = await client.on["group-message"].next();
      assert.deepEqual([group, data_type, data], ["g", "json", { n: 1 }]);
      await client.call("leave_group", ["g"]);
      assert.equal(await service.groupExists("g"), false);
    });

    test("send_to_group carries json, text, binary and protobuf, and names the sender", async (t) => {
      const { open } = pythonHub(t, protocol);
      const [sender, member] = [await open({ userId: "ana", roles: MEMBER }), await open({ groups: ["g"] })];
      const sent = [["grüße 🌍", "text"], [{ n: [1, null] }, "json"], [Buffer.of(0, 255), "binary"], [Buffer.of(10, 1, 97), "protobuf"]];
      for (const [data, dataType] of sent) {
        await sender.call("send_to_group", ["g", data, dataType]);
        const message = await member.on["group-message"].next();
        assert.deepEqual([message.data_type, message.data, message.group], [dataType, data, "g"]);
        assert.equal(message.from_user_id, "ana");
      }
    });

    test("no_echo spares the sender, and without ack nothing is awaited", async (t) => {
      const { service, open } = pythonHub(t, protocol);
      const [sender, member] = [await open({ roles: MEMBER, groups: ["g"] }), await open({ groups: ["g"] })];
      await sender.call("send_to_group", ["g", "a silent", "text"], { no_echo: true });
      await sender.call("send_to_group", ["g", "b forgotten", "text"], { ack: false });
      await sender.call("send_to_group", ["g", "c heard", "text"]);
      assert.deepEqual(await texts(member, 3), ["a silent", "b forgotten", "c heard"]);
      assert.deepEqual(await texts(sender, 2), ["b forgotten", "c heard"]);
      await service.sendToAll("fence", { contentType: "text/plain" });
      assert.equal((await sender.on["server-message"].next()).data, "fence");
      assert.deepEqual(sender.on["group-message"].rest, []);
    });

    test("an ack id that was used is a success, and nothing is sent twice", async (t) => {
      const { open } = pythonHub(t, protocol);
      const client = await open({ roles: MEMBER, groups: ["g"] });
      for (const text of ["a once", "b twice"]) await client.call("send_to_group", ["g", text, "text"], { ack_id: 77 });
      await client.call("send_to_group", ["g", "c last", "text"]);
      assert.deepEqual(await texts(client, 2), ["a once", "c last"]);
    });

    test("unsubscribe ends what subscribe began", async (t) => {
      const { service, open } = pythonHub(t, protocol);
      const client = await open({ groups: ["g"] });
      await client.call("unsubscribe", ["server-message"]);
      await service.sendToAll("unheard", { contentType: "text/plain" });
      await service.group("g").sendToAll("heard", { contentType: "text/plain" });
      assert.equal((await client.on["group-message"].next()).data, "heard");
      assert.deepEqual(client.on["server-message"].rest, []);
    });

    test("send_event reaches the handler and its reply the client, or fails", async (t) => {
      const { open } = pythonHub(t, protocol, EVENTS_HUB);
      const client = await open();
      for (const [data, dataType] of [["grüße", "text"], [{ n: 1 }, "json"], [Buffer.of(0, 255), "binary"]]) {
        await client.call("send_event", ["echo", data, dataType]);
        const reply = await client.on["server-message"].next();
        assert.deepEqual([reply.data_type, reply.data], [dataType, data]);
      }
      await client.call("send_event", ["echo", "forgotten", "text"], { ack: false });
      assert.equal((await client.on["server-message"].next()).data, "forgotten");
      await assert.rejects(client.call("send_event", ["unknown", "x", "text"]), { name: "InternalServerError" });
    });

    test("without a role, join, leave and send fail with Forbidden", async (t) => {
      const client = await pythonHub(t, protocol).open();
      for (const [name, ...args] of [["join_group", "g"], ["leave_group", "g"], ["send_to_group", "g", "x", "text"]]) {
        await assert.rejects(client.call(name, args), { name: "Forbidden" });
      }
    });

    test("a close by the service gives its reason, and the client comes back into its groups", async (t) => {
      const { service, open } = pythonHub(t, protocol);
      const client = await open({ roles: MEMBER });
      await client.call("join_group", ["g"]);
      await service.closeConnection(client.connection_id, { reason: "signed out" });
      assert.equal((await client.on.disconnected.next()).message, "signed out");
      const back = await client.on.connected.next();
      assert.notEqual(back.connection_id, client.connection_id);
      await untilMember(service, "g", back.connection_id);
      await service.group("g").sendToAll("welcome back", { contentType: "text/plain" });
      assert.equal((await client.on["group-message"].next()).data, "welcome back");
    });
  });
}

for (const [fault, strike] of Object.entries(FAULTS)) {
  test(`a connection that fails (${fault}) is recovered, and nothing is lost or doubled`, async (t) => {
    const proxy = await Proxy.start(server.ready.https); // TLS passes through
    t.after(() => proxy.close());
    const { service, open } = pythonHub(t, RELIABLE_PROTOCOL);
    const client = await open({ groups: ["g"] }, (url) => proxy.url(url));
    const group = service.group("g");
    await group.sendToAll("a before", { contentType: "text/plain" });
    assert.equal((await client.on["group-message"].next()).data, "a before");

    strike(proxy.newest, 100);
    for (const text of ["b during", "c during", "d during"]) await group.sendToAll(text, { contentType: "text/plain" });
    assert.deepEqual(await texts(client, 3), ["b during", "c during", "d during"]);
    await group.sendToAll("e after", { contentType: "text/plain" });
    assert.equal((await client.on["group-message"].next()).data, "e after");
    for (const event of ["group-message", "disconnected", "connected"]) assert.deepEqual(client.on[event].rest, [], event);
    assert.ok(proxy.links.length >= 2, "it came back by a new connection");
  });
}

/** Waits until a connection is in a group: the SDK joins again on a thread of its own, and says nothing of it. */
async function untilMember(service, group, id) {
  await eventually(`${id} is in ${group}`, async () => {
    for await (const { connectionId } of await service.group(group).listConnections()) if (connectionId === id) return true;
    return false;
  });
}
