// Event Grid: what is published, who it goes to, what could not be delivered.
import { management, operator, publish } from "../api.js";
import { ago, button, card, confirmed, count, empty, feed, field, fill, form, h, head, input, moment, pretty, problem, select, snippet, submit, table, tabs, tag, toast } from "../ui.js";

const TABS = ["subscriptions", "dead", "watch"];

export function page({ scope, query }) {
  const entries = [["Event subscriptions", subscriptions], ["Dead letters", deadLetters], ["Publish and watch", watch]];
  return [
    head("Event Grid", "Topics and event subscriptions with their health, deliveries as they happen, and what could not be delivered."),
    tabs("Event Grid", entries, { chosen: Math.max(TABS.indexOf(query.tab), 0), scope }),
  ];
}

const topicsOf = async () => (await operator.get("/eventgrid/topics")).value;

function subscriptions(scope) {
  const list = h(".stack"), trouble = h("div"), making = h("div");
  const look = async () => {
    const [topics, { value }] = await Promise.all([topicsOf(), operator.get("/eventgrid/subscriptions")]);
    fill(trouble);
    if (!scope.open) return;
    if (!making.children.length) fill(making, newSubscription(topics, look));
    if (!list.contains(document.activeElement)) {
      fill(list, h("section.card", { "aria-label": "Event subscriptions" }, h("h2", "Event subscriptions"), value.length ? subscriptionTable(value, look) : noSubscriptions()),
        h("section.card", { "aria-label": "Topics" }, h("h2", "Topics"), topicTable(topics)));
    }
  };
  scope.every(3, look, (error) => fill(trouble, problem(error)));
  return h(".stack", trouble, list, making);
}

const noSubscriptions = () => empty("No event subscriptions yet",
  "An event subscription says where the events of a topic go. Make one below, or begin with one:",
  snippet("tidings dev --event-subscription orders=http://localhost:3000/events"));

function subscriptionTable(rows, changed) {
  return table("Event subscriptions", [
    { name: "Name", of: (it) => h("div", it.name, h(".small.faint", it.topic)) },
    { name: "Goes to", of: (it) => h("span.break", it.destination) },
    { name: "State", of: (it) => [tag(it.expired ? "expired" : it.state, it.state === "Succeeded" && !it.expired ? "good" : it.state === "Failed" || it.state === "Unreadable" ? "bad" : "warn"), it.reason && h(".small.soft", it.reason)] },
    { name: "Delivered", num: true, of: (it) => count(it.health?.delivered ?? 0) },
    { name: "Waiting", num: true, of: (it) => count(it.queued + it.inFlight) },
    { name: "Dead", num: true, of: (it) => (it.dead ? h("a.bad", { href: "#/events?tab=dead", "aria-label": `${it.dead} dead letters of ${it.name}` }, count(it.dead)) : "0") },
    { name: "Last attempt", of: (it) => h("div", h("span", it.health?.lastOutcome ?? ""), h(".small.faint", ago(it.health?.lastAttempt)), it.health?.probationUntil && h(".small.warn", `on probation until ${moment(it.health.probationUntil)}`)) },
    { name: "", of: (it) => button("Delete", async () => {
      if (!(await confirmed("Delete this event subscription?", `${it.name} gets no more events, and what waits for it is dropped.`, "Delete"))) return;
      await management("DELETE", `${it.scope}/providers/Microsoft.EventGrid/eventSubscriptions/${encodeURIComponent(it.name)}`);
      await changed();
    }, { kind: "tiny danger", label: `Delete event subscription ${it.name}` }) },
  ], rows);
}

const topicTable = (topics) => table("Topics", [
  { name: "Name", of: (it) => it.name },
  { name: "Kind", of: (it) => tag(it.kind) },
  { name: "Schema", of: (it) => it.inputSchema ?? "" },
  { name: "Endpoint or source", mono: true, class: "break", of: (it) => it.endpoint ?? it.source },
  { name: "Subscriptions", num: true, of: (it) => it.eventSubscriptions },
], topics);

function newSubscription(topics, changed) {
  return card("New event subscription", form(async ({ topic, name, url, types, prefix }) => {
    const filter = {};
    const list = types.split(/[\s,]+/).filter(Boolean);
    if (list.length) filter.includedEventTypes = list;
    if (prefix) filter.subjectBeginsWith = prefix;
    const properties = { destination: { endpointType: "WebHook", properties: { endpointUrl: url } }, filter };
    await management("PUT", `${topic}/providers/Microsoft.EventGrid/eventSubscriptions/${encodeURIComponent(name)}`, { properties });
    toast(`${name} is made; its webhook is asked to confirm.`);
    await changed();
  },
  h(".row", field("Topic", select({ name: "topic" }, topics.map((it) => [it.id, it.name]))), field("Name", input({ name: "name", placeholder: "orders" })), field("Webhook URL", input({ name: "url", type: "url", placeholder: "http://localhost:3000/events" }))),
  h(".row", field("Event types", input({ name: "types", placeholder: "all" }), "separated by spaces"), field("Subject begins with", input({ name: "prefix" }))),
  h(".row", submit("Make it"))));
}

function deadLetters(scope) {
  const list = h("div"), trouble = h("div"), detail = h("div");
  let after, subscription;
  const look = async () => {
    const [page, all] = await Promise.all([operator.get("/eventgrid/dead-letters", { limit: 50, after, ...subscription }), operator.get("/eventgrid/subscriptions")]);
    fill(trouble);
    const choices = [["", "all event subscriptions"], ...all.value.filter((it) => it.dead).map((it) => [JSON.stringify({ topic: it.topic, subscription: it.name }), `${it.name} (${it.dead})`])];
    const pick = select({ value: subscription ? JSON.stringify(subscription) : "", onchange: (event) => { subscription = event.target.value ? JSON.parse(event.target.value) : undefined; after = undefined; again(); } }, choices);
    fill(list, page.value.length || subscription ? h("section.card", { "aria-label": "Dead letters" },
      h(".spread", h("h2", "Dead letters"), h(".row.end", field("Of", pick), button(subscription ? "Redrive all of it" : "Redrive all", () => redrive({ all: true, ...subscription }), { kind: "primary" }))),
      table("Dead letters", [
        { name: "Died", of: (it) => h("div.nowrap", ago(it.died), h(".small.faint", it.attempts === 1 ? "one attempt" : `${it.attempts} attempts`)) },
        { name: "Event subscription", of: (it) => it.eventSubscription },
        { name: "Event", of: (it) => h("div", it.eventType, h(".small.faint.break", it.event?.subject ?? "")) },
        { name: "Why", of: (it) => h("div", tag(it.reason, "bad"), h(".small.soft.break", [it.lastOutcome, it.lastAnswer].filter(Boolean).join(": "))) },
        { name: "", of: (it) => h(".row", button("Look", () => show(it), { kind: "tiny", label: `Look at dead letter ${it.id}` }), button("Redrive", () => redrive({ id: it.id }), { kind: "tiny", label: `Redrive dead letter ${it.id}` })) },
      ], page.value),
      page.next && h(".row", button("Older", () => { after = page.next; return look(); })))
      : empty("No dead letters", "Events that could not be delivered to the end are kept here, and can be sent again once the cause is mended.", snippet("tidings events dead-letters")));
  };
  const again = () => look().catch((error) => fill(trouble, problem(error)));
  const redrive = async (choice) => {
    const { redriven } = await operator.post("/eventgrid/dead-letters/redrive", choice);
    toast(redriven === 1 ? "One event is on its way again." : `${redriven} events are on their way again.`);
    fill(detail);
    await look();
  };
  const show = (it) => fill(detail, card(`Event ${it.event?.id ?? it.id}`, it.event?.id && h("p.small", h("a", { href: `#/journeys?subject=${encodeURIComponent(it.event.id)}` }, "Its journey")), h("pre", { tabindex: "0", role: "region", "aria-label": "Event" }, pretty(it.event))));
  again();
  return h(".stack", trouble, list, detail);
}

function watch(scope) {
  const log = feed("What happens"), trouble = h("div"), box = h("div");
  topicsOf().then((topics) => fill(box, publishing(topics.filter((it) => it.endpoint), log)), (error) => fill(box, problem(error)));
  const follow = async () => {
    await operator.follow("/eventgrid/tail", scope.signal(), (it) => {
      const tone = { published: "", delivered: "good", failed: "warn", died: "bad", dead: "bad" }[it.kind] ?? "";
      log.add(it.kind, line(it), tone, it.time ? new Date(it.time) : new Date());
    });
    if (scope.open) setTimeout(run, 1000);
  };
  const run = () => follow().catch((error) => scope.open && fill(trouble, problem(error)));
  run();
  return h(".grid", box, h("section.card", { "aria-label": "What happens" },
    h(".spread", h("h2", "What happens"), button("Clear", () => log.clear(), { kind: "quiet tiny", label: "Clear what happened" })), trouble, log.list,
    h("p.small.faint", "The same in a terminal: ", h("code", "tidings events tail"))));
}

function line(it) {
  const parts = {
    published: () => [it.eventType, it.subject, `to ${it.deliveries?.length ?? 0} event subscriptions`],
    delivered: () => [it.eventSubscription, `after ${it.afterMs} ms`],
    failed: () => [it.eventSubscription, it.outcome, `again at ${moment(it.nextAttempt)}`],
  }[it.kind]?.() ?? Object.entries(it).filter(([name]) => !["kind", "time", "scope", "delivery"].includes(name)).map(([name, value]) => `${name} ${pretty(value)}`);
  return parts.filter(Boolean).join(" · ");
}

function publishing(topics, log) {
  if (!topics.length) return empty("No topics", "A topic is made by a management call, or in the configuration.", snippet("tidings config explain eventgrid.topic"));
  return card("Publish an event", form(async ({ topic, type, subject, data }) => {
    const chosen = topics.find((it) => it.id === topic);
    const { key1 } = await management("POST", `${chosen.id}/listKeys`, {});
    await publish(chosen.name, key1, [event(chosen, type, subject, JSON.parse(data))]);
    log.add("sent", `${type} to ${chosen.name} (200)`);
  },
  field("Topic", select({ name: "topic" }, topics.map((it) => [it.id, `${it.name} (${it.inputSchema})`]))),
  h(".row", field("Event type", input({ name: "type", value: "order.made" })), field("Subject", input({ name: "subject", value: "orders/7" }))),
  field("Data", h("textarea", { name: "data", rows: "4", spellcheck: "false" }, '{"number": 7}'), "JSON"),
  h(".row", submit("Publish"))));
}

function event(topic, type, subject, data) {
  const id = crypto.randomUUID(), time = new Date().toISOString();
  return topic.inputSchema === "CloudEventSchemaV1_0"
    ? { specversion: "1.0", id, type, source: "/console", subject, time, data }
    : { id, eventType: type, subject, eventTime: time, dataVersion: "1.0", data };
}
