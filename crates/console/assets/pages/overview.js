// What happens now: a few numbers, two lines, and where to go next.
import { operator, session } from "../api.js";
import { line, room } from "../charts.js";
import { ago, bytes, card, count, empty, fill, h, head, problem, snippet, table, tag } from "../ui.js";

/** How long the past is that charts show, and how often it grows. */
const SPAN = 5 * 60e3;
const EVERY = 2000;

/** The metrics of the server, asked for as long as somebody is signed in. */
export class Pulse extends EventTarget {
  samples = [];
  error;
  #timer;

  start() {
    clearTimeout(this.#timer);
    const turn = async () => {
      if (!document.hidden) await this.#take();
      this.#timer = setTimeout(turn, EVERY);
    };
    turn();
  }

  stop() {
    clearTimeout(this.#timer);
  }

  async #take() {
    try {
      const metrics = read(await operator.text("/metrics"));
      const now = Date.now();
      this.samples.push({ at: now, metrics });
      this.samples = this.samples.filter(({ at }) => now - at <= SPAN);
      this.error = undefined;
    } catch (error) {
      this.error = error;
    }
    this.dispatchEvent(new Event("change"));
  }

  now(name) {
    return this.samples.at(-1)?.metrics.get(name);
  }

  /** A gauge over time. */
  level = (name) => this.samples.map(({ at, metrics }) => [at, metrics.get(name) ?? 0]);

  /** What a counter gained each second. */
  rate(name) {
    return this.samples.slice(1).map(({ at, metrics }, index) => {
      const before = this.samples[index];
      const gain = Math.max((metrics.get(name) ?? 0) - (before.metrics.get(name) ?? 0), 0);
      return [at, (gain * 1000) / Math.max(at - before.at, 1)];
    });
  }
}

/** OpenMetrics text as sums by name, over all labels. */
function read(text) {
  const sums = new Map();
  for (const row of text.split("\n")) {
    const match = /^([a-z_:][\w:]*)(?:\{.*\})? (\S+)/i.exec(row);
    if (match) sums.set(match[1], (sums.get(match[1]) ?? 0) + Number(match[2]));
  }
  return sums;
}

export function page({ scope, pulse }) {
  const tiles = h(".tiles"), charts = h(".grid"), trouble = h("div");
  const attention = h("div"), first = h("div");
  let seen = { subscriptions: [], hubs: [] };

  const draw = () => {
    fill(trouble, pulse.error && problem(pulse.error));
    const width = charts.firstElementChild ? room(charts.firstElementChild) : 430;
    const last = (points) => points.at(-1)?.[1];
    const dead = sum(seen.subscriptions, "dead"), queued = sum(seen.subscriptions, "queued");
    fill(tiles,
      tile("Live connections", count(pulse.now("tidings_gateway_connections")), "pubsub"),
      tile("Deliveries / s", count(last(pulse.rate("tidings_gateway_deliveries_total"))), "pubsub"),
      tile("Sent / s", bytes(last(pulse.rate("tidings_gateway_sent_bytes_total")) ?? 0), "pubsub"),
      tile("Events waiting", count(queued), "events"),
      tile("Dead letters", count(dead), "events", dead > 0),
      tile("Devices", count(sum(seen.hubs, "devices")), "push"));
    fill(charts,
      card("Connections", line("Connections", [{ points: pulse.level("tidings_gateway_connections") }], { width })),
      card("Deliveries a second", line("Deliveries a second", [{ points: pulse.rate("tidings_gateway_deliveries_total") }], { width })));
    const quiet = pulse.samples.length && !pulse.now("tidings_gateway_connections_opened_total");
    fill(first, quiet && empty("Nobody has connected yet",
      "A client in the terminal is a good beginning. Type something, and watch the numbers above.",
      snippet("tidings connect chat --user me --group news"),
      h("p", "Or connect from here: ", h("a", { href: "#/pubsub?tab=try" }, "try it"), ". To use an SDK, take a connection string from ", h("a", { href: "#/resources" }, "Resources"), ".")));
  };

  const look = async () => {
    const [subscriptions, hubs] = await Promise.all([operator.get("/eventgrid/subscriptions"), operator.get("/push/hubs")]);
    seen = { subscriptions: subscriptions.value, hubs };
    const rows = seen.subscriptions.filter((it) => it.dead || it.state !== "Succeeded" || it.health?.probationUntil);
    const platforms = seen.hubs.flatMap((hub) => hub.platforms.filter((it) => it.unusable || it.credentialRefused).map((it) => ({ hub, it })));
    const lines = [
      ...rows.map((it) => ({ what: `Event subscription ${it.name}`, says: it.reason ?? (it.dead ? `${it.dead} dead letters, ${it.health?.lastOutcome ?? ""}` : it.state), when: it.health?.lastAttempt, to: "events" })),
      ...platforms.map(({ hub, it }) => ({ what: `${it.platform} of hub ${hub.hub}`, says: it.unusable ?? it.lastProblem?.explanation ?? "credentials refused", when: it.lastProblem?.at, to: "push" })),
    ];
    fill(attention, lines.length
      ? card("Wants attention", table("Wants attention", [
        { name: "What", of: (it) => h("a", { href: `#/${it.to}` }, it.what) },
        { name: "Why", of: (it) => it.says },
        { name: "When", of: (it) => ago(it.when), class: "nowrap" },
      ], lines))
      : h("p.soft", tag("all quiet", "good"), " Nothing here wants attention. If something does not arrive, the ", h("a", { href: "#/playbook" }, "playbook"), " finds out why."));
    draw();
  };

  pulse.addEventListener("change", draw);
  scope.onEnd(() => pulse.removeEventListener("change", draw));
  scope.every(5, look, (error) => fill(trouble, problem(error)));
  draw();
  return [
    head("Overview", `What this server does at the moment.${session.development ? " It runs for development: keys are well known, pushes go to fake phones." : ""}`),
    h(".stack.wide", trouble, tiles, charts, first, attention),
  ];
}

const sum = (rows, name) => rows.reduce((all, it) => all + (it[name] ?? 0), 0);

function tile(name, value, to, bad) {
  return h(".tile", h("a.faint", { href: `#/${to}` }, name), h("strong", { class: bad ? "bad" : "" }, value));
}
