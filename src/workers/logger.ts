import { DefaultLogger, type LogEntry, type Logger } from '@temporalio/worker';
import type { LogSettings } from '../config/settings.ts';
import { printable } from '../model/names.ts';

export interface LogOptions extends Omit<LogSettings, 'format'> {
  format: 'json' | 'text';
  /** Whatever else happens, these are never written. */
  secrets: readonly string[];
  /** Gets a line, with its end. */
  write: (line: string) => void;
}

/** One for everything that a worker says: ours, the SDK's and its core's. A line an entry. */
export function createLogger({ format, level, secrets, write }: LogOptions): Logger {
  const line = format === 'json' ? jsonLine : textLine;
  return new DefaultLogger(level === 'debug' ? 'DEBUG' : UPPER[level], (entry) => {
    if (level !== 'debug' && isChatter(entry)) return;
    write(`${withoutSecrets(line(fieldsOf(entry)), secrets)}\n`);
  });
}

const UPPER = { info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

/** Each of a process's workers logs each of its states, and that it has no workflows, as all but one should. */
function isChatter({ level, message, meta }: LogEntry): boolean {
  if (meta?.['sdkComponent'] !== 'worker') return false;
  return level === 'INFO' || message.startsWith('No workflows registered');
}

interface Fields {
  time: string;
  level: string;
  message: string;
  /** In the order in which they are written. */
  [name: string]: unknown;
}

/** The SDK's words, in ours; what is in neither list passes as it is. */
const NAMES: Readonly<Record<string, string>> = {
  workflowRunId: 'run',
  runId: 'run',
  workflowId: 'workflow',
  activityType: 'activity',
  taskQueue: 'queue',
  sdkComponent: 'component',
};
/** Fields that are of no use to a reader. */
const LEFT_OUT = new Set(['isLocal', 'activityId', 'workflowType', 'namespace', 'taskToken']);

function fieldsOf({ level, message, timestampNanos, meta = {} }: LogEntry): Fields {
  const time = new Date(Number(timestampNanos / 1_000_000n)).toISOString();
  const fields: Fields = { time, level: level.toLowerCase(), message };
  for (const [key, value] of Object.entries(meta)) {
    if (value === undefined || LEFT_OUT.has(key)) continue;
    fields[NAMES[key] ?? key] = value instanceof Error ? errorOf(value) : value;
  }
  return fields;
}

function errorOf(error: Error): object {
  const { name, message, stack } = error;
  const { type } = error as { type?: unknown };
  return {
    name,
    message,
    ...(typeof type === 'string' ? { code: type } : {}),
    // An error of the catalogue says it all in its message.
    ...(typeof type === 'string' || stack === undefined ? {} : { stack }),
  };
}

function jsonLine(fields: Fields): string {
  return JSON.stringify(fields, (_key, value: unknown) =>
    typeof value === 'bigint' ? String(value) : value,
  );
}

function textLine({ time, level, message, ...rest }: Fields): string {
  const more = Object.entries(rest).map(([key, value]) => `${key}=${textOf(value)}`);
  return printable([time, level.toUpperCase().padEnd(5), message, ...more].join(' '));
}

function textOf(value: unknown): string {
  if (typeof value === 'object' && value !== null && 'message' in value) {
    return JSON.stringify(value.message);
  }
  const text = typeof value === 'string' ? value : JSON.stringify(value);
  return /[\s"=]/.test(text) ? JSON.stringify(text) : text;
}

function withoutSecrets(line: string, secrets: readonly string[]): string {
  return secrets.reduce((text, secret) => text.replaceAll(secret, '[secret]'), line);
}
