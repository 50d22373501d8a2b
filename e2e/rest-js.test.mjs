// The rest of the npm service SDK: permissions, filters, lifetimes, groups in bulk, listings, and
// what the SDK cannot be brought to send: other api-versions, wrong filters, token generation.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { odata, WebPubSubServiceClient } from "@azure/web-pubsub";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { plainConnectionString } from "./lib/service.mjs";
import { tokenFor } from "./lib/token.mjs";
import { connectJson } from "./lib/websocket.mjs";

let server;
let sdk;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server);
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

/** A hub of the test's own, whose service calls go over HTTPS from a process of their own. */
function restHub(t) {
  const hub = freshHub(t, server);
  return { ...hub, service: sdk.hub(hub.name), group: (group) => sdk.hub(hub.name, group) };
}

/** A REST call by hand, with a good token. */
function call(method, path, { body, headers } = {}) {
  const url = server.ready.https + path;
  const authorization = `Bearer ${tokenFor(server.accessKey, url)}`;
  return request(url, { method, headers: { authorization, ...headers }, body, ca: server.ca });
}

const join = (group, ackId) => ({ type: "joinGroup", group, ackId });
const publish = (group, ackId) => ({ type: "sendToGroup", group, ackId, noEcho: true, dataType: "text", data: "x" });

/** Asserts that the next messages are exactly these data. */
async function assertReceives(client, ...data) {
  for (const expected of data) assert.deepEqual((await client.nextJson()).data, expected);
}

test("a granted permission for one group holds for that group, until it is revoked", async (t) => {
  const { service, json } = restHub(t);
  const client = await json();
  const cases = [
    ["joinLeaveGroup", join],
    ["sendToGroup", publish],
  ];
  for (const one of cases) {
    const [permission, message] = one;
    const [mine, yours] = [{ targetName: "mine" }, { targetName: "yours" }];
    assert.equal(await service.hasPermission(client.connectionId, permission, mine), false);
    await service.grantPermission(client.connectionId, permission, mine);
    assert.equal(await service.hasPermission(client.connectionId, permission, mine), true);
    assert.equal(await service.hasPermission(client.connectionId, permission, yours), false);
    const ackId = 10 * cases.indexOf(one);
    assert.equal((await client.ask(message("mine", ackId + 1))).success, true);
    assert.equal((await client.ask(message("yours", ackId + 2))).error.name, "Forbidden");
    await service.revokePermission(client.connectionId, permission, mine);
    assert.equal(await service.hasPermission(client.connectionId, permission, mine), false);
    assert.equal((await client.ask(message("mine", ackId + 3))).error.name, "Forbidden");
  }
});

test("without a target name a permission holds for every group", async (t) => {
  const { service, json } = restHub(t);
  const client = await json();
  for (const [at, [permission, message]] of [["joinLeaveGroup", join], ["sendToGroup", publish]].entries()) {
    await service.grantPermission(client.connectionId, permission);
    assert.equal(await service.hasPermission(client.connectionId, permission), true);
    assert.equal(await service.hasPermission(client.connectionId, permission, { targetName: "any" }), true);
    assert.equal((await client.ask(message("any", 10 * at + 1))).success, true);
    await service.revokePermission(client.connectionId, permission);
    assert.equal(await service.hasPermission(client.connectionId, permission), false);
    assert.equal((await client.ask(message("any", 10 * at + 2))).error.name, "Forbidden");
  }
});

test("a revoked group is out even where a role grants all, until it is granted again", async (t) => {
  const { service, json } = restHub(t);
  const client = await json({ roles: ["webpubsub.joinLeaveGroup"] });
  const [only, permission] = [{ targetName: "g" }, "joinLeaveGroup"];
  await service.revokePermission(client.connectionId, permission, only);
  assert.equal((await client.ask(join("g", 1))).error.name, "Forbidden");
  assert.equal((await client.ask(join("h", 2))).success, true);
  await service.grantPermission(client.connectionId, permission, only);
  assert.equal((await client.ask(join("g", 3))).success, true);
});

test("permissions of a connection that does not exist", async (t) => {
  const { service } = restHub(t);
  await assert.rejects(service.grantPermission("nobody", "sendToGroup", { targetName: "g" }), { statusCode: 404 });
  await service.revokePermission("nobody", "sendToGroup", { targetName: "g" });
  assert.equal(await service.hasPermission("nobody", "sendToGroup", { targetName: "g" }), false);
});

test("roles with wildcards grant the groups that they match", async (t) => {
  const { json } = restHub(t);
  const client = await json({ roles: ["webpubsub.joinLeaveGroups.room.*", "webpubsub.joinLeaveGroups.v?", "webpubsub.sendToGroups.a.**"] });
  const granted = [join("room.1"), join("room."), join("v1"), publish("a.b.c")];
  const refused = [join("room.1.2"), join("rooms"), join("v12"), join("V1"), publish("b.a")];
  for (const [at, message] of granted.entries()) assert.equal((await client.ask({ ...message, ackId: at + 1 })).success, true, message.group);
  for (const [at, message] of refused.entries()) assert.equal((await client.ask({ ...message, ackId: at + 100 })).success, false, message.group);
});

test("a filter chooses the receivers of sends to all, to a group and to a user", async (t) => {
  const { service, group, json } = restHub(t);
  const [vic, ana, nobody] = [
    await json({ userId: "vic's", groups: ["news", "sport"] }),
    await json({ userId: "ana", groups: ["news"] }),
    await json({ groups: ["sport"] }),
  ];
  const send = (data, filter) => service.sendToAll(data, { filter });
  await send("by user", odata`userId eq ${"vic's"}`);
  await send("by group", odata`${"sport"} in groups`);
  await send("not in group", odata`not (${"sport"} in groups)`);
  await send("no user", odata`userId eq ${null}`);
  await send("in a list", "userId in ('ana', 'bob')");
  await send("by function", "startswith(tolower(userId), 'v') and length(groups) eq 2");
  await send("by name", odata`connectionId eq ${ana.connectionId} or connectionId eq ${nobody.connectionId}`);
  await group("news").sendToAll("group", { filter: odata`userId ne ${"ana"}` });
  await service.sendToUser("ana", "user", { filter: odata`not (${"news"} in groups)` });
  await service.sendToAll("excluded", { filter: odata`${"news"} in groups`, excludedConnections: [ana.connectionId] });
  await service.sendToAll("last", {});

  await assertReceives(vic, "by user", "by group", "by function", "group", "excluded", "last");
  await assertReceives(ana, "not in group", "in a list", "by name", "last");
  await assertReceives(nobody, "by group", "no user", "by name", "last");
});

test("a wrong filter is refused with its place and its cure", async (t) => {
  const { service, group } = restHub(t);
  const wrong = [
    ["userId eq", /character 10/],
    ["userId eq 'ana", /character 11/],
    ["user eq 'ana'", /'user'.*character 1/s],
    ["not length(userId) gt 5", /Invalid syntax for 'not length\(userId\)'/],
    [`${"(".repeat(101)}true${")".repeat(101)}`, /deep|nest/i],
  ];
  for (const [filter, words] of wrong) {
    const calls = [
      service.sendToAll("x", { filter }),
      group("g").sendToAll("x", { filter }),
      service.sendToUser("ana", "x", { filter }),
      service.addConnectionsToGroups(["g"], filter),
      service.removeConnectionsFromGroups(["g"], filter),
    ];
    for (const outcome of calls) {
      await assert.rejects(outcome, (error) => {
        assert.equal(error.statusCode, 400, filter);
        assert.equal(error.code, "Error.BadRequest");
        assert.match(error.message, words);
        return true;
      });
    }
  }
});

test("connections are added to and removed from groups in bulk, those that a filter chooses", async (t) => {
  const { service, group, json } = restHub(t);
  const [ana, bob] = [await json({ userId: "ana" }), await json({ userId: "bob" })];
  await service.addConnectionsToGroups(["a", "b"], odata`userId eq ${"ana"}`);
  await service.addConnectionsToGroups(["c"], "");
  for (const name of ["a", "b", "c"]) await group(name).sendToAll(name);
  await service.removeConnectionsFromGroups(["a", "c"], odata`${"b"} in groups`);
  for (const name of ["a", "b", "c"]) await group(name).sendToAll(`${name} again`, {});
  await service.sendToAll("last", {});
  await assertReceives(ana, "a", "b", "c", "b again", "last");
  await assertReceives(bob, "c", "c again", "last");
  await assert.rejects(service.addConnectionsToGroups([], "true"), { statusCode: 400 });
});

test("a listing has every connection of the group once, page by page", async (t) => {
  const { service, group, json } = restHub(t);
  const expected = new Map();
  for (let n = 0; n < 7; n += 1) {
    const userId = n % 2 ? `user ${n}` : undefined;
    const client = await json({ userId, groups: ["g h/ü"] });
    expected.set(client.connectionId, userId);
  }
  await json({ groups: ["other"] });
  const ids = [...expected.keys()].sort();
  const listed = (pages) => pages.map((page) => page.map(({ connectionId }) => connectionId));

  const whole = await group("g h/ü").listConnections();
  assert.deepEqual(listed(whole), [ids]);
  for (const { connectionId, userId } of whole.flat()) assert.equal(userId, expected.get(connectionId));

  const pages = listed(await group("g h/ü").listConnections({ maxPageSize: 3 }));
  assert.deepEqual(pages, [ids.slice(0, 3), ids.slice(3, 6), ids.slice(6)]);
  assert.deepEqual(listed(await group("g h/ü").listConnections({ maxPageSize: 3, top: 5 })), [ids.slice(0, 3), ids.slice(3, 5)]);
  assert.deepEqual(listed(await group("g h/ü").listConnections({ top: 2 })), [ids.slice(0, 2)]);
  assert.deepEqual(listed(await group("empty").listConnections()), [[]]);
  await service.closeAllConnections({});
});

test("a listing refuses pages and tokens that cannot be", async (t) => {
  const { name } = restHub(t);
  for (const query of ["maxpagesize=0", "maxpagesize=201", "top=0", "continuationToken=nonsense"]) {
    const answer = await call("GET", `/api/hubs/${name}/groups/g/connections?${query}`);
    assert.equal(answer.status, 400, query);
    assert.equal(answer.json().code, "Error.BadRequest");
  }
});

test("messageTtlSeconds is taken by every send, within its limits", async (t) => {
  const { service, group, json } = restHub(t);
  const client = await json({ userId: "ana", groups: ["g"] });
  for (const messageTtlSeconds of [0, 300]) {
    await service.sendToAll("all", { messageTtlSeconds });
    await group("g").sendToAll("group", { messageTtlSeconds });
    await service.sendToUser("ana", "user", { messageTtlSeconds });
    await service.sendToConnection(client.connectionId, "connection", { messageTtlSeconds });
    await assertReceives(client, "all", "group", "user", "connection");
  }
  for (const messageTtlSeconds of [301, -1]) {
    await assert.rejects(service.sendToAll("x", { messageTtlSeconds }), { statusCode: 400 });
  }
});

test("a token that the service generates opens a connection with its user, groups and roles", async (t) => {
  const { name, service } = restHub(t);
  const query = "userId=ana%20b&role=webpubsub.joinLeaveGroup.x&role=webpubsub.sendToGroup&group=g&group=h%2Fi&minutesToExpire=1&api-version=2024-12-01";
  const answer = await call("POST", `/api/hubs/${name}/:generateToken?${query}`);
  assert.equal(answer.status, 200);
  const { token } = answer.json();
  const { aud, iat, exp } = JSON.parse(Buffer.from(token.split(".")[1], "base64url"));
  assert.equal(new URL(aud).pathname, `/client/hubs/${name}`);
  assert.equal(exp - iat, 60);

  const url = `${server.ready.https.replace("https:", "wss:")}/client/hubs/${name}?access_token=${token}`;
  const client = await connectJson(url, server.ca);
  t.after(() => client.close());
  assert.equal(client.userId, "ana b");
  assert.equal((await client.ask(join("x", 1))).success, true);
  assert.equal((await client.ask(join("y", 2))).error.name, "Forbidden");
  assert.equal(await service.groupExists("h/i"), true);

  for (const bad of ["minutesToExpire=0", "minutesToExpire=x", "group=%20", "clientType=nonsense"]) {
    assert.equal((await call("POST", `/api/hubs/${name}/:generateToken?${bad}`)).status, 400, bad);
  }
});

test("older api-versions are served, unknown ones refused, and the answer names those served", async (t) => {
  const { name, json } = restHub(t);
  const client = await json();
  const served = ["2021-10-01", "2022-11-01", "2023-07-01", "2024-01-01", "2024-12-01"];
  const send = (query) => call("POST", `/api/hubs/${name}/:send${query}`, { body: "1", headers: { "content-type": "application/json" } });
  for (const version of served) assert.equal((await send(`?api-version=${version}`)).status, 202, version);
  assert.equal((await send("")).status, 202);
  await assertReceives(client, 1, 1, 1, 1, 1, 1);
  const refused = await send("?api-version=2019-01-01");
  assert.equal(refused.status, 400);
  assert.equal(refused.headers["x-ms-error-code"], "Error.BadRequest");
  const { code, message, target } = refused.json();
  assert.deepEqual([code, target], ["Error.BadRequest", "api-version"]);
  assert.match(message, /The specified API version is not supported\./);
  for (const { headers } of [refused, await send("")]) assert.equal(headers["api-supported-versions"], served.join(", "));
});

test("calls by way of a reverse proxy hold, though their tokens name the endpoint behind it", async (t) => {
  const { name, json } = restHub(t);
  const client = await json();
  const proxy = await Proxy.start(server.ready.http);
  t.after(() => proxy.close());
  const options = { reverseProxyEndpoint: proxy.url(server.ready.http), allowInsecureConnection: true };
  await new WebPubSubServiceClient(plainConnectionString(server), name, options).sendToAll("by way of a proxy");
  await assertReceives(client, "by way of a proxy");
  assert.equal(proxy.links.length, 1);
});

test("metadata of a REST send travels with the message, and the last of several values counts", async (t) => {
  const { name, json } = restHub(t);
  const client = await json();
  const headers = { "content-type": "text/plain", "X-WebPubSub-Metadata-Trace-Id": "one, two" };
  assert.equal((await call("POST", `/api/hubs/${name}/:send`, { body: "x", headers })).status, 202);
  assert.deepEqual((await client.nextJson()).metadata, { "trace-id": "two" });
});

test("deletes of what is not there succeed", async (t) => {
  const { service, group, json } = restHub(t);
  const client = await json();
  await group("g").removeConnection(client.connectionId);
  await group("g").removeConnection("nobody");
  await group("g").removeUser("nobody");
  await group("g").addUser("nobody");
  await service.removeConnectionFromAllGroups("nobody");
  await service.removeUserFromAllGroups("nobody");
  await service.closeConnection("nobody");
  await service.closeUserConnections("nobody");
  await group("g").closeAllConnections();
});
