// Reads what a WebSocket client says on the wire, for a proxy that listens in: its masked text frames
// (RFC 6455, section 5). Fragments and compression are not understood, since no client under test
// uses them here.

const HEAD_END = "\r\n\r\n";

export class ClientFrames {
  #buffer = Buffer.alloc(0);
  #onText;
  #inFrames = false;

  /** @param {(text: string) => void} onText called for each whole text frame */
  constructor(onText) {
    this.#onText = onText;
  }

  push(bytes) {
    this.#buffer = Buffer.concat([this.#buffer, bytes]);
    if (!this.#inFrames && !this.#takeHead()) return;
    while (this.#takeFrame());
  }

  #takeHead() {
    const end = this.#buffer.indexOf(HEAD_END);
    if (end < 0) return false;
    this.#inFrames = true;
    this.#buffer = this.#buffer.subarray(end + HEAD_END.length);
    return true;
  }

  #takeFrame() {
    const buffer = this.#buffer;
    if (buffer.length < 6) return false;
    const [first, short] = [buffer[0], buffer[1] & 0x7f];
    if (first & 0x40) throw new Error("the client compresses, so its frames cannot be read");
    const extra = short === 126 ? 2 : short === 127 ? 8 : 0;
    if (buffer.length < 6 + extra) return false;
    const length = extra === 2 ? buffer.readUInt16BE(2) : extra === 8 ? Number(buffer.readBigUInt64BE(2)) : short;
    const start = 6 + extra;
    if (buffer.length < start + length) return false;
    const mask = buffer.subarray(2 + extra, start);
    const payload = buffer.subarray(start, start + length).map((byte, at) => byte ^ mask[at % 4]);
    this.#buffer = buffer.subarray(start + length);
    if ((first & 0x0f) === 1) this.#onText(Buffer.from(payload).toString());
    return true;
  }
}
