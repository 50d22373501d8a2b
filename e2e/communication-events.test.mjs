// What happens in chat, as Event Grid events that a webhook gets.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { PATIENCE_MS, within } from "./lib/deadline.mjs";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";
import { Webhook } from "./lib/webhook.mjs";

const RESOURCE =
  "/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/tidings" +
  "/providers/Microsoft.Communication/CommunicationServices/local";

let server;
let sdk;
let management;
let webhook;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("js", server, "communication");
  management = new Sdk("js", server, "management");
  webhook = await Webhook.start();
});

after(() => Promise.all([sdk?.close(), management?.close(), webhook?.close(), server?.stop()]));

/** The next `count` events by type; those of one change come in any order. */
async function events(count) {
  const found = [];
  while (found.length < count) found.push((await within(PATIENCE_MS, "an event", webhook.events.next())).event);
  return found.map(({ eventType, subject }) => [eventType.replace("Microsoft.Communication.", ""), subject]).sort();
}

test("a thread and its messages are told to each user and once for the thread", async () => {
  const subscriptions = management.operations("eventSubscriptions");
  const destination = { endpointType: "WebHook", endpointUrl: webhook.url };
  await subscriptions.beginCreateOrUpdateAndWait(RESOURCE, "chat", { destination });

  const identity = sdk.client({ client: "identity" });
  const alice = await identity.createUserAndToken(["chat"]);
  const bob = await identity.createUser();
  const chat = sdk.client({ client: "chat", token: alice.token });
  const { chatThread } = await chat.createChatThread({ topic: "t" }, { participants: [{ id: bob }] });
  const [a, b, id] = [alice.user.communicationUserId, bob.communicationUserId, chatThread.id];
  assert.deepEqual(await events(3), [
    ["ChatThreadCreated", `thread/${id}/createdBy/${a}`],
    ...[a, b].map((to) => ["ChatThreadCreatedWithUser", `thread/${id}/createdBy/${a}/recipient/${to}`]).sort(),
  ]);

  const thread = sdk.client({ client: "thread", token: alice.token, thread: id });
  await thread.sendMessage({ content: "hello ☃" });
  assert.deepEqual(await events(2), [
    ["ChatMessageReceived", `thread/${id}/sender/${a}/recipient/${b}`],
    ["ChatMessageReceivedInThread", `thread/${id}/sender/${a}`],
  ]);
});
