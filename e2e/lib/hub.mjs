// A hub of one test's own, with clients that are closed when the test ends.
import { plainService } from "./service.mjs";
import { connectJson, connectReliable, connectSimple, connectWith } from "./websocket.mjs";

let hubs = 0;

/**
 * @param {import("node:test").TestContext} t
 * @param {import("./server.mjs").Server} server
 * @param {string} name of the hub; a name that no other test has, unless given
 */
export function freshHub(t, server, name = `hub${(hubs += 1)}`) {
  const service = plainService(server, name);
  const url = async (token = {}) => (await service.getClientAccessToken(token)).url;
  /** A client by `connect`, with a token of these options. */
  const join = async (connect, token) => {
    const client = await connect(await url(token));
    t.after(() => client.close());
    return client;
  };
  return {
    name,
    service,
    url,
    join,
    json: (token) => join(connectJson, token),
    reliable: (token) => join(connectReliable, token),
    simple: (token) => join(connectSimple, token),
    /** With other subprotocols offered, and nothing read yet. */
    offering: (protocols, token) => join((at) => connectWith(protocols, at), token),
  };
}
