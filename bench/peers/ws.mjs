// Groups over ws: the path is the group, or /publish; a publish is the group's name (10
// characters) and the text.
import { WebSocketServer } from "ws";

const groups = new Map();
const server = new WebSocketServer({
  port: Number(process.argv[2]),
  host: "127.0.0.1",
  backlog: 1024,
  perMessageDeflate: false,
});

server.on("connection", (socket, request) => {
  if (request.url === "/publish") {
    socket.on("message", (bytes) => {
      const message = bytes.toString();
      const text = message.slice(10);
      for (const member of groups.get(message.slice(0, 10)) ?? []) member.send(text);
    });
    return;
  }
  const group = request.url.slice(1);
  if (!groups.has(group)) groups.set(group, new Set());
  groups.get(group).add(socket);
  socket.on("close", () => groups.get(group).delete(socket));
  socket.on("error", () => {});
});
