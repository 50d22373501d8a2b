// Why does it not arrive? Every hypothesis that applies, with its verdict and its evidence.
import { operator } from "../api.js";
import { card, copy, empty, fill, field, form, h, head, input, problem, select, snippet, submit, tag } from "../ui.js";

const VERDICTS = { confirmed: ["confirmed", "bad"], ruledOut: ["ruled out", "good"], cannotTell: ["cannot tell", "warn"] };
const TAGS = {
  Measured: "tested just now", Observed: "read in a record",
  Correlated: "coincides in time with a change", Inferred: "something is absent",
};
const MORE = [
  ["device", "Device", "the registration id"], ["subscription", "Event subscription", "its name"], ["hub", "Hub", "of Web PubSub or Notification Hubs"],
  ["endpoint", "Address that clients use", "in place of the server's own"], ["proxy", "Proxy that clients use", "such as http://example:3128"],
];

export function page({ scope, query }) {
  const result = h(".stack", { "aria-live": "polite" }), box = h("div");
  fill(result, empty("Choose a symptom, or none", "Every hypothesis that applies is tested: connections are opened, certificates and clocks compared, records read. It takes some seconds.", snippet("tidings doctor")));
  const ask = async (values) => {
    fill(result, h("p.soft", { role: "status" }, "Looking…"));
    try {
      const given = Object.entries(values).filter(([, value]) => value !== "");
      fill(result, report(await operator.post("/playbook", Object.fromEntries(given))));
    } catch (error) {
      fill(result);
      throw error;
    }
  };
  const draw = ({ symptoms }) => fill(box, card("What is wrong?", form(ask,
    h(".row", field("Symptom", select({ name: "symptom", value: query.symptom ?? "" }, [["", "look at everything"], ...symptoms.map((it) => [it.name, it.title])])),
      field("In the last", select({ name: "since", value: "1h" }, [["15m", "15 minutes"], ["1h", "hour"], ["6h", "6 hours"], ["1d", "day"]]))),
    h(".row", field("User", input({ name: "user", value: query.user ?? "", placeholder: "8:acs:… or a user of a hub" })), field("Thread", input({ name: "thread", value: query.thread ?? "", placeholder: "19:…" }))),
    field("Why did this one not arrive?", input({ name: "journey", value: query.journey ?? "", placeholder: "id of a request, message, event, notification or call" }), "only what it went through is looked at"),
    h("details", h("summary", "More about it"), h(".stack", { class: "more" },
      h(".row", MORE.map(([name, label, hint]) => field(label, input({ name }), hint))),
      field("A token that does not work", h("textarea", { name: "token", rows: "2", spellcheck: "false" }), "it is read, not kept"))),
    h(".row", submit("Find out why")))));
  operator.get("/playbook").then((known) => scope.open && draw(known), (error) => fill(box, error.status === 404
    ? empty("No playbook", "This server has none.") : problem(error)));
  return [head("Playbook", "Something does not arrive. Name the symptom; each possible cause is tested, and told with its evidence and its cure."), h(".stack", box, result)];
}

function report({ healthy, checked, tookMs, findings }) {
  const open = findings.filter((it) => it.verdict !== "ruledOut"), closed = findings.filter((it) => it.verdict === "ruledOut");
  return [
    h("p.row", tag(healthy ? "nothing confirmed" : `${findings.filter((it) => it.verdict === "confirmed").length} confirmed`, healthy ? "good" : "bad"),
      h("span.soft", `${checked} hypotheses in ${(tookMs / 1000).toFixed(1)} s`)),
    open.length > 0 && card("Findings", verdicts("Findings", open)),
    closed.length > 0 && card("Ruled out", verdicts("Ruled out", closed)),
    h("p.small.faint", Object.entries(TAGS).map(([name, text]) => `[${name}] ${text}`).join(" · ")),
  ];
}

function verdicts(name, findings) {
  const cures = findings.some((it) => it.mitigations.length);
  return h(".scroll", { tabindex: "0", role: "region", "aria-label": name }, h("table",
    h("thead", h("tr", ["Hypothesis", "Verdict", "Evidence", cures && "What to do"].filter(Boolean).map((text) => h("th", { scope: "col" }, text)))),
    h("tbody", findings.map((it) => h("tr",
      h("td", h("div", it.title), h("code.small.faint", it.hypothesis)),
      h("td", tag(...(VERDICTS[it.verdict] ?? [it.verdict]))),
      h("td", h(".stack.small", it.evidence.map((one) => h("div.break", h("span.faint", { title: TAGS[one.tag] }, `[${one.tag}] `), one.text,
        one.query && [" ", h("a", { href: `#/logs?query=${encodeURIComponent(one.query)}` }, "the query")],
        one.trace && [" ", h("a", { href: `#/journeys?subject=${encodeURIComponent(one.trace)}` }, "its journey")])))),
      cures && h("td", h(".stack.small", it.mitigations.map((one) => h("div", one.text, one.command && h(".row", h("code.break", one.command), copy(one.command, `Copy ${one.command}`)), one.link && [" ", h("span.faint", one.link)])))))))));
}
