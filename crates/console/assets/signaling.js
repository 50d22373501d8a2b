// Real-time notifications of chat, as the SDKs have them: an allocation, a session, a WebSocket of
// socket.io 0.9, and a registration. Each notification is a request that is answered with 200.
import { asUser } from "./api.js";

const EVENTS = /\/(\w+)$/;

/**
 * Listens to a user's notifications until `signal`.
 *
 * @param {{state: (text: string) => void, event: (name: string, body: object) => void}} heard
 */
export async function listen(token, signal, heard) {
  const device = crypto.randomUUID();
  const allocation = await (await asUser(token, `/v4/a?epid=${device}`, { method: "POST", signal, headers: { "content-type": "application/json" }, body: "{}" })).json();
  const params = new URLSearchParams({ v: "v4", epid: device, timeout: "40", ccid: allocation.ccid, ...allocation.connectparams });
  const session = await (await asUser(token, `/socket.io/1/?${params}`, { signal })).text();
  const url = new URL(`/socket.io/1/websocket/${session.split(":")[0]}?${params}`, location.href);
  url.protocol = url.protocol.replace("http", "ws");
  const socket = new WebSocket(url);
  const life = setInterval(() => socket.readyState === WebSocket.OPEN && socket.send("2::"), 30e3);
  signal.addEventListener("abort", () => socket.close());
  socket.onmessage = ({ data }) => take(socket, data, heard);
  socket.onclose = () => {
    clearInterval(life);
    if (!signal.aborted) heard.state("disconnected");
  };
  await new Promise((resolve, reject) => {
    socket.onopen = resolve;
    socket.onerror = () => reject(new Error("The real-time connection of chat was not opened."));
  });
  await asUser(token, "/registrar/prod/v3/registrations", {
    method: "POST", signal, headers: { "content-type": "application/json" },
    body: JSON.stringify({
      clientDescription: { appId: "TeamsConsole", aesKey: "", languageId: "en", platform: "Browser", platformUIVersion: "0", templateKey: "TeamsConsole_1.0" },
      registrationId: device, nodeId: "",
      transports: { TROUTER: [{ context: "", path: allocation.surl, ttl: 3600 }] },
    }),
  });
  heard.state("connected");
}

/** One packet: `type:id:endpoint:data`. */
function take(socket, packet, heard) {
  const [, kind, , data] = /^(\d):([^:]*):[^:]*:?([^]*)$/.exec(packet) ?? [];
  if (kind !== "3" || !data) return;
  const request = JSON.parse(data);
  const name = EVENTS.exec(request.url)?.[1];
  socket.send(`3:::${JSON.stringify({ id: request.id, status: name ? 200 : 404, headers: {}, body: "" })}`);
  if (name) heard.event(name, JSON.parse(request.body));
}
