// Chance that can be had again: a suite prints its seed, and TIDINGS_SEED brings it back.

/** The seed of this run. */
export const SEED = Number(process.env.TIDINGS_SEED ?? Math.floor(Math.random() * 2 ** 32));

/** A source of numbers from 0 up to, not including, 1 (mulberry32). */
export function randomSource(seed = SEED) {
  let state = seed >>> 0;
  return () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** A whole number of `low` to `high`, both included. */
export const between = (random, low, high) => low + Math.floor(random() * (high - low + 1));

/** One of `choices`. */
export const oneOf = (random, choices) => choices[between(random, 0, choices.length - 1)];
