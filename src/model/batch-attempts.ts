/** The worker submits a job without progress at most this often, and only if another try may succeed. */
const MAX_IDLE_ATTEMPTS = 3;

/** What a job of many sources left unfinished when it ended. */
export interface LeftOver {
  /** Number of sources that have neither a result nor an error. */
  open: number;
  /** Number of starts of a source during which the job died. */
  deadStarts: number;
}

/** Decides whether a job of many sources is submitted again for the sources that it left open. */
export class BatchAttempts {
  #open: number;
  #deadStarts: number;
  #idle = 0;

  /** @param deadStarts number of dead starts that earlier attempts of the activity left. */
  constructor(sources: number, deadStarts = 0) {
    this.#open = sources;
    this.#deadStarts = deadStarts;
  }

  /** True if the present attempt is the last one unless it makes progress. */
  get isLast(): boolean {
    return this.#idle + 1 >= MAX_IDLE_ATTEMPTS;
  }

  /** @param isWorthRetry true if the job failed for a reason that may pass. */
  mayGoOn({ open, deadStarts }: LeftOver, isWorthRetry: boolean): boolean {
    const gotFurther = open < this.#open || deadStarts > this.#deadStarts;
    this.#idle = gotFurther ? 0 : this.#idle + 1;
    this.#open = open;
    this.#deadStarts = deadStarts;
    if (this.#idle >= MAX_IDLE_ATTEMPTS) return false;
    // If only one source is open, that source caused the failure, so another try does not help.
    return isWorthRetry || (gotFurther && open > 1);
  }
}
