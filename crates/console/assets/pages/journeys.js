// The way of one notification: found by what it is about, drawn step by step.
import { operator } from "../api.js";
import { ago, button, card, empty, fill, field, form, h, head, input, moment, problem, select, snippet, submit, table, tag } from "../ui.js";

const SINCE = [["15m", "15 minutes"], ["1h", "hour"], ["6h", "6 hours"], ["1d", "day"]];

export function page({ scope, query }) {
  const list = h("div"), detail = h("div"), trouble = h("div");
  const subject = input({ name: "subject", value: query.subject ?? "", placeholder: "an id of a message, user, thread, device, event…" });
  const since = select({ name: "since", value: "1h" }, SINCE);
  let chosen = query.id;

  const look = async () => {
    const found = await operator.get("/journeys", { subject: subject.value.trim(), since: since.value, limit: 50 });
    const rows = found.value ?? found.journeys ?? found;
    fill(trouble);
    if (list.contains(document.activeElement)) return;
    fill(list, rows.length ? results(rows, chosen, open) : empty("No journey in this time",
      subject.value ? "Nothing that was recorded is about it. Look further back, or at everything." : "Send something, and it appears here. Each request to a service begins one; its id is in the answer's header x-ms-request-id.",
      snippet("tidings publish chat 'Hello'")));
  };
  const open = async (id) => {
    chosen = id;
    const journey = await operator.get(`/journeys/${encodeURIComponent(id)}`);
    fill(detail, drawn(id, journey));
    detail.querySelector("section").scrollIntoView({ block: "nearest" });
    await look();
  };
  scope.every(3, look, (error) => fill(trouble, error.status === 404 ? empty("No journeys", "This server records none.") : problem(error)));
  if (chosen) open(chosen).catch((error) => fill(trouble, problem(error)));
  return [
    head("Journeys", "Where is it, and why did it not arrive? Each message, event, push and call leaves a mark at every stage of its way."),
    h(".stack",
      h(".card", form(look, h(".row.end", field("About", subject), field("In the last", since), submit("Find")))),
      trouble, detail, list),
  ];
}

const idOf = (it) => it.id ?? it.trace ?? it.journey;
const failed = (it) => /fail|refus|dead/i.test(`${it.outcome ?? ""}`);

function results(rows, chosen, open) {
  return card("Journeys", table("Journeys", [
    { name: "Began", of: (it) => h("div.nowrap", ago(it.began ?? it.started ?? it.at ?? it.time)) },
    { name: "What", of: (it) => h("div.break", title(it)) },
    { name: "Reached", of: (it) => [tag(it.stage ?? it.last?.stage ?? "", failed(it) ? "bad" : it.outcome === "again" ? "warn" : "good")] },
    { name: "Steps", num: true, of: (it) => it.steps?.length ?? it.steps ?? it.milestones ?? "" },
    { name: "Id", mono: true, of: (it) => h("span.break", idOf(it)) },
    { name: "", of: (it) => button("Open", () => open(idOf(it)), { kind: "tiny", label: `Open journey ${idOf(it)}` }) },
  ], rows, { chosen: (it) => idOf(it) === chosen }));
}

const title = (it) => it.title ?? it.name ?? it.detail ?? it.last?.detail ?? it.service ?? "";

function drawn(id, journey) {
  const steps = journey.milestones ?? journey.steps ?? journey.value ?? journey;
  const timeOf = (it) => new Date(it.at ?? it.time).getTime();
  const began = Math.min(...steps.map(timeOf));
  return h("section.card", { "aria-label": `Journey ${id}` },
    h(".spread", h("h2", "Timeline"), h("code.break.small", id)),
    h("p.small.faint", `Began ${moment(began)}, ${steps.length} steps`),
    h("ol.timeline", steps.toSorted((a, b) => timeOf(a) - timeOf(b)).map((it) => h("li", { class: failed(it) ? "bad" : it.outcome === "again" ? "warn" : "" },
      h("time", { datetime: new Date(timeOf(it)).toISOString() }, offset(timeOf(it) - began)),
      h("span.dot", { "aria-hidden": "true" }),
      h("div", h("b", it.stage), it.service && h("span.faint", ` · ${it.service}`), it.outcome && it.outcome !== "done" && [" ", tag(it.outcome, failed(it) ? "bad" : "warn")],
        h("small", it.detail), subjects(it.subjects))))));
}

function subjects(found) {
  if (!found || !Object.keys(found).length) return undefined;
  const pairs = Array.isArray(found) ? found.map((it) => [it.kind, it.value]) : Object.entries(found);
  return h("small.faint.mono", pairs.map(([kind, value]) => `${kind} ${value}`).join("  "));
}

const offset = (ms) => (ms < 1000 ? `+${Math.round(ms)} ms` : ms < 60e3 ? `+${(ms / 1000).toFixed(1)} s` : `+${Math.floor(ms / 60e3)} min`);
