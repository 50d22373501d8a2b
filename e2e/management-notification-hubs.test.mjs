// Notification Hubs managed by @azure/arm-notificationhubs and azure-mgmt-notificationhubs, and what they made in
// use by the SDK of applications.
import assert from "node:assert/strict";
import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { typed } from "./lib/command.mjs";
import { deviceToken, inbox } from "./lib/notification-hubs.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const PROVIDER = { provider: "notificationhubs" };
const OWN = { ...PROVIDER, subscription: "00000000-0000-0000-0000-000000000000" };
const GROUP = "push-group";
const BELOW = `/subscriptions/11111111-2222-3333-4444-555555555555/resourceGroups/${GROUP}/providers`;
const NEVER = "10675199.02:48:05.4775807";
const FULL = "DefaultFullSharedAccessSignature";
const LISTEN = "DefaultListenSharedAccessSignature";
const ROOT = "RootManageSharedAccessKey";

let server;
let sdk;
let python;
let applications;
let accounts;
let namespaces;
let hubs;

before(async () => {
  server = await Server.start();
  [sdk, python] = [new Sdk("js", server, "management"), new Sdk("python", server, "management")];
  applications = new Sdk("js", server, "notification-hubs");
  [namespaces, hubs] = [sdk.operations("namespaces", PROVIDER), sdk.operations("notificationHubs", PROVIDER)];
  accounts = await (await fetch(`${server.ready.http}/fake-push/accounts`)).json();
});

after(() => Promise.all([sdk?.close(), python?.close(), applications?.close(), server?.stop()]));

let names = 0;

/** A name that no other test has. */
const fresh = (what) => `${what}-${(names += 1)}`;

const make = (name, of) => ({ $make: name, of });
const message = (text) => make("createFcmV1Notification", { body: JSON.stringify({ message: { data: { text } } }) });
const listed = (pages) => pages.flat().map(({ name }) => name);

async function refused(call, statusCode, code) {
  const error = await call.then(() => assert.fail("the call went well"), (error) => error);
  assert.deepEqual({ statusCode: error.statusCode, code: error.code }, { statusCode, code }, error.message);
  return error;
}

/** A namespace of the test's own. */
async function namespaceFor(t, body = {}) {
  const name = fresh("Space");
  t.after(() => namespaces.beginDeleteAndWait(GROUP, name));
  await namespaces.createOrUpdate(GROUP, name, { location: "eastus", ...body });
  return name;
}

/** A hub that sends to the fakes, in a namespace of the test's own: `{namespace, hub}`. */
async function hubFor(t, hub = fresh("Hub"), namespace = undefined) {
  namespace ??= await namespaceFor(t);
  await hubs.createOrUpdate(GROUP, namespace, hub, { location: "eastus" });
  await giveFcm(namespace, hub, accounts.fcmV1);
  return { namespace, hub };
}

/** The SDKs' api-version knows no FCM v1; the call goes through their pipeline even so. */
const giveFcm = (namespace, hub, properties) =>
  sdk.operations("raw", PROVIDER).PATCH(`${BELOW}/Microsoft.NotificationHubs/namespaces/${namespace}/notificationHubs/${hub}`, {
    properties: { fcmV1Credential: properties && { properties } },
  });

/** The application's SDK with a connection string. */
const application = (connectionString, hub) => applications.client({ connectionString, hub });

async function register(client, token, tags = []) {
  const description = { fcmV1RegistrationId: token, tags };
  return client.createRegistration(make("createFcmV1RegistrationDescription", description));
}

test("namespaces: each operation", async (t) => {
  const name = fresh("Space");
  const body = { location: "eastus", tags: { team: "news" }, sku: { name: "Free" } };
  const created = await namespaces.createOrUpdate(GROUP, name, body);
  t.after(() => namespaces.beginDeleteAndWait(GROUP, name));
  const { id, type, location, tags, sku, provisioningState, namespaceType, status, enabled } = created;
  assert.deepEqual(
    { id, type, location, tags, sku, provisioningState, namespaceType, status, enabled },
    {
      id: `${BELOW}/Microsoft.NotificationHubs/namespaces/${name}`,
      type: "Microsoft.NotificationHubs/namespaces",
      location: "eastus",
      tags: { team: "news" },
      sku: { name: "Free" },
      provisioningState: "Succeeded",
      namespaceType: "NotificationHub",
      status: "Active",
      enabled: true,
    },
  );
  assert.equal(created.serviceBusEndpoint, `${server.ready.https}/`);
  assert.ok(Date.parse(created.createdAt) > 0);
  assert.deepEqual(await namespaces.get(GROUP.toUpperCase(), name.toLowerCase()), created, "case makes no difference");
  const patched = await namespaces.patch(GROUP, name, { tags: { team: "sport" } });
  assert.deepEqual([patched.tags, patched.sku.name], [{ team: "sport" }, "Free"]);
  for (const pages of [await namespaces.list(GROUP), await namespaces.listAll()]) {
    assert.ok(listed(pages).includes(name));
  }
  assert.deepEqual(listed(await namespaces.list("another-group")), []);
  await refused(namespaces.get("another-group", name), 404, "ResourceNotFound");
  const elsewhere = namespaces.createOrUpdate("another-group", name, { location: "eastus" });
  await refused(elsewhere, 409, "NamespaceNotAvailable");
  await namespaces.beginDeleteAndWait(GROUP, name);
  await namespaces.beginDeleteAndWait(GROUP, name);
  await refused(namespaces.get(GROUP, name), 404, "ResourceNotFound");
});

test("namespaces: checkAvailability knows names that are taken or cannot be", async (t) => {
  const name = await namespaceFor(t);
  const isAvailable = async (name) => (await namespaces.checkAvailability({ name })).isAvailiable;
  assert.deepEqual(
    [await isAvailable(name.toUpperCase()), await isAvailable("local"), await isAvailable("not_one"), await isAvailable("free-name")],
    [false, false, false, true],
  );
});

test("namespaces: rules and keys, each operation", async (t) => {
  const name = await namespaceFor(t);
  assert.deepEqual(listed(await namespaces.listAuthorizationRules(GROUP, name)), [ROOT]);
  const rule = await namespaces.createOrUpdateAuthorizationRule(GROUP, name, "reader", { properties: { rights: ["Listen"] } });
  assert.deepEqual([rule.name, rule.rights, rule.keyName], ["reader", ["Listen"], "reader"]);
  assert.deepEqual((await namespaces.getAuthorizationRule(GROUP, name, "READER")).rights, ["Listen"]);
  const before = await namespaces.listKeys(GROUP, name, "reader");
  assert.equal(
    before.primaryConnectionString,
    `Endpoint=${server.ready.https.replace("https", "sb")}/;SharedAccessKeyName=reader;SharedAccessKey=${before.primaryKey}`,
  );
  const later = await namespaces.regenerateKeys(GROUP, name, "reader", { policyKey: "SecondaryKey" });
  assert.deepEqual([later.primaryKey === before.primaryKey, later.secondaryKey === before.secondaryKey], [true, false]);
  await namespaces.deleteAuthorizationRule(GROUP, name, "reader");
  await refused(namespaces.getAuthorizationRule(GROUP, name, "reader"), 404, "ResourceNotFound");
  await refused(namespaces.listKeys(GROUP, name, "reader"), 404, "ResourceNotFound");
});

test("notificationHubs: each operation", async (t) => {
  const namespace = await namespaceFor(t);
  const name = fresh("Hub");
  const created = await hubs.createOrUpdate(GROUP, namespace, name, { location: "eastus", registrationTtl: NEVER });
  assert.deepEqual(
    [created.id, created.type, created.registrationTtl],
    [
      `${BELOW}/Microsoft.NotificationHubs/namespaces/${namespace}/notificationHubs/${name}`,
      "Microsoft.NotificationHubs/namespaces/notificationHubs",
      NEVER,
    ],
  );
  assert.deepEqual(await hubs.get(GROUP, namespace, name.toLowerCase()), created);
  const patched = await hubs.patch(GROUP, namespace, name, { parameters: { tags: { a: "1" }, registrationTtl: "30.00:00:00" } });
  assert.deepEqual([patched.tags, patched.registrationTtl], [{ a: "1" }, "30.00:00:00"]);
  assert.deepEqual((await hubs.patch(GROUP, namespace, name)).tags, { a: "1" });
  assert.deepEqual(listed(await hubs.list(GROUP, namespace)), [name]);
  const isAvailable = async (name) => (await hubs.checkNotificationHubAvailability(GROUP, namespace, { name })).isAvailiable;
  assert.deepEqual([await isAvailable(name), await isAvailable("9"), await isAvailable("free")], [false, false, true]);
  await hubs.delete(GROUP, namespace, name);
  await hubs.delete(GROUP, namespace, name);
  await refused(hubs.get(GROUP, namespace, name), 404, "ResourceNotFound");
  await refused(hubs.createOrUpdate(GROUP, "nowhere", name, {}), 404, "ParentResourceNotFound");
});

test("notificationHubs: lists have pages", async (t) => {
  const namespace = await namespaceFor(t);
  const made = Array.from({ length: 21 }, (_, number) => `hub-${String(number).padStart(2, "0")}`);
  for (const name of made) await hubs.createOrUpdate(GROUP, namespace, name, {});
  const pages = await hubs.list(GROUP, namespace);
  assert.deepEqual([pages.length, listed(pages)], [2, made]);
});

test("notificationHubs: rules and keys, each operation", async (t) => {
  const { namespace, hub } = await hubFor(t);
  const at = [GROUP, namespace, hub];
  assert.deepEqual(listed(await hubs.listAuthorizationRules(...at)).sort(), [FULL, LISTEN]);
  const rule = await hubs.createOrUpdateAuthorizationRule(...at, "sender", { properties: { rights: ["Send"] } });
  assert.deepEqual([rule.name, rule.rights], ["sender", ["Send"]]);
  assert.deepEqual((await hubs.getAuthorizationRule(...at, "sender")).rights, ["Send"]);
  const before = await hubs.listKeys(...at, "sender");
  const wider = await hubs.createOrUpdateAuthorizationRule(...at, "sender", { properties: { rights: ["Send", "Listen"] } });
  assert.deepEqual(wider.rights, ["Listen", "Send"]);
  assert.deepEqual(await hubs.listKeys(...at, "sender"), before, "its keys stay");
  const later = await hubs.regenerateKeys(...at, "sender", { policyKey: "PrimaryKey" });
  assert.deepEqual([later.primaryKey === before.primaryKey, later.secondaryKey === before.secondaryKey], [false, true]);
  await refused(hubs.regenerateKeys(...at, "sender", { policyKey: "Third" }), 400, "InvalidRequestContent");
  await hubs.deleteAuthorizationRule(...at, "sender");
  await hubs.deleteAuthorizationRule(...at, "sender");
  await refused(hubs.getAuthorizationRule(...at, "sender"), 404, "ResourceNotFound");
});

test("a hub that management made is used by an application at once", async (t) => {
  const { namespace, hub } = await hubFor(t);
  const full = await hubs.listKeys(GROUP, namespace, hub, FULL);
  const client = application(full.primaryConnectionString, hub);
  await register(client, "phone-of-made", ["news"]);
  await client.sendNotification(message("from a hub that was made"), { tagExpression: "news" });
  const [arrived] = await inbox(server, { service: "fcm", contains: "from a hub that was made" });
  assert.equal(arrived.device, "phone-of-made");

  const listen = await hubs.listKeys(GROUP, namespace, hub, LISTEN);
  const device = application(listen.secondaryConnectionString, hub);
  await register(device, "phone-of-listener");
  await assert.rejects(device.sendBroadcastNotification(message("never")), { statusCode: 403 });

  const root = await namespaces.listKeys(GROUP, namespace, ROOT);
  const owner = application(root.primaryConnectionString, hub);
  const tokens = (await owner.listRegistrations()).map(({ fcmV1RegistrationId }) => fcmV1RegistrationId);
  assert.deepEqual(tokens.sort(), ["phone-of-listener", "phone-of-made"]);

  await hubs.delete(GROUP, namespace, hub);
  await assert.rejects(register(client, "late"), { statusCode: 404 });
});

test("a replaced key opens nothing from then on, and the new one everything", async (t) => {
  const { namespace, hub } = await hubFor(t);
  const at = [GROUP, namespace, hub, FULL];
  const before = await hubs.listKeys(...at);
  const [old, spare] = [before.primaryConnectionString, before.secondaryConnectionString].map((it) => application(it, hub));
  await register(old, "one");
  const later = await hubs.regenerateKeys(...at, { policyKey: "PrimaryKey" });
  await assert.rejects(register(old, "two"), { statusCode: 401 });
  await register(spare, "three");
  await register(application(later.primaryConnectionString, hub), "four");
  await hubs.deleteAuthorizationRule(...at);
  await assert.rejects(register(spare, "five"), { statusCode: 401 });
});

test("hubs of one name in several namespaces are told apart by the key", async (t) => {
  const spaces = [await namespaceFor(t), await namespaceFor(t)];
  const hub = "local"; // the configuration's namespace has one of this name, too
  const clients = [];
  for (const namespace of spaces) {
    await hubFor(t, hub, namespace);
    const keys = await hubs.listKeys(GROUP, namespace, hub, FULL);
    clients.push(application(keys.primaryConnectionString, hub));
  }
  clients.push(application(server.ready.notificationhubs.connectionString, hub));
  for (const [index, client] of clients.entries()) await register(client, `apart-${index}`, ["apart"]);
  for (const [index, client] of clients.entries()) {
    const found = await client.listRegistrationsByTag("apart");
    assert.deepEqual(found.map(({ fcmV1RegistrationId }) => fcmV1RegistrationId), [`apart-${index}`]);
  }
});

test("registrations live as long as the hub says", async (t) => {
  const { namespace, hub } = await hubFor(t);
  const keys = await hubs.listKeys(GROUP, namespace, hub, FULL);
  const client = application(keys.primaryConnectionString, hub);
  const days = ({ expirationTime }) => Math.round((Date.parse(expirationTime) - Date.now()) / 86_400_000);
  assert.ok(days(await register(client, "for-ever")) > 1_000_000);
  await hubs.patch(GROUP, namespace, hub, { parameters: { registrationTtl: "90.00:00:00" } });
  assert.equal(days(await register(client, "for-a-time")), 90);
});

const APNS_ENDPOINT = () => `${server.ready.notificationhubs.apns}/3/device`;

test("getPnsCredentials tells what was set, and nothing else does", async (t) => {
  const namespace = await namespaceFor(t);
  const hub = fresh("Hub");
  const apnsCredential = { ...accounts.apns, endpoint: APNS_ENDPOINT() };
  const others = {
    gcmCredential: { googleApiKey: "gcm-secret" },
    wnsCredential: { packageSid: "sid", secretKey: "wns-secret" },
    mpnsCredential: { mpnsCertificate: "mpns-secret", certificateKey: "k", thumbprint: "t" },
    admCredential: { clientId: "adm", clientSecret: "adm-secret", authTokenUrl: "https://a" },
    baiduCredential: { baiduApiKey: "b", baiduEndPoint: "https://b", baiduSecretKey: "baidu-secret" },
  };
  const created = await hubs.createOrUpdate(GROUP, namespace, hub, { apnsCredential, ...others });
  for (const shown of [created, await hubs.get(GROUP, namespace, hub), await hubs.list(GROUP, namespace)]) {
    assert.doesNotMatch(JSON.stringify(shown), /secret|PRIVATE KEY|Credential"/);
  }
  const told = await hubs.getPnsCredentials(GROUP, namespace, hub);
  for (const [kind, credential] of Object.entries({ apnsCredential, ...others })) {
    assert.deepEqual(told[kind], credential, kind);
  }
  const replaced = { ...others.admCredential, clientSecret: "newer" };
  await hubs.patch(GROUP, namespace, hub, { parameters: { admCredential: replaced } });
  const later = await hubs.getPnsCredentials(GROUP, namespace, hub);
  assert.deepEqual([later.admCredential, later.apnsCredential], [replaced, apnsCredential]);
});

test("credentials of FCM v1 and browsers are set, told and taken away in the form of newer versions", async (t) => {
  const { namespace, hub } = await hubFor(t);
  const raw = sdk.operations("raw", PROVIDER);
  const path = `${BELOW}/Microsoft.NotificationHubs/namespaces/${namespace}/notificationHubs/${hub}`;
  const browserCredential = { properties: accounts.browser };
  assert.equal((await raw.PATCH(path, { properties: { browserCredential } })).status, 200);
  const fcmV1Credential = { properties: accounts.fcmV1 };
  const told = await raw.POST(`${path}/pnsCredentials`);
  assert.deepEqual(told.body.properties, { browserCredential, fcmV1Credential });
  await giveFcm(namespace, hub, null);
  assert.deepEqual((await raw.POST(`${path}/pnsCredentials`)).body.properties, { browserCredential });
  const keys = await hubs.listKeys(GROUP, namespace, hub, FULL);
  const client = application(keys.primaryConnectionString, hub);
  const direct = { deviceHandle: "phone" };
  await assert.rejects(client.sendNotification(message("without a credential"), direct), { statusCode: 400 });
});

test("a credential that cannot be is refused with the field that is wrong", async (t) => {
  const namespace = await namespaceFor(t);
  const apns = { ...accounts.apns, endpoint: APNS_ENDPOINT() };
  for (const [credential, told] of [
    [{ ...apns, token: "no key" }, /token/],
    [{ ...apns, keyId: "" }, /keyId/],
    [{ endpoint: apns.endpoint, apnsCertificate: "MIIC", certificateKey: "k" }, /certificate/i],
  ]) {
    const error = await refused(hubs.createOrUpdate(GROUP, namespace, "never", { apnsCredential: credential }), 400, "BadRequest");
    assert.match(error.message, told);
    assert.ok(!error.message.includes(accounts.apns.token.split("\n")[1]), "no key in a refusal");
  }
  await refused(hubs.get(GROUP, namespace, "never"), 404, "ResourceNotFound");
});

test("debugSend reaches a few devices and tells what became of each", async (t) => {
  const { namespace, hub } = await hubFor(t);
  const keys = await hubs.listKeys(GROUP, namespace, hub, FULL);
  const { registrationId } = await register(application(keys.primaryConnectionString, hub), "debugged", ["tester"]);
  const text = "a test by management";
  const send = (customHeaders) =>
    hubs.debugSend(GROUP, namespace, hub, { parameters: { message: { data: { text } } }, requestOptions: { customHeaders } });
  const sent = await send({});
  assert.deepEqual([sent.success, sent.failure], [1, 0]);
  const { applicationPlatform, pnsHandle, ...result } = sent.results[0];
  assert.deepEqual([applicationPlatform, pnsHandle, result.registrationId], ["fcmv1", "debugged", registrationId]);
  assert.match(result.outcome, /successfully sent/);
  const [arrived] = await inbox(server, { service: "fcm", contains: text });
  assert.equal(arrived.device, "debugged");
  const nobody = await send({ "ServiceBusNotification-Tags": "stranger", "ServiceBusNotification-Format": "fcmv1" });
  assert.deepEqual([nobody.success, nobody.failure], [0, 0]);
  await refused(hubs.debugSend(GROUP, namespace, hub, {}), 400, "InvalidRequestContent");
  await refused(send({ "ServiceBusNotification-Format": "palm" }), 400, "BadRequest");
});

test("what the configuration owns is read, but not replaced or deleted", async () => {
  const [space, local] = [sdk.operations("namespaces", OWN), sdk.operations("notificationHubs", OWN)];
  const [group, name] = ["tidings", "local"];
  assert.equal((await space.get(group, name)).provisioningState, "Succeeded");
  assert.ok(listed(await space.listAll()).includes(name));
  const owned = [409, "OwnedByConfiguration"];
  const error = await refused(space.createOrUpdate(group, name, { location: "global" }), ...owned);
  assert.match(error.message, /configuration/);
  await refused(space.beginDeleteAndWait(group, name), ...owned);
  await refused(space.deleteAuthorizationRule(group, name, ROOT), ...owned);
  await refused(local.delete(group, name, name), ...owned);
  await refused(local.deleteAuthorizationRule(group, name, name, FULL), ...owned);
  await refused(local.patch(group, name, name, { parameters: { apnsCredential: accounts.apns } }), ...owned);
  const keys = await local.listKeys(group, name, name, FULL);
  assert.equal(keys.primaryConnectionString, server.ready.notificationhubs.connectionString);
  await local.createOrUpdate(group, name, "beside-local", {});
  await local.delete(group, name, "beside-local");
});

const RESERVED = ["subscriptions", "providers", "tenants", "metadata", "topics", "eventgrid", "client", "clients", "api"]
  .concat(["identities", "chat", "calling", "v1", "v4", "socket.io", "registrar", "workspaces", "console", "fake-push", "journeys"]);

test("names whose paths belong to other services are no names of hubs", async (t) => {
  const namespace = await namespaceFor(t);
  for (const name of RESERVED) {
    const error = await refused(hubs.createOrUpdate(GROUP, namespace, name.toUpperCase(), {}), 400, "BadRequest");
    assert.match(error.message, /reserved/, name);
    assert.equal((await hubs.checkNotificationHubAvailability(GROUP, namespace, { name })).isAvailiable, false, name);
  }
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const file = join(folder.path, "tidings.toml");
  await writeFile(file, '[[notification_hubs.hub]]\nname = "subscriptions"\n');
  const { code, out, err } = await typed(["config", "check", file]);
  assert.notEqual(code, 0);
  assert.match(out + err, /"subscriptions" is reserved/);
});

test("what management made outlives a restart", async (t) => {
  const folder = await temporaryFolder();
  t.after(() => folder.forget());
  const data = join(folder.path, "data");
  const first = await Server.start({ data });
  const manage = new Sdk("js", first, "management");
  const [space, made] = [manage.operations("namespaces", PROVIDER), manage.operations("notificationHubs", PROVIDER)];
  await space.createOrUpdate(GROUP, "Lasting", { location: "westeurope", tags: { a: "1" } });
  await made.createOrUpdate(GROUP, "Lasting", "Hub", { registrationTtl: "90.00:00:00", admCredential: { clientId: "kept" } });
  await made.createOrUpdateAuthorizationRule(GROUP, "Lasting", "Hub", "sender", { properties: { rights: ["Send"] } });
  const keys = await made.regenerateKeys(GROUP, "Lasting", "Hub", FULL, { policyKey: "PrimaryKey" });
  const [oldSpace, oldHub] = [await space.get(GROUP, "Lasting"), await made.get(GROUP, "Lasting", "Hub")];
  await manage.close();
  await first.stop();

  const [http, https] = [first.ready.http, first.ready.https].map((url) => Number(new URL(url).port));
  const second = await Server.start({ data, http, https });
  t.after(() => second.stop());
  const again = new Sdk("js", second, "management");
  t.after(() => again.close());
  const later = again.operations("notificationHubs", PROVIDER);
  assert.deepEqual(await again.operations("namespaces", PROVIDER).get(GROUP, "lasting"), oldSpace);
  assert.deepEqual(await later.get(GROUP, "lasting", "hub"), oldHub);
  assert.deepEqual(listed(await later.listAuthorizationRules(GROUP, "lasting", "hub")).sort(), [FULL, LISTEN, "sender"].sort());
  assert.deepEqual((await later.getPnsCredentials(GROUP, "lasting", "hub")).admCredential, { clientId: "kept" });
  assert.deepEqual(await later.listKeys(GROUP, "lasting", "hub", FULL), keys);
  const application = new Sdk("js", second, "notification-hubs");
  t.after(() => application.close());
  const client = application.client({ connectionString: keys.primaryConnectionString, hub: "Hub" });
  await register(client, "after-the-restart");
});

test("operations tell what there is", async () => {
  const operations = listed(await sdk.operations("operations", PROVIDER).list());
  assert.ok(operations.includes("Microsoft.NotificationHubs/Namespaces/NotificationHubs/write"));
});

const model = (name, content = {}) => ({ $model: name, ...content });

test("azure-mgmt-notificationhubs: namespaces, each operation", async () => {
  const spaces = python.operations("namespaces", PROVIDER);
  const name = fresh("Python");
  const body = model("NamespaceCreateOrUpdateParameters", { location: "eastus", sku: model("Sku", { name: "Standard" }) });
  const created = await spaces.create_or_update(GROUP, name, body);
  assert.deepEqual([created.name, created.provisioning_state, created.sku.name], [name, "Succeeded", "Standard"]);
  assert.equal((await spaces.create_or_update(GROUP, name, body)).id, created.id, "200 the second time");
  const patched = await spaces.patch(GROUP, name, model("NamespacePatchParameters", { tags: { a: "1" } }));
  assert.deepEqual((await spaces.get(GROUP, name)).tags, patched.tags);
  const taken = await spaces.check_availability(model("CheckAvailabilityParameters", { name }));
  assert.equal(taken.is_availiable, false);
  for (const pages of [await spaces.list(GROUP), await spaces.list_all()]) assert.ok(listed(pages).includes(name));
  const rule = model("SharedAccessAuthorizationRuleCreateOrUpdateParameters", {
    properties: model("SharedAccessAuthorizationRuleProperties", { rights: ["Manage", "Send", "Listen"] }),
  });
  const made = await spaces.create_or_update_authorization_rule(GROUP, name, "everything", rule);
  assert.deepEqual(made.rights.sort(), ["Listen", "Manage", "Send"]);
  assert.equal((await spaces.get_authorization_rule(GROUP, name, "everything")).key_name, "everything");
  assert.deepEqual(listed(await spaces.list_authorization_rules(GROUP, name)).sort(), [ROOT, "everything"]);
  const keys = await spaces.list_keys(GROUP, name, "everything");
  const which = model("PolicykeyResource", { policy_key: "PrimaryKey" });
  const later = await spaces.regenerate_keys(GROUP, name, "everything", which);
  assert.deepEqual([later.primary_key === keys.primary_key, later.secondary_key === keys.secondary_key], [false, true]);
  await spaces.delete_authorization_rule(GROUP, name, "everything");
  await spaces.begin_delete(GROUP, name);
  await spaces.begin_delete(GROUP, name);
  await refused(spaces.get(GROUP, name), 404, "ResourceNotFound");
});

test("azure-mgmt-notificationhubs: notification_hubs, each operation", async (t) => {
  const namespace = await namespaceFor(t);
  const all = python.operations("notification_hubs", PROVIDER);
  const [name, at] = ["python-hub", [GROUP, namespace, "python-hub"]];
  const apns_credential = model("ApnsCredential", {
    endpoint: APNS_ENDPOINT(),
    key_id: accounts.apns.keyId,
    app_id: accounts.apns.appId,
    app_name: accounts.apns.appName,
    token: accounts.apns.token,
  });
  const body = model("NotificationHubCreateOrUpdateParameters", { location: "eastus", apns_credential });
  const created = await all.create_or_update(...at, body);
  assert.deepEqual([created.name, created.registration_ttl], [name, NEVER]);
  assert.equal((await all.create_or_update(...at, body)).id, created.id);
  assert.deepEqual(await all.get(...at).then(({ id }) => id), created.id);
  assert.deepEqual((await all.patch(...at, model("NotificationHubPatchParameters", { tags: { a: "1" } }))).tags, { a: "1" });
  assert.deepEqual(listed(await all.list(GROUP, namespace)), [name]);
  const wanted = model("CheckAvailabilityParameters", { name });
  assert.equal((await all.check_notification_hub_availability(GROUP, namespace, wanted)).is_availiable, false);
  const told = await all.get_pns_credentials(...at);
  assert.deepEqual([told.apns_credential.key_id, told.apns_credential.token], [accounts.apns.keyId, accounts.apns.token]);

  const rule = model("SharedAccessAuthorizationRuleCreateOrUpdateParameters", {
    properties: model("SharedAccessAuthorizationRuleProperties", { rights: ["Send"] }),
  });
  await all.create_or_update_authorization_rule(...at, "sender", rule);
  assert.deepEqual((await all.get_authorization_rule(...at, "sender")).rights, ["Send"]);
  assert.ok(listed(await all.list_authorization_rules(...at)).includes("sender"));
  const keys = await all.list_keys(...at, FULL);
  const later = await all.regenerate_keys(...at, FULL, model("PolicykeyResource", { policy_key: "SecondaryKey" }));
  assert.deepEqual([later.primary_key === keys.primary_key, later.secondary_key === keys.secondary_key], [true, false]);

  const client = application(later.primary_connection_string, name);
  await client.createRegistration(make("createAppleRegistrationDescription", { deviceToken: deviceToken(77), tags: ["python"] }));
  const headers = { "ServiceBusNotification-Tags": "python" };
  const sent = await all.debug_send(...at, { aps: { alert: "from Python" } }, { $options: { headers } });
  assert.deepEqual([sent.success, sent.failure], [1, 0]);
  const [arrived] = await inbox(server, { service: "apns", contains: "from Python" });
  assert.equal(arrived.device, deviceToken(77));

  await all.delete_authorization_rule(...at, "sender");
  await all.delete(...at);
  await all.delete(...at);
  await refused(all.get(...at), 404, "ResourceNotFound");
  assert.ok(listed(await python.operations("operations", PROVIDER).list()).length > 10);
});
