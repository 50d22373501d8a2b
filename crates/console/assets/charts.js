// Small drawings, by hand. Each has a sentence that says what it shows, for who does not see it.
import { count, h, s } from "./ui.js";

/** How wide a drawing is, in pixels: as wide as where it goes, so that its words have their size. */
export const room = (element, most = 1100) => Math.min(Math.max(element.clientWidth - 42, 250), most) || 640;

/** Numbers over time; `points` are `[milliseconds, value]`. */
export function line(name, series, { height = 140, width: W = 640, unit = "", format = count } = {}) {
  const all = series.flatMap((it) => it.points);
  const svg = s("svg.chart", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": summary(name, series, format, unit) });
  if (!all.length) return svg;
  const [first, last] = extent(all.map(([x]) => x));
  const top = nice(Math.max(...all.map(([, y]) => y), 0));
  const x = (it) => 44 + (last > first ? (it - first) / (last - first) : 0.5) * (W - 52);
  const y = (it) => 8 + (1 - it / top) * (height - 30);
  for (const share of [0, 0.5, 1]) {
    svg.append(s("line.axis", { x1: 44, x2: W - 8, y1: y(top * share), y2: y(top * share) }));
    svg.append(s("text", { x: 38, y: y(top * share) + 4, "text-anchor": "end" }, format(top * share)));
  }
  if (last > first) svg.append(s("text", { x: 44, y: height - 4 }, time(first, last - first)));
  svg.append(s("text", { x: W - 8, y: height - 4, "text-anchor": "end" }, time(last, last - first)));
  series.forEach(({ points }, index) => {
    const path = points.map(([at, value], i) => `${i ? "L" : "M"}${x(at).toFixed(1)} ${y(value).toFixed(1)}`).join("");
    const group = s("g", { class: `s${index}` });
    if (series.length === 1 && points.length > 1) {
      group.append(s("path.area", { d: `${path}L${x(points.at(-1)[0])} ${y(0)}L${x(points[0][0])} ${y(0)}Z` }));
    }
    group.append(s("path.line", { d: path }));
    // A line through few points, or one, is hard to see.
    if (points.length < 12) points.forEach(([at, value]) => group.append(s("circle.bar", { cx: x(at), cy: y(value), r: 3 })));
    svg.append(group);
  });
  return svg;
}

/** Numbers by name; `bars` are `[name, value]`. */
export function columns(name, bars, { height = 180, width: W = 640, format = count } = {}) {
  const label = `${name}: ${bars.map(([text, value]) => `${text} ${format(value)}`).join(", ")}`;
  const svg = s("svg.chart", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": label });
  const top = nice(Math.max(...bars.map(([, value]) => value), 0));
  const step = (W - 52) / Math.max(bars.length, 1);
  const y = (it) => 16 + (1 - it / top) * (height - 40);
  svg.append(s("line.axis", { x1: 44, x2: W - 8, y1: y(0), y2: y(0) }));
  bars.forEach(([text, value], index) => {
    const width = Math.min(step * 0.7, 64);
    const left = 44 + step * index + (step - width) / 2;
    svg.append(s("rect.bar", { x: left, y: y(value), width, height: Math.max(y(0) - y(value), 0), rx: 2 }));
    svg.append(s("text", { x: left + width / 2, y: y(value) - 4, "text-anchor": "middle" }, format(value)));
    svg.append(s("text", { x: left + width / 2, y: height - 6, "text-anchor": "middle" }, cut(text, Math.max(Math.floor(step / 6.5), 3))));
  });
  return svg;
}

/** Bars that lie, for long names. */
export function bars(name, entries, { width: W = 640, format = count } = {}) {
  const height = entries.length * 26 + 6;
  const label = `${name}: ${entries.map(([text, value]) => `${text} ${format(value)}`).join(", ")}`;
  const svg = s("svg.chart", { viewBox: `0 0 ${W} ${height}`, role: "img", "aria-label": label });
  const top = nice(Math.max(...entries.map(([, value]) => value), 0)), left = Math.min(W * 0.4, 240);
  entries.forEach(([text, value], index) => {
    const y = index * 26 + 4;
    const long = ((W - left - 60) * value) / top;
    svg.append(s("text", { x: left - 10, y: y + 14, "text-anchor": "end" }, cut(text, Math.floor(left / 6.5))));
    svg.append(s("rect.bar", { x: left, y, width: Math.max(long, 1), height: 18, rx: 2 }));
    svg.append(s("text", { x: left + 6 + long, y: y + 14 }, format(value)));
  });
  return svg;
}

export const legend = (names) => h(".legend", names.map((name, index) => h("span", h("i", { class: `s${index}` }), name)));

const cut = (text, most) => (`${text}`.length > most ? `${`${text}`.slice(0, most - 1)}…` : `${text}`);
const extent = (numbers) => [Math.min(...numbers), Math.max(...numbers)];

function nice(top) {
  if (top <= 0) return 1;
  const size = 10 ** Math.floor(Math.log10(top));
  return [1, 2, 2.5, 5, 10].map((it) => it * size).find((it) => it >= top);
}

const time = (at, span) => (span > 2 * 86400e3
  ? new Date(at).toLocaleDateString([], { month: "short", day: "numeric" })
  : new Date(at).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: span < 600e3 ? "2-digit" : undefined, hour12: false }));

function summary(name, series, format, unit) {
  const one = ({ name: own, points }) => (points.length
    ? `${own ? `${own} ` : ""}now ${format(points.at(-1)[1])}${unit}, at most ${format(Math.max(...points.map(([, y]) => y)))}${unit}`
    : "nothing yet");
  return `${name}: ${series.length ? series.map(one).join("; ") : "nothing yet"}`;
}
