// The PyPI packages azure-communication-identity and azure-communication-chat, as a backend uses them.
import assert from "node:assert/strict";
import { after, before, beforeEach, test } from "node:test";
import { Sdk } from "./lib/sdk.mjs";
import { Server } from "./lib/server.mjs";

let server;
let sdk;
let identity;

before(async () => {
  server = await Server.start();
  sdk = new Sdk("python", server, "communication");
  identity = sdk.client({ client: "identity" });
});

after(async () => {
  try {
    await sdk?.close();
  } finally {
    await server?.stop();
  }
});

const user = (id) => ({ $user: id });
const participant = (id, fields) => ({ $participant: user(id), with: fields });

/** A new user with a token, and its clients. */
async function person(scopes = ["chat"]) {
  const [id, [token]] = await identity.create_user_and_token({ scopes });
  const chat = sdk.client({ client: "chat", token });
  return { id, token, chat, thread: (thread) => sdk.client({ client: "thread", token, thread }) };
}

let alice;
let bob;
let id;

beforeEach(async () => {
  [alice, bob] = [await person(), await person()];
  const thread_participants = [participant(bob.id, { display_name: "Bob" })];
  const created = await alice.chat.create_chat_thread("Plans ☃", { thread_participants });
  assert.deepEqual(created.errors ?? [], []);
  id = created.chat_thread.id;
});

const texts = (pages) => pages.flat().filter(({ sender }) => sender).map(({ content }) => content?.message).reverse();

test("users and tokens: create, issue, revoke, delete", async () => {
  const id = await identity.create_user({});
  assert.match(id, /^8:acs:/);
  const [token] = await identity.get_token(user(id), ["chat", "voip"], { token_expires_in: { $minutes: 60 } });
  const chat = sdk.client({ client: "chat", token });
  assert.deepEqual(await chat.list_chat_threads({}), [[]]);
  await identity.revoke_tokens(user(id), {});
  await assert.rejects(chat.list_chat_threads({}), { name: "ClientAuthenticationError", statusCode: 401 });
  await identity.delete_user(user(id), {});
  await assert.rejects(identity.get_token(user(id), ["chat"], {}), { name: "ResourceNotFoundError", statusCode: 404 });
});

test("threads are made, listed, renamed and deleted", async () => {
  const thread = alice.thread(id);
  await thread.update_topic("new", {});
  assert.equal((await thread.get_properties({})).topic, "new");
  const listed = (await bob.chat.list_chat_threads({ results_per_page: 1 })).flat();
  assert.deepEqual(listed.map(({ topic }) => topic), ["new"]);
  await alice.chat.delete_chat_thread(id, {});
  await assert.rejects(thread.get_properties({}), { name: "ResourceNotFoundError", statusCode: 404 });
});

test("messages are sent, listed page by page, edited and deleted", async () => {
  const thread = alice.thread(id);
  const sent = [];
  for (const content of ["eins ☃", "zwei", "drei"]) sent.push((await thread.send_message(content, { metadata: { k: "v" } })).id);
  const pages = await bob.thread(id).list_messages({ results_per_page: 2 });
  assert.deepEqual(texts(pages), ["eins ☃", "zwei", "drei"]);
  assert.deepEqual(pages.map((page) => page.length), [2, 2, 1]);
  await thread.update_message(sent[0], "one", {});
  assert.equal((await bob.thread(id).get_message(sent[0], {})).content.message, "one");
  await thread.delete_message(sent[1], {});
  assert.ok((await bob.thread(id).get_message(sent[1], {})).deleted_on, "deleted_on");
  const other = bob.thread(id).delete_message(sent[2], {});
  await assert.rejects(other, { name: "HttpResponseError", statusCode: 403 });
});

test("participants come and go", async () => {
  const carol = await person();
  await alice.thread(id).send_message("before", {});
  const fields = { display_name: "Carol", share_history_time: { $date: "1970-01-01T00:00:00+00:00" } };
  assert.deepEqual(await alice.thread(id).add_participants([participant(carol.id, fields)], {}), []);
  assert.deepEqual(texts(await carol.thread(id).list_messages({})), ["before"]);
  const names = (await bob.thread(id).list_participants({ results_per_page: 2 })).flat().map((it) => it.display_name);
  assert.deepEqual(names.slice(1), ["Bob", "Carol"]);
  await alice.thread(id).remove_participant(user(carol.id), {});
  await assert.rejects(carol.thread(id).send_message("x", {}), { name: "HttpResponseError", statusCode: 403 });
});

test("typing and read receipts", async () => {
  await bob.thread(id).send_typing_notification({ sender_display_name: "B." });
  const { id: message } = await alice.thread(id).send_message("read me", {});
  await bob.thread(id).send_read_receipt(message, {});
  const [receipt] = (await alice.thread(id).list_read_receipts({})).flat();
  assert.deepEqual([receipt.chat_message_id, receipt.sender], [message, bob.id]);
});
