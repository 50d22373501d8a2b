// The protobuf subprotocols, with a codec of npm's rather than the server's own.
import { fileURLToPath } from "node:url";
import protobuf from "protobufjs";
import { connectWith } from "./websocket.mjs";

export const PROTOBUF_PROTOCOL = "protobuf.webpubsub.azure.v1";
export const RELIABLE_PROTOBUF_PROTOCOL = "protobuf.reliable.webpubsub.azure.v1";

const schema = await protobuf.load(fileURLToPath(new URL("webpubsub.proto", import.meta.url)));
const [Upstream, Downstream] = ["UpstreamMessage", "DownstreamMessage"].map((name) => schema.lookupType(name));
const READABLE = { longs: Number, bytes: Buffer, oneofs: true };

/** A message to the service, such as `{joinGroup: {group: "g", ackId: 1}}`, in bytes. */
export function encode(message) {
  const complaint = Upstream.verify(message);
  if (complaint) throw new Error(complaint);
  return Upstream.encode(Upstream.fromObject(message)).finish();
}

/** A client of a protobuf subprotocol: what it sends and takes are objects of the schema. */
export class ProtobufClient {
  constructor(client) {
    this.raw = client;
  }

  send(message) {
    this.raw.socket.send(encode(message));
  }

  /** The next message, as `{<name in the oneof>: content}`. */
  async next() {
    const frame = await this.raw.next();
    if (typeof frame === "string") throw new Error("the protobuf subprotocols use binary frames");
    const message = Downstream.toObject(Downstream.decode(frame), READABLE);
    delete message.message; // the name of the member that is set, which is there to see
    return message;
  }

  /** Sends and returns the ack, which must be the next arrival. */
  async ask(message) {
    this.send(message);
    return (await this.next()).ackMessage;
  }

  close() {
    return this.raw.close();
  }
}

/** Connects and takes the connected message. */
export async function connectProtobuf(url, protocol = PROTOBUF_PROTOCOL) {
  const client = new ProtobufClient(await connectWith(protocol, url));
  return Object.assign(client, (await client.next()).systemMessage.connectedMessage);
}
