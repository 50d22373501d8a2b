// One HTTP request, with nothing added that a suite did not ask for.
import http from "node:http";
import https from "node:https";
import { PATIENCE_MS, within } from "./deadline.mjs";

/**
 * @param {string} url
 * @param {{method?: string, headers?: object, body?: string | Buffer, ca?: Buffer}} options
 * @returns {Promise<{status: number, headers: object, text: string, json: () => any}>}
 */
export function request(url, { method = "GET", headers = {}, body, ca } = {}) {
  const answer = new Promise((resolve, reject) => {
    const outgoing = (url.startsWith("https:") ? https : http).request(url, { method, headers, ca, agent: false });
    outgoing.on("error", reject);
    outgoing.on("response", (incoming) => {
      const chunks = [];
      incoming.on("data", (chunk) => chunks.push(chunk));
      incoming.on("error", reject);
      incoming.on("end", () => {
        const text = Buffer.concat(chunks).toString();
        resolve({ status: incoming.statusCode, headers: incoming.headers, text, json: () => JSON.parse(text) });
      });
    });
    outgoing.end(body);
  });
  return within(PATIENCE_MS, `answer to ${method} ${url}`, answer);
}
