import { setTimeout as sleep } from 'node:timers/promises';
import { hintOf, LonghaulError } from '../../model/errors.ts';

export interface Finding {
  /** `unknown`: the check could not find out, or its result does not matter yet. */
  status: 'ok' | 'problem' | 'unknown';
  /** The result as text for the user. It may have several lines. */
  found: string;
  /** The command or setting that fixes a problem. */
  fix?: string;
}

export function ok(found: string): Finding {
  return { status: 'ok', found };
}

export function unknown(found: string): Finding {
  return { status: 'unknown', found };
}

export function problem(found: string, fix: string): Finding {
  return { status: 'problem', found, fix };
}

export interface CheckResult extends Finding {
  id: string;
  title: string;
}

export interface Check {
  /** Programs read it, so it stays the same in later versions. */
  id: string;
  title: string;
  /** It may throw: a LonghaulError becomes a problem, any other error becomes `unknown`. */
  run(signal: AbortSignal): Finding | Promise<Finding>;
  /** If this check has a problem, the later checks of its group are left out, except those with `always`. */
  gate?: boolean;
  always?: boolean;
}

/** The requests of a check have shorter limits. Landing a file in S3 and removing it may take the longest. */
const LIMIT_MS = 60_000;

/** Runs the checks one after the other, because later ones rely on earlier ones. */
export async function runGroup(
  checks: readonly Check[],
  signal: AbortSignal,
  limitMs = LIMIT_MS,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  let closed: string | undefined;
  for (const check of checks) {
    const { id, title, gate = false, always = false } = check;
    const finding: Finding =
      closed === undefined || always
        ? await runCheck(check, signal, limitMs)
        : unknown(`not checked: ${closed} comes first`);
    if (gate && finding.status === 'problem') closed ??= title;
    results.push({ id, title, ...finding });
  }
  return results;
}

async function runCheck(check: Check, signal: AbortSignal, limitMs: number): Promise<Finding> {
  const over = new AbortController();
  try {
    return await Promise.race([check.run(signal), tooLate(limitMs, over.signal)]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LonghaulError) {
      return problem(error.message, hintOf(error.code, error.details));
    }
    const reason = error instanceof Error ? error.message : String(error);
    return unknown(`could not be checked: ${reason}`);
  } finally {
    over.abort();
  }
}

async function tooLate(limitMs: number, over: AbortSignal): Promise<Finding> {
  await sleep(limitMs, undefined, { signal: over });
  const fix = 'Look at the network, then run `longhaul doctor` again.';
  return problem(`no answer within ${limitMs / 1000} s`, fix);
}

/**
 * Looks for a program or library as a run does, but without fetching it. @returns `absent` if it is not there.
 * @param isNeeded if true, its absence is a problem.
 */
export async function lookFor(
  isNeeded: boolean,
  absent: (why: string) => string,
  look: () => Promise<string>,
): Promise<Finding> {
  try {
    return ok(await look());
  } catch (error) {
    if (isNeeded || !(error instanceof LonghaulError)) throw error;
    return unknown(absent(error.message));
  }
}
