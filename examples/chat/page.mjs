// One side of a chat: what the npm chat SDK does in a browser, and nothing else.
import { ChatClient } from "@azure/communication-chat";
import { AzureCommunicationTokenCredential } from "@azure/communication-common";

const $ = (id) => document.getElementById(id);
const TYPING_SHOWN_MS = 8_000;
const TYPING_TOLD_EVERY_MS = 5_000;

let typingEnds;
let typingTold = 0;

const name = new URLSearchParams(location.search).get("me") ?? "alice";
const session = async () => {
  const answer = await fetch(`/people/${encodeURIComponent(name)}`);
  const body = await answer.json();
  if (!answer.ok) throw new Error(body.error);
  return body;
};

const me = await session().catch(fail);
document.title = `${me.name} · chat`;
$("me").textContent = me.name;
$("other").textContent = me.other;
if (me.phoneUrl) {
  $("phone").href = me.phoneUrl;
  $("phone").hidden = false;
}

const tokenRefresher = async () => (await session()).token;
const credential = new AzureCommunicationTokenCredential({ token: me.token, tokenRefresher, refreshProactively: true });
const client = new ChatClient(me.endpoint, credential);
const thread = client.getChatThreadClient(me.threadId);

client.on("realTimeNotificationConnected", () => state("connected"));
client.on("realTimeNotificationDisconnected", () => state("connecting again"));
function isMe(sender) {
  return sender?.communicationUserId === me.id;
}

/** What was said before, oldest first, and how far the other has read. */
async function history() {
  const before = [];
  for await (const message of thread.listMessages()) {
    if (message.type === "text") before.push(message);
  }
  for (const { id, content, sender, createdOn } of before.reverse()) {
    show({ id, text: content.message, mine: isMe(sender), at: createdOn });
  }
  for await (const receipt of thread.listReadReceipts()) {
    if (!isMe(receipt.sender)) seen(receipt.chatMessageId);
  }
  if (before.length > 0) await read({ id: before.at(-1).id, sender: before.at(-1).sender });
}

/** Tells that a message was read, if somebody is looking. */
async function read({ id, sender }) {
  if (isMe(sender) || document.hidden) return;
  await thread.sendReadReceipt({ chatMessageId: id }).catch(fault);
}
document.addEventListener("visibilitychange", () => {
  const last = [...$("messages").children].filter((it) => !it.classList.contains("mine")).at(-1);
  if (last && !document.hidden) read({ id: last.dataset.id });
});

/** A message, once: it comes by history and by notification. Ids are times, so they are the order. */
function show({ id, text, mine, at }) {
  if ($(`m${id}`)) return;
  const item = document.createElement("li");
  Object.assign(item, { id: `m${id}`, className: mine ? "mine" : "theirs" });
  item.dataset.id = id;
  const small = document.createElement("small");
  small.textContent = new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit" });
  item.append(text, small);
  const after = [...$("messages").children].find((it) => Number(it.dataset.id) > Number(id));
  $("messages").insertBefore(item, after ?? null);
  item.scrollIntoView({ block: "end" });
}

/** The other has read everything up to here. */
function seen(id) {
  for (const item of document.querySelectorAll("li.mine:not(.read)")) {
    if (Number(item.dataset.id) <= Number(id)) {
      item.classList.add("read");
      item.querySelector("small").append(" · read");
    }
  }
}

function typing(who) {
  $("typing").textContent = `${who} is typing …`;
  clearTimeout(typingEnds);
  typingEnds = setTimeout(() => ($("typing").textContent = ""), TYPING_SHOWN_MS);
}

$("text").addEventListener("input", () => {
  if (Date.now() - typingTold < TYPING_TOLD_EVERY_MS) return;
  typingTold = Date.now();
  thread.sendTypingNotification({ senderDisplayName: me.name }).catch(fault);
});

$("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  const content = $("text").value.trim();
  if (content === "") return;
  $("text").value = "";
  typingTold = 0;
  try {
    const { id } = await thread.sendMessage({ content }, { senderDisplayName: me.name });
    show({ id, text: content, mine: true, at: Date.now() });
    fault();
  } catch (error) {
    $("text").value = content;
    fault(error);
  }
});

function state(text) {
  $("state").textContent = $("state").dataset.state = text;
}

function fault(error) {
  $("fault").textContent = error ? error.message : "";
}

function fail(error) {
  state("not connected");
  const hint = /failed to fetch/i.test(error.message);
  $("fault").textContent = hint
    ? `${error.message}. Does this browser trust the server? \`tidings trust\` tells how.`
    : error.message;
  throw error;
}

await client.startRealtimeNotifications().catch(fail);
// The client takes handlers of events only once it is started.
client.on("chatMessageReceived", (event) => {
  show({ id: event.id, text: event.message, mine: isMe(event.sender), at: event.createdOn });
  if (!isMe(event.sender)) $("typing").textContent = "";
  read(event);
});
client.on("typingIndicatorReceived", ({ senderDisplayName }) => typing(senderDisplayName || me.other));
client.on("readReceiptReceived", ({ chatMessageId, sender }) => {
  if (!isMe(sender)) seen(chatMessageId);
});
await history().catch(fail);
