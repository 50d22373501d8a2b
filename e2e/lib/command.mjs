// A command of the program, typed and read.
import { spawn } from "node:child_process";
import { once } from "node:events";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Lines } from "./lines.mjs";
import { BINARY } from "./server.mjs";

/** A command that runs until it is interrupted, such as a tail. */
export class Command {
  out = new Lines();
  err = new Lines();

  constructor(...args) {
    this.process = spawn(BINARY, args);
    this.process.stdin.on("error", () => {}); // a command that needs no input may end before it gets any
    this.process.stdout.on("data", (bytes) => this.out.push(bytes));
    this.process.stderr.on("data", (bytes) => this.err.push(bytes));
    this.closed = once(this.process, "close").then(([code]) => code);
  }

  /** The exit code, once it has ended by itself. */
  async end() {
    const what = () => `end of the command; it wrote:\n${this.out}\n${this.err}`;
    return within(PATIENCE_MS, what, this.closed).finally(() => this.process.kill("SIGKILL"));
  }

  interrupt() {
    this.process.kill("SIGINT");
    return this.end();
  }
}

/** Runs a command to its end: `{code, out, err}`. `input` is what is typed. */
export async function typed(args, input = "") {
  const command = new Command(...args);
  command.process.stdin.end(input);
  const code = await command.end();
  return { code, out: `${command.out}`, err: `${command.err}` };
}
