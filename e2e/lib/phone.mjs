// A phone: registers as the native chat clients do, and opens what it is sent, by a computation of its
// own.
import assert from "node:assert/strict";
import { createDecipheriv, createHash, createHmac, randomBytes, randomUUID } from "node:crypto";
import { request } from "./http.mjs";

const PLATFORMS = {
  android: { appId: "AcsAndroid", platform: "Android", template: "AcsAndroid.AcsNotify", transport: "FCM", ttl: "2700" },
  ios: { appId: "AcsIos", platform: "iOS", template: "AcsIos.AcsNotify", transport: "APNS", ttl: 2700 },
};

export class Phone {
  id = randomUUID();
  handle = randomBytes(32).toString("hex");
  aesKey = randomBytes(32);
  authKey = randomBytes(32);

  /** @param {keyof typeof PLATFORMS} platform */
  constructor(server, token, platform, { purpose = "Chat_2.0", encrypted = true } = {}) {
    Object.assign(this, { server, token, encrypted, purpose, ...PLATFORMS[platform] });
  }

  async register() {
    const crypto = { cryptoMethod: "0x70", aesKey: this.aesKey.toString("base64"), authKey: this.authKey.toString("base64") };
    const { appId, platform, handle, ttl } = this;
    const answer = await this.#call("POST", "", {
      clientDescription: { appId, platform, languageId: "", templateKey: `${this.template}_${this.purpose}`, ...(this.encrypted && crypto) },
      registrationId: this.id,
      nodeId: "",
      transports: { [this.transport]: [{ context: "", creationTime: "", path: handle, ttl }] },
    });
    assert.equal(answer.status, 202, answer.text);
    return this;
  }

  async unregister() {
    assert.equal((await this.#call("DELETE", `/${this.id}`)).status, 202);
  }

  /** The fields of a payload: 0x70, IV, ciphertext, MAC. */
  open(sealed) {
    const bytes = Buffer.from(sealed, "base64");
    const [head, mac] = [bytes.subarray(0, -32), bytes.subarray(-32)];
    const macKey = createHash("sha256").update(this.authKey).digest();
    assert.deepEqual(createHmac("sha256", macKey).update(head).digest(), mac);
    assert.equal(head[0], 0x70);
    const cipher = createDecipheriv("aes-256-cbc", this.aesKey, head.subarray(1, 17));
    return JSON.parse(Buffer.concat([cipher.update(head.subarray(17)), cipher.final()]).toString());
  }

  #call(method, rest, body) {
    return request(`${this.server.ready.https}/registrar/prod/v2/registrations${rest}`, {
      method,
      headers: { "x-skypetoken": this.token, "content-type": "application/json" },
      body: body && JSON.stringify(body),
      ca: this.server.ca,
    });
  }
}
