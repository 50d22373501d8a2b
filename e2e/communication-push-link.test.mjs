// The Communication resource managed by @azure/arm-communication: its keys, and the notification hub that
// carries its pushes, with everything that may be wrong with one.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { FakeHub } from "./lib/fake-hub.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

const GROUP = "tidings";
const NAME = "local";
const RESOURCE =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings" +
  "/providers/Microsoft.Communication/CommunicationServices/local";
const MANAGED = { provider: "communication", subscription: "00000000-0000-0000-0000-000000000000" };

let server;
let sdk;
let services;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "management");
  services = sdk.operations("communicationServices", MANAGED);
});

after(() => Promise.all([sdk?.close(), server?.stop()]));

async function refused(call, statusCode, code) {
  const error = await call.then(() => assert.fail("the call went well"), (error) => error);
  assert.deepEqual({ statusCode: error.statusCode, code: error.code }, { statusCode, code }, error.message);
  return error;
}

async function hubFor(t) {
  const hub = await FakeHub.start();
  t.after(() => hub.close());
  t.after(() => sdk.operations("raw", MANAGED).POST(`${RESOURCE}/unlinkNotificationHub`));
  return hub;
}

const link = ({ resourceId, connectionString }) =>
  services.linkNotificationHub(GROUP, NAME, { linkNotificationHubParameters: { resourceId, connectionString } });

test("get and list show the one resource", async () => {
  const shown = await services.get(GROUP, NAME);
  assert.equal(shown.id, RESOURCE);
  assert.deepEqual([shown.location, shown.provisioningState], ["global", "Succeeded"]);
  assert.match(shown.immutableResourceId, /^[0-9a-f-]{36}$/);
  assert.equal(`https://${shown.hostName}`, server.ready.https);
  for (const pages of [await services.listBySubscription(), await services.listByResourceGroup(GROUP)]) {
    assert.deepEqual(pages.flat().map(({ id }) => id), [RESOURCE]);
  }
  assert.deepEqual((await services.listByResourceGroup("another")).flat(), []);
  await refused(services.get(GROUP, "another"), 404, "ResourceNotFound");
});

test("it is not created, updated or deleted by calls", async () => {
  const resource = { location: "global", dataLocation: "Europe" };
  await refused(services.beginCreateOrUpdateAndWait(GROUP, NAME, resource), 409, "ResourceIsConfigured");
  await refused(services.update(GROUP, NAME, { tags: { a: "b" } }), 409, "ResourceIsConfigured");
  await refused(services.beginDeleteAndWait(GROUP, NAME), 409, "ResourceIsConfigured");
});

test("checkNameAvailability knows the name that is taken", async () => {
  const type = "Microsoft.Communication/communicationServices";
  const taken = await services.checkNameAvailability({ name: NAME, type });
  assert.deepEqual([taken.nameAvailable, taken.reason], [false, "AlreadyExists"]);
  assert.equal((await services.checkNameAvailability({ name: "free", type })).nameAvailable, true);
});

test("listKeys gives working connection strings, and regenerateKey replaces one", async () => {
  const before = await services.listKeys(GROUP, NAME);
  assert.equal(before.primaryConnectionString, `endpoint=${server.ready.https}/;accesskey=${before.primaryKey}`);
  assert.equal(before.primaryConnectionString, server.ready.communication.connectionString);
  const after = await services.regenerateKey(GROUP, NAME, { keyType: "Secondary" });
  assert.equal(after.primaryKey, before.primaryKey);
  assert.notEqual(after.secondaryKey, before.secondaryKey);
  const identity = new Sdk("js", server, "communication");
  assert.ok((await identity.client({ client: "identity" }).createUser()).communicationUserId);
  await identity.close();
});

test("a hub is linked, replaced and unlinked", async (t) => {
  const hub = await hubFor(t);
  assert.deepEqual(await link(hub), { resourceId: hub.resourceId });
  assert.equal((await services.get(GROUP, NAME)).notificationHubId, hub.resourceId);
  const other = await FakeHub.start("other");
  t.after(() => other.close());
  await link(other);
  assert.equal((await services.get(GROUP, NAME)).notificationHubId, other.resourceId);
  const { status } = await sdk.operations("raw", MANAGED).POST(`${RESOURCE}/unlinkNotificationHub`);
  assert.equal(status, 200);
  assert.equal((await services.get(GROUP, NAME)).notificationHubId ?? null, null);
});

test("each misconfiguration of a hub is refused with a code of its own", async (t) => {
  const hub = await hubFor(t);
  const { resourceId, connectionString } = hub;
  await refused(link({ resourceId, connectionString: "Endpoint=sb://h/" }), 400, "InvalidHubConnectionString");
  await refused(link({ resourceId: "hub", connectionString }), 400, "InvalidHubResourceId");
  await refused(link({ resourceId: RESOURCE, connectionString }), 400, "InvalidHubResourceId");
  const nobody = connectionString.replace(/localhost:\d+/, "localhost:1");
  await refused(link({ resourceId, connectionString: nobody }), 400, "NotificationHubUnreachable");
  await refused(link({ resourceId: `${resourceId}x`, connectionString }), 400, "NotificationHubNotFound");
  const wrongKey = connectionString.replace(/SharedAccessKey=.*/, "SharedAccessKey=wrong");
  const error = await refused(link({ resourceId, connectionString: wrongKey }), 400, "NotificationHubKeyRejected");
  assert.doesNotMatch(error.message, /=wrong/);
  hub.maySend = false;
  await refused(link(hub), 400, "NotificationHubSendRightMissing");
  hub.maySend = true;
  hub.platforms = [];
  await refused(link(hub), 400, "NotificationHubCredentialsMissing");
  hub.platforms = ["apple", "fcmv1"];
  hub.outcome = "The Token obtained from the Token Provider is wrong";
  await refused(link(hub), 400, "NotificationHubCredentialsRejected");
  assert.equal((await services.get(GROUP, NAME)).notificationHubId ?? null, null, "nothing of it was linked");
});

test("a hub without credentials for one platform is linked with a warning", async (t) => {
  const hub = await hubFor(t);
  hub.platforms = ["apple"];
  assert.equal((await link(hub)).resourceId, hub.resourceId);
  assert.equal((await services.get(GROUP, NAME)).notificationHubId, hub.resourceId);
});
