/** A small generator of random numbers. It uses whole 32-bit arithmetic only, so all machines give the same numbers. */
export class Random {
  #a: number;
  #b: number;
  #c: number;
  #counter: number;

  /** @param label separates the streams of one seed, so that a new column does not change the others. */
  constructor(seed: number, label: string) {
    this.#a = seed | 0;
    this.#b = hash(label);
    this.#c = 0x9e3779b9 | 0;
    this.#counter = 1;
    for (let round = 0; round < 12; round++) this.next();
  }

  /** 0 to 2^32 - 1 (sfc32). */
  next(): number {
    const sum = (((this.#a + this.#b) | 0) + this.#counter) | 0;
    this.#counter = (this.#counter + 1) | 0;
    this.#a = this.#b ^ (this.#b >>> 9);
    this.#b = (this.#c + (this.#c << 3)) | 0;
    this.#c = (((this.#c << 21) | (this.#c >>> 11)) + sum) | 0;
    return sum >>> 0;
  }

  /** 0 to `limit` - 1. */
  below(limit: number): number {
    return this.next() % limit;
  }

  /** True `numerator` times in `denominator`. */
  chance(numerator: number, denominator: number): boolean {
    return this.below(denominator) < numerator;
  }

  /** @param choices at least one. */
  pick<T>(choices: readonly T[]): T {
    const choice = choices[this.below(choices.length)];
    if (choice === undefined) throw new Error('Nothing to pick from.');
    return choice;
  }
}

/** FNV-1a. */
function hash(text: string): number {
  let value = 0x811c9dc5 | 0;
  for (const character of text) {
    value = Math.imul(value ^ (character.codePointAt(0) ?? 0), 0x01000193);
  }
  return value;
}
