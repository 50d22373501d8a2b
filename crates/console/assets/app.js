// The frame around the pages: signing in, which page is shown, keys, light and dark.
import { console_, session } from "./api.js";
import { Scope, fill, h, input, kept, problem, snippet, toast, words } from "./ui.js";
import { Pulse } from "./pages/overview.js";
import * as overview from "./pages/overview.js";
import * as resources from "./pages/resources.js";
import * as pubsub from "./pages/pubsub.js";
import * as chat from "./pages/chat.js";
import * as events from "./pages/events.js";
import * as push from "./pages/push.js";
import * as link from "./pages/link.js";
import * as journeys from "./pages/journeys.js";
import * as logs from "./pages/logs.js";
import * as playbook from "./pages/playbook.js";

/** Pages in the order of the navigation; after `g`, the letter opens the page. */
const PAGES = [
  ["Start", [["", "Overview", "o", overview], ["resources", "Resources", "r", resources]]],
  ["Services", [
    ["pubsub", "Web PubSub", "w", pubsub],
    ["chat", "Chat", "c", chat],
    ["events", "Event Grid", "e", events],
    ["push", "Push", "p", push],
    ["link", "Push for chat", "h", link],
  ]],
  ["Find out why", [
    ["journeys", "Journeys", "j", journeys],
    ["logs", "Logs", "l", logs],
    ["playbook", "Playbook", "b", playbook],
  ]],
];
const ALL = PAGES.flatMap(([, pages]) => pages);

const $ = (id) => document.getElementById(id);
const pulse = new Pulse();
let scope;

async function start() {
  theme(kept.get("theme", "system"));
  // What the server says to somebody who comes back from an identity provider and is not let in.
  const refusal = document.querySelector('meta[name="refusal"]')?.content;
  if (refusal) {
    history.replaceState(null, "", "/console#/");
    return door(new Error(refusal));
  }
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (code) {
    // It works once, so it need not stay in the address bar and the history.
    history.replaceState(null, "", "/console#/");
    try {
      await console_.signIn(code);
    } catch (error) {
      return door(error);
    }
  }
  try {
    await console_.session();
  } catch (error) {
    return door(error.status === 401 ? undefined : error);
  }
  navigation();
  $("version").textContent = `Tidings ${session.version}${session.development ? ", development" : ""}`;
  $("operator").textContent = session.operator ? `Signed in as ${session.operator}` : "";
  $("operator").hidden = !session.operator;
  $("shell").hidden = false;
  pulse.start();
  window.addEventListener("hashchange", show);
  window.addEventListener("signed-out", ({ detail }) => door(new Error(detail)), { once: true });
  show();
}

/** What is shown to who is not signed in. */
async function door(error) {
  scope?.close();
  pulse.stop();
  $("shell").hidden = true;
  document.querySelectorAll("dialog").forEach((it) => it.remove());
  document.title = "Sign in · Tidings";
  // Without an answer there is nobody to sign in with either; links are told of all the same.
  const { provider } = await console_.ways().catch(() => ({}));
  $("door").hidden = false;
  fill($("door"), h(".stack",
    h("h1", "Sign in to the console"),
    error && problem(error),
    provider && h("a.button.primary", { href: provider.start }, `Sign in with ${provider.name}`),
    provider && h("p.or.small.faint", "or with a link"),
    h("p.soft", "Open the link that the server prints when it starts in development, or let it make a new one. Each link works once, for ten minutes."),
    snippet("tidings console"),
    h("p.small.faint", "In production, name the configuration: ", h("code", "tidings console --config tidings.toml")),
  ));
}

function navigation() {
  fill($("nav"), PAGES.map(([name, pages]) => [
    h("h2", name),
    h("ul", pages.map(([path, text, letter]) =>
      h("li", h("a", { href: `#/${path}`, "aria-keyshortcuts": `g ${letter}` }, text, h("kbd", { "aria-hidden": "true" }, `g ${letter}`))))),
  ]));
  $("menu").addEventListener("click", () => menu($("menu").getAttribute("aria-expanded") !== "true"));
  $("palette-open").addEventListener("click", palette);
  $("theme").addEventListener("click", () => {
    const next = { system: "light", light: "dark", dark: "system" }[kept.get("theme", "system")] ?? "system";
    kept.set("theme", next);
    theme(next);
  });
  $("sign-out").addEventListener("click", async () => {
    await console_.signOut().catch((error) => toast(words(error), true));
    door();
  });
  document.addEventListener("keydown", keys);
}

function menu(open) {
  $("menu").setAttribute("aria-expanded", `${open}`);
  document.querySelector(".side").classList.toggle("open", open);
}

function show() {
  const [path, query = ""] = location.hash.replace(/^#\/?/, "").split("?");
  const [, title, , page] = ALL.find(([own]) => own === path) ?? ALL[0];
  scope?.close();
  scope = new Scope();
  menu(false);
  for (const it of $("nav").querySelectorAll("a")) {
    if (it.hash === `#/${path}`) it.setAttribute("aria-current", "page");
    else it.removeAttribute("aria-current");
  }
  document.title = `${title} · Tidings`;
  const main = $("main");
  try {
    fill(main, page.page({ scope, pulse, query: Object.fromEntries(new URLSearchParams(query)) }));
  } catch (error) {
    fill(main, problem(error));
    throw error;
  }
  window.scrollTo(0, 0);
  if (document.activeElement !== document.body) main.focus({ preventScroll: true });
}

let going = 0;
function keys(event) {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    return palette();
  }
  const typing = event.target.closest("input, textarea, select, dialog") || event.ctrlKey || event.metaKey || event.altKey;
  if (typing) return;
  if (event.key === "g") return void (going = Date.now());
  if (event.key === "?") return palette();
  const page = Date.now() - going < 1500 && ALL.find(([, , letter]) => letter === event.key);
  going = 0;
  if (page) {
    event.preventDefault();
    location.hash = `#/${page[0]}`;
  }
}

/** Pages and a few things to do, by typing. */
function palette() {
  if (document.querySelector("dialog.palette")) return;
  const entries = [
    ...ALL.map(([path, text, letter]) => ({ text, hint: `g ${letter}`, go: () => (location.hash = `#/${path}`) })),
    { text: "Change theme", go: () => $("theme").click() },
    { text: "Sign out", go: () => $("sign-out").click() },
  ];
  let shown = entries, at = 0;
  const list = h("ul.pick", { role: "listbox", id: "choices", "aria-label": "Places" });
  const box = input({ placeholder: "Type a page or an action", role: "combobox", "aria-label": "Go to", "aria-controls": "choices", "aria-expanded": "true", "aria-autocomplete": "list" });
  const close = () => { dialog.close(); dialog.remove(); };
  const go = (entry) => { close(); entry?.go(); };
  const draw = () => {
    const wanted = box.value.trim().toLowerCase();
    shown = entries.filter(({ text }) => text.toLowerCase().includes(wanted));
    at = Math.min(Math.max(at, 0), Math.max(shown.length - 1, 0));
    fill(list, shown.map((entry, index) => h("li", { role: "option", id: `choice-${index}`, "aria-selected": `${index === at}`, onclick: () => go(entry) },
      entry.text, entry.hint && h("kbd", entry.hint))));
    box.setAttribute("aria-activedescendant", shown.length ? `choice-${at}` : "");
    list.children[at]?.scrollIntoView({ block: "nearest" });
  };
  box.addEventListener("input", () => { at = 0; draw(); });
  box.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (step) { event.preventDefault(); at += step; draw(); }
    if (event.key === "Enter") { event.preventDefault(); go(shown[at]); }
  });
  const dialog = h("dialog.palette", { "aria-label": "Go to" }, box, list);
  dialog.addEventListener("cancel", (event) => { event.preventDefault(); close(); });
  dialog.addEventListener("click", (event) => event.target === dialog && close());
  document.body.append(dialog);
  draw();
  dialog.showModal();
}

const dark = window.matchMedia("(prefers-color-scheme: dark)");
function theme(name) {
  const chosen = name === "system" ? (dark.matches ? "dark" : "light") : name;
  document.documentElement.dataset.theme = chosen;
  $("theme").textContent = `Theme: ${name}`;
}
dark.addEventListener("change", () => theme(kept.get("theme", "system")));

start();
