// `tidings doctor`: a healthy system, and the faults of connections, tokens and real-time notifications, each
// injected into a real server with the SDKs.
import assert from "node:assert/strict";
import { once } from "node:events";
import http from "node:http";
import https from "node:https";
import net from "node:net";
import { hostname } from "node:os";
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import { typed } from "./lib/command.mjs";
import { eventually } from "./lib/deadline.mjs";
import { confirms, doctor, leads, patient, silent, well } from "./lib/doctor.mjs";
import { EventGrid, eventGridEvent } from "./lib/eventgrid.mjs";
import { request } from "./lib/http.mjs";
import { freshHub } from "./lib/hub.mjs";
import { Receiver } from "./lib/receiver.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Device } from "./lib/signaling.mjs";
import { changeStore } from "./lib/store.mjs";
import { nowSeconds, tokenFor } from "./lib/token.mjs";
import { refusedUpgrade } from "./lib/websocket.mjs";

/** The chat SDK beside a server of the test's own. */
async function chatFor(t) {
  const server = await patient(t);
  const sdk = new Sdk("js", server, "communication");
  t.after(() => sdk.close());
  const identity = sdk.client({ client: "identity" });
  const person = async (scopes = ["chat"]) => {
    const { user, token } = await identity.createUserAndToken(scopes);
    const chat = sdk.client({ client: "chat", token });
    return { user, id: user.communicationUserId, token, chat, thread: (id) => sdk.client({ client: "thread", token, thread: id }) };
  };
  /** Alice and Bob in a thread. */
  const pair = async () => {
    const [alice, bob] = [await person(), await person()];
    const participants = [{ id: bob.user, displayName: "Bob" }];
    const { chatThread } = await alice.chat.createChatThread({ topic: "t" }, { participants });
    return { alice, bob, id: chatThread.id };
  };
  return { server, identity, person, pair };
}

/** A server of the test's own: `listener` listens, and is closed with the test. */
async function listening(t, listener) {
  listener.listen(0);
  await once(listener, "listening");
  const sockets = new Set();
  for (const event of ["connection", "secureConnection"]) listener.on(event, (socket) => sockets.add(socket));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    listener.close();
  });
  return listener.address().port;
}

test("a new system is healthy, and everything that was looked at is listed", async (t) => {
  const server = await patient(t);
  const { report } = await well(server);
  assert.ok(report.checked >= 32, `${report.checked} hypotheses`);
  assert.ok(report.tookMs < 5_000, `${report.tookMs} ms`);
  const { code, out } = await typed(["doctor", "--data", server.data]);
  assert.equal(code, 0, out);
  assert.match(out, /^Healthy: of 32 hypotheses none is confirmed/);
  assert.match(out, /Ruled out: stopped-on-the-way, websocket-blocked, upgrade-stripped,/);
  const listed = await request(`${server.ready.admin}/playbook`);
  assert.equal(listed.json().hypotheses.length, report.checked);
});

test("a busy system is healthy: chat, connections and events", async (t) => {
  const { server, pair } = await chatFor(t);
  const { alice, bob, id } = await pair();
  const device = await Device.connect(server, bob.token);
  t.after(() => device.close());
  await alice.thread(id).sendMessage({ content: "hello" });
  assert.equal((await device.next()).name, "chatMessageReceived");
  const hub = freshHub(t, server);
  const client = await hub.json();
  await hub.service.sendToAll({ n: 1 });
  assert.deepEqual((await client.nextJson()).data, { n: 1 });
  const [grid, receiver] = [new EventGrid(server), await Receiver.start()];
  t.after(() => receiver.close());
  await grid.subscribe(grid.local.id, receiver, {}, "orders");
  await grid.publisher(grid.local).send([eventGridEvent()]);
  await receiver.deliveries.next();
  await grid.settled("orders");
  await well(server);
  const about = ["--user", bob.id, "--thread", id, "--token", bob.token];
  await well(server, "--symptom", "realtime", ...about);
});

test("without a server that is the first thing told, with what is known without one", async (t) => {
  const server = await patient(t);
  const token = tokenFor("x", "https://h/client/hubs/a", { exp: nowSeconds() - 3600 });
  server.interrupt();
  await server.exited;
  const { code, report } = await doctor(server, "--token", token);
  assert.equal(code, 1);
  assert.deepEqual([report.findings[0].hypothesis, report.findings[0].verdict], ["server-not-running", "confirmed"]);
  const confirmed = report.findings.filter(({ verdict }) => verdict === "confirmed").map(({ hypothesis }) => hypothesis);
  assert.deepEqual(confirmed, ["server-not-running", "websocket-blocked", "token-expired"]);
});

test("a question that makes no sense cannot be answered", async (t) => {
  const server = await patient(t);
  const { code, err } = await typed(["doctor", "--data", server.data, "--since", "soon"]);
  assert.equal(code, 2);
  assert.match(err, /since is a span/);
});

test("no token is in a report or in the log", async (t) => {
  const { server, person } = await chatFor(t);
  const { token } = await person(["voip"]);
  const { out } = await doctor(server, "--token", token);
  const parts = token.split(".");
  for (const place of [out, `${server.log}`]) for (const part of parts) assert.ok(!place.includes(part));
});

test("websocket-blocked: a proxy that lets nothing through, and an address where nobody is", async (t) => {
  const server = await patient(t);
  const proxy = http.createServer();
  proxy.on("connect", (_request, socket) => socket.end("HTTP/1.1 403 Forbidden by policy\r\n\r\n"));
  const port = await listening(t, proxy);
  const found = await confirms(server, "websocket-blocked", "Measured", "--proxy", `http://localhost:${port}`);
  assert.match(found.evidence[0].text, /403 Forbidden by policy/);
  await confirms(server, "websocket-blocked", "Measured", "--endpoint", "http://localhost:1");
  await confirms(server, "websocket-blocked", "Measured", "--endpoint", "https://nowhere.invalid");
});

test("a proxy and a server that say nothing delay a report by seconds", async (t) => {
  const server = await patient(t);
  const silence = await listening(t, net.createServer());
  for (const way of [["--proxy", `http://localhost:${silence}`], ["--endpoint", `https://localhost:${silence}`]]) {
    const { report } = await doctor(server, ...way);
    assert.ok(report.tookMs >= 1_900 && report.tookMs < 5_500, `${report.tookMs} ms`);
    assert.ok(!report.healthy);
  }
});

test("an address that is none, and a name that nobody has", async (t) => {
  const server = await patient(t);
  for (const [args, words] of [[["--endpoint", "nonsense"], /endpoint is an address/], [["--proxy", "ftp://x"], /proxy is an address/]]) {
    const { code, err } = await typed(["doctor", "--data", server.data, ...args]);
    assert.equal(code, 2);
    assert.match(err, words);
  }
  const { out } = await typed(["doctor", "--data", server.data, "--symptom", "webhook", "--subscription", "nosuch"]);
  assert.match(out, /cannot tell[^]*There is no event subscription 'nosuch'/);
});

test("a proxy that lets connections through is no fault", async (t) => {
  const server = await patient(t);
  const proxy = http.createServer();
  proxy.on("connect", ({ url }, socket) => {
    const [host, port] = url.split(":");
    const onward = net.connect(Number(port), host, () => {
      socket.write("HTTP/1.1 200 Connection established\r\n\r\n");
      onward.pipe(socket).pipe(onward);
    });
    for (const it of [socket, onward]) it.on("error", () => {});
  });
  await well(server, "--symptom", "connect", "--proxy", `http://localhost:${await listening(t, proxy)}`);
});

test("upgrade-stripped: a reverse proxy that does not pass the header on", async (t) => {
  const server = await patient(t);
  const proxy = http.createServer((incoming, outgoing) => {
    const { upgrade: _gone, connection: _too, ...headers } = incoming.headers;
    const onward = http.request(`${server.ready.http}${incoming.url}`, { method: incoming.method, headers }, (answer) => {
      outgoing.writeHead(answer.statusCode, answer.headers);
      answer.pipe(outgoing);
    });
    incoming.pipe(onward);
  });
  proxy.on("upgrade", (incoming, socket) => {
    // As a proxy does that knows nothing of WebSockets.
    const response = new http.ServerResponse(incoming);
    response.assignSocket(socket);
    proxy.emit("request", incoming, response);
  });
  const endpoint = `http://localhost:${await listening(t, proxy)}`;
  const found = await confirms(server, "upgrade-stripped", "Measured", "--symptom", "connect", "--endpoint", endpoint);
  assert.match(found.evidence[0].text, /in place of 101/);
  await silent(server, "upgrade-stripped", "--endpoint", server.ready.http);
});

test("tls-mismatch: a certificate for another name", async (t) => {
  const server = await patient(t);
  const { port } = new URL(server.ready.https);
  const [cert, key] = await Promise.all(["server.pem", "server-key.pem"].map((name) => readFile(join(server.data, "tls", name))));
  const other = await listening(t, https.createServer({ cert, key }));
  const endpoint = `https://${hostname()}:${other}`;
  const found = await confirms(server, "tls-mismatch", "Measured", "--endpoint", endpoint);
  assert.match(found.evidence[0].text, new RegExp(`not for the name ${hostname()}.*localhost`));
  await silent(server, "tls-mismatch", "--endpoint", `wss://localhost:${port}`);
});

test("tls-mismatch: plain HTTP behind an https address", async (t) => {
  const server = await patient(t);
  await confirms(server, "tls-mismatch", "Measured", "--endpoint", server.ready.http.replace("http:", "https:"));
});

test("clock-skew: an endpoint whose clock is off", async (t) => {
  const server = await patient(t);
  const late = http.createServer();
  late.on("upgrade", ({ headers }, socket) => {
    const accept = createHash("sha1").update(`${headers["sec-websocket-key"]}258EAFA5-E914-47DA-95CA-C5AB0DC85B11`).digest("base64");
    const date = new Date(Date.now() - 600_000).toUTCString();
    socket.write(`HTTP/1.1 101 x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: ${accept}\r\nDate: ${date}\r\n\r\n`);
  });
  const found = await confirms(server, "clock-skew", "Measured", "--endpoint", `http://localhost:${await listening(t, late)}`);
  assert.match(found.evidence[0].text, /10 min.* behind|behind/);
});

test("clock-skew: a token of the future", async (t) => {
  const server = await patient(t);
  const audience = `${server.ready.http}/client/hubs/a`;
  const token = tokenFor(server.accessKey, audience, { nbf: nowSeconds() + 3600, exp: nowSeconds() + 7200 });
  await confirms(server, "clock-skew", "Observed", "--token", token);
});

test("clock-skew: a request that was signed long ago", async (t) => {
  const server = await patient(t);
  await silent(server, "clock-skew");
  const headers = {
    "x-ms-date": new Date(Date.now() - 3_600_000).toUTCString(),
    "x-ms-content-sha256": createHash("sha256").update("").digest("base64"),
    authorization: "HMAC-SHA256 SignedHeaders=x-ms-date;host;x-ms-content-sha256&Signature=AAAA",
  };
  const refused = await request(`${server.ready.http}/identities?api-version=2023-10-01`, { method: "POST", headers });
  assert.equal(refused.status, 401, refused.text);
  const found = await confirms(server, "clock-skew", "Observed");
  assert.match(found.evidence[0].query, /^ACSAuthIncomingOperations/);
});

test("throttled: this server takes no more of a caller", async (t) => {
  const server = await patient(t, { env: { TIDINGS_COMMUNICATION_RATE_LIMITS: "1" } });
  const sdk = new Sdk("js", server, "communication");
  t.after(() => sdk.close());
  const { token } = await sdk.client({ client: "identity" }).createUserAndToken(["chat"]);
  const chat = sdk.client({ client: "chat", token });
  const { chatThread } = await chat.createChatThread({ topic: "t" });
  await silent(server, "throttled");
  const thread = sdk.client({ client: "thread", token, thread: chatThread.id });
  const sent = await Promise.allSettled(Array.from({ length: 11 }, () => thread.sendMessage({ content: "x" })));
  assert.ok(sent.some(({ reason }) => reason?.statusCode === 429), JSON.stringify(sent));
  const found = await confirms(server, "throttled", "Observed");
  assert.match(found.evidence[0].text, /ACSChatIncomingOperations/);
});

const FAULTY = {
  "token-expired": ({ accessKey, ready }) => tokenFor(accessKey, `${ready.http}/client/hubs/chat`, { exp: nowSeconds() - 3600 }),
  "wrong-audience": ({ accessKey, ready }) => tokenFor(accessKey, `${ready.http}/client/hubs/another`),
  "access-key-wrong": ({ ready }) => tokenFor("another key", `${ready.http}/client/hubs/chat`),
};

for (const [hypothesis, make] of Object.entries(FAULTY)) {
  test(`${hypothesis}: of a client of a hub, by the token and by the refusal`, async (t) => {
    const server = await patient(t);
    const token = make(server);
    await confirms(server, hypothesis, "Observed", "--hub", "chat", "--token", token);
    await silent(server, hypothesis);
    const refused = await refusedUpgrade(`${server.ready.http.replace("http", "ws")}/client/hubs/chat?access_token=${token}`);
    assert.equal(refused.status, 401);
    const found = await confirms(server, hypothesis, "Observed");
    assert.match(found.evidence[0].query, /^WebPubSub/);
  });
}

test("chat-scope-missing: by the token and by the refusal", async (t) => {
  const { server, person, pair } = await chatFor(t);
  const { id } = await pair();
  const caller = await person(["voip"]);
  const found = await confirms(server, "chat-scope-missing", "Observed", "--token", caller.token);
  assert.match(found.evidence[0].text, /voip/);
  await silent(server, "chat-scope-missing");
  await assert.rejects(caller.thread(id).sendMessage({ content: "x" }), { statusCode: 403 });
  await confirms(server, "chat-scope-missing", "Observed");
});

test("token-revoked: by the token and by the refusal", async (t) => {
  const { server, person, identity } = await chatFor(t);
  const ann = await person();
  await well(server, "--token", ann.token);
  await identity.revokeTokens(ann.user);
  await confirms(server, "token-revoked", "Observed", "--token", ann.token);
  await assert.rejects(ann.chat.listChatThreads({}), { statusCode: 401 });
  await confirms(server, "token-revoked", "Observed");
});

test("token-revoked: its user is deleted, or the key that issued it was replaced", async (t) => {
  const { server, person, identity } = await chatFor(t);
  const [ann, bob] = [await person(), await person()];
  await identity.deleteUser(ann.user);
  await assert.rejects(ann.chat.listChatThreads({}), { statusCode: 401 });
  await confirms(server, "token-revoked", "Observed");
  await silent(server, "token-revoked", "--user", bob.id);
  const rotated = await typed(["keys", "rotate", "communication", "primary", "--data", server.data]);
  assert.equal(rotated.code, 0, rotated.err);
  await eventually("the key is not in force any more", async () => {
    const { report } = await doctor(server, "--token", bob.token);
    return report.findings.some(({ hypothesis, verdict }) => hypothesis === "token-revoked" && verdict === "confirmed");
  });
});

test("registration-lapsed: the page of a user was closed long ago", async (t) => {
  const { server, pair } = await chatFor(t);
  const { alice, bob, id } = await pair();
  const body = JSON.stringify({
    clientDescription: { appId: "AcsWeb", languageId: "en-US" },
    registrationId: "page",
    transports: { TROUTER: [{ context: "", path: "https://localhost/", ttl: 7200 }] },
  });
  const headers = { "x-skypetoken": bob.token, "content-type": "application/json" };
  const registered = await request(`${server.ready.https}/registrar/prod/v3/registrations`, { method: "POST", headers, body, ca: server.ca });
  assert.equal(registered.status, 202, registered.text);
  await silent(server, "registration-lapsed");
  await changeStore(server.data, "UPDATE signaling_registrations SET expires_at = 1");
  await alice.thread(id).sendMessage({ content: "hello?" });
  const found = await confirms(server, "registration-lapsed", "Inferred");
  assert.match(found.evidence[0].text, /real-time registration of 8:acs:/);
});

test("wrong-audience: the token of a user of another resource", async (t) => {
  const [{ server }, other] = [await chatFor(t), await chatFor(t)];
  const { token } = await other.person();
  await confirms(server, "wrong-audience", "Observed", "--token", token);
});

test("wrong-audience: what is sent is no token, or there is none", async (t) => {
  for (const query of ["?access_token=nonsense", ""]) {
    const server = await patient(t);
    await silent(server, "wrong-audience");
    const refused = await refusedUpgrade(`${server.ready.http.replace("http", "ws")}/client/hubs/chat${query}`);
    assert.equal(refused.status, 401);
    await confirms(server, "wrong-audience", "Observed");
  }
});

test("not-participant: never added, removed, and refused", async (t) => {
  const { server, person, pair } = await chatFor(t);
  const { alice, bob, id } = await pair();
  const eve = await person();
  const about = (who) => ["--user", who.id, "--thread", id];
  const never = await confirms(server, "not-participant", "Observed", ...about(eve));
  assert.match(never.evidence[0].text, /never added/);
  await silent(server, "not-participant", ...about(bob));
  await alice.thread(id).removeParticipant(bob.user);
  const removed = await confirms(server, "not-participant", "Observed", ...about(bob));
  assert.match(removed.evidence[0].text, /was removed/);
  await assert.rejects(eve.thread(id).sendMessage({ content: "x" }));
  await confirms(server, "not-participant", "Observed");
});

test("realtime-never-started: messages came, and no client asked to be told", async (t) => {
  const { server, pair } = await chatFor(t);
  const { alice, bob, id } = await pair();
  await silent(server, "realtime-never-started");
  await alice.thread(id).sendMessage({ content: "hello?" });
  const found = await confirms(server, "realtime-never-started", "Inferred");
  assert.ok(found.evidence[0].text.includes(bob.id), found.evidence[0].text);
  const device = await Device.connect(server, bob.token);
  t.after(() => device.close());
  await silent(server, "realtime-never-started");
});

test("handler-not-registered: a client that answers 404", async (t) => {
  const { server, pair } = await chatFor(t);
  const { alice, bob, id } = await pair();
  const device = await Device.connect(server, bob.token, { status: 404 });
  t.after(() => device.close());
  await alice.thread(id).sendMessage({ content: "hello" });
  await device.next();
  await eventually("the answer is counted", async () => {
    const { report } = await doctor(server, "--symptom", "realtime");
    return report.findings.some(({ hypothesis, verdict }) => hypothesis === "handler-not-registered" && verdict === "confirmed");
  });
  const found = await confirms(server, "handler-not-registered", "Inferred");
  assert.match(found.evidence[0].text, /chatMessageReceived/);
  await leads(server, found.evidence, /acknowledged/);
});

test("slow-consumer: a client that does not read is told of once it was disconnected", async (t) => {
  const server = await patient(t, { env: { TIDINGS_GATEWAY_OUTBOUND_QUEUE_BYTES: "1048576" } });
  const hub = freshHub(t, server);
  const client = await hub.json();
  await silent(server, "slow-consumer");
  client.socket.pause();
  let gone = false;
  const data = "x".repeat(500_000);
  for (let sent = 0; sent < 100 && !gone; sent += 1) {
    await hub.service.sendToAll(data, { contentType: "text/plain" });
    gone = !(await hub.service.connectionExists(client.connectionId));
  }
  assert.ok(gone, "it was disconnected");
  client.socket.resume();
  await client.end();
  await confirms(server, "slow-consumer", "Observed");
});

test("limit-hit: a message that is too large", async (t) => {
  const server = await patient(t);
  const hub = freshHub(t, server);
  await hub.service.sendToAll("small", { contentType: "text/plain" });
  await silent(server, "limit-hit");
  await assert.rejects(hub.service.sendToAll("x".repeat(1_100_000), { contentType: "text/plain" }), { statusCode: 413 });
  await confirms(server, "limit-hit", "Observed");
});
