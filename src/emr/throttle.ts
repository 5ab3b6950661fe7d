/** What a first throttling costs, */
const FIRST_DELAY_MS = 500;
/** … and what it may come to: EMR's buckets fill again within seconds. */
const MAX_DELAY_MS = 20_000;
/** After each answer the rate goes up again by this much, */
const DECAY = 0.7;
/** … until waiting is not worth it. */
const MIN_DELAY_MS = 50;

/**
 * How long to wait before each request: nothing as a rule, twice as long after each "too often", and less again after
 * each answer. All requests of a process share one, since the account's limit is one.
 */
export class Throttle {
  #delayMs = 0;
  readonly #random: () => number;

  constructor(random: () => number = Math.random) {
    this.#random = random;
  }

  /** Half of it fixed, half by chance, so that several workers do not come back at once. */
  get waitMs(): number {
    return Math.round(this.#delayMs * (0.5 + this.#random() / 2));
  }

  throttled(): void {
    this.#delayMs = Math.min(MAX_DELAY_MS, Math.max(FIRST_DELAY_MS, this.#delayMs * 2));
  }

  answered(): void {
    this.#delayMs *= DECAY;
    if (this.#delayMs < MIN_DELAY_MS) this.#delayMs = 0;
  }
}
