// Rooms over socket.io. Pings are no messages, so none is sent during a measurement.
import { createServer } from "node:http";
import { Server } from "socket.io";

const http = createServer();
const io = new Server(http, {
  transports: ["websocket"],
  perMessageDeflate: false,
  pingInterval: 3_600_000,
});

io.on("connection", (socket) => {
  socket.on("join", (room, done) => {
    socket.join(room);
    done();
  });
  socket.on("publish", (room, text) => io.to(room).emit("message", text));
});

http.listen({ port: Number(process.argv[2]), host: "127.0.0.1", backlog: 1024 });
