// Notification Hubs: devices, sends with their outcomes, and in development the fake phone.
import { NotificationHub, open, operator, resources, session } from "../api.js";
import { ago, button, card, clock, confirmed, count, empty, fill, field, form, h, head, input, kept, pretty, problem, select, snippet, submit, table, tabs, tag, toast } from "../ui.js";

const TABS = ["sends", "devices", "phone"];

export function page({ scope, query }) {
  const hubs = resources("notificationhubs");
  const about = "Devices of a notification hub, what was sent to them, and what became of it.";
  if (!hubs.length) {
    return [head("Push", about), empty("No notification hub", "Name one in the configuration.", snippet("tidings config explain notificationhubs"))];
  }
  const chosen = hubs.find((it) => it.name === kept.get("push.hub")) ?? hubs[0];
  const pick = hubs.length > 1 && field("Hub", select({ value: chosen.name, onchange: (event) => { kept.set("push.hub", event.target.value); dispatchEvent(new HashChangeEvent("hashchange")); } }, hubs.map((it) => it.name)));
  const entries = [["Sends", (inner) => sends(inner, chosen)], ["Devices", (inner) => devices(inner, chosen)]];
  if (session.development) entries.push(["Fake phone", (inner) => phone(inner, chosen)]);
  return [head("Push", about, pick), tabs("Push", entries, { chosen: Math.max(TABS.indexOf(query.tab), 0), scope })];
}

// Sends -------------------------------------------------------------------------------------------

const SAMPLES = {
  template: '{"message": "Hello"}',
  apple: '{"aps": {"alert": {"title": "Tidings", "body": "Hello"}}}',
  fcmv1: '{"message": {"notification": {"title": "Tidings", "body": "Hello"}}}',
  browser: '{"title": "Tidings", "message": "Hello"}',
};

function sends(scope, hub) {
  const list = h("div"), platforms = h("div"), trouble = h("div");
  const payload = h("textarea", { name: "payload", rows: "4", spellcheck: "false" }, SAMPLES.template);
  const format = select({ name: "format", onchange: () => (payload.value = SAMPLES[format.value] ?? payload.value) }, Object.keys(SAMPLES));
  const look = async () => {
    const [all, hubs] = await Promise.all([operator.get("/push/notifications", { hub: hub.name, limit: 30 }), operator.get("/push/hubs")]);
    fill(trouble);
    const own = hubs.find((it) => it.hub === hub.name);
    if (own) fill(platforms, platformCard(own));
    if (list.contains(document.activeElement)) return;
    fill(list, all.length
      ? h("section.card", { "aria-label": "Sends" }, h("h2", "Sends"), table("Sends", [
        { name: "When", of: (it) => h("div.nowrap", ago(it.enqueued), h(".small.faint", it.state)) },
        { name: "To", of: (it) => it.tags || h("span.faint", "everybody") },
        { name: "Outcomes", of: (it) => (it.outcomes.length ? h(".row", { class: "wrap" }, it.outcomes.map((one) => tag(`${one.platform} ${one.outcome} ${one.devices}`, one.outcome === "Success" ? "good" : "bad"))) : h("span.faint", "no device")) },
        { name: "Id", mono: true, class: "break", of: (it) => h("a", { href: `#/journeys?subject=${encodeURIComponent(it.id)}`, title: "Its journey" }, it.id) },
      ], all))
      : empty("Nothing sent yet", "Send something here, with an SDK, or in a terminal:", snippet(`tidings push send '{"message": "Hello"}'`)));
  };
  scope.every(2, look, (error) => fill(trouble, problem(error)));
  return h(".stack", trouble, h(".grid",
    card("Send", form(async (values) => {
      const { id } = await operator.post("/push/send", { hub: hub.name, format: values.format, tags: values.tags || undefined, payload: values.payload });
      toast(`Sent: ${id}`);
      await look();
    }, h(".row", field("Format", format), field("Tags", input({ name: "tags", placeholder: "everybody" }), "such as news && !muted")),
    field("Payload", payload), h(".row", submit("Send")))),
    platforms), list);
}

function platformCard(own) {
  const state = (it) => (it.unusable ? ["unusable", "bad"] : it.credentialRefused ? ["credentials refused", "bad"] : it.lastSuccess ? ["works", "good"] : ["not used yet", ""]);
  return h("section.card", { "aria-label": "Platforms" }, h(".spread", h("h2", "Platforms"), h("span.faint.small", `${count(own.devices)} registrations, ${own.sends.waiting} sends waiting`)),
    own.platforms.length
      ? table("Platforms", [
        { name: "Platform", of: (it) => it.platform },
        { name: "State", of: (it) => tag(...state(it)) },
        { name: "Last problem", of: (it) => (it.unusable ?? (it.lastProblem && h("div", it.lastProblem.explanation ?? it.lastProblem.reason ?? it.lastProblem.outcome, h(".small.faint", ago(it.lastProblem.at))))) },
      ], own.platforms)
      : empty("No platform is configured", "Give the hub credentials of Apple's, Google's or browsers' push services.", snippet("tidings config explain notificationhubs.hub")));
}

// Devices -----------------------------------------------------------------------------------------

function devices(scope, hub) {
  const list = h("div"), trouble = h("div"), only = input({ placeholder: "all tags" });
  const service = new NotificationHub(hub);
  const look = async () => {
    const { devices: rows, next } = await operator.get("/push/devices", { hub: hub.name, tag: only.value.trim() });
    fill(trouble);
    fill(list, rows.length
      ? h("section.card", { "aria-label": "Devices" }, h("h2", "Devices"), table("Devices", [
        { name: "Platform", of: (it) => it.platform },
        { name: "Handle", mono: true, of: (it) => it.handle },
        { name: "Tags", of: (it) => h(".row", it.tags.split(",").filter(Boolean).map((text) => tag(text))) },
        { name: "Installation", class: "break", of: (it) => it.installation ?? h("span.faint", "a registration") },
        { name: "Template", of: (it) => it.template ?? (it.isTemplate ? "unnamed" : "") },
        { name: "", of: (it) => button("Remove", () => remove(it), { kind: "tiny danger", label: `Remove device ${it.id}` }) },
      ], rows), next && h("p.small.faint", "There are more; narrow by a tag."))
      : empty("No devices", "An app registers its device with the hub's SDK and the connection string that may listen. Or make a fake one:"));
  };
  const remove = async (it) => {
    if (!(await confirmed("Remove this device?", "It gets no more notifications until it registers again.", "Remove"))) return;
    if (it.installation) await service.call("DELETE", `/installations/${encodeURIComponent(it.installation)}`);
    else await service.call("DELETE", `/registrations/${encodeURIComponent(it.id)}`, { headers: { "if-match": "*" } });
    await look();
  };
  const again = () => look().catch((error) => fill(trouble, problem(error)));
  only.addEventListener("change", again);
  again();
  return h(".stack", trouble, h(".row.end", field("Only with tag", only), button("Look again", look)), list, newDevice(service, look));
}

const HANDLES = {
  apns: () => hex(32).toUpperCase(),
  fcmv1: () => `fake-${hex(40)}`,
};
const TEMPLATES = {
  apns: '{"aps":{"alert":"$(message)"}}',
  fcmv1: '{"message":{"notification":{"title":"Tidings","body":"$(message)"}}}',
};
const hex = (bytes) => [...crypto.getRandomValues(new Uint8Array(bytes))].map((it) => it.toString(16).padStart(2, "0")).join("");

function newDevice(service, changed) {
  return card("Make a fake device", form(async ({ platform, tags, template }) => {
    const installationId = crypto.randomUUID();
    const list = tags.split(/[\s,]+/).filter(Boolean);
    const body = { installationId, platform, pushChannel: HANDLES[platform](), tags: list };
    if (template) body.templates = { message: { body: TEMPLATES[platform], tags: list } };
    await service.call("PUT", `/installations/${installationId}`, { body: JSON.stringify(body), headers: { "content-type": "application/json" } });
    toast("The device is registered.");
    await changed();
  },
  h(".row", field("Platform", select({ name: "platform" }, [["apns", "Apple"], ["fcmv1", "Google"]])), field("Tags", input({ name: "tags", value: "news" }), "separated by spaces")),
  h("label.check", h("input", { type: "checkbox", name: "template", checked: true }), "With a template that shows the property message"),
  h(".row", submit("Make it")),
  h("p.small.faint", session.development ? "What is sent to it arrives at the fake phone." : "No push service knows its handle; sends to it fail, as they would for a device that is gone.")));
}

// The fake phone ----------------------------------------------------------------------------------

function phone(scope, hub) {
  const stack = h("ol", { "aria-label": "Notifications" }), detail = h("div"), time = h(".clock"), said = h("p.small.faint", { role: "status" });
  let notes = [], last = 0, first = true, chosen;
  scope.every(10, () => (time.textContent = new Date().toLocaleTimeString([], { hour: "2-digit", minute: "2-digit", hour12: false })));
  const draw = () => {
    const focused = document.activeElement?.dataset?.sequence;
    fill(stack, notes.map((it) => h("li", notification(it))));
    if (focused) stack.querySelector(`[data-sequence="${focused}"]`)?.focus({ preventScroll: true });
    const it = notes.find(({ sequence }) => sequence === chosen);
    fill(detail, it ? card("As it arrived", h(".stack", h("pre", { tabindex: "0", role: "region", "aria-label": "Payload" }, pretty({ service: it.service, device: it.device, time: it.time, headers: it.headers, payload: it.payload }))))
      : notes.length ? h("p.faint", "Choose a notification to see how it arrived.")
        : empty("Nothing has arrived", "Register a fake device, then send to it.", h(".row", h("a", { href: "#/push?tab=devices" }, "Devices"), h("a", { href: "#/push" }, "Sends")), snippet(`tidings push send '{"message": "Hello"}' --tags news`)));
  };
  const notification = (it) => {
    const view = face(it);
    return h("button", { type: "button", class: view.silent ? "silent" : "", "data-sequence": it.sequence, "aria-pressed": `${it.sequence === chosen}`, onclick: () => { chosen = it.sequence; draw(); } },
      h(".spread", h("b", view.title), h("small", clock(it.time))), view.text, h("small", `${{ apns: "Apple", fcm: "Google", webpush: "Browser" }[it.service]} · ${it.device.slice(0, 10)}…`));
  };
  const signal = scope.signal();
  scope.every(0.05, async () => {
    const found = await open(`/fake-push/inbox?after=${last}${first ? "" : "&wait=20"}`, { signal });
    if (found.last < last) { notes = []; last = 0; return; }
    last = Math.max(found.last, found.notifications.at(-1)?.sequence ?? 0);
    notes = [...found.notifications.toReversed(), ...notes].slice(0, 100);
    if (found.notifications.length || first) draw();
    if (!first && found.notifications.length) said.textContent = `New: ${face(notes[0]).title}. ${face(notes[0]).text}`;
    first = false;
  }, async (error) => { if (!signal.aborted) fill(detail, problem(error)); await new Promise((done) => setTimeout(done, 2000)); });
  return h(".stack", h(".two", h("div", h(".phone", { role: "group", "aria-label": `Fake phone of ${hub.name}` }, time, stack)), h(".stack", detail, said)),
    h(".row", button("Empty the inbox", async () => { await open("/fake-push/inbox", { method: "DELETE" }); notes = []; chosen = undefined; draw(); }), h("a", { href: "/fake-push" }, "Open the page of its own")));
}

/** What a platform would show of a notification. */
function face({ service, payload, headers }) {
  const text = (it) => (it === undefined || it === null ? "" : typeof it === "object" ? JSON.stringify(it) : `${it}`);
  const object = payload && typeof payload === "object" ? payload : {};
  if (typeof object.data?.messageBody === "string") return { title: object.data.senderDisplayName || "New message", text: object.data.messageBody };
  if (service === "apns") {
    const alert = object.aps?.alert;
    if (alert === undefined) return { title: headers["apns-topic"] ?? "Apple", text: "nothing is shown", silent: true };
    return typeof alert === "object" ? { title: text(alert.title ?? alert["title-loc-key"]), text: text(alert.body ?? alert["loc-key"]) } : { title: headers["apns-topic"] ?? "Apple", text: text(alert) };
  }
  if (service === "fcm") {
    const message = object.message ?? object;
    const shown = { ...message.notification, ...message.android?.notification };
    return shown.title || shown.body ? { title: text(shown.title), text: text(shown.body) } : { title: "Google", text: `data only: ${text(message.data ?? {})}`, silent: true };
  }
  const inner = object.notification ?? object;
  return { title: text(inner.title) || "Web push", text: text(inner.body ?? inner.message) || text(payload) };
}
