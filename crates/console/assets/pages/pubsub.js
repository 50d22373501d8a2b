// Web PubSub: who is connected, a client to try things with, and what passes by.
import { WebPubSub, operator, queryOf, resources } from "../api.js";
import { button, confirmed, count, empty, feed, field, fill, form, h, head, input, kept, pretty, problem, select, snippet, submit, table, tabs, tag } from "../ui.js";

const TABS = ["live", "try", "trace"];

export function page({ scope, query }) {
  const entries = [["Live connections", live], ["Try it", tryIt], ["Live trace", (scope) => trace(scope, query)]];
  const chosen = Math.max(TABS.indexOf(query.tab), 0);
  return [
    head("Web PubSub", "Hubs, groups, users and live connections; a client to try things with; what happens to a connection, as it happens."),
    tabs("Web PubSub", entries, { chosen, scope }),
  ];
}

const current = () => new WebPubSub(resources("webpubsub").find((it) => it.name === kept.get("resource")) ?? resources("webpubsub")[0]);

// Live connections --------------------------------------------------------------------------------

function live(scope) {
  const hubs = h("div"), list = h("div"), trouble = h("div");
  let chosen = kept.get("hub"), narrowed = {};

  const look = async () => {
    const { value } = await operator.get("/webpubsub/hubs");
    fill(trouble);
    if (!value.length) {
      fill(list);
      return fill(hubs, empty("No hubs yet", "A hub comes into being when a client connects to it, or a backend sends to it.",
        snippet("tidings connect chat --user me --group news"), h("p", "Or ", h("a", { href: "#/pubsub?tab=try" }, "connect from here"), ".")));
    }
    if (!value.some((it) => key(it) === chosen)) chosen = key(value.toSorted((a, b) => b.connections - a.connections)[0]);
    const hub = value.find((it) => key(it) === chosen);
    fill(hubs, h(".card", h("h2", "Hubs"), h("ul.pick", value.map((it) => h("li", h("button", {
      type: "button", "aria-pressed": `${key(it) === chosen}`, onclick: () => { chosen = key(it); kept.set("hub", chosen); narrowed = {}; look(); },
    }, h(".spread", h("span", it.hub), h("span.num.faint", count(it.connections))),
    h("small", [it.resource !== "local" && it.resource, it.anonymous && "anonymous", it.eventHandlers && `${it.eventHandlers} event handlers`].filter(Boolean).join(" · "))))))));
    const found = await operator.get("/webpubsub/connections", { resource: hub.resource, hub: hub.hub, ...narrowed });
    if (scope.open && !list.contains(document.activeElement)) fill(list, members(hub, found, narrowed, (to) => { narrowed = to; look(); }));
    else if (scope.open) update(list, hub, found, narrowed, (to) => { narrowed = to; look(); });
  };
  scope.every(2, look, (error) => fill(trouble, problem(error)));
  return [trouble, h(".two", hubs, list)];
}

const traceOf = (hub, { id }) => `#/pubsub?tab=trace&resource=${encodeURIComponent(hub.resource)}&hub=${encodeURIComponent(hub.hub)}&connection=${encodeURIComponent(id)}`;

const key = (it) => `${it.resource}/${it.hub}`;

/** While somebody uses the list by keyboard, it is drawn anew only when it has changed. */
function update(list, hub, found, narrowed, narrow) {
  const fresh = JSON.stringify(found.value);
  if (list.dataset.seen === fresh) return;
  fill(list, members(hub, found, narrowed, narrow));
  list.dataset.seen = fresh;
}

function members(hub, found, narrowed, narrow) {
  const service = new WebPubSub(resources("webpubsub").find((it) => it.name === hub.resource));
  const tally = (of) => Object.entries(found.value.flatMap(of).reduce((all, it) => ({ ...all, [it]: (all[it] ?? 0) + 1 }), {}));
  const chip = (kind) => ([name, times]) => button(`${name} ${times}`, () => narrow({ [kind]: name }), { kind: "tiny", label: `Only ${kind} ${name}, ${times} connections` });
  const groups = tally((it) => it.groups), users = tally((it) => (it.user ? [it.user] : []));
  const only = Object.entries(narrowed)[0];
  const close = async (it) => {
    await service.rest("DELETE", hub.hub, `/connections/${it.id}`, { query: { reason: "Closed from the console." } });
    narrow(narrowed);
  };
  return h(".card", h(".spread", h("h2", `Connections of ${hub.hub}`), h("span.faint", `${count(found.total)} ${only ? `in ${only[0]} ${only[1]}` : "in all"}`)),
    h(".stack",
      only && h(".row", tag(`${only[0]}: ${only[1]}`), button("Show all", () => narrow({}), { kind: "tiny" })),
      !only && groups.length > 0 && h(".row", h("span.small.faint", "Groups"), groups.slice(0, 12).map(chip("group"))),
      !only && users.length > 0 && h(".row", h("span.small.faint", "Users"), users.slice(0, 12).map(chip("user"))),
      found.value.length
        ? table(`Connections of ${hub.hub}`, [
          { name: "User", of: (it) => it.user ?? h("span.faint", "none") },
          { name: "Groups", of: (it) => h(".row", it.groups.map((group) => tag(group))) },
          { name: "Connection", mono: true, class: "break", of: (it) => it.id },
          { name: "", class: "nowrap", of: (it) => [h("a.small", { href: traceOf(hub, it), "aria-label": `Trace connection ${it.id}` }, "Trace"), " ",
            button("Close", () => close(it), { kind: "tiny danger", label: `Close connection ${it.id}` })] },
        ], found.value)
        : empty("Nobody is connected", "Connect a client, here or in a terminal.", snippet(`tidings connect ${hub.hub} --user me`)),
      found.next && h("p.small.faint", `The first ${found.value.length} are shown; narrow by a group or a user.`),
      found.value.length > 1 && h(".row", button("Close all of the hub", async () => {
        if (!(await confirmed("Close all connections?", `Every client of ${hub.hub} is disconnected with code 1000. Most come back by themselves.`, "Close all"))) return;
        await service.rest("POST", hub.hub, "/:closeConnections", { query: { reason: "Closed from the console." } });
        narrow({});
      }, { kind: "danger" }))));
}

// Try it ------------------------------------------------------------------------------------------

function tryIt(scope) {
  const log = feed("Messages"), state = tag("not connected");
  let socket, ackId = 0, hub = "chat";
  const frame = (it) => {
    socket.send(JSON.stringify(it));
    return it;
  };
  const need = () => { if (socket?.readyState !== WebSocket.OPEN) throw new Error("Connect first: a message needs a connection to go by."); };

  const connect = async ({ name, user, group, resource }) => {
    socket?.close();
    if (resource) kept.set("resource", resource);
    hub = name;
    const url = await current().clientUrl(hub, { user, roles: ["webpubsub.joinLeaveGroup", "webpubsub.sendToGroup"] });
    const mine = (socket = new WebSocket(url, "json.webpubsub.azure.v1"));
    scope.onEnd(() => mine.close());
    const opened = new Promise((resolve, reject) => {
      mine.onopen = resolve;
      mine.onerror = () => reject(new Error("The WebSocket was not opened. The playbook can find out why: symptom “client cannot connect”."));
    });
    mine.onmessage = ({ data }) => heard(log, JSON.parse(data), state);
    mine.onclose = ({ code, reason }) => {
      if (socket === mine) { state.textContent = "not connected"; state.className = "tag"; }
      log.add("closed", `${code} ${reason}`, code === 1000 || code === 1005 ? "" : "bad");
    };
    await opened;
    if (group) join(group);
  };
  const join = (group) => { need(); frame({ type: "joinGroup", group, ackId: ++ackId }); log.add("sent", `join group ${group}`); };

  const groupBox = () => input({ name: "group", value: "news" });
  return h(".grid",
    h(".stack",
      h(".card", h(".spread", h("h2", "1 · Connect"), state), form(connect,
        resources("webpubsub").length > 1 && field("Resource", select({ name: "resource", value: current().resource.name }, resources("webpubsub").map((it) => it.name))),
        h(".row", field("Hub", input({ name: "name", value: "chat" })), field("User", input({ name: "user", value: "me" }))),
        field("Group to join", groupBox()),
        h(".row", submit("Connect"), button("Disconnect", () => socket?.close())))),
      h(".card", h("h2", "2 · Publish"), form(async ({ how, group, data }) => {
        const json = asJson(data);
        if (how === "client") {
          need();
          frame({ type: "sendToGroup", group, dataType: json.ok ? "json" : "text", data: json.value, ackId: ++ackId });
          log.add("sent", `to group ${group}: ${data}`);
        } else {
          const path = how === "group" ? `/groups/${encodeURIComponent(group)}/:send` : "/:send";
          const type = json.ok ? "application/json" : "text/plain";
          await current().rest("POST", hub, path, { body: data, headers: { "content-type": type } });
          log.add("REST", `${how === "group" ? `to group ${group}` : "to everyone"}: ${data} (202)`, "good");
        }
      },
      field("As", select({ name: "how" }, [["client", "this client, to a group"], ["group", "a backend, to a group"], ["all", "a backend, to everyone"]])),
      field("Group", groupBox()),
      field("Data", h("textarea", { name: "data", rows: "3", spellcheck: "false" }, '{"hello": "world"}'), "JSON or text"),
      h(".row", submit("Send"))))),
    h(".card", h(".spread", h("h2", "What arrives"), button("Clear", () => log.clear(), { kind: "quiet tiny", label: "Clear messages" })), log.list,
      h("p.small.faint", "The same client in a terminal: ", h("code", "tidings connect chat --user me --group news"))));
}

function asJson(data) {
  try { return { ok: true, value: JSON.parse(data) }; } catch { return { ok: false, value: data }; }
}

function heard(log, message, state) {
  const { type } = message;
  if (type === "system" && message.event === "connected") {
    state.textContent = "connected";
    state.className = "tag good";
    log.add("connected", `as ${message.userId ?? "nobody"}, ${message.connectionId}`, "good");
  } else if (type === "system" && message.event === "disconnected") {
    log.add("disconnected", message.message ?? "", "warn");
  } else if (type === "ack") {
    const good = message.success;
    log.add("ack", good ? `${message.ackId} done` : `${message.ackId}: ${message.error?.name}. ${message.error?.message ?? ""}`, good ? "" : "bad");
  } else if (type === "message") {
    const from = message.from === "group" ? `group ${message.group}${message.fromUserId ? `, ${message.fromUserId}` : ""}` : "server";
    log.add(from, pretty(message.data), "good");
  } else {
    log.add(type, JSON.stringify(message));
  }
}

// Live trace --------------------------------------------------------------------------------------

const CONNECTION_ID = /^[\w-]{24}$/;
const TONES = { received: "good", recovered: "good", lost: "warn", closing: "warn", ended: "warn" };

function trace(scope, { resource, hub, user, connection }) {
  const log = feed("Live trace", 500), trouble = h("div"), state = h("p.small.faint", { "aria-live": "polite" });
  const [ofKept, name] = kept.get("hub")?.split("/") ?? [];
  const paused = h("input", { type: "checkbox" });
  const fields = {
    hub: input({ name: "hub", value: hub ?? name ?? "chat", required: true }),
    whom: input({ name: "whom", value: connection ?? user ?? "", placeholder: "everybody" }),
  };
  let watching;
  const watch = () => {
    watching?.abort();
    const mine = (watching = new AbortController());
    const whom = fields.whom.value.trim(), one = CONNECTION_ID.test(whom);
    const wanted = { resource: hub ? resource : ofKept, hub: fields.hub.value.trim(), user: one ? "" : whom, connection: one ? whom : "" };
    const signal = AbortSignal.any([scope.signal(), mine.signal]);
    fill(trouble);
    fill(state, `Watching ${whom ? `${whom} in ` : "everybody in "}${wanted.hub}. What happens to a connection appears as it happens.`);
    const ended = () => scope.open && watching === mine && fill(state, "The live trace has ended. Watch again to go on.");
    operator.follow(`/webpubsub/live-trace${queryOf(wanted)}`, signal, (it) => paused.checked || seen(log, it))
      .then(ended, (error) => signal.aborted || (ended(), fill(trouble, problem(error))));
  };
  watch();
  return h(".stack",
    form(watch, h(".row.end", field("Hub", fields.hub), field("User or connection", fields.whom), submit("Watch"),
      h("label.check", paused, "Pause"), button("Clear", () => log.clear(), { label: "Clear trace" }),
      h("a", { href: `#/logs?query=${encodeURIComponent("WebPubSubMessaging | order by TimeGenerated desc | take 50")}` }, "Query the past"))),
    state, trouble, h(".card", log.list),
    h("p.small.faint", "The same in a terminal: ", h("code", "tidings trace --live HUB --user USER")));
}

function seen(log, it) {
  if (it.kind === "missed") return log.add("missed", `${it.lines} lines: this page is too slow`, "bad");
  const line = log.add(it.kind, [it.user, `connection ${it.connection}`, it.detail].filter(Boolean).join(" · "), TONES[it.kind] ?? "", new Date(it.time));
  if (it.journey) line.append(h("a.small", { href: `#/journeys?id=${it.journey}` }, "Its journey"));
}
