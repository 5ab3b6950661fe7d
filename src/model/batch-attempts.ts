/** A job that gets no further is submitted so often in all, where another try may do better. */
const MAX_IDLE_ATTEMPTS = 3;

/** What a job of many sources has left, when it has ended. */
export interface LeftOver {
  /** Sources without an end. */
  open: number;
  /** Starts of sources in which the job died. */
  deadStarts: number;
}

/** Whether a job of many sources is submitted again, with those that have no end. */
export class BatchAttempts {
  #open: number;
  #deadStarts: number;
  #idle = 0;

  /** @param deadStarts of attempts of an activity that was given up. */
  constructor(sources: number, deadStarts = 0) {
    this.#open = sources;
    this.#deadStarts = deadStarts;
  }

  /** Of the attempt under way: what it leaves is final. */
  get isLast(): boolean {
    return this.#idle + 1 >= MAX_IDLE_ATTEMPTS;
  }

  /** @param isWorthRetry the job as a whole met what may pass. */
  mayGoOn({ open, deadStarts }: LeftOver, isWorthRetry: boolean): boolean {
    const gotFurther = open < this.#open || deadStarts > this.#deadStarts;
    this.#idle = gotFurther ? 0 : this.#idle + 1;
    this.#open = open;
    this.#deadStarts = deadStarts;
    if (this.#idle >= MAX_IDLE_ATTEMPTS) return false;
    // Of one source that is left, it is known what is to blame.
    return isWorthRetry || (gotFurther && open > 1);
  }
}
