// The service operations from the PyPI SDK, over HTTPS with the CA, watched by an independent client.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { connectJson, connectSimple } from "./lib/websocket.mjs";

let server;
let sdk;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("python", server);
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

let hubs = 0;

/** The service of a hub of the test's own, and a way to join it with a token that the SDK made. */
function freshHub(t) {
  const service = sdk.hub(`hub${(hubs += 1)}`);
  const join = async (connect, options) => {
    const client = await connect((await service.get_client_access_token(options)).url, server.ca);
    t.after(() => client.close());
    return client;
  };
  return { service, json: (options = {}) => join(connectJson, options), simple: (options = {}) => join(connectSimple, options) };
}

async function assertReceives(client, { from = "server", dataType = "json", data }) {
  const message = await client.nextJson();
  assert.deepEqual({ from: message.from, dataType: message.dataType, data: message.data }, { from, dataType, data });
}

test("send_to_all carries JSON, text and bytes", async (t) => {
  const { service, json, simple } = freshHub(t);
  const [client, plain] = [await json(), await simple()];
  await service.send_to_all({ text: "grüße", n: [1, 2.5, null] }, { content_type: "application/json" });
  await assertReceives(client, { data: { text: "grüße", n: [1, 2.5, null] } });
  assert.deepEqual(JSON.parse(await plain.next()), { text: "grüße", n: [1, 2.5, null] });

  await service.send_to_all("text", { content_type: "text/plain" });
  await assertReceives(client, { dataType: "text", data: "text" });
  assert.equal(await plain.next(), "text");

  await service.send_to_all(Uint8Array.of(1, 2, 255), { content_type: "application/octet-stream" });
  await assertReceives(client, { dataType: "binary", data: "AQL/" });
  assert.deepEqual(await plain.next(), Buffer.of(1, 2, 255));
});

test("sends to a user, a connection and a group reach those alone", async (t) => {
  const { service, json } = freshHub(t);
  const [ana, bob] = [await json({ user_id: "ana b/c" }), await json({ groups: ["g h"] })];
  assert.equal(ana.userId, "ana b/c");
  await service.send_to_user("ana b/c", { n: 1 }, {});
  await service.send_to_connection(bob.connectionId, { n: 2 }, {});
  await service.send_to_group("g h", { n: 3 }, {});
  await service.send_to_all("fence", { excluded: [bob.connectionId] });
  await service.send_to_group("g h", "not for bob", { excluded: [bob.connectionId] });
  await service.send_to_all("last", {});

  await assertReceives(ana, { data: { n: 1 } });
  await assertReceives(ana, { data: "fence" });
  await assertReceives(ana, { data: "last" });
  await assertReceives(bob, { data: { n: 2 } });
  await assertReceives(bob, { from: "group", data: { n: 3 } });
  await assertReceives(bob, { data: "last" });
});

test("connections and users are added to and removed from groups", async (t) => {
  const { service, json } = freshHub(t);
  const [one, two] = [await json({ user_id: "ana" }), await json({ user_id: "ana" })];
  await service.add_connection_to_group("a", one.connectionId, {});
  await service.send_to_group("a", "one", {});
  await service.remove_connection_from_group("a", one.connectionId, {});
  assert.equal(await service.group_exists("a", {}), false);

  await service.add_user_to_group("b", "ana", {});
  await service.send_to_group("b", "both", {});
  await service.remove_user_from_group("b", "ana", {});
  assert.equal(await service.group_exists("b", {}), false);

  await service.add_user_to_group("c", "ana", {});
  await service.remove_connection_from_all_groups(one.connectionId, {});
  await service.send_to_group("c", "two", {});
  await service.remove_user_from_all_groups("ana", {});
  assert.equal(await service.group_exists("c", {}), false);
  await service.send_to_all("fence", {});

  await assertReceives(one, { from: "group", data: "one" });
  await assertReceives(one, { from: "group", data: "both" });
  await assertReceives(one, { data: "fence" });
  await assertReceives(two, { from: "group", data: "both" });
  await assertReceives(two, { from: "group", data: "two" });
  await assertReceives(two, { data: "fence" });
});

test("exists answers for connection, user and group", async (t) => {
  const { service, json } = freshHub(t);
  const client = await json({ user_id: "ana", groups: ["g"] });
  assert.equal(await service.connection_exists(client.connectionId, {}), true);
  assert.equal(await service.user_exists("ana", {}), true);
  assert.equal(await service.group_exists("g", {}), true);
  assert.equal(await service.connection_exists("nobody", {}), false);
  assert.equal(await service.user_exists("nobody", {}), false);
  assert.equal(await service.group_exists("none", {}), false);
});

test("the close operations end the right connections and give the reason", async (t) => {
  const { service, json } = freshHub(t);
  const [one, user, member, rest] = [await json(), await json({ user_id: "ana" }), await json({ groups: ["g"] }), await json()];
  const steps = [
    [one, () => service.close_connection(one.connectionId, { reason: "one" }), "one"],
    [user, () => service.close_user_connections("ana", { reason: "user" }), "user"],
    [member, () => service.close_group_connections("g", { reason: "group" }), "group"],
  ];
  for (const [client, close, reason] of steps) {
    await close();
    assert.deepEqual(await client.nextJson(), { type: "system", event: "disconnected", message: reason });
    assert.deepEqual(await client.end(), { code: 1000, reason });
    assert.equal(await service.connection_exists(rest.connectionId, {}), true);
  }
  await service.close_all_connections({ reason: "all" });
  assert.equal((await rest.nextJson()).message, "all");
  assert.equal((await rest.end()).code, 1000);
});

test("roles of the token let a client join, and their absence does not", async (t) => {
  const { json } = freshHub(t);
  const [member, stranger] = [await json({ roles: ["webpubsub.joinLeaveGroup.g"] }), await json()];
  assert.equal((await member.ask({ type: "joinGroup", group: "g", ackId: 1 })).success, true);
  assert.equal((await stranger.ask({ type: "joinGroup", group: "g", ackId: 1 })).error.name, "Forbidden");
});

test("permissions are granted, checked and revoked, for a group and for all", async (t) => {
  const { service, json } = freshHub(t);
  const client = await json();
  for (const target of [{ target_name: "g" }, {}]) {
    for (const permission of ["joinLeaveGroup", "sendToGroup"]) {
      const question = [permission, client.connectionId, target];
      assert.equal(await service.has_permission(...question), false);
      await service.grant_permission(...question);
      assert.equal(await service.has_permission(...question), true);
      await service.revoke_permission(...question);
      assert.equal(await service.has_permission(...question), false);
    }
  }
});

test("list_connections pages through a group", async (t) => {
  const { service, json } = freshHub(t);
  const members = [];
  for (const user_id of ["ana", undefined, "bob"]) {
    const { connectionId } = await json({ user_id, groups: ["g h/ü"] });
    members.push([connectionId, user_id ?? null]);
  }
  members.sort(([a], [b]) => (a < b ? -1 : 1));
  assert.deepEqual(await service.list_connections({ group: "g h/ü" }), [members]);
  const pages = [members.slice(0, 2), members.slice(2)];
  assert.deepEqual(await service.list_connections({ group: "g h/ü", maxpagesize: 2 }), pages);
  assert.deepEqual(await service.list_connections({ group: "g h/ü", top: 1 }), [members.slice(0, 1)]);
});

test("a filter goes along with the sends", async (t) => {
  const { service, json } = freshHub(t);
  const [ana, bob] = [await json({ user_id: "ana", groups: ["g"] }), await json({ user_id: "bob", groups: ["g"] })];
  const options = { filter: "userId eq 'ana'" };
  await service.send_to_all("all", options);
  await service.send_to_group("g", "group", options);
  await service.send_to_user("ana", "user", options);
  await service.send_to_user("bob", "not for bob", options);
  await service.send_to_all("last", {});
  await assertReceives(ana, { data: "all" });
  await assertReceives(ana, { from: "group", data: "group" });
  for (const data of ["user", "last"]) await assertReceives(ana, { data });
  await assertReceives(bob, { data: "last" });
});

test("send_request signs a request of one's own", async (t) => {
  const { service, json } = freshHub(t);
  const client = await json({ user_id: "ana" });
  const hub = /hub\d+/.exec((await service.get_client_access_token({})).baseUrl)[0];
  assert.equal(await service.send_request("HEAD", `/api/hubs/${hub}/users/ana`, {}), 200);
  assert.equal(await service.send_request("HEAD", `/api/hubs/${hub}/connections/${client.connectionId}`, {}), 200);
  assert.equal(await service.send_request("HEAD", `/api/hubs/${hub}/users/nobody`, {}), 404);
});

test("a refusal reaches the caller with its code and its sentence", async (t) => {
  const { service } = freshHub(t);
  await assert.rejects(service.add_connection_to_group("g", "no-such-connection", {}), (error) => {
    assert.equal(error.statusCode, 404);
    assert.match(error.message, /no-such-connection/);
    return true;
  });
});
