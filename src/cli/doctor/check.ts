import { setTimeout as sleep } from 'node:timers/promises';
import { hintOf, LonghaulError } from '../../model/errors.ts';

/** `unknown`: it cannot be told, or does not matter yet. */
export type CheckStatus = 'ok' | 'problem' | 'unknown';

export interface Finding {
  status: CheckStatus;
  /** What was found, for people; may have several lines. */
  found: string;
  /** Of a problem: the command or setting that mends it. */
  fix?: string;
}

export interface CheckResult extends Finding {
  id: string;
  title: string;
}

/** One thing that is looked at. */
export interface Check {
  /** For machines: it stays the same. */
  id: string;
  title: string;
  /** What it takes longer is given up. */
  limitMs: number;
  /** May throw: a LonghaulError is a problem, anything else cannot be told. */
  run(signal: AbortSignal): Promise<Finding>;
  /** While it has a problem, the later checks of its group are left out, but those that say `always`. */
  gate?: boolean;
  always?: boolean;
}

/** One after the other, since the later ones build on the earlier. @throws only the signal's reason. */
export async function runGroup(
  checks: readonly Check[],
  signal: AbortSignal,
): Promise<CheckResult[]> {
  const results: CheckResult[] = [];
  let closed: string | undefined;
  for (const check of checks) {
    const { id, title, gate = false, always = false } = check;
    const finding: Finding =
      closed === undefined || always
        ? await runCheck(check, signal)
        : { status: 'unknown', found: `not checked: ${closed} comes first` };
    if (gate && finding.status === 'problem') closed ??= title;
    results.push({ id, title, ...finding });
  }
  return results;
}

async function runCheck(check: Check, signal: AbortSignal): Promise<Finding> {
  const over = new AbortController();
  try {
    return await Promise.race([check.run(signal), tooLate(check.limitMs, over.signal)]);
  } catch (error) {
    signal.throwIfAborted();
    if (error instanceof LonghaulError) {
      return { status: 'problem', found: error.message, fix: hintOf(error.code, error.details) };
    }
    const reason = error instanceof Error ? error.message : String(error);
    return { status: 'unknown', found: `could not be checked: ${reason}` };
  } finally {
    over.abort();
  }
}

async function tooLate(limitMs: number, over: AbortSignal): Promise<Finding> {
  await sleep(limitMs, undefined, { signal: over });
  const found = `no answer within ${limitMs / 1000} s`;
  return {
    status: 'problem',
    found,
    fix: 'Look at the network, then run `longhaul doctor` again.',
  };
}
