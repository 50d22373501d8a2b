// What `tidings trust` tells its reader to type, taken at its word.
import { execFile } from "node:child_process";
import { promisify } from "node:util";
import { BINARY } from "./server.mjs";

const run = promisify(execFile);

/**
 * The shell command that makes `program` trust the development CA of `server`: the line below the
 * heading that begins with the program's name.
 */
export async function trustCommand(server, program) {
  const { stdout } = await run(BINARY, ["trust", "--data", server.data]);
  const lines = stdout.split("\n");
  const heading = lines.findIndex((line) => line.startsWith(`# ${program}`));
  if (heading < 0) throw new Error(`tidings trust says nothing of ${program}:\n${stdout}`);
  return lines[heading + 1];
}

/**
 * Runs `script` in bash, in an environment that trusts nothing but the public authorities and what
 * `settings` adds. Fails when a command of it does.
 */
export async function shell(script, settings = {}) {
  const env = { ...process.env, ...settings };
  for (const name of ["NODE_EXTRA_CA_CERTS", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "SSL_CERT_DIR", "CURL_CA_BUNDLE"]) {
    if (!(name in settings)) delete env[name];
  }
  const { stdout } = await run("bash", ["-c", `set -e\n${script}`], { env });
  return stdout;
}
