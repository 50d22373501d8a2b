// What a process wrote, line by line, with a way to wait for a line.
import { StringDecoder } from "node:string_decoder";
import { PATIENCE_MS, within } from "./deadline.mjs";

export class Lines {
  #lines = [];
  #rest = "";
  #decoder = new StringDecoder("utf8");
  #waiting = new Set();

  push(bytes) {
    const pieces = (this.#rest + this.#decoder.write(bytes)).split("\n");
    this.#rest = pieces.pop();
    for (const line of pieces) {
      this.#lines.push(line);
      for (const waiter of this.#waiting) waiter(line);
    }
  }

  /** The first line that contains `text`, written already or still to come. */
  async containing(text) {
    const found = this.#lines.find((line) => line.includes(text));
    if (found !== undefined) return found;
    let waiter;
    const coming = new Promise((resolve) => {
      waiter = (line) => line.includes(text) && resolve(line);
      this.#waiting.add(waiter);
    });
    return within(PATIENCE_MS, () => `line with «${text}»; written so far:\n${this}`, coming).finally(() =>
      this.#waiting.delete(waiter),
    );
  }

  toString() {
    return [...this.#lines, this.#rest].join("\n");
  }
}
