// `tidings push …` and `tidings fake-push` as people type them.
import assert from "node:assert/strict";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Command, typed } from "./lib/command.mjs";
import { PATIENCE_MS, eventually, within } from "./lib/deadline.mjs";
import { HUB, deviceToken, fail, inbox, raw } from "./lib/notification-hubs.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const push = (...args) => typed(["push", ...args, "--data", server.data]);
const message = (text) => JSON.stringify({ message: { data: { text } } });

/** Registers a device as an app does. */
async function register(kind, members, at = server) {
  const body = `<${kind}RegistrationDescription>${members}</${kind}RegistrationDescription>`;
  const answer = await raw(at, "POST", `/${HUB}/registrations`, { body });
  assert.equal(answer.status, 200, answer.text);
}

const android = (token, tags) => register("FcmV1", `<Tags>${tags}</Tags><FcmV1RegistrationId>${token}</FcmV1RegistrationId>`);

/** The lines of `push fix`, once they hold what is looked for. */
async function fixed(expected, ...args) {
  let out;
  await eventually(`push fix says ${expected}`, async () => {
    const said = await push("fix", ...args);
    assert.equal(said.code, 0, said.err);
    out = said.out;
    return expected.test(out);
  });
  return out;
}

test("where there is nothing yet, each command says so", async () => {
  assert.deepEqual(await push("devices"), { code: 0, out: "no device is registered\n", err: "" });
  assert.deepEqual(await push("outcomes"), { code: 0, out: "nothing was sent yet\n", err: "" });
  const { code, out } = await push("fix");
  assert.equal(code, 0);
  for (const line of [/^local\/local$/m, /^  1 The hub$/m, /-- {2}has accepted no send yet; these policies may: DefaultFull/, /!! {2}no device is registered/, /Begin here: The devices/]) {
    assert.match(out, line);
  }
});

test("send waits for what becomes of it", async (t) => {
  await android("cli-1", "news");
  await android("cli-2", "news");
  const sent = await push("send", message("typed"), "--format", "fcmv1", "--tags", "news");
  assert.equal(sent.code, 0, sent.err);
  assert.match(sent.out, /^\S+Z {2}Completed {6}fcmv1 to news {2}\S+\n {11}2 {2}fcmv1 {2}Success\n$/);
  assert.equal((await inbox(server, { service: "fcm", contains: "typed" }, 2)).length, 2);
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const file = join(folder.path, "payload.json");
  await writeFile(file, message("from a file"));
  assert.equal((await push("send", "--file", file, "--format", "fcmv1")).code, 0);
  const piped = ["push", "send", "--file", "-", "--format", "fcmv1", "--data", server.data];
  assert.equal((await typed(piped, message("piped"))).code, 0);
  assert.equal((await inbox(server, { contains: "piped" }, 2)).length, 2);
});

test("send tells what is wrong, and exits with 1 or 2", async () => {
  for (const [args, code, cause] of [
    [["{not json", "--format", "apple"], 1, /payload is invalid: it is no JSON/],
    [["{}", "--format", "palm"], 1, /invalid value: 'palm'. Expected template or one of apple/],
    [["{}", "--format", "fcmv1", "--tags", "a &&"], 1, /tag expression is invalid at character 5/],
    [["{}", "--hub", "nope"], 1, /no such notification hub; there are: local/],
    [['{"text":"x"}'], 1, /no device is meant.*--format/],
    [[message("x"), "--format", "fcmv1", "--tags", "nobody"], 1, /no device is meant; `tidings push fix --id \S+` tells why/],
    [[], 2, /required/],
  ]) {
    const said = await push("send", ...args);
    assert.equal(said.code, code, said.err);
    assert.match(said.err, cause);
  }
});

test("send fails when a device was not reached, and fix says why", async () => {
  await android("cli-gone", "leaving");
  await fail(server, { service: "fcm", device: "cli-gone", failure: "UNREGISTERED" });
  const sent = await push("send", message("gone"), "--format", "fcmv1", "--tags", "leaving");
  assert.equal(sent.code, 1);
  assert.match(sent.out, /1 {2}fcmv1 {2}ExpiredChannel/);
  const [, id] = /1 of 1 devices were not reached; `tidings push fix --id (\S+)` tells why/.exec(sent.err);
  const { out } = await push("fix", "--id", id);
  assert.match(out, /3 The devices\n(.*\n)* {4}!! {2}1 fcmv1 devices: ExpiredChannel, the app was removed or has a new handle/);
});

test("outcomes lists the latest, one of them, and JSON", async () => {
  const all = await push("outcomes");
  assert.match(all.out, /Completed {6}fcmv1 to news/);
  const lines = (await push("outcomes", "--json", "--limit", "2")).out.trim().split("\n").map((line) => JSON.parse(line));
  assert.equal(lines.length, 2);
  const { id } = lines[1];
  const one = await push("outcomes", "--id", id);
  assert.ok(one.out.includes(id) && !one.out.includes(lines[0].id), one.out);
  const none = await push("outcomes", "--id", "nothing");
  assert.deepEqual([none.code, none.out], [1, ""]);
  assert.match(none.err, /No notification has this id/);
});

test("devices lists what is registered, by tag and page by page", async () => {
  await register("AppleTemplate", `<Tags>t</Tags><DeviceToken>${deviceToken(5)}</DeviceToken><BodyTemplate>{"aps":{"alert":"$(m)"}}</BodyTemplate><TemplateName>T</TemplateName>`);
  const installation = { installationId: "cli-i", platform: "fcmv1", pushChannel: "cli-installed", tags: ["installed"], userId: "alice" };
  assert.equal((await raw(server, "PUT", `/${HUB}/installations/cli-i`, { body: JSON.stringify(installation) })).status, 200);
  const { out } = await push("devices");
  assert.match(out, /^apple {5}00000000… +template T +\d+-\d+-\d+ {2}t$/m);
  assert.match(out, /^fcmv1 {5}cli-1… +native +\S+ {2}news$/m);
  assert.match(out, /^fcmv1 {5}cli-inst… +native +installation cli-i {2}/m);
  assert.ok(!out.includes("cli-installed"), "no more of a handle than the log has");
  assert.equal((await push("devices", "--tag", "news")).out.trim().split("\n").length, 2);
  assert.equal((await push("devices", "--tag", "$UserId:{alice}")).out.trim().split("\n").length, 1);
  assert.equal((await push("devices", "--tag", "none")).out, "no device has the tag none\n");
  for (let number = 0; number < 105; number += 1) await android(`many-${number}`, "many");
  assert.equal((await push("devices", "--tag", "many", "--limit", "103", "--json")).out.trim().split("\n").length, 103);
});

test("fix walks the hub, the push service and the device", async () => {
  const headers = { "ServiceBusNotification-Format": "apple" };
  const send = (connectionString) => raw(server, "POST", `/${HUB}/messages`, { headers, connectionString, body: '{"aps":{"alert":"x"}}' });
  // The hub refuses.
  const { connectionString } = server.ready.notificationhubs;
  assert.equal((await send(connectionString.replace(/SharedAccessKey=.*/, "SharedAccessKey=wrong"))).status, 401);
  assert.equal((await raw(server, "GET", "/nohub/registrations", {})).status, 404);
  const hub = (await push("fix")).out;
  assert.match(hub, /1 The hub\n(.*\n)* {4}!! {2}sends refused: 1, last at \S+: 401 InvalidSignature/);
  assert.match(hub, /!! {2}was asked for a hub that does not exist, last at \S+: 404 .*'nohub'/);
  assert.match(hub, /Begin here: The hub/);
  // The push service refuses.
  await register("Apple", `<DeviceToken>${deviceToken(6)}</DeviceToken>`);
  await fail(server, { service: "apns", failure: "InvalidProviderToken", count: 1 });
  assert.equal((await send()).status, 201);
  const service = await fixed(/REFUSES/);
  assert.match(service, /2 The push services\n(.*\n)* {4}!! {2}apple: the push service REFUSES the credential; .*InvalidProviderToken, .*key id/);
  // A platform that nothing is sent to.
  await register("Adm", "<AdmRegistrationId>a</AdmRegistrationId>");
  assert.match((await push("fix")).out, /!! {2}adm: this server has no sender for it yet/);
  // The device has other tags.
  const nobody = await push("send", message("x"), "--format", "fcmv1", "--tags", "nobody");
  assert.equal(nobody.code, 1);
  assert.match(await fixed(/none has the tags/), /!! {2}\d+ devices take the format fcmv1, but none has the tags 'nobody'/);
  const other = await push("fix", "--hub", "nope");
  assert.deepEqual([other.code, other.out], [1, ""]);
  assert.match(other.err, /no such notification hub; there are: local/);
});

test("what is counted is in the metrics, and under its documented names", async () => {
  const text = await (await fetch(`${server.ready.admin}/metrics`)).text();
  assert.match(text, /^tidings_push_outcomes_total\{namespace="local",hub="local",platform="fcmv1",outcome="Success"\} [1-9]/m);
  assert.match(text, /^tidings_push_requests_total\{namespace="local",hub="local",operation="registration.create",result="accepted"\} [1-9]/m);
  const metrics = await (await fetch(`${server.ready.admin}/push/metrics`)).json();
  const value = (name) => metrics.find((it) => it.name === name)?.value;
  assert.ok(value("outgoing.fcmv1.success") > 0 && value("registration.create") > 100);
  assert.ok(value("incoming.all.failedrequests") > 0 && value("scheduled.pending") === 0);
});

test("a server that was never started is named", async () => {
  const said = await typed(["push", "fix", "--data", "/nonexistent"]);
  assert.equal(said.code, 1);
  assert.match(said.err, /nonexistent/);
});

test("fake-push alone serves a server in production", async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const at = (name) => join(folder.path, name);
  const ports = ["--http-port", "0", "--https-port", "0", "--apns-port", "0"];
  const fakes = new Command("fake-push", "--data", at("fakes"), ...ports, "--ready-file", at("fakes.json"));
  t.after(() => fakes.process.kill("SIGKILL"));
  await fakes.out.containing("Ctrl-C stops");
  const { http, ca, credentials } = JSON.parse(await readFile(at("fakes.json"), "utf8"));
  await writeFile(at("news.json"), JSON.stringify(credentials));
  await writeFile(at("key"), Buffer.alloc(32, 1).toString("base64"));
  await writeFile(at("tidings.toml"), `
    [server]
    bind = "127.0.0.1"
    http_port = 0
    https_port = 0
    admin_port = 0
    [tls]
    certificate = "${join(at("fakes"), "tls", "server.pem")}"
    key = "${join(at("fakes"), "tls", "server-key.pem")}"
    [data]
    folder = "data"
    [outbound]
    allow = ["127.0.0.0/8", "::1/128"]
    extra_ca_file = "${ca}"
    [notification_hubs]
    namespace = "contoso"
    fake_push = "${http}"
    [[notification_hubs.hub]]
    name = "news"
    credentials_file = "news.json"
  `);
  const production = await Server.start({ config: at("tidings.toml") });
  t.after(() => production.stop());
  const typedThere = (...args) => typed(["push", ...args, "--config", at("tidings.toml")]);
  assert.match((await typedThere("fix")).out, /^contoso\/news$/m);
  assert.match((await typedThere("fix")).out, /apple: no message was sent since/);
  // What an application is given, and what it does with it.
  const string = async (...args) => typed(["connection-string", ...args, "--config", at("tidings.toml")]);
  const { out } = await string("hub/news");
  assert.match(out, /^Endpoint=sb:\/\/localhost:\d+\/;SharedAccessKeyName=DefaultFullSharedAccessSignature;SharedAccessKey=\S+\n$/);
  assert.match((await string("hub/news/DefaultListenSharedAccessSignature")).out, /Name=DefaultListenShared/);
  assert.match((await string("hub/nope")).err, /no notification hub 'nope' in 'contoso'; there are: news/);
  assert.match((await string("hub/news/Nope")).err, /no policy 'Nope'; it has Default/);
  production.ca = await readFile(ca);
  const body = "<FcmV1RegistrationDescription><FcmV1RegistrationId>alone</FcmV1RegistrationId></FcmV1RegistrationDescription>";
  const made = await raw(production, "POST", "/news/registrations", { body, connectionString: out.trim() });
  assert.equal(made.status, 200, made.text);
  const sent = await typedThere("send", message("to the fakes"), "--format", "fcmv1");
  assert.equal(sent.code, 0, sent.err);
  const answer = await fetch(`${http}/fake-push/inbox?contains=to%20the%20fakes`);
  assert.deepEqual((await answer.json()).notifications.map((it) => it.device), ["alone"]);
  const end = await within(PATIENCE_MS, "end of fake-push", fakes.interrupt());
  assert.equal(end, 0);
});
