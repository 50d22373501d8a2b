// Chat as an application sees it: users, threads, messages, and what clients are told in real time.
import { Communication, chat } from "../api.js";
import { listen } from "../signaling.js";
import { button, card, clock, confirmed, empty, feed, field, fill, form, h, head, input, kept, problem, snippet, submit, tag } from "../ui.js";

/** Names of the ids that this page has made or was told; tokens are asked for anew. */
const people = () => kept.get("people", []);
const tokens = new Map();

async function tokenOf(id) {
  if (!tokens.has(id)) tokens.set(id, await new Communication().issueToken(id));
  return tokens.get(id);
}

/** The identifier of a user, as requests have it. */
const identifier = (id) => ({ rawId: id, communicationUser: { id } });

export function page({ scope }) {
  const left = h(".stack"), right = h(".stack"), log = feed("Real-time notifications");
  const state = tag("not listening");
  let me = people().find(({ id }) => id === kept.get("me"))?.id, thread, hearing;

  const act = async (id) => {
    me = id;
    thread = undefined;
    kept.set("me", id);
    draw();
    hearing?.close();
    hearing = scope.child();
    state.textContent = "connecting";
    const token = await tokenOf(id);
    await listen(token, hearing.signal(), {
      state: (text) => { state.textContent = text; state.className = text === "connected" ? "tag good" : "tag"; },
      event: (name, body) => {
        log.add(name, told(body));
        // A typing person changes no message; everything else may be in sight.
        if (!/typing|readReceipt/.test(name)) refresh();
      },
    });
  };

  const refresh = () => Promise.all([threads(), thread && conversation()]).catch((error) => fill(trouble, problem(error)));
  const trouble = h("div"), list = h("div"), talk = h("div");

  const threads = async () => {
    if (!me) return;
    const { value } = await chat(await tokenOf(me), "GET", "");
    fill(trouble);
    const shown = value.filter((it) => !it.deletedOn);
    if (!thread && shown.length) {
      thread = shown[0].id;
      await conversation();
    }
    fill(list, shown.length
      ? h("ul.pick", shown.map((it) => h("li", h("button", { type: "button", "aria-pressed": `${it.id === thread}`, onclick: () => { thread = it.id; refresh(); } },
        it.topic || "(no topic)", h("small", it.id)))))
      : h("p.faint.small", `${nameOf(me)} is in no thread yet.`));
  };

  const conversation = async () => {
    const token = await tokenOf(me), at = `/${encodeURIComponent(thread)}`;
    const [properties, messages, participants] = await Promise.all([
      chat(token, "GET", at), chat(token, "GET", `${at}/messages`), chat(token, "GET", `${at}/participants`)]);
    const focused = talk.contains(document.activeElement) && talk.querySelector("input[name=content]");
    const draft = talk.querySelector("input[name=content]")?.value ?? "";
    const box = input({ name: "content", value: draft, placeholder: "Write a message" });
    fill(talk, h("section.card", { "aria-label": `Thread ${properties.topic}` },
      h(".spread", h("h2", properties.topic || "(no topic)"), button("Delete thread", async () => {
        if (!(await confirmed("Delete this thread?", "Its messages go with it, for everybody.", "Delete"))) return;
        await chat(token, "DELETE", at);
        thread = undefined;
        fill(talk);
        await threads();
      }, { kind: "tiny danger" })),
      h("p.small.faint", participants.value.map((it) => it.displayName || nameOf(it.communicationIdentifier.rawId)).join(", ")),
      h("ol.messages", { "aria-label": "Messages", tabindex: "0" }, messages.value.toReversed().map((it) => message(it, me))),
      form(async ({ content }) => {
        if (!content.trim()) throw new Error("A message has some text.");
        await chat(token, "POST", `${at}/messages`, { content, senderDisplayName: nameOf(me), type: "text" });
        box.value = "";
        await conversation();
      }, h(".row.end", field("Message", box), submit("Send"), button("Typing", () => chat(token, "POST", `${at}/typing`, {}), { label: "Tell that you are typing" })))));
    if (focused) box.focus();
    const scroll = talk.querySelector(".messages");
    scroll.scrollTop = scroll.scrollHeight;
  };

  const draw = () => {
    const known = people();
    fill(left, trouble,
      card("People", h(".stack",
        known.length
          ? h("ul.pick", known.map(({ id, name }) => h("li", h("button", { type: "button", "aria-pressed": `${id === me}`, "aria-label": `Act as ${name}`, onclick: () => act(id).catch((error) => fill(trouble, problem(error))) },
            name, h("small", id)))))
          : empty("No people here yet", "Make two or three, act as one of them, and let them talk."),
        form(async ({ name }, element) => {
          if (!name.trim()) throw new Error("Give the person a name.");
          const made = await new Communication().createUser();
          tokens.set(made.identity.id, made.accessToken.token);
          kept.set("people", [...people(), { id: made.identity.id, name: name.trim() }].slice(-20));
          element.reset();
          if (me) draw();
          else await act(made.identity.id);
        }, h(".row.end", field("Name", input({ name: "name", placeholder: "Ada" })), submit("Make a person"))),
        h("p.small.faint", "Each is a real identity of the Communication resource; this browser remembers them."))),
      me && card(`Threads of ${nameOf(me)}`, h(".stack", list, newThread())));
    fill(right, talk,
      h("section.card", { "aria-label": "Real-time notifications" }, h(".spread", h("h2", "Real-time notifications"), me && h("span.small.faint", `as ${nameOf(me)}`), state), log.list,
        h("p.small.faint", "What the chat SDK of the person is told, over the same connection.")),
      !me && card("From an application", h(".stack", h("p.soft", "The chat SDKs work with the connection string of the resource."),
        snippet("npm install @azure/communication-chat @azure/communication-identity"))));
    if (me) refresh();
  };

  const newThread = () => form(async (values) => {
    const others = people().filter(({ id }) => id !== me && values[id]);
    const participants = others.map(({ id, name }) => ({ communicationIdentifier: identifier(id), displayName: name }));
    const made = await chat(await tokenOf(me), "POST", "", { topic: values.topic || "Untitled", participants: [{ communicationIdentifier: identifier(me), displayName: nameOf(me) }, ...participants] });
    thread = made.chatThread.id;
    await refresh();
  },
  field("Topic of a new thread", input({ name: "topic", placeholder: "Lunch" })),
  h(".row", people().filter(({ id }) => id !== me).map(({ id, name }) => h("label.check", h("input", { type: "checkbox", name: id, checked: true }), name))),
  h(".row", submit("Make a thread")));

  draw();
  if (me) act(me).catch((error) => {
    // Ids of another data folder are no users here.
    fill(trouble, problem(error), button("Forget these people", () => { kept.set("people", []); kept.set("me", null); me = undefined; draw(); }));
  });
  return [head("Chat", "Act as users of the Communication resource: threads, messages, and what their clients are told as it happens."), h(".two", left, right)];
}

const nameOf = (id) => people().find((it) => it.id === id)?.name ?? `…${`${id}`.slice(-8)}`;

function message(it, me) {
  const sender = it.senderCommunicationIdentifier?.rawId;
  if (it.type !== "text" && it.type !== "html") {
    const who = (it.content?.participants ?? []).map((one) => one.displayName || nameOf(one.communicationIdentifier.rawId)).join(", ");
    const says = { topicUpdated: `the topic is now “${it.content?.topic}”`, participantAdded: `${who} joined`, participantRemoved: `${who} left` }[it.type] ?? it.type;
    return h("li.note", says);
  }
  const text = it.deletedOn ? h("em", "deleted") : it.content?.message;
  return h("li", { class: sender === me ? "own" : "" }, h("small", `${it.senderDisplayName || nameOf(sender)} · ${clock(it.createdOn)}${it.editedOn ? " · edited" : ""}`), text);
}

function told(body) {
  const parsed = (text) => { try { return JSON.parse(text); } catch { return undefined; } };
  const who = body.senderDisplayName || parsed(body.createdBy ?? body.addedBy ?? body.removedBy ?? body.editedBy ?? body.deletedBy ?? "")?.displayName;
  const what = body.messageType?.startsWith("ThreadActivity") ? "read" : body.messageBody ?? parsed(body.properties ?? "")?.topic
    ?? [body.participantsAdded, body.participantsRemoved].flatMap((it) => parsed(it ?? "") ?? []).map((it) => it.displayName).join(", ");
  return [who, what, body.groupId || body.threadId].filter(Boolean).join(" · ");
}
