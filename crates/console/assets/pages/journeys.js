// The way of one notification: found by what it is about, drawn step by step.
import { operator } from "../api.js";
import { ago, button, card, empty, fill, field, form, h, head, input, moment, problem, select, snippet, submit, table, tag } from "../ui.js";

const SINCE = [["15m", "15 minutes"], ["1h", "hour"], ["6h", "6 hours"], ["1d", "day"], ["7d", "7 days"]];
const OUTCOMES = [["", "however it stands"], ["failed", "failed"], ["waiting", "waiting"], ["done", "done"]];
const TONES = { done: "good", waiting: "warn", again: "warn", failed: "bad" };

export function page({ scope, query }) {
  const list = h("div"), detail = h("div"), trouble = h("div");
  const subject = input({ name: "subject", value: query.subject ?? "", placeholder: "an id of a message, user, thread, event, request…" });
  const since = select({ name: "since", value: "1h" }, SINCE), outcome = select({ name: "outcome", value: query.outcome ?? "" }, OUTCOMES);
  let chosen = query.id;

  const look = async () => {
    const { journeys, missed } = await operator.get("/journeys", { subject: subject.value.trim(), since: since.value, outcome: outcome.value, limit: 50 });
    fill(trouble);
    if (!scope.open || list.contains(document.activeElement)) return;
    fill(list, journeys.length ? results(journeys, chosen, open) : nothing(subject.value),
      missed.journeys > 0 && h("p.small.faint", `${missed.journeys} journeys were not recorded, since there were more in a second than are kept.`));
  };
  const open = async (id) => {
    chosen = id;
    fill(detail, drawn(await operator.get(`/journeys/${encodeURIComponent(id)}`), open));
    detail.scrollIntoView({ block: "nearest" });
  };
  const find = async () => {
    document.activeElement?.blur();
    await look();
  };
  scope.every(3, look, (error) => fill(trouble, error.status === 404 ? empty("No journeys", "This server records none.") : problem(error)));
  if (chosen) open(chosen).catch((error) => fill(trouble, problem(error)));
  return [
    head("Journeys", "Where is it, and why did it not arrive? Each message, event, push and call leaves a mark at every stage of its way."),
    h(".stack",
      h(".card", form(find, h(".row.end", field("About", subject), field("In the last", since), field("That", outcome), submit("Find")))),
      trouble, detail, list),
  ];
}

const nothing = (subject) => empty("No journey in this time",
  subject ? "Nothing that is recorded is about it. Look further back, or leave the field empty."
    : "Send something, and it appears here. Each request begins a journey; the answer's header x-ms-request-id names it.",
  snippet("tidings publish chat 'Hello'"));

function results(rows, chosen, open) {
  return card("Journeys", table("Journeys", [
    { name: "Began", class: "nowrap", of: (it) => ago(it.started) },
    { name: "What", of: (it) => h("div.break", it.what, h(".small.faint", it.service)) },
    { name: "Stands", of: (it) => tag(it.outcome, TONES[it.outcome]) },
    { name: "Stages", num: true, of: (it) => it.stages },
    { name: "Took", num: true, class: "nowrap", of: (it) => span(new Date(it.ended) - new Date(it.started)) },
    { name: "", of: (it) => button("Open", () => open(it.id), { kind: "tiny", label: `Open journey ${it.id}` }) },
  ], rows, { chosen: (it) => it.id === chosen }));
}

function drawn(it, open) {
  return h("section.card", { "aria-label": "Timeline" },
    h(".spread", h("h2", it.what || "Timeline"), tag(it.outcome, TONES[it.outcome])),
    h("p.small.faint.break", `${moment(it.started)} · `, h("code", it.id)),
    h("ol.timeline", { "aria-label": "Stages" }, it.stages.map(stage)),
    it.subjects.length > 0 && h("p.small.faint.break", it.subjects.map(({ kind, value }) => h("span.tag", { title: kind }, `${kind} ${value}`))),
    it.others.length > 0 && h(".row", h("span.small.faint", "Others about the same"), it.others.slice(0, 8).map((id) => button(`${id.slice(0, 8)}…`, () => open(id), { kind: "tiny", label: `Open journey ${id}` }))));
}

function stage(it) {
  const tone = TONES[it.outcome];
  return h("li", { class: tone === "good" ? "" : tone },
    h("time", { datetime: it.time }, `+${span(it.offsetMs)}`),
    h("span.dot", { "aria-hidden": "true" }),
    h("div", h("b", it.stage), h("span.faint", ` · ${it.service}`), it.outcome !== "done" && [" ", tag(it.outcome, tone)],
      h("small", it.detail, it.tookMs !== null && h("span.faint", `${it.detail ? " · " : ""}took ${span(it.tookMs)}`))));
}

function span(ms) {
  if (ms < 10) return `${ms.toFixed(1)} ms`;
  return ms < 1000 ? `${Math.round(ms)} ms` : ms < 60e3 ? `${(ms / 1000).toFixed(1)} s` : `${Math.floor(ms / 60e3)} min`;
}
