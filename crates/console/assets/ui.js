// What every page is made of. Text becomes text here and nowhere markup.

const SVG = "http://www.w3.org/2000/svg";

/** An element: `h("p.faint#id", {title: "…", onclick}, child, "text")`. Empty children are left out. */
export function h(kind, ...rest) {
  const [, name, more] = /^([a-z0-9]*)(.*)$/.exec(kind);
  return furnish(document.createElement(name || "div"), more, rest);
}

/** As `h`, for drawings. */
export function s(kind, ...rest) {
  const [, name, more] = /^([a-z]+)(.*)$/.exec(kind);
  return furnish(document.createElementNS(SVG, name), more, rest);
}

function furnish(element, more, rest) {
  for (const [, mark, text] of more.matchAll(/([.#])([\w-]+)/g)) {
    if (mark === "#") element.id = text;
    else element.classList.add(text);
  }
  const plain = (it) => it && typeof it === "object" && !Array.isArray(it) && !(it instanceof Node);
  if (plain(rest[0])) {
    for (const [name, value] of Object.entries(rest.shift())) set(element, name, value);
  }
  element.append(...rest.flat(9).filter((it) => it !== undefined && it !== null && it !== false && it !== ""));
  return element;
}

function set(element, name, value) {
  if (value === undefined || value === null || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "class") element.classList.add(...value.split(" ").filter(Boolean));
  else if (["value", "checked", "disabled", "htmlFor", "selected", "hidden"].includes(name)) element[name] = value;
  else element.setAttribute(name, value === true ? "" : value);
}

/** Replaces what an element holds. */
export function fill(element, ...children) {
  element.replaceChildren(...children.flat(9).filter((it) => it !== undefined && it !== null && it !== false));
  return element;
}

/** The head of a page. */
export const head = (title, about, ...actions) =>
  h(".head", h("div", h("h1", title), about && h("p", about)), actions.some(Boolean) && h(".row", actions));

export const card = (title, ...children) => h("section.card", { "aria-label": title }, h("h2", title), children);

/** A control with its name over it. */
export function field(name, control, hint) {
  const label = h("label.field", h("span", name, hint && h("em", ` ${hint}`)), control);
  return label;
}

export const input = (attributes = {}) => h("input", { autocomplete: "off", spellcheck: "false", ...attributes });

/** A choice; options are texts or `[value, text]`. */
export function select(attributes, options) {
  const choices = options.map((it) => (Array.isArray(it) ? h("option", { value: it[0] }, it[1]) : h("option", it)));
  const element = h("select", { ...attributes, value: undefined }, choices);
  if (attributes.value !== undefined) element.value = attributes.value;
  return element;
}

/** A button whose work may fail: it is disabled while it runs, and says what went wrong. */
export function button(text, work, { kind = "", label, ...more } = {}) {
  const element = h("button", { type: "button", class: kind, "aria-label": label, ...more }, text);
  element.addEventListener("click", (event) => run(element, () => work(event)));
  return element;
}

async function run(element, work) {
  if (element.disabled) return;
  element.disabled = true;
  const had = document.activeElement === element;
  try {
    await work();
  } catch (error) {
    toast(words(error), true);
  } finally {
    element.disabled = false;
    if (had && document.activeElement === document.body) element.focus();
  }
}

/** A form: `work` gets its values by name; what goes wrong stands below it. */
export function form(work, ...children) {
  const trouble = h("div", { role: "alert" });
  const element = h("form", { novalidate: true }, children, trouble);
  element.addEventListener("submit", async (event) => {
    event.preventDefault();
    const submit = element.querySelector("button.primary, button[type=submit]");
    fill(trouble);
    if (submit) submit.disabled = true;
    try {
      const values = {};
      for (const it of element.elements) {
        if (it.name) values[it.name] = it.type === "checkbox" ? it.checked : it.value;
      }
      await work(values, element);
    } catch (error) {
      fill(trouble, problem(error));
    } finally {
      if (submit) submit.disabled = false;
    }
  });
  return element;
}

export const submit = (text) => h("button.primary", { type: "submit" }, text);

/** A table. Columns are `{name, of, num, mono}`; `of` makes a cell of a row. */
export function table(name, columns, rows, { chosen } = {}) {
  const cell = (column, row) => {
    const value = column.of(row);
    return h("td", { class: [column.num && "num", column.mono && "mono", column.class].filter(Boolean).join(" ") }, value ?? "");
  };
  const line = (row) => h("tr", { "data-chosen": chosen?.(row) ? "true" : undefined }, columns.map((column) => cell(column, row)));
  const heads = columns.map((column) => h("th", { scope: "col", class: column.num ? "num" : "" },
    column.name || h("span.unseen", "Actions")));
  return h(".scroll", { tabindex: "0", role: "region", "aria-label": name },
    h("table", h("thead", h("tr", heads)), h("tbody", rows.map(line))));
}

/** Nothing yet, and what to do about it. */
export const empty = (title, text, ...children) => h(".empty", h("h3", title), text && h("p", text), children);

/** Something to copy. */
export function snippet(text, name = "command") {
  return h(".snippet", h("pre", { tabindex: "0", role: "region", "aria-label": name }, text), copy(text, `Copy ${name}`));
}

export const copy = (text, label) => button("Copy", async () => {
  await navigator.clipboard.writeText(typeof text === "function" ? text() : text);
  toast("Copied.");
}, { kind: "tiny", label });

/** A secret that is shown when it is asked for. */
export function secret(text, name) {
  const code = h("code", hide(text));
  const box = h(".secret", code);
  const reveal = h("button.tiny", { type: "button", "aria-pressed": "false", "aria-label": `Show ${name}` }, "Show");
  reveal.addEventListener("click", () => {
    const open = box.classList.toggle("open");
    code.textContent = open ? text : hide(text);
    reveal.textContent = open ? "Hide" : "Show";
    reveal.setAttribute("aria-pressed", `${open}`);
  });
  box.append(reveal, copy(text, `Copy ${name}`));
  return box;
}

const hide = (text) => text.replace(/(key=)[^;]+/gi, "$1••••••••").replace(/^[\w+/=]{20,}$/, "••••••••••••");

export const facts = (pairs) => h("dl.facts", pairs.filter(([, value]) => value !== undefined && value !== null && value !== "" && value !== false)
  .map(([name, value]) => [h("dt", name), h("dd", value)]));

export const tag = (text, kind = "") => h("span.tag", { class: kind }, text);

/** An error in the service's own words. */
export function problem(error) {
  return h(".error", { role: "alert" }, error.code && h("b", error.status ? `${error.status} ${error.code}` : error.code), words(error));
}

export const words = (error) => error?.message || `${error}`;

export function toast(text, bad) {
  const element = h(".toast", { role: bad ? "alert" : undefined }, text);
  document.getElementById("toasts").append(element);
  setTimeout(() => element.remove(), bad ? 9000 : 2500);
}

/** Asks before something that cannot be taken back. */
export function confirmed(title, text, action) {
  return new Promise((resolve) => {
    const close = (answer) => { dialog.close(); dialog.remove(); resolve(answer); };
    const yes = h("button.primary", { type: "button", onclick: () => close(true) }, action);
    const no = h("button", { type: "button", onclick: () => close(false) }, "Cancel");
    const dialog = h("dialog", { "aria-labelledby": "ask" }, h(".stack", h("h2#ask", title), h("p.soft", text), h(".row", yes, no)));
    dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(false); });
    document.body.append(dialog);
    dialog.showModal();
  });
}

/** Tabs: `[[name, make]]`; `make` is called when a tab is opened, and may return a function that ends it. */
export function tabs(name, entries, { chosen = 0, scope }) {
  const panel = h("div", { role: "tabpanel", id: "panel", tabindex: "0" });
  let end;
  const list = h("div", { role: "tablist", "aria-label": name });
  const open = (index) => {
    end?.();
    [...list.children].forEach((it, at) => {
      it.setAttribute("aria-selected", `${at === index}`);
      it.tabIndex = at === index ? 0 : -1;
    });
    panel.setAttribute("aria-label", entries[index][0]);
    const inner = scope.child();
    end = () => inner.close();
    fill(panel, entries[index][1](inner));
  };
  entries.forEach(([text], index) => list.append(h("button", { type: "button", role: "tab", "aria-controls": "panel", onclick: () => open(index) }, text)));
  list.addEventListener("keydown", (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    const all = [...list.children];
    const next = all[(all.indexOf(document.activeElement) + step + all.length) % all.length];
    next.focus();
    next.click();
  });
  open(chosen);
  return h("div", list, panel);
}

/** What lives as long as a page: timers and connections that end with it. */
export class Scope {
  #ends = [];
  open = true;
  onEnd(end) { this.#ends.push(end); return this; }
  close() {
    if (!this.open) return;
    this.open = false;
    for (const end of this.#ends.splice(0)) end();
  }
  child() { const inner = new Scope(); this.onEnd(() => inner.close()); return inner; }
  /** Does `work` now and then again, a while after it has ended; not while nobody looks. */
  every(seconds, work, failed = () => {}) {
    let timer;
    const turn = async () => {
      if (!document.hidden) await Promise.resolve().then(work).catch((error) => this.open && failed(error));
      if (this.open) timer = setTimeout(turn, seconds * 1000);
    };
    this.onEnd(() => clearTimeout(timer));
    turn();
  }
  /** A signal that fires at the end. */
  signal() {
    const control = new AbortController();
    this.onEnd(() => control.abort());
    return control.signal;
  }
}

/** A list that grows at its top and forgets its end. */
export function feed(name, most = 200) {
  const list = h("ol.log", { "aria-label": name, tabindex: "0" });
  return {
    list,
    clear: () => fill(list),
    add(kind, text, tone = "", time = new Date()) {
      const item = h("li.fresh", h("time", { datetime: time.toISOString() }, clock(time)), tag(kind, tone), h("span.text", text));
      list.prepend(item);
      while (list.children.length > most) list.lastChild.remove();
      return item;
    },
  };
}

export const clock = (time) => new Date(time).toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", second: "2-digit", hour12: false });
export const moment = (time) => (time ? new Date(time).toLocaleString([], { dateStyle: "medium", timeStyle: "medium", hour12: false }) : "");

export function ago(time) {
  if (!time) return "";
  const seconds = Math.round((Date.now() - new Date(time)) / 1000);
  if (seconds < 5) return "just now";
  for (const [size, unit] of [[86400, "d"], [3600, "h"], [60, "min"]]) {
    if (seconds >= size) return `${Math.floor(seconds / size)} ${unit} ago`;
  }
  return `${seconds} s ago`;
}

export function count(number) {
  if (number === undefined || number === null || Number.isNaN(number)) return "–";
  if (Math.abs(number) >= 1e6) return `${(number / 1e6).toFixed(1)} M`;
  if (Math.abs(number) >= 1e4) return `${(number / 1e3).toFixed(1)} k`;
  return number % 1 && Math.abs(number) < 10 ? number.toFixed(1) : `${Math.round(number)}`;
}

export const bytes = (number) => {
  for (const [size, unit] of [[1 << 30, "GiB"], [1 << 20, "MiB"], [1 << 10, "KiB"]]) {
    if (number >= size) return `${(number / size).toFixed(1)} ${unit}`;
  }
  return `${Math.round(number)} B`;
};

export const pretty = (value) => (typeof value === "string" ? value : JSON.stringify(value, null, 2));

/** Keeps something in this browser. */
export const kept = {
  get: (name, otherwise) => {
    try { return JSON.parse(localStorage.getItem(`tidings.${name}`)) ?? otherwise; } catch { return otherwise; }
  },
  set: (name, value) => localStorage.setItem(`tidings.${name}`, JSON.stringify(value)),
};
