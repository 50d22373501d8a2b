// `tidings connect` and `tidings publish` against a running server: what people and scripts type.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import net from "node:net";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { PATIENCE_MS, within } from "./lib/deadline.mjs";
import { Lines } from "./lib/lines.mjs";
import { Proxy } from "./lib/proxy.mjs";
import { BINARY, Server, temporaryFolder } from "./lib/server.mjs";

const PROTOCOLS = ["json-reliable", "json", "protobuf-reliable", "protobuf", "simple"];

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

/** One command of the program, with what it writes. */
class Command {
  out = new Lines();
  err = new Lines();

  constructor(...args) {
    const place = args.includes("--config") ? [] : ["--data", server.data];
    this.process = spawn(BINARY, [...args, ...place]);
    this.process.stdout.on("data", (bytes) => this.out.push(bytes));
    this.process.stderr.on("data", (bytes) => this.err.push(bytes));
    this.closed = once(this.process, "close");
  }

  /** Types lines; the input stays open. */
  type(...lines) {
    this.process.stdin.write(lines.map((line) => `${line}\n`).join(""));
  }

  /** The exit code, after the input has ended if it was still open. */
  async end() {
    this.process.stdin.end();
    const what = () => `end of the command; it wrote:\n${this.out}\n${this.err}`;
    const [code] = await within(PATIENCE_MS, what, this.closed).finally(() => this.process.kill("SIGKILL"));
    return code;
  }

  interrupt() {
    this.process.kill("SIGINT");
    return this.end();
  }
}

async function listen(t, ...args) {
  const client = new Command("connect", "chat", "--listen", ...args);
  t.after(() => client.process.kill("SIGKILL"));
  await client.err.containing("connected");
  return client;
}

async function publish(...args) {
  const command = new Command("publish", "chat", ...args);
  return { code: await command.end(), said: `${command.err}` };
}

/** A message without the time that stands before it. */
const untimed = (line) => line.replace(/^\d\d:\d\d:\d\dZ /, "");

for (const protocol of PROTOCOLS) {
  test(`a ${protocol} client shows what is published to all, its group, its user and itself`, async (t) => {
    const group = `to-${protocol}`;
    const client = await listen(t, "--protocol", protocol, "--group", group, "--user", `u-${protocol}`);
    const simple = protocol === "simple";
    const from = (source) => (simple ? "" : `${source}: `);
    for (const [message, args, shown] of [
      ["to all", [], `${from("server")}to all`],
      ['{"a": 1}', ["--json", "--group", group], `${from(`[${group}]`)}{"a": 1}`],
      ["to user", ["--user", `u-${protocol}`], `${from("server")}to user`],
    ]) {
      assert.equal((await publish(message, ...args)).code, 0);
      assert.equal(untimed(await client.out.containing(message)), shown);
    }
    if (!simple) {
      const id = /connected as \S+ \((.+)\)/.exec(`${client.err}`)[1];
      assert.equal((await publish("to one", "--connection", id)).code, 0);
      assert.equal(untimed(await client.out.containing("to one")), "server: to one");
    }
    assert.equal(await client.interrupt(), 0, "Ctrl-C closes cleanly");
  });

  test(`lines piped into a ${protocol} client reach the group, and its input's end ends it`, async (t) => {
    const group = `from-${protocol}`;
    const receiver = await listen(t, "--group", group);
    const sender = new Command("connect", "chat", "--protocol", protocol, "--group", group, "--user", "ann");
    sender.type("first \u001b[2J", "//slash");
    assert.equal(await sender.end(), 0, `${sender.err}`);
    assert.equal(untimed(await receiver.out.containing("first")), `[${group}] ann: first \\u{1b}[2J`);
    assert.equal(untimed(await receiver.out.containing("/slash")), `[${group}] ann: /slash`);
  });
}

test("a client joins, leaves and chooses groups while it runs", async (t) => {
  const receiver = await listen(t, "--group", "a", "--group", "b");
  const client = new Command("connect", "chat", "--user", "ann");
  t.after(() => client.process.kill("SIGKILL"));
  client.type("/join a", "at once");
  assert.equal(untimed(await receiver.out.containing("at once")), "[a] ann: at once");
  client.type("/group b", '/json {"to": "b"}', "/group a", "to a");
  assert.equal(untimed(await receiver.out.containing('"b"')), '[b] ann: {"to": "b"}');
  assert.equal(untimed(await receiver.out.containing("to a")), "[a] ann: to a");
  assert.equal((await publish("member", "--group", "a")).code, 0);
  await client.out.containing("member");
  client.type("/leave a", "/quit");
  assert.equal(await client.end(), 0, `${client.err}`);
});

test("what is refused is told, and fails a script", async () => {
  const client = new Command("connect", "chat", "--group", "g", "--role", "webpubsub.sendToGroup.other");
  client.type("hello", "/event order 1", "/nonsense");
  assert.equal(await client.end(), 1);
  const said = `${client.err}`;
  assert.match(said, /refused: send to g: Forbidden .*send to group 'g'/);
  assert.match(said, /refused: event order: InternalServerError/);
  assert.match(said, /there is no command \/nonsense/);
  assert.match(said, /3 of 3 lines were not accepted/);
});

test("publish repeats what the server says, and says what is wrong before it asks", async (t) => {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const large = join(folder.path, "large");
  await writeFile(large, Buffer.alloc((1 << 20) + 1));
  for (const [args, says] of [
    [["--file", large], /the server answered 413 .*\w/],
    [["x", "--group", " "], /Invalid group name/],
    [["x", "--json"], /the message is not JSON/],
    [["x", "--endpoint", "http://localhost:1"], /localhost:1 cannot be connected to/],
    [["x", "--resource", "chat"], /there is no resource 'chat'; there is: local/],
  ]) {
    const { code, said } = await publish(...args);
    assert.ok(code === 1 || code === 2, `${args}: ${code}`);
    assert.match(said, says);
  }
});

/** A port that is free at this moment. */
async function freePort() {
  const listener = net.createServer().listen(0, "localhost");
  await once(listener, "listening");
  const { port } = listener.address();
  listener.close();
  await once(listener, "close");
  return port;
}

/** A server in its production form behind a proxy that can cut; `file` is its configuration. */
async function behindProxy(t) {
  const folder = await temporaryFolder();
  t.after(folder.forget);
  const port = await freePort();
  const proxy = await Proxy.start(`http://localhost:${port}`);
  t.after(() => proxy.close());
  const file = join(folder.path, "tidings.toml");
  await writeFile(file, `
    [server]
    bind = "127.0.0.1"
    http_port = ${port}
    admin_port = 0
    [data]
    folder = "data"
    [[resource]]
    name = "chat"
    kind = "webpubsub"
    public_endpoints = ["${new URL(proxy.url("http://localhost")).origin}"]
  `);
  const served = new Command("serve", "--config", file);
  t.after(() => served.interrupt());
  await served.err.containing("serving");
  return { proxy, file, direct: `http://localhost:${port}` };
}

test("a reliable client recovers a connection that is cut, and neither loses nor doubles a message", async (t) => {
  const { proxy, file, direct } = await behindProxy(t);
  const client = await listen(t, "--group", "cut", "--config", file);
  const send = async (text) => {
    assert.equal((await publish(text, "--group", "cut", "--config", file, "--endpoint", direct)).code, 0);
    await client.out.containing(text);
  };
  const link = proxy.newest;
  await send("before");
  link.cut();
  await client.err.containing("connection lost");
  await send("meanwhile");
  await client.err.containing("nothing was lost");
  await send("after");
  assert.equal(proxy.recoveries, 1);
  const shown = `${client.out}`.trim().split("\n").map(untimed);
  assert.deepEqual(shown, ["[cut]: before", "[cut]: meanwhile", "[cut]: after"]);
  assert.equal(await client.interrupt(), 0);
});
