// The real program, started in a data folder of its own and stopped by Ctrl-C.
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, watch } from "node:fs";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { PATIENCE_MS, within } from "./deadline.mjs";
import { Lines } from "./lines.mjs";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));

/** The program under test: `TIDINGS_BIN`, or the debug build. */
export const BINARY =
  process.env.TIDINGS_BIN ?? join(process.env.CARGO_TARGET_DIR ?? join(ROOT, "target"), "debug", "tidings");

/** A folder that `forget` removes. */
export async function temporaryFolder() {
  const path = await mkdtemp(join(tmpdir(), "tidings-e2e-"));
  return { path, forget: () => rm(path, { recursive: true, force: true }) };
}

/**
 * A running `tidings dev`, or `tidings serve` where a configuration is given. `ready` is the content of its
 * ready file, `log` everything it wrote.
 */
export class Server {
  /**
   * Starts the program and waits until its ready file appears.
   *
   * @param {{data?: string, http?: number, https?: number, flags?: string[], env?: object, config?: string}} options a
   *   data folder to keep (a temporary one otherwise), ports (free ones otherwise), further flags and
   *   environment variables; with `config`, the file for `tidings serve`, only that and `env` count
   */
  static async start({ data, http = 0, https = 0, flags = [], env = {}, config } = {}) {
    assert.ok(existsSync(BINARY), `there is no ${BINARY}: run \`cargo build -p tidings\`, or set TIDINGS_BIN`);
    const server = new Server();
    server.folder = await temporaryFolder();
    server.data = data ?? join(server.folder.path, "data");
    server.readyFile = join(server.folder.path, "ready.json");
    server.log = new Lines();
    const appeared = fileAppears(server.folder.path, "ready.json");
    const startedAt = performance.now();
    const ports = ["--http-port", `${http}`, "--https-port", `${https}`, "--admin-port", "0"];
    const dev = ["dev", "--data", server.data, ...ports, ...flags];
    const typed = config ? ["serve", "--config", config] : dev;
    server.process = spawn(BINARY, [...typed, "--ready-file", server.readyFile], { env: { ...process.env, ...env } });
    server.process.stdout.on("data", (bytes) => server.log.push(bytes));
    server.process.stderr.on("data", (bytes) => server.log.push(bytes));
    server.exited = exitOf(server.process);
    try {
      await within(PATIENCE_MS, () => `ready file; the log so far:\n${server.log}`, Promise.race([
        appeared.promise,
        server.exited.then((end) => assert.fail(`${BINARY} ended with ${JSON.stringify(end)}:\n${server.log}`)),
      ]));
    } catch (error) {
      server.process.kill("SIGKILL");
      await server.folder.forget();
      throw error;
    } finally {
      appeared.stop();
    }
    server.startedInMs = performance.now() - startedAt;
    server.ready = JSON.parse(await readFile(server.readyFile, "utf8"));
    server.ca = server.ready.ca && (await readFile(server.ready.ca));
    return server;
  }

  get connectionString() {
    return this.ready.webpubsub?.connectionString;
  }

  /** The key within the connection string. */
  get accessKey() {
    return /AccessKey=([^;]+)/.exec(this.connectionString)[1];
  }

  /** What an SDK's process needs: the connection string and the CA, nothing else. */
  sdkEnvironment() {
    return {
      WEBPUBSUB_CONNECTION_STRING: this.connectionString,
      COMMUNICATION_CONNECTION_STRING: this.ready.communication?.connectionString,
      NODE_EXTRA_CA_CERTS: this.ready.ca,
      REQUESTS_CA_BUNDLE: this.ready.ca,
    };
  }

  interrupt() {
    this.process.kill("SIGINT");
  }

  /** Ends it as a crash or an operating system does: at once, and nothing is written any more. */
  async kill() {
    this.process.kill("SIGKILL");
    await within(PATIENCE_MS, "end of a killed server", this.exited);
    await this.folder.forget();
  }

  /** Ctrl-C; fails unless the program drains and exits with 0. */
  async stop() {
    try {
      if (this.process.exitCode === null) this.interrupt();
      const end = await within(PATIENCE_MS, () => `exit after Ctrl-C; the log:\n${this.log}`, this.exited);
      assert.deepEqual(end, { code: 0, signal: null }, `the log:\n${this.log}`);
    } finally {
      if (this.process.exitCode === null) this.process.kill("SIGKILL");
      await this.folder.forget();
    }
  }
}

async function exitOf(child) {
  const [code, signal] = await once(child, "close");
  return { code, signal };
}

/** Resolves once `folder/name` exists. The watch starts first, so nothing slips in between. */
function fileAppears(folder, name) {
  let watcher;
  const promise = new Promise((resolve, reject) => {
    const look = () => existsSync(join(folder, name)) && resolve();
    watcher = watch(folder, look);
    watcher.on("error", reject);
    look();
  });
  return { promise, stop: () => watcher.close() };
}
