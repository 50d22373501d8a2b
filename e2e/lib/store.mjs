// The store of a server, changed as nothing that is served would change it: what another version left, or what
// takes days to come about.
import { execFile } from "node:child_process";
import { createCipheriv, createHash, randomBytes } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { PYTHON } from "./sdk.mjs";

const SCRIPT = `
import sqlite3, sys
db = sqlite3.connect(sys.argv[1])
db.execute(sys.argv[2], [bytes.fromhex(it) for it in sys.argv[3:]])
db.commit()
assert db.total_changes > 0, "nothing was changed"
`;

/** Runs one statement in the store of a data folder; its parameters are blobs. */
export async function changeStore(data, sql, ...blobs) {
  await promisify(execFile)(PYTHON, ["-c", SCRIPT, join(data, "tidings.db"), sql, ...blobs.map((it) => it.toString("hex"))]);
}

/** A secret as the store keeps it: form, id of the master key, nonce, AES-256-GCM bound to its place. */
export async function sealed(data, place, secret) {
  const key = Buffer.from((await readFile(join(data, "master.key"), "utf8")).trim(), "base64url");
  const id = createHash("sha256").update("tidings master key id\0").update(key).digest().subarray(0, 4);
  const nonce = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", key, nonce).setAAD(Buffer.from(place));
  return Buffer.concat([Buffer.from([1]), id, nonce, cipher.update(secret), cipher.final(), cipher.getAuthTag()]);
}
