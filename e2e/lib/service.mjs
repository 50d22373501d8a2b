// The npm service SDK within the suite's own process, over plain HTTP. For suites whose subject is
// something else; the SDK itself is proven over HTTPS, in a process of its own (`sdk.mjs`).
import { WebPubSubServiceClient } from "@azure/web-pubsub";

/** The connection string for the plain HTTP listener. */
export function plainConnectionString(server) {
  return server.connectionString.replace(server.ready.https, server.ready.http);
}

/** The service client of `hub`, which reports the first answer rather than the third. */
export function plainService(server, hub) {
  const options = { allowInsecureConnection: true, retryOptions: { maxRetries: 0 } };
  return new WebPubSubServiceClient(plainConnectionString(server), hub, options);
}
