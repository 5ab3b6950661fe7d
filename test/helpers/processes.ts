import { execFile } from 'node:child_process';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';

const run = promisify(execFile);

/** Command lines of processes on this machine that contain a text, for example a test's folder. */
export async function processesWith(text: string): Promise<string[]> {
  const { stdout } = await run('ps', ['-A', '-ww', '-o', 'args='], { maxBuffer: 2 ** 26 });
  return stdout.split('\n').filter((line) => line.includes(text));
}

/** Ids of processes whose command line matches. A process that has ended but was not reaped does not count. */
export async function pidsWith(pattern: RegExp): Promise<number[]> {
  return (await living()).flatMap(({ pid, args }) => (pattern.test(args) ? [pid] : []));
}

/** Returns those of the processes that still live. */
export async function livingOf(pids: readonly number[]): Promise<number[]> {
  const all = new Set((await living()).map(({ pid }) => pid));
  return pids.filter((pid) => all.has(pid));
}

/** Ids of a process's children whose command line matches. */
export async function childrenOf(parent: number, pattern: RegExp): Promise<number[]> {
  const children = (await living()).filter(({ ppid }) => ppid === parent);
  return children.flatMap(({ pid, args }) => (pattern.test(args) ? [pid] : []));
}

async function living(): Promise<{ pid: number; ppid: number; args: string }[]> {
  const args = ['-A', '-ww', '-o', 'pid=,ppid=,stat=,args='];
  const { stdout } = await run('ps', args, { maxBuffer: 2 ** 26 });
  return stdout.split('\n').flatMap((line) => {
    const [, pid = '', ppid = '', stat = '', command = ''] =
      /^\s*(\d+)\s+(\d+)\s+(\S+)\s+(.*)$/.exec(line) ?? [];
    if (pid === '' || stat.startsWith('Z')) return [];
    return [{ pid: Number(pid), ppid: Number(ppid), args: command }];
  });
}

const WAIT_LIMIT_MS = 120_000;

/** Polls often, because the state that a test waits for may be short. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const end = performance.now() + WAIT_LIMIT_MS;
  while (!(await isTrue())) {
    if (performance.now() > end) throw new Error(`It never came to it: ${what}.`);
    await sleep(10);
  }
}
