// Web PubSub: who is connected, a client to try things with, and what passes by.
import { WebPubSub, operator, resources } from "../api.js";
import { button, confirmed, count, empty, feed, field, fill, form, h, head, input, kept, pretty, problem, select, snippet, submit, table, tabs, tag } from "../ui.js";

const TABS = ["live", "try", "trace"];

export function page({ scope, query }) {
  const entries = [["Live connections", live], ["Try it", tryIt], ["Live trace", trace]];
  const chosen = Math.max(TABS.indexOf(query.tab), 0);
  return [
    head("Web PubSub", "Hubs, groups, users and live connections; a client to try things with; what clients and backends do, as it happens."),
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
          { name: "", of: (it) => button("Close", () => close(it), { kind: "tiny danger", label: `Close connection ${it.id}` }) },
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

const TRACE = ["WebPubSubConnectivity", "WebPubSubMessaging", "WebPubSubHttpRequest"];

function trace(scope) {
  const log = feed("Live trace", 500), trouble = h("div"), paused = h("input", { type: "checkbox" });
  const only = input({ placeholder: "hub, user or connection" });
  let from = new Date(Date.now() - 60e3).toISOString(), seen = new Set();
  const look = async () => {
    if (paused.checked) return;
    const text = only.value.trim().replace(/["\\]/g, "");
    const narrowed = text ? ` | where * has "${text}"` : "";
    const query = `union withsource=Source ${TRACE.join(", ")} | where TimeGenerated > datetime(${from})${narrowed} | order by TimeGenerated asc | take 200`;
    const answer = await operator.post("/logs/query", { query });
    fill(trouble);
    const [{ columns, rows }] = answer.tables;
    for (const row of rows) {
      const it = Object.fromEntries(columns.map(({ name }, index) => [name, row[index]]));
      const mark = JSON.stringify(row);
      if (seen.has(mark)) continue;
      seen.add(mark);
      from = it.TimeGenerated;
      const line = log.add(it.OperationName || it.Source.replace("WebPubSub", ""), what(it), /error|warn/i.test(it.Level ?? "") ? "bad" : "", new Date(it.TimeGenerated));
      line.title = Object.entries(it).filter(([, value]) => value !== null && value !== "").map(([name, value]) => `${name}: ${value}`).join("\n");
    }
    if (seen.size > 5000) seen = new Set([...seen].slice(-1000));
    if (!log.list.children.length) fill(trouble, h("p.faint", "Listening. What clients and backends do appears here within a second or two."));
  };
  scope.every(1, look, (error) => fill(trouble, error.status === 404
    ? empty("No log tables", "The live trace reads the log tables, and this server keeps none.") : problem(error)));
  return h(".stack",
    h(".row.end", field("Only", only), h("label.check", paused, "Pause"), button("Clear", () => log.clear(), { label: "Clear trace" }),
      h("a", { href: `#/logs?query=${encodeURIComponent("WebPubSubMessaging | order by TimeGenerated desc | take 50")}` }, "Query the past")),
    trouble, h(".card", log.list));
}

function what(it) {
  const parts = [it.Hub ?? it.HubName, it.UserId, it.ConnectionId && `connection ${it.ConnectionId}`,
    it.HttpMethod ?? it.Method, it.Url, it.HttpStatusCode ?? it.StatusCode, it.Message];
  return parts.filter((part) => part !== undefined && part !== null && part !== "").join(" · ");
}
