import type { SparkSession } from './session.ts';

interface Idle {
  access: string;
  timer: NodeJS.Timeout;
}

/** Sparks that wait for a job, each for a limited time. */
export class IdleSessions {
  readonly #idleMs: number;
  readonly #waiting = new Map<SparkSession, Idle>();

  constructor(idleMs: number) {
    this.#idleMs = idleMs;
  }

  /** @param access what it reaches, and with which credentials. */
  async keep(session: SparkSession, access: string): Promise<void> {
    if (this.#idleMs === 0) return await session.close();
    // What cannot be removed of it goes with TMPDIR.
    const end = (): void => void this.#end(session).catch(() => undefined);
    this.#waiting.set(session, { access, timer: setTimeout(end, this.#idleMs) });
  }

  /** A session that reaches the same store with the same credentials. Where there is none, all others end, to make room. */
  async take(access: string): Promise<SparkSession | undefined> {
    for (const [session, idle] of this.#waiting) {
      if (idle.access === access && session.isOpen) {
        this.#forget(session);
        return session;
      }
    }
    await this.close();
    return undefined;
  }

  async close(): Promise<void> {
    await Promise.all([...this.#waiting.keys()].map(async (each) => await this.#end(each)));
  }

  async #end(session: SparkSession): Promise<void> {
    this.#forget(session);
    await session.close();
  }

  #forget(session: SparkSession): void {
    clearTimeout(this.#waiting.get(session)?.timer);
    this.#waiting.delete(session);
  }
}
