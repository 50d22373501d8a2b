// The backend of a chat of two people: it makes their identities, tokens and thread, and serves the
// page. Chat itself is between the page and the service.
import { fileURLToPath } from "node:url";
import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";
import { CommunicationIdentityClient } from "@azure/communication-identity";
import { build } from "esbuild";
import express from "express";
import { linkHub } from "./hub.mjs";
import { registerPhone } from "./phone.mjs";

const connectionString = process.env.COMMUNICATION_CONNECTION_STRING;
if (!connectionString) {
  console.error("COMMUNICATION_CONNECTION_STRING is not set. `tidings dev` prints it; `make demo` sets it.");
  process.exit(1);
}
const endpoint = /endpoint=([^;]+)/i.exec(connectionString)[1];
const identities = new CommunicationIdentityClient(connectionString);

const tokenOf = (user) => identities.getToken(user, ["chat"]);

/** Someone new, with a first token. */
async function person(name) {
  const user = await identities.createUser();
  return { name, user, ...(await tokenOf(user)) };
}

/** Two people and the thread between them. */
async function conversation() {
  const [alice, bob] = await Promise.all([person("Alice"), person("Bob")]);
  const chat = new ChatClient(endpoint, new AzureCommunicationTokenCredential(alice.token));
  const participants = [alice, bob].map(({ user, name }) => ({ id: user, displayName: name }));
  const { chatThread } = await chat.createChatThread({ topic: "Alice and Bob" }, { participants });
  return { people: { alice, bob }, threadId: chatThread.id };
}

/** With a hub, each of the two has a phone too. */
async function phones({ alice, bob }) {
  const hub = process.env.NOTIFICATION_HUB_CONNECTION_STRING;
  if (!hub) return undefined;
  await linkHub(endpoint, hub, process.env.NOTIFICATION_HUB_NAME ?? "local");
  await Promise.all([alice, bob].map(({ token }) => registerPhone(endpoint, token)));
  return process.env.PHONE_URL;
}

const { people, threadId } = await conversation();
const phoneUrl = await phones(people);
const page = await build({
  entryPoints: [fileURLToPath(new URL("page.mjs", import.meta.url))],
  bundle: true,
  format: "esm",
  platform: "browser",
  minify: true,
  write: false,
});

const app = express();
app.use(express.static(fileURLToPath(new URL("public", import.meta.url))));
app.get("/page.js", (_request, response) => response.type("js").send(page.outputFiles[0].text));

// Whom the page is, with a fresh token: it asks again when one has ended. The access key stays here. A
// real app knows from its own sign-in who asks; here everybody may be either.
app.get("/people/:me", async ({ params }, response) => {
  const me = people[params.me];
  if (!me) return response.status(404).json({ error: `There is no ${params.me}; there are alice and bob.` });
  const others = Object.values(people).filter((it) => it !== me);
  const { token } = await tokenOf(me.user);
  const [id, other] = [me.user.communicationUserId, others[0].name];
  response.set("cache-control", "no-store").json({ name: me.name, id, other, endpoint, threadId, token, phoneUrl });
});

app.use((error, _request, response, _next) => {
  console.error(error.message);
  response.status(502).json({ error: error.message });
});

const listener = app.listen(Number(process.env.PORT ?? 3000), "127.0.0.1", (error) => {
  if (error) {
    console.error(`Cannot listen: ${error.message}. Set PORT to a free port.`);
    process.exit(1);
  }
  const url = `http://localhost:${listener.address().port}`;
  console.log(`open ${url}/?me=alice and ${url}/?me=bob`);
  if (phoneUrl) console.log(`their phones are at ${phoneUrl}; close a tab and write to it`);
});
