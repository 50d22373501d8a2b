// Journeys of a running server, as its operator looks them up.
import assert from "node:assert/strict";
import { eventually } from "./deadline.mjs";
import { request } from "./http.mjs";

export class Journeys {
  /** @param {import("./server.mjs").Server} server */
  constructor(server) {
    this.server = server;
  }

  /** The journey with this id, or that of this message, call or request. */
  async of(subject) {
    const answer = await request(`${this.server.ready.admin}/journeys/${encodeURIComponent(subject)}`);
    assert.equal(answer.status, 200, answer.text);
    return answer.json();
  }

  /** The journey once it has all of these stages, which are `service stage` and perhaps an outcome. */
  async with(subject, wanted) {
    let found;
    const told = () => (found ? JSON.stringify(found.stages, undefined, 1) : "nothing");
    try {
      await eventually(`stages ${wanted}`, async () => {
        found = await this.of(subject).catch(() => undefined);
        return found && wanted.every((it) => stagesOf(found).some((stage) => stage.startsWith(it)));
      });
    } catch (error) {
      throw new Error(`${error.message}; there is ${told()}`);
    }
    return found;
  }
}

/** Each stage of a journey as `service stage outcome`. */
export const stagesOf = ({ stages }) => stages.map(({ service, stage, outcome }) => `${service} ${stage} ${outcome}`);

/** What is told of each step of a kind. */
export const detailsOf = ({ stages }, wanted) => stages.filter(({ stage }) => stage === wanted).map(({ detail }) => detail);
