// Push notifications of a Communication resource: which notification hub it sends through, and whether
// that works.
import { management, resources } from "../api.js";
import { button, card, confirmed, copy, empty, facts, field, fill, form, h, head, input, moment, problem, select, submit, tag, toast } from "../ui.js";

const VERSION = "2023-04-01";

export function page({ scope }) {
  const resource = resources("communication")[0];
  const body = h(".stack"), trouble = h("div");
  const look = async () => {
    const { properties } = await management("GET", resource.id, undefined, VERSION);
    fill(trouble);
    fill(body, properties.notificationHubId ? linked(resource, properties, look) : connect(resource, look));
  };
  look().catch((error) => scope.open && fill(trouble, problem(error)));
  return [
    head("Push for chat and calls", "A Communication resource sends messages and calls to phones through a notification hub. Connect one here, as on the portal's page “Push notifications”."),
    h(".stack", trouble, body),
  ];
}

function linked(resource, { notificationHubId, notificationHubStatus: status }, changed) {
  const working = status?.state !== "Failing";
  return [
    h("section.card", { "aria-label": "Connected hub" },
      h(".spread", h("h2", "Connected"), tag(working ? "works" : "failing", working ? "good" : "bad")),
      h(".stack",
        facts([["Notification hub", h(".row", h("code.break", notificationHubId), copy(notificationHubId, "Copy the hub's id"))], ["Since", !working && moment(status.since)]]),
        !working && problem({ code: status.code, message: status.message }),
        h(".row", button("Disconnect", async () => {
          if (!(await confirmed("Disconnect the hub?", "Messages and calls reach phones no more until a hub is connected again. Devices stay registered.", "Disconnect"))) return;
          await management("POST", `${resource.id}/unlinkNotificationHub`, {}, VERSION);
          toast("Disconnected.");
          await changed();
        }, { kind: "danger" })))),
    connect(resource, changed, "Connect another hub, or the same with a new key"),
    working && empty("Something to try", "Let a person of the page Chat get a message while no client of theirs is connected: it arrives at their phones.",
      h("p", "What became of it stands at ", h("a", { href: "#/push" }, "Push"), " and, step by step, at ", h("a", { href: "#/journeys" }, "Journeys"), ".")),
  ];
}

function connect(resource, changed, title = "Connect a notification hub") {
  const hubs = resources("notificationhubs");
  const id = input({ name: "id", value: hubs[0]?.id ?? "" });
  const string = input({ name: "string", type: "password", value: hubs[0] ? stringOf(hubs[0]) : "" });
  const pick = select({ onchange: () => {
    const hub = hubs.find((it) => it.name === pick.value);
    id.value = hub?.id ?? "";
    string.value = hub ? stringOf(hub) : "";
  } }, [...hubs.map((it) => [it.name, `${it.name}, of this server`]), ["", "another one"]]);
  return card(title, form(async (values) => {
    const answer = await management("POST", `${resource.id}/linkNotificationHub`, { resourceId: values.id, connectionString: values.string }, VERSION);
    toast(answer?.warnings?.length ? answer.warnings[0].message : "Connected.", Boolean(answer?.warnings?.length));
    await changed();
  },
  field("Hub", pick), field("Resource id of the hub", id), field("Connection string", string, "of a policy that may manage, send and listen"),
  h(".row", submit("Connect")),
  h("p.small.faint", "With the management SDK it is ", h("code", "communicationServices.linkNotificationHub"), ".")));
}

const stringOf = (hub) => (hub.keys.find((it) => it.rights?.includes("Manage")) ?? hub.keys[0]).connectionString;
