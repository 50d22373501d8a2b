// The npm WebSocket client SDK, in two releases and on both of its protocols: each of its operations
// and each of its events.
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { Inbox } from "./lib/inbox.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { RELEASES, SdkClient } from "./lib/sdk-client.mjs";
import { Server } from "./lib/server.mjs";
import { plainService } from "./lib/service.mjs";
import { Upstream } from "./lib/upstream.mjs";

let upstream;
let server;

before(async () => {
  upstream = await Upstream.start();
  server = await Server.start({ flags: upstream.flags("events") });
  upstream.handle("events", { handleUserEvent: answerEvent });
});

after(() => Promise.all([server?.stop(), upstream?.close()]));

/** `echo` sends the data back as it came, `nothing` is content, anything else fails. */
function answerEvent({ context, data, dataType }, response) {
  if (context.eventName === "echo") {
    return response.success(dataType === "json" ? JSON.stringify(data) : data, dataType);
  }
  return context.eventName === "nothing" ? response.success() : response.fail(400, "no such event");
}

const MEMBER = ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"];
const bytes = (...values) => Uint8Array.from(values).buffer;

let hubs = 0;

/** A hub of the test's own, with clients that are stopped when the test ends. */
function freshHub(t, { release, protocol, name = `hub${(hubs += 1)}` }) {
  const service = plainService(server, name);
  const credential = (token) => ({ getClientAccessUrl: async () => (await service.getClientAccessToken(token)).url });
  const client = (token, options = {}) => {
    const made = new SdkClient(release, credential(token), { protocol: protocol(), ...options });
    t.after(() => made.stop());
    return made;
  };
  return { service, client, start: (token = {}, options = {}) => client(token, options).start() };
}

for (const [version, release] of Object.entries(RELEASES)) {
  suite(`${version} on json`, { release, protocol: release.WebPubSubJsonProtocol });
  suite(`${version} on json.reliable`, { release, protocol: release.WebPubSubJsonReliableProtocol });
}

function suite(title, setting) {
  describe(title, () => {
    test("start tells the user and the connection", async (t) => {
      const { service, start } = freshHub(t, setting);
      const [ana, nobody] = [await start({ userId: "ana" }), await start()];
      assert.equal(ana.userId, "ana");
      assert.equal(await service.connectionExists(ana.connectionId), true);
      assert.equal(nobody.userId ?? undefined, undefined);
      assert.notEqual(nobody.connectionId, ana.connectionId);
    });

    test("joinGroup and leaveGroup decide what arrives", async (t) => {
      const { service, start } = freshHub(t, setting);
      const client = await start({ userId: "ana", roles: MEMBER });
      assert.equal((await client.sdk.joinGroup("g")).isDuplicated, false);
      await service.group("g").sendToAll({ n: 1 });
      await client.sdk.leaveGroup("g");
      await service.group("g").sendToAll({ n: 2 });
      await service.sendToAll("fence");
      assert.equal((await client.on["server-message"].next()).message.data, "fence");
      const { message } = await client.on["group-message"].next();
      assert.equal(message.group, "g");
      assert.deepEqual(message.data, { n: 1 });
      assert.deepEqual(client.on["group-message"].rest, []);
    });

    test("sendToGroup carries json, text, binary and protobuf, and names the sender", async (t) => {
      const { start } = freshHub(t, setting);
      const sender = await start({ userId: "ana", roles: MEMBER });
      const member = await start({ groups: ["g"] });
      const sent = [
        [{ text: "grüße 🌍", n: [1, null, true] }, "json"],
        ["grüße 🌍", "text"],
        [bytes(0, 1, 254, 255), "binary"],
        [bytes(10, 1, 97), "protobuf"], // an Any whose type URL is «a»
      ];
      for (const [data, dataType] of sent) await sender.sdk.sendToGroup("g", data, dataType);
      for (const [data, dataType] of sent) {
        const { message } = await member.on["group-message"].next();
        assert.deepEqual([message.dataType, message.data], [dataType, data]);
        assert.deepEqual([message.group, message.fromUserId], ["g", "ana"]);
      }
    });

    test("noEcho spares the sender, and fireAndForget waits for no ack", async (t) => {
      const { service, start } = freshHub(t, setting);
      const sender = await start({ roles: MEMBER, groups: ["g"] });
      const member = await start({ groups: ["g"] });
      await sender.sdk.sendToGroup("g", "silent", "text", { noEcho: true });
      await sender.sdk.sendToGroup("g", "forgotten", "text", { fireAndForget: true });
      await sender.sdk.sendToGroup("g", "heard", "text");
      const texts = async (client, count) =>
        (await client.on["group-message"].take(count)).map(({ message }) => message.data);
      assert.deepEqual(await texts(member, 3), ["silent", "forgotten", "heard"]);
      assert.deepEqual(await texts(sender, 2), ["forgotten", "heard"]);
      await service.sendToAll("fence");
      await sender.on["server-message"].next();
      assert.deepEqual(sender.on["group-message"].rest, []);
    });

    test("server messages carry json, text and binary", async (t) => {
      const { service, start } = freshHub(t, setting);
      const client = await start({ userId: "ana" });
      await service.sendToAll({ n: 1 });
      await service.sendToUser("ana", "text", { contentType: "text/plain" });
      await service.sendToConnection(client.connectionId, bytes(7, 255));
      const messages = (await client.on["server-message"].take(3)).map(({ message }) => [message.dataType, message.data]);
      assert.deepEqual(messages, [["json", { n: 1 }], ["text", "text"], ["binary", bytes(7, 255)]]);
    });

    test("off ends what on began", async (t) => {
      const { service, start } = freshHub(t, setting);
      const client = await start();
      const heard = [];
      const listener = ({ message }) => heard.push(message.data);
      client.sdk.on("server-message", listener);
      await service.sendToAll("one");
      await client.on["server-message"].next();
      client.sdk.off("server-message", listener);
      await service.sendToAll("two");
      await client.on["server-message"].next();
      assert.deepEqual(heard, ["one"]);
    });

    test("sendEvent reaches the handler, whose reply comes before the ack", async (t) => {
      const { start } = freshHub(t, { ...setting, name: "events" });
      const client = await start({ userId: "ana" });
      const sent = [[{ n: [1] }, "json"], ["grüße", "text"], [bytes(1, 255), "binary"]];
      for (const [data, dataType] of sent) {
        await client.sdk.sendEvent("echo", data, dataType);
        const [reply] = client.on["server-message"].rest; // there already, since the ack came after it
        assert.deepEqual([reply.message.dataType, reply.message.data], [dataType, data]);
        await client.on["server-message"].next();
      }
      await client.sdk.sendEvent("nothing", "x", "text");
      await client.sdk.sendEvent("echo", "forgotten", "text", { fireAndForget: true });
      assert.equal((await client.on["server-message"].next()).message.data, "forgotten");
    });

    test("an event that the handler refuses fails with its ack", async (t) => {
      const { start } = freshHub(t, { ...setting, name: "events" });
      const client = await start();
      const error = await failure(client.sdk.sendEvent("unknown", "x", "text"));
      assert.equal(error.errorDetail.name, "InternalServerError");
      await client.sdk.sendEvent("nothing", "still connected", "text");
    });

    test("without a role, join, leave and send fail with Forbidden", async (t) => {
      const { start } = freshHub(t, setting);
      const { sdk } = await start();
      for (const call of [sdk.joinGroup("g"), sdk.leaveGroup("g"), sdk.sendToGroup("g", "x", "text")]) {
        const { name, errorDetail } = await failure(call);
        assert.equal(name, "SendMessageError");
        assert.equal(errorDetail.name, "Forbidden");
        assert.match(errorDetail.message, /'g'/);
      }
    });

    test("an ack id that was used is a success that says Duplicate, and nothing is sent twice", async (t) => {
      const { start } = freshHub(t, setting);
      const client = await start({ roles: MEMBER, groups: ["g"] });
      assert.equal((await client.sdk.sendToGroup("g", "once", "text", { ackId: 77 })).isDuplicated, false);
      assert.equal((await client.sdk.sendToGroup("g", "twice", "text", { ackId: 77 })).isDuplicated, true);
      await client.sdk.sendToGroup("g", "last", "text");
      const texts = (await client.on["group-message"].take(2)).map(({ message }) => message.data);
      assert.deepEqual(texts, ["once", "last"]);
    });

    test("stop ends the connection and tells so, and the client can start again", async (t) => {
      const { service, start } = freshHub(t, setting);
      const client = await start({ userId: "ana" });
      const first = client.connectionId;
      await client.stop();
      assert.equal((await client.on.disconnected.next()).connectionId, first);
      await client.on.stopped.next();
      await client.start();
      assert.notEqual(client.connectionId, first);
      assert.equal(await service.connectionExists(client.connectionId), true);
    });

    test("a close by the service gives its reason, and the client comes back into its groups", async (t) => {
      const { service, start } = freshHub(t, setting);
      const client = await start({ roles: MEMBER });
      await client.sdk.joinGroup("g");
      await service.closeConnection(client.connectionId, { reason: "signed out" });
      const gone = await client.on.disconnected.next();
      assert.equal(gone.connectionId, client.connectionId);
      assert.equal(gone.message.message, "signed out");
      const back = await client.on.connected.next();
      assert.notEqual(back.connectionId, client.connectionId);
      await service.group("g").sendToAll("welcome back", { contentType: "text/plain" });
      assert.equal((await client.on["group-message"].next()).message.data, "welcome back");
    });

    test("without autoReconnect, a close by the service stops the client", async (t) => {
      const { service, start } = freshHub(t, setting);
      const client = await start({}, { autoReconnect: false });
      await service.closeConnection(client.connectionId, { reason: "over" });
      await client.on.stopped.next();
    });

    test("a group that may not be joined again is told", async (t) => {
      const { service, client } = freshHub(t, setting);
      const token = { roles: MEMBER };
      const made = await client(token).start();
      await made.sdk.joinGroup("g");
      token.roles = [];
      await service.closeConnection(made.connectionId, {});
      const { group, error } = await made.on["rejoin-group-failed"].next();
      assert.equal(group, "g");
      assert.equal(error.errorDetail.name, "Forbidden");
    });
  });
}

test("keep-alive pings are answered, so that an idle connection stays", async (t) => {
  const { service } = freshHub(t, { release: RELEASES["1.1.0"], protocol: RELEASES["1.1.0"].WebPubSubJsonProtocol });
  const pings = new Inbox("ping of the client");
  const proxy = await Proxy.start(server.ready.http, { onText: (text) => text === '{"type":"ping"}' && pings.push(text) });
  const { url } = await service.getClientAccessToken();
  // The client gives up when it hears nothing for 600 ms; only pongs can keep it.
  const keepAlive = { keepAliveIntervalInMs: 50, keepAliveTimeoutInMs: 600, autoReconnect: false };
  const client = new SdkClient(RELEASES["1.1.0"], proxy.url(url), keepAlive);
  t.after(() => client.stop());
  t.after(() => proxy.close());
  await client.start();
  const many = pings.take(30);
  const gaveUp = client.on.stopped.next().then(() => assert.fail("the client gave up"));
  await Promise.race([many, gaveUp]);
  gaveUp.catch(() => {}); // from here on its end is wanted
});

/** The error of a call that must fail. */
async function failure(call) {
  return call.then(
    () => assert.fail("the call succeeded"),
    (error) => error,
  );
}
