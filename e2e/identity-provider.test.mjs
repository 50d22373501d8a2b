// Bearer tokens of an identity provider in production: for publishing, management calls and queries.
import assert from "node:assert/strict";
import { execFile } from "node:child_process";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { promisify } from "node:util";
import { eventually } from "./lib/deadline.mjs";
import { EventGrid } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { IdentityProvider } from "./lib/identity-provider.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server, temporaryFolder } from "./lib/server.mjs";

const run = promisify(execFile);
const AUDIENCE = "https://eventgrid.azure.net";
const EVENT = { id: "1", subject: "s", eventType: "t", eventTime: new Date().toISOString(), dataVersion: "1", data: { n: 1 } };

let provider;
let folder;
let server;
let sdk;

before(async () => {
  [provider, folder] = [await IdentityProvider.start(), await temporaryFolder()];
  const [key, certificate] = ["key.pem", "certificate.pem"].map((name) => join(folder.path, name));
  const what = ["-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"];
  const whose = ["-addext", "subjectAltName=DNS:localhost", "-addext", "basicConstraints=critical,CA:FALSE"];
  await run("openssl", ["req", "-x509", ...what, ...whose, "-keyout", key, "-out", certificate]);
  const config = join(folder.path, "tidings.toml");
  await writeFile(config, `
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
    [outbound]
    allow = ["127.0.0.0/8"]
    [identity_provider]
    issuer = "${provider.issuer}"
    audiences = ["${AUDIENCE}", "https://management.azure.com"]
    role = "Operator"
    [[eventgrid.topic]]
    name = "orders"
  `);
  server = await Server.start({ config });
  server.ca = await readFile(certificate);
  server.ready.ca = certificate;
  server.ready.https = server.ready.https.replace("127.0.0.1", "localhost");
  sdk = new Sdk("js", server, "eventgrid");
});

after(async () => {
  await sdk?.close();
  await server?.stop();
  await Promise.all([provider?.close(), folder?.forget()]);
});

const good = (claims) => provider.token({ aud: AUDIENCE, roles: ["Reader", "Operator"], ...claims });

function publish(token) {
  const endpoint = `${server.ready.https}/topics/orders/api/events`;
  const topic = { endpoint, token };
  return sdk.client({ topic, schema: "EventGrid", credential: "issued" }).send([EVENT]);
}

const manage = (token) => new EventGrid(server, token).manage("GET", "/subscriptions");

test("a token of the provider publishes, and opens management", async () => {
  await eventually("the provider's keys have come", async () => (await manage(good())).status === 200);
  await publish(good());
});

test("each fault of a token is told", async () => {
  for (const [token, expected] of [
    [good({ aud: "https://else" }), /'https:\/\/else'.*identity_provider\.audiences/],
    [good({ iss: "https://evil.example" }), /comes from 'https:\/\/evil\.example'/],
    [good({ exp: 1 }), /expired/],
    [good({ roles: ["Reader"] }), /lacks the role 'Operator'/],
    [`${good()}AAAA`, /signature/],
  ]) {
    await assert.rejects(publish(token), ({ statusCode, message }) => [401, 403].includes(statusCode) && expected.test(message));
    const refused = await manage(token);
    assert.ok([401, 403].includes(refused.status), refused.text);
    assert.match(refused.json().error.message, expected);
    assert.ok(!refused.text.includes(token), "the token is not repeated");
  }
});

test("a key that the provider has begun to use is fetched", async () => {
  provider.rotate();
  await eventually("the new key is taken", async () => (await manage(good())).status === 200);
});

test("a token over plain HTTP is refused", async () => {
  const answer = await request(`${server.ready.http}/topics/orders/api/events`, {
    method: "POST",
    headers: { authorization: `Bearer ${good()}`, "content-type": "application/json" },
    body: JSON.stringify([EVENT]),
  });
  assert.equal(answer.status, 401);
  assert.match(answer.json().error.message, /plain HTTP/);
});
