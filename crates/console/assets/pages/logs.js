// Questions to the log tables, in KQL, with a table and where the query asks for one a chart.
import { operator } from "../api.js";
import { bars, columns, legend, line, room } from "../charts.js";
import { empty, fill, field, form, h, head, kept, moment, problem, select, submit, table } from "../ui.js";

const SAMPLES = [
  ["Who connected", "WebPubSubConnectivity\n| order by TimeGenerated desc\n| take 50"],
  ["Connections over time", "WebPubSubConnectivity\n| summarize Connections = count() by bin(TimeGenerated, 1m), OperationName\n| render timechart"],
  ["REST calls by status", "WebPubSubHttpRequest\n| summarize Calls = count() by tostring(StatusCode)\n| render columnchart"],
  ["Chat operations", "ACSChatIncomingOperations\n| summarize Calls = count(), Slowest = max(DurationMs) by OperationName\n| order by Calls desc"],
  ["Refused tokens", "ACSAuthIncomingOperations\n| where ResultSignature >= 400\n| project TimeGenerated, OperationName, ResultSignature, ResultDescription"],
  ["Who read which message", "ACSChatMessageReceivedEvents\n| order by TimeGenerated desc\n| take 50"],
  ["Deliveries that failed", "AegDeliveryFailureLogs\n| summarize Failures = count() by EventSubscriptionName\n| render barchart"],
  ["All tables", "union withsource = Table *\n| summarize Rows = count(), Latest = max(TimeGenerated) by Table\n| order by Table asc"],
];
const SPANS = [["PT15M", "15 minutes"], ["PT1H", "hour"], ["P1D", "day"], ["P7D", "7 days"], ["", "all time"]];

export function page({ query }) {
  const result = h(".stack", { "aria-live": "polite" });
  const editor = h("textarea", { name: "query", rows: "7", spellcheck: "false", autocapitalize: "off" }, query.query ?? kept.get("query", SAMPLES[0][1]));
  const ask = async ({ query: text, timespan }) => {
    kept.set("query", text);
    const began = performance.now();
    const answer = await operator.post("/logs/query", { query: text, timespan: timespan || undefined }, { prefer: "include-render=true, include-statistics=true" });
    fill(result, shown(answer, performance.now() - began, room(result)));
  };
  const sample = select({ onchange: () => { if (sample.value) { editor.value = sample.value; editor.form.requestSubmit(); } } },
    [["", "Choose…"], ...SAMPLES.map(([name, text]) => [text, name])]);
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.ctrlKey || event.metaKey)) { event.preventDefault(); editor.form.requestSubmit(); }
  });
  fill(result, empty("Ask something", "The tables are those of the services' documentation, and so is the language. Choose a sample, or write a query and press Ctrl+Enter."));
  const box = form(ask, field("Query", editor, "KQL"), h(".row.end", field("Sample", sample), field("In the last", select({ name: "timespan", value: "P1D" }, SPANS)), submit("Run")));
  if (query.query) queueMicrotask(() => box.requestSubmit());
  return [
    head("Logs", "What the services noted, as Log Analytics keeps it. The same queries work with azure-monitor-query and in a terminal: tidings logs query."),
    h(".stack", h(".card", box), result),
  ];
}

function shown({ tables: [{ columns: kinds, rows }], render, error }, took, width) {
  const about = `${rows.length} ${rows.length === 1 ? "row" : "rows"} in ${took < 1000 ? `${Math.round(took)} ms` : `${(took / 1000).toFixed(1)} s`}`;
  const cell = (value, { type }) => (value === null || value === undefined ? "" : type === "datetime" ? moment(value) : typeof value === "object" ? JSON.stringify(value) : `${value}`);
  const numeric = ({ type }) => ["long", "int", "real", "decimal", "double"].includes(type);
  const picture = rows.length ? chart(kinds, rows, render?.visualization, width) : undefined;
  return [
    error && problem({ code: error.code, message: error.details?.[0]?.message ?? error.message }),
    picture && h("section.card", { "aria-label": "Chart" }, h(".stack", picture)),
    rows.length ? h("section.card", { "aria-label": "Result" }, h(".spread", h("h2", "Result"), h("span.faint.small", about)),
      table("Result", kinds.map((kind, index) => ({ name: kind.name, num: numeric(kind), class: kind.type === "datetime" ? "nowrap" : "break", of: (row) => cell(row[index], kind) })), rows.slice(0, 500)),
      rows.length > 500 && h("p.small.faint", "The first 500 are shown."))
      : empty("No rows", "The query ran, and nothing fits it. Look further back, or loosen a condition."),
  ];
}

const isNumber = (kind) => ["long", "int", "real", "decimal", "double"].includes(kind.type);

/** What `render` asks for, by the rules of the language: the first fitting column lies below. */
function chart(kinds, rows, visualization, width) {
  if (!visualization || visualization === "table") return undefined;
  const numbers = kinds.map((kind, index) => ({ ...kind, index })).filter(isNumber);
  if (!numbers.length) return undefined;
  const when = kinds.findIndex(({ type }) => type === "datetime");
  const names = kinds.map((kind, index) => ({ ...kind, index })).filter((kind) => !isNumber(kind) && kind.type !== "datetime");
  if (["timechart", "linechart", "areachart"].includes(visualization) && when >= 0) {
    const groups = Map.groupBy(rows, (row) => names.map(({ index }) => row[index]).join(", "));
    const series = [...groups].flatMap(([name, own]) => numbers.map((number) => ({
      name: [name, numbers.length > 1 || !name ? number.name : ""].filter(Boolean).join(" "),
      points: own.map((row) => [Date.parse(row[when]), row[number.index] ?? 0]).sort((a, b) => a[0] - b[0]),
    }))).slice(0, 6);
    return [legend(series.map(({ name }) => name)), line("Result", series, { height: 220, width })];
  }
  const [value] = numbers.slice(-1);
  const label = (row) => (names.length ? names.map(({ index }) => row[index]).join(", ") : when >= 0 ? moment(row[when]) : `${row[kinds.findIndex((_, index) => index !== value.index)] ?? ""}`);
  const entries = rows.slice(0, 24).map((row) => [label(row), row[value.index] ?? 0]);
  return visualization === "barchart" || visualization === "piechart" ? bars("Result", entries, { width }) : columns("Result", entries, { width });
}
