// Servers on a PostgreSQL database: what one has accepted outlives it, and several share one. Needs a
// server; scripts/with-postgres starts one.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { promisify } from "node:util";
import { typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, eventGridEvent, fresh } from "./lib/eventgrid.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const run = promisify(execFile);
const POSTGRES = process.env.TIDINGS_TEST_POSTGRES;
const PASSWORD = "hunter2"; // whoever asks is let in, so that it can be looked for in logs
const skip = POSTGRES ? false : "TIDINGS_TEST_POSTGRES names no server; run under scripts/with-postgres";

assert.ok(POSTGRES || !process.env.CI, skip);
if (skip) console.error(`The PostgreSQL suite is SKIPPED: ${skip}`);

/** A database of its own; its URL, with a password. */
async function database(t) {
  const name = `tidings_e2e_${process.pid}_${fresh("db").replace("-", "_")}`;
  const sql = (text) => run("psql", [POSTGRES, "--quiet", "--command", text]);
  await sql(`CREATE DATABASE ${name}`);
  t.after(() => sql(`DROP DATABASE ${name} WITH (FORCE)`));
  const url = new URL(POSTGRES);
  url.pathname = name;
  url.password = PASSWORD;
  return url.href;
}

/** A machine: a folder with a configuration, on which servers start one after another. */
class Machine {
  static async make(t, url) {
    const machine = new Machine();
    const folder = await temporaryFolder();
    t.after(folder.forget);
    await mkdir(join(folder.path, "data"));
    const [key, certificate] = ["key.pem", "certificate.pem"].map((name) => join(folder.path, name));
    const what = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
    const whose = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
    await run("openssl", ["req", "-x509", ...what, ...whose, "-keyout", key, "-out", certificate]);
    await writeFile(join(folder.path, "database"), `${url}\n`);
    await writeFile(join(folder.path, "master"), "the same on every machine, and long enough\n");
    machine.certificate = certificate;
    machine.file = join(folder.path, "tidings.toml");
    await writeFile(machine.file, `
      [server]
      bind = "127.0.0.1"
      http_port = 0
      https_port = 0
      admin_port = 0
      [tls]
      certificate = "certificate.pem"
      key = "key.pem"
      [data]
      folder = "data"
      master_key_file = "master"
      database_url_file = "database"
      [outbound]
      allow_private = true
      [eventgrid]
      retry_time_scale = 0.01
      [[resource]]
      name = "chat"
      kind = "webpubsub"
      [[eventgrid.topic]]
      name = "configured"
    `);
    return machine;
  }

  async start() {
    const server = await Server.start({ config: this.file });
    server.ca = await readFile(this.certificate);
    return server;
  }

  /** Runs `tidings keys`; what it prints. */
  async keys(...args) {
    const { code, out, err } = await typed(["keys", ...args, "--config", this.file]);
    assert.equal(code, 0, err);
    return out.trim();
  }

  /** The Communication SDKs against a server here, in a process of their own. */
  async communication(server) {
    const endpoint = server.ready.https;
    const environment = {
      COMMUNICATION_CONNECTION_STRING: `endpoint=${endpoint}/;accesskey=${await this.keys("show", "communication", "primary")}`,
      NODE_EXTRA_CA_CERTS: this.certificate,
    };
    return new Sdk("js", { ready: server.ready, sdkEnvironment: () => environment }, "communication");
  }
}

const ids = (receiver) => receiver.all.flatMap(({ events }) => events.map(({ id }) => id));

test("what was accepted is delivered after kill -9, and no password is told", { skip }, async (t) => {
  const url = await database(t);
  const machine = await Machine.make(t, url);
  let works = false;
  const receiver = await Receiver.start({ answer: () => (works ? 200 : 503) });
  t.after(() => receiver.close());

  const first = await machine.start();
  const token = await machine.keys("show", "management", "primary");
  let grid = new EventGrid(first, token);
  const topic = await grid.topic();
  const { name } = await grid.subscribe(topic.id, receiver);
  const events = Array.from({ length: 40 }, () => eventGridEvent());
  for (let at = 0; at < events.length; at += 4) {
    await grid.publisher(topic).send(events.slice(at, at + 4));
  }
  await receiver.deliveries.next();
  await first.kill();

  works = true;
  receiver.all.length = 0;
  const second = await machine.start();
  t.after(() => second.stop());
  grid = new EventGrid(second, token);
  const { dead } = await grid.settled(name);
  assert.deepEqual(new Set(ids(receiver)), new Set(events.map(({ id }) => id)));
  assert.equal(dead, 0);

  for (const { log } of [first, second]) {
    const { host, pathname } = new URL(url);
    assert.ok(`${log}`.includes(`PostgreSQL at ${host}${pathname}`), `${log}`);
    assert.ok(!`${log}`.includes(PASSWORD), "no password in the log");
  }
});

test("identities, threads and messages are there after kill -9", { skip }, async (t) => {
  const machine = await Machine.make(t, await database(t));
  const first = await machine.start();
  let sdk = await machine.communication(first);
  const identity = sdk.client({ client: "identity" });
  const [alice, bob] = [await identity.createUserAndToken(["chat"]), await identity.createUserAndToken(["chat"])];
  const participants = [{ id: alice.user, displayName: "Alice" }, { id: bob.user, displayName: "Bob" }];
  const chat = sdk.client({ client: "chat", token: alice.token });
  const { chatThread } = await chat.createChatThread({ topic: "Plans ☃" }, { participants });
  const say = (content) =>
    sdk.client({ client: "thread", token: alice.token, thread: chatThread.id }).sendMessage({ content });
  await Promise.all(["one", "two", "three"].map(say));
  await sdk.close();
  await first.kill();

  const second = await machine.start();
  t.after(() => second.stop());
  sdk = await machine.communication(second);
  t.after(() => sdk.close());
  await say("four");
  const pages = await sdk.client({ client: "thread", token: bob.token, thread: chatThread.id }).listMessages({});
  const said = pages.flat().filter(({ sender }) => sender).map(({ content }) => content.message);
  assert.equal(said[0], "four");
  assert.deepEqual(said.slice(1).sort(), ["one", "three", "two"]);
  const [[listed]] = await sdk.client({ client: "chat", token: bob.token }).listChatThreads({});
  assert.equal(listed.topic, "Plans ☃");
});

test("two servers that start at once share keys, topics and deliveries", { skip }, async (t) => {
  const url = await database(t);
  const machines = [await Machine.make(t, url), await Machine.make(t, url)];
  const servers = await Promise.all(machines.map((machine) => machine.start()));
  t.after(() => Promise.all(servers.map((server) => server.stop())));
  const names = ["management", "communication", "chat", "topic/configured"];
  const shown = (machine) => Promise.all(names.map((name) => machine.keys("show", name, "primary")));
  const [token, ...others] = await shown(machines[0]);
  assert.deepEqual(await shown(machines[1]), [token, ...others]);

  const [one, two] = servers.map((server) => new EventGrid(server, token));
  const receiver = await Receiver.start();
  t.after(() => receiver.close());
  const topic = await one.topic();
  const path = topic.id;
  await eventually("the other server knows the topic", async () => (await two.manage("GET", path)).status === 200);
  const { name } = await two.subscribe(topic.id, receiver);
  await eventually("the first server knows the event subscription", async () => (await one.seen(name)) !== undefined);

  const events = Array.from({ length: 100 }, () => eventGridEvent());
  const publishers = [one, two].map((grid) => grid.publisher(topic));
  await Promise.all(events.map((event, at) => publishers[at % 2].send([event])));
  await one.settled(name);
  assert.deepEqual(ids(receiver).sort(), events.map(({ id }) => id).sort(), "each once, whichever server it came to");

  const replaced = await one.manage("POST", `${topic.id}/regenerateKey`, { keyName: "key1" });
  const { key1, key2 } = replaced.json();
  assert.equal(key2, topic.key2);
  const accepts = (key) =>
    two.publisher({ ...topic, key }).send([eventGridEvent()]).then(() => true, ({ statusCode }) => statusCode !== 401);
  await eventually("a replaced key of a topic counts everywhere", () => accepts(key1));
  assert.equal(await accepts(topic.key), false, "and the old one nowhere");

  const rotated = new EventGrid(servers[1], await machines[0].keys("rotate", "management", "primary"));
  await eventually("a replaced key counts everywhere", async () => (await rotated.manage("GET", path)).status === 200);
  assert.equal((await two.manage("GET", path)).status, 401, "and the old one nowhere");
});

test("a server with another master key is refused with the cure", { skip }, async (t) => {
  const url = await database(t);
  const [own, other] = [await Machine.make(t, url), await Machine.make(t, url)];
  await own.keys("show", "management", "primary");
  await writeFile(join(other.file, "..", "master"), "another one, which is long enough as well\n");
  const refused = await typed(["keys", "show", "management", "primary", "--config", other.file]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.err, /servers that share a database need the same master key/);
});
