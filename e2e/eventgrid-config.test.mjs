// Topics and event subscriptions that a configuration file defines for `tidings serve`.
import assert from "node:assert/strict";
import { readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { WebPubSubServiceClient } from "@azure/web-pubsub";
import { typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid, cloudEvent } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { RELEASES, SdkClient } from "./lib/sdk-client.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const KEY = Buffer.alloc(32, 1).toString("base64");
const OTHER_KEY = Buffer.alloc(32, 2).toString("base64");
const FILTER = { advancedFilters: [{ operatorType: "NumberGreaterThan", key: "data.n", value: 5 }] };

const GENERAL = `
  [server]
  bind = "127.0.0.1"
  http_port = 0
  admin_port = 0
  [data]
  folder = "data"
  [outbound]
  allow = ["127.0.0.0/8", "::1/128"]
  [eventgrid]
  retry_time_scale = 0.0001
  give_up_statuses = [400, 418]
  dead_letter_folder = "graves"
  [[resource]]
  name = "chat"
  kind = "webpubsub"
  [[eventgrid.topic]]
  name = "orders"
  hosts = ["orders.example"]
  input_schema = "CloudEventSchemaV1_0"
  key1_file = "key1"
  key2_file = "key2"
`;
const SUBSCRIPTIONS = (presence) => `
  [[eventgrid.subscription]]
  name = "billing"
  topic = "orders"
  url_file = "hook.url"
  filter_file = "filter.json"
  dead_letters = "unpaid"
  [[eventgrid.subscription]]
  name = "browsers"
  topic = "orders"
  hub = "news"
  group = "sports"
  [[eventgrid.subscription]]
  name = "presence"
  resource = "chat"
  url = "${presence.url}"
`;

let folder;
let file;
let billing;
let presence;
let server;
let grid;

before(async () => {
  folder = await temporaryFolder();
  file = join(folder.path, "tidings.toml");
  [billing, presence] = [await Receiver.start(), await Receiver.start()];
  const contents = { key1: KEY, key2: OTHER_KEY, "hook.url": billing.url, "filter.json": JSON.stringify(FILTER) };
  for (const [name, text] of Object.entries(contents)) await writeFile(join(folder.path, name), text);
  await restart(GENERAL + SUBSCRIPTIONS(presence));
  for (const name of ["billing", "presence"]) {
    await eventually(`${name} is validated`, async () => (await grid.seen(name)).state === "Succeeded");
  }
});

after(async () => {
  await Promise.all([server?.stop(), billing?.close(), presence?.close()]);
  await folder?.forget();
});

/** Serves with this configuration, over the same data as before. */
async function restart(toml) {
  await server?.stop();
  await writeFile(file, toml);
  server = await Server.start({ config: file });
  grid = new EventGrid(server, (await typed(["keys", "show", "management", "primary", "--config", file])).out.trim());
}

/** Publishes to the topic by its host. */
async function publish(key, event) {
  const headers = { host: "orders.example", "aeg-sas-key": key, "content-type": "application/cloudevents+json" };
  const body = JSON.stringify({ specversion: "1.0", ...event });
  return (await request(`${server.ready.http}/api/events`, { method: "POST", headers, body })).status;
}

test("a topic has its host, its schema and the keys of its files", async () => {
  const event = cloudEvent();
  assert.equal(await publish(KEY, event), 200);
  assert.equal((await billing.deliveries.next()).body.id, event.id);
  assert.equal(await publish(OTHER_KEY, cloudEvent({ data: { n: 5 } })), 200);
  assert.equal(await publish(Buffer.alloc(32, 3).toString("base64"), event), 401);
  assert.equal((await grid.settled("billing")).health.delivered, 1, "the filter of the file holds");
  const shown = await typed(["keys", "show", "topic/orders", "primary", "--config", file]);
  assert.deepEqual([shown.code, shown.out], [0, `${KEY}\n`]);
});

test("events go to a group of a hub, and the clients of a hub are events themselves", async (t) => {
  const { out } = await typed(["connection-string", "chat", "--config", file]);
  const connectionString = out.trim().replace(/Endpoint=[^;]+/, `Endpoint=${server.ready.http}`);
  const service = new WebPubSubServiceClient(connectionString, "news", { allowInsecureConnection: true });
  const { url } = await service.getClientAccessToken({ groups: ["sports"], userId: "ann" });
  const client = await new SdkClient(RELEASES["1.1.0"], url).start();
  t.after(() => client.stop());
  const [came] = (await presence.deliveries.next()).events;
  assert.deepEqual([came.eventType, came.data.userId], ["Microsoft.SignalRService.ClientConnectionConnected", "ann"]);
  const event = cloudEvent({ data: { n: 1 } });
  assert.equal(await publish(KEY, event), 200);
  const { message } = await client.on["group-message"].next();
  assert.deepEqual([message.group, message.data.id], ["sports", event.id]);
});

test("statuses to give up at and the folder of dead letters are as configured", async () => {
  billing.answer = () => 418;
  const event = cloudEvent();
  assert.equal(await publish(KEY, event), 200);
  const [letter] = await grid.deadLetters("billing");
  assert.deepEqual([letter.attempts, letter.reason], [1, "refused"]);
  const root = join(folder.path, "graves");
  let files = [];
  await eventually("the file of the dead letter", async () => {
    const all = await readdir(root, { recursive: true }).catch(() => []);
    files = all.filter((path) => path.endsWith(".json"));
    return files.length > 0;
  });
  assert.match(files[0], /^unpaid\/ORDERS\/BILLING\//);
  assert.equal(JSON.parse(await readFile(join(root, files[0]), "utf8"))[0].id, event.id);
  billing.answer = () => 200;
});

test("management calls show what the file defines, and do not change it", async () => {
  const { scope } = await grid.seen("billing");
  assert.equal((await grid.manage("GET", scope)).json().properties.inputSchema, "CloudEventSchemaV1_0");
  for (const refused of [
    await grid.manage("DELETE", scope),
    await grid.unsubscribe(scope, "billing"),
    await grid.trySubscribe(scope, billing, {}, "billing"),
  ]) {
    assert.equal(refused.status, 409, refused.text);
  }
});

test("a restart keeps what calls have made and drops what left the file", async () => {
  const made = await grid.topic({}, "made-by-call");
  await grid.subscribe(made.id, billing, {}, "by-call");
  await restart(GENERAL);
  for (const name of ["billing", "browsers", "presence"]) assert.equal(await grid.seen(name), undefined, name);
  assert.equal((await grid.seen("by-call")).state, "Succeeded");
  assert.equal((await grid.manage("POST", `${made.id}/listKeys`)).json().key1, made.key);
  assert.equal(await publish(KEY, cloudEvent()), 200);
});

test("a file that cannot be is told with its line", async () => {
  for (const [line, cause] of [
    ['[[eventgrid.subscription]]\nname = "a"\ntopic = "no-such-topic"\nurl = "http://h/"', /no-such-topic/],
    ['[[eventgrid.subscription]]\nname = "a"\ntopic = "orders"', /destination/],
    ['[[eventgrid.topic]]\nname = "b"\nkey1 = "literal"', /file/],
    ["[[eventgrid.topic]]\nname = 7", /name/],
  ]) {
    await writeFile(file, `${GENERAL}\n${line}\n`);
    const checked = await typed(["config", "check", file]);
    assert.notEqual(checked.code, 0, line);
    assert.match(checked.out + checked.err, cause);
    assert.match(checked.out + checked.err, /tidings\.toml:\d+/);
  }
});
