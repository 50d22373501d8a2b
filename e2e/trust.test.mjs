// The development CA: each program trusts the server after the line that `tidings trust` prints for
// it, and not before. Chromium's line is proved by browser.test.mjs.
import assert from "node:assert/strict";
import { X509Certificate } from "node:crypto";
import { dirname } from "node:path";
import { after, before, test } from "node:test";
import { connect } from "node:tls";
import { once } from "node:events";
import { PATIENCE_MS, within } from "./lib/deadline.mjs";
import { PYTHON } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { shell, trustCommand } from "./lib/trust.mjs";

let server;

before(async () => {
  server = await Server.start();
});

after(() => server?.stop());

const PATH = { PATH: `${dirname(PYTHON)}:${process.env.PATH}` };

const health = () => `${server.ready.https}/api/health`;
const node = () => `"${process.execPath}" -e 'fetch("${health()}", { method: "HEAD" }).then((it) => console.log(it.status))'`;
const requests = () => `python3 -c 'import requests; print(requests.head("${health()}").status_code)'`;
const ssl = () => `python3 -c 'import urllib.request as u; print(u.urlopen(u.Request("${health()}", method="HEAD")).status)'`;

for (const [name, program, use] of [
  ["Node.js", "Node.js", node],
  ["Python's requests", "Python", requests],
  ["Python's ssl", "Python", ssl],
]) {
  test(`${name} trusts the server after the line for it, and not before`, async () => {
    await assert.rejects(shell(use(), PATH), /certificate|fetch failed/i);
    const command = await trustCommand(server, program);
    assert.equal((await shell(`${command}\n${use()}`, PATH)).trim(), "200");
  });
}

test("the line for curl works as it stands, but for the port", async () => {
  const command = (await trustCommand(server, "curl")).replace(/https:\/\/localhost:\d+/, server.ready.https);
  const head = "curl --head --silent --show-error --fail";
  assert.match(await shell(command.replace("curl", head)), /^HTTP\/\S+ 200/);
  await assert.rejects(shell(`${head} ${health()}`), /certificate/);
});

test("the server's certificate is for localhost and the loopback addresses, and browsers accept its life", async (t) => {
  const socket = connect({ port: Number(new URL(server.ready.https).port), host: "localhost", ca: server.ca });
  t.after(() => socket.destroy());
  await within(PATIENCE_MS, "TLS handshake", once(socket, "secureConnect"));
  assert.equal(socket.authorized, true);
  const certificate = new X509Certificate(socket.getPeerCertificate(true).raw);
  assert.ok(certificate.checkHost("localhost"));
  for (const address of ["127.0.0.1", "::1"]) assert.ok(certificate.checkIP(address), address);
  const days = (Date.parse(certificate.validTo) - Date.now()) / 86_400_000;
  assert.ok(days > 1 && days < 398, `it is valid for ${days} more days; browsers refuse more than 398`);
});
