import { readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';

/** Short enough to see the child process of a conversion, and rare enough to cost no time. */
const SAMPLE_EVERY_MS = 100;

export interface MemoryPeaks {
  /** Highest sum of bytes over all processes at one time. */
  togetherBytes: number;
  /** Peak bytes of each kind of process. */
  byProcess: Map<string, number>;
  /** CPU seconds of all processes since the watch began. Other work on the machine hardly changes them. */
  cpuSeconds: number;
}

/**
 * Watches every process whose environment has the variable with this value, until stopped. Children inherit it.
 * It works on Linux only. On other systems the peaks are 0.
 */
export function watchMemory(variable: string, value: string): { stop(): Promise<MemoryPeaks> } {
  const peaks: MemoryPeaks = { togetherBytes: 0, byProcess: new Map(), cpuSeconds: 0 };
  const mark = `${variable}=${value}`;
  const stopping = new AbortController();
  const watching = watch(mark, peaks, stopping.signal);
  return {
    stop: async () => {
      stopping.abort();
      await watching;
      return peaks;
    },
  };
}

async function watch(mark: string, peaks: MemoryPeaks, signal: AbortSignal): Promise<void> {
  const before = new Map([...pidsWith(mark)].map((pid) => [pid, cpuSecondsOf(pid)]));
  const cpu = new Map<string, number>();
  while (!signal.aborted) {
    let together = 0;
    for (const pid of pidsWith(mark)) {
      const { name, residentBytes, peakBytes } = memoryOf(pid);
      together += residentBytes;
      cpu.set(pid, Math.max(cpu.get(pid) ?? 0, cpuSecondsOf(pid) - (before.get(pid) ?? 0)));
      peaks.byProcess.set(name, Math.max(peaks.byProcess.get(name) ?? 0, peakBytes));
    }
    peaks.togetherBytes = Math.max(peaks.togetherBytes, together);
    peaks.cpuSeconds = [...cpu.values()].reduce((sum, each) => sum + each, 0);
    await delay(SAMPLE_EVERY_MS, undefined, { signal }).catch(() => undefined);
  }
}

/** Processes with the mark, and their descendants, because a child may be given another environment. */
function pidsWith(mark: string): Set<string> {
  const own = String(process.pid);
  const pids = readdirOrNone('/proc').filter((pid) => /^\d+$/.test(pid) && pid !== own);
  const found = new Set(
    pids.filter((pid) => read(`/proc/${pid}/environ`).split('\0').includes(mark)),
  );
  const parents = new Map(pids.map((pid) => [pid, parentOf(pid)]));
  for (let before = -1; before < found.size;) {
    before = found.size;
    for (const [pid, parent] of parents) if (found.has(parent)) found.add(pid);
  }
  return found;
}

function parentOf(pid: string): string {
  return /^PPid:\s+(\d+)/m.exec(read(`/proc/${pid}/status`))?.[1] ?? '';
}

/** The present memory of one process. The figures are 0 if the process has ended. */
export function memoryOf(pid: string): {
  name: string;
  residentBytes: number;
  peakBytes: number;
} {
  const status = read(`/proc/${pid}/status`);
  const kilobytes = (key: string): number =>
    Number(new RegExp(`^${key}:\\s+(\\d+)`, 'm').exec(status)?.[1] ?? 0);
  return {
    name: nameOf(pid),
    residentBytes: kilobytes('VmRSS') * 1024,
    peakBytes: kilobytes('VmHWM') * 1024,
  };
}

/** Linux always has this number of ticks. */
const TICKS_PER_SECOND = 100;

function cpuSecondsOf(pid: string): number {
  // The name may hold any text, so it is cut off. User and system time are then the 12th and 13th words.
  const words = read(`/proc/${pid}/stat`)
    .replace(/^.*\) /s, '')
    .split(' ');
  return (Number(words[11] ?? 0) + Number(words[12] ?? 0)) / TICKS_PER_SECOND;
}

/** `temporal`, or the script and the first word that Node runs. */
function nameOf(pid: string): string {
  const words = read(`/proc/${pid}/cmdline`).split('\0');
  const script = words.findIndex((word) => /\.[cm]?[jt]s$/.test(word));
  if (script === -1) return (words[0] ?? '').replace(/^.*\//, '') || executableOf(pid);
  const path = words[script]?.split('/').slice(-2).join('/');
  return [path, words[script + 1]].filter(Boolean).join(' ').slice(0, 40);
}

function executableOf(pid: string): string {
  try {
    return readlinkSync(`/proc/${pid}/exe`).replace(/^.*\//, '');
  } catch {
    return 'ended';
  }
}

/** The result is empty if the process has ended or belongs to another user. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function readdirOrNone(path: string): string[] {
  try {
    return readdirSync(path);
  } catch {
    return [];
  }
}
