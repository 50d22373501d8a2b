// Deadlines. A test waits for events; this only bounds how long, and names what never came.

/** How long anything in these suites may take before it counts as lost, in milliseconds. */
export const PATIENCE_MS = 20_000;

/** Settles like `promise`, or fails after `ms` naming `what` was awaited (a text, or its maker). */
export async function within(ms, what, promise) {
  let timer;
  const expired = new Promise((_resolve, reject) => {
    timer = setTimeout(() => {
      reject(new Error(`no ${typeof what === "function" ? what() : what} within ${ms} ms`));
    }, ms);
  });
  try {
    return await Promise.race([promise, expired]);
  } finally {
    clearTimeout(timer);
  }
}

/** Asks `probe` again until it answers true. For what the server does after its last visible sign. */
export async function eventually(what, probe) {
  const deadline = performance.now() + PATIENCE_MS;
  while (!(await probe())) {
    if (performance.now() > deadline) throw new Error(`not within ${PATIENCE_MS} ms: ${what}`);
  }
}

/** Resolves `ms` from now. Only for lifetimes and windows, where time itself is what a test waits for. */
export const passingOf = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
