// `tidings doctor` against a running server, as a script reads it.
import assert from "node:assert/strict";
import { typed } from "./command.mjs";
import { Server } from "./server.mjs";

/** Longer a report may not take. */
const LIMIT_MS = 10_000;

/** A server of one test's own: what one test breaks, another would be told of. */
export async function patient(t, options) {
  const server = await Server.start(options);
  t.after(() => server.stop());
  return server;
}

/** Runs the command: `{code, report, out}`. */
export async function doctor(server, ...args) {
  const begun = performance.now();
  const { code, out, err } = await typed(["doctor", "--data", server.data, "--json", ...args]);
  assert.ok(performance.now() - begun < LIMIT_MS, "it takes less than ten seconds");
  assert.ok([0, 1].includes(code), err);
  return { code, report: JSON.parse(out), out };
}

/** What is confirmed, in words, for a failed assertion. */
const told = ({ findings }) =>
  findings
    .filter(({ verdict }) => verdict !== "ruledOut")
    .map(({ hypothesis, verdict, evidence }) => `${hypothesis} ${verdict}: ${evidence.map(({ tag, text }) => `[${tag}] ${text}`).join(" ")}`)
    .join("\n");

/** The hypothesis is confirmed, with evidence of this tag and a cure; returns the finding. */
export async function confirms(server, hypothesis, tag, ...args) {
  const { code, report } = await doctor(server, ...args);
  const finding = report.findings.find((it) => it.hypothesis === hypothesis);
  assert.equal(finding?.verdict, "confirmed", `${hypothesis}:\n${JSON.stringify(finding)}\nthe others:\n${told(report)}`);
  assert.ok(finding.evidence.some((it) => it.tag === tag), `${tag}: ${JSON.stringify(finding.evidence)}`);
  assert.ok(finding.mitigations[0].text, "a cure");
  for (const { command } of finding.mitigations) await known(command);
  assert.equal(code, 1);
  return finding;
}

/** A command of ours that is told can be typed. */
async function known(command = "") {
  const [program, ...words] = command.split(" ");
  if (program !== "tidings" || understood.has(command)) return;
  const { code, err } = await typed([...words, "--help"]);
  assert.equal(code, 0, `${command}: ${err}`);
  understood.add(command);
}

const understood = new Set();

/** Some piece of evidence leads to a journey with such a stage. */
export async function leads(server, evidence, stage) {
  const ids = evidence.flatMap(({ trace, query }) => (trace && !query ? [trace] : []));
  assert.ok(ids.length > 0, JSON.stringify(evidence));
  for (const id of ids) assert.match((await typed(["trace", id, "--data", server.data])).out, stage);
}

/** The hypothesis is not confirmed. */
export async function silent(server, hypothesis, ...args) {
  const { report } = await doctor(server, ...args);
  const finding = report.findings.find((it) => it.hypothesis === hypothesis);
  assert.notEqual(finding.verdict, "confirmed", JSON.stringify(finding));
  return finding;
}

/** Nothing is confirmed; returns the report. */
export async function well(server, ...args) {
  const { code, report, out } = await doctor(server, ...args);
  assert.equal(code, 0, told(report));
  assert.ok(report.healthy);
  return { report, out };
}
