// What arrives, in order, each thing taken once. Nothing is lost or skipped.
import { PATIENCE_MS, within } from "./deadline.mjs";

export class Inbox {
  #items = [];
  #takers = [];

  /** @param {string} what names one item, for the complaint that none came */
  constructor(what) {
    this.what = what;
  }

  push(item) {
    const taker = this.#takers.shift();
    if (taker) taker(item);
    else this.#items.push(item);
  }

  /** The next item. The promise that `end` makes, where given, fails when nothing can come any more. */
  async next(end = () => new Promise(() => {})) {
    if (this.#items.length > 0) return this.#items.shift();
    let taker;
    const coming = new Promise((resolve) => this.#takers.push((taker = resolve)));
    try {
      return await within(PATIENCE_MS, this.what, Promise.race([coming, end()]));
    } catch (error) {
      this.#takers = this.#takers.filter((other) => other !== taker);
      throw error;
    }
  }

  /** The next `count` items. */
  async take(count) {
    const items = [];
    while (items.length < count) items.push(await this.next());
    return items;
  }

  /** What has arrived and was not taken. */
  get rest() {
    return [...this.#items];
  }
}
