// What the iOS chat SDK does when an app starts: it registers the phone for pushes, here one that wants
// them unencrypted so that they can be read on the way.
import { randomBytes, randomUUID } from "node:crypto";

const LIFETIME_SECONDS = 3_600;

/** Registers a phone of the user to whom `token` belongs. */
export async function registerPhone(endpoint, token) {
  const registration = {
    registrationId: randomUUID(),
    nodeId: "",
    clientDescription: { appId: "AcsIos", platform: "iOS", languageId: "", templateKey: "AcsIos.AcsNotify_Chat_2.0" },
    transports: {
      APNS: [{ context: "", creationTime: "", path: randomBytes(32).toString("hex"), ttl: LIFETIME_SECONDS }],
    },
  };
  const answer = await fetch(new URL("/registrar/prod/v2/registrations", endpoint), {
    method: "POST",
    headers: { "x-skypetoken": token, "content-type": "application/json" },
    body: JSON.stringify(registration),
  });
  if (!answer.ok) throw new Error(`the phone was not registered: ${answer.status} ${await answer.text()}`);
}
