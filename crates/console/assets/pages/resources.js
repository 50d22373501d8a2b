// What there is, where it is, and the keys to it.
import { console_, management, operator, resources, session } from "../api.js";
import { button, card, confirmed, copy, empty, facts, fill, h, head, problem, secret, snippet, toast } from "../ui.js";

const SERVICES = [
  ["webpubsub", "Web PubSub"],
  ["communication", "Communication Services"],
  ["notificationhubs", "Notification Hubs"],
];

export function page({ scope }) {
  const body = h(".stack");
  const draw = (topics) => fill(body,
    SERVICES.flatMap(([service, name]) => resources(service).map((it) => resource(name, it, () => draw(topics)))),
    topics instanceof Error ? problem(topics) : topics.map((it) => topic(it)),
    managementCard());
  operator.get("/eventgrid/topics").then(({ value }) => scope.open && draw(value.filter((it) => it.endpoint)), (error) => scope.open && draw(error));
  return [head("Resources", "Endpoints, connection strings and keys. Put a connection string into your application; nothing else changes."), body];
}

function endpoint(url) {
  return h(".row", h("code.break", url), copy(url, "Copy endpoint"));
}

function resource(service, it, changed) {
  const rows = it.keys.map((key) => h(".stack", { class: "small" },
    h(".spread", h("span", name(key), key.rights && h("span.faint", ` · ${key.rights}`)),
      button("New key", () => renew(it, key, changed), { kind: "tiny", label: `New ${key.name} key of ${it.name}` })),
    secret(key.connectionString, `${key.name} connection string of ${it.name}`)));
  return h("section.card", { "aria-label": `${service} ${it.name}` },
    h(".spread", h("h2", `${service} · ${it.name}`)),
    h(".stack", facts([["Endpoint", endpoint(it.endpoint)], ["Resource id", it.id && h("code.break", it.id)]]), h("h3", "Connection strings"), rows));
}

const name = (key) => key.name.replace("/", " · ");

async function renew(it, key, changed) {
  const sure = await confirmed("Make a new key?", `Whoever still uses the ${key.name} key of ${it.name} is refused from now on. Let them use the other key first.`, "Make a new key");
  if (!sure) return;
  if (it.service === "communication") {
    await management("POST", `${it.id}/regenerateKey`, { keyType: key.name === "primary" ? "Primary" : "Secondary" });
    await console_.session();
  } else {
    await console_.replaceKey(it.service, it.name, key.name);
  }
  changed();
  toast(`The ${key.name} key of ${it.name} is a new one.`);
}

function topic(it) {
  const keys = h("div");
  const show = (found) => fill(keys, h(".stack", ["key1", "key2"].map((which) => h(".stack.small",
    h(".spread", h("span", which), button("New key", async () => {
      if (!(await confirmed("Make a new key?", `Whoever still publishes to ${it.name} with ${which} is refused from now on.`, "Make a new key"))) return;
      show(await management("POST", `${it.id}/regenerateKey`, { keyName: which }));
      toast(`${which} of ${it.name} is a new one.`);
    }, { kind: "tiny", label: `New ${which} of topic ${it.name}` })),
    secret(found[which], `${which} of topic ${it.name}`)))));
  fill(keys, button("Show keys", async () => show(await management("POST", `${it.id}/listKeys`, {})), { label: `Show keys of topic ${it.name}` }));
  return h("section.card", { "aria-label": `Event Grid topic ${it.name}` }, h(".spread", h("h2", `Event Grid topic · ${it.name}`)),
    h(".stack", facts([["Endpoint", endpoint(it.endpoint)], ["Schema", it.inputSchema], ["Resource id", h("code.break", it.id)]]), keys));
}

function managementCard() {
  const text = session.development
    ? "Resource manager calls work at this address; in development any token will do. Give the management SDKs this endpoint and a credential whose token is any text."
    : "Resource manager calls work at this address with this token. Give it to the management SDKs as a credential whose token is this text.";
  return card("Management", h(".stack",
    h("p.soft", text),
    facts([["Endpoint", endpoint(location.origin)]]),
    secret(session.management.token, "management token"),
    snippet(`curl -H "authorization: Bearer $TOKEN" "${location.origin}/subscriptions?api-version=2022-12-01"`, "example"),
    resources("webpubsub").length ? null : empty("No Web PubSub resource", "Name one in the configuration.", snippet("tidings config explain resource"))));
}
