import { DefaultLogger, type LogEntry, type Logger } from '@temporalio/worker';
import type { Settings } from '../config/settings.ts';
import { printable } from '../model/names.ts';

/** Shorter secrets occur in ordinary text, so hiding them would damage every line. */
const MIN_SECRET_LENGTH = 4;

/**
 * The one logger for all messages of a worker: Longhaul's, the SDK's and its core's. Each entry is one line.
 * @param defaultFormat format if LOG_FORMAT is not set.
 * @param write gets one line with its line end.
 */
export function createLogger(
  { log, temporal }: Pick<Settings, 'log'> & { temporal: Pick<Settings['temporal'], 'apiKey'> },
  defaultFormat: 'json' | 'text',
  write: (line: string) => void,
): Logger {
  const { level, format = defaultFormat } = log;
  const line = format === 'json' ? jsonLine : textLine;
  const secrets = [temporal.apiKey ?? ''].filter(({ length }) => length >= MIN_SECRET_LENGTH);
  return new DefaultLogger(level === 'debug' ? 'DEBUG' : UPPER[level], (entry) => {
    if (level !== 'debug' && isChatter(entry)) return;
    write(`${withoutSecrets(line(fieldsOf(entry)), secrets)}\n`);
  });
}

const UPPER = { info: 'INFO', warn: 'WARN', error: 'ERROR' } as const;

/** Each worker of a process logs each of its states. All but one also log that they have no workflows, as intended. */
function isChatter({ level, message, meta }: LogEntry): boolean {
  if (meta?.['sdkComponent'] !== 'worker') return false;
  return level === 'INFO' || message.startsWith('No workflows registered');
}

interface Fields {
  time: string;
  level: string;
  message: string;
  /** Further fields, in the order in which they are written. */
  [name: string]: unknown;
}

/** Longhaul's names for fields of the SDK. A field in neither list keeps its name. */
const NAMES: Readonly<Record<string, string>> = {
  workflowRunId: 'run',
  runId: 'run',
  workflowId: 'workflow',
  activityType: 'activity',
  taskQueue: 'queue',
  sdkComponent: 'component',
};
/** Fields that do not help a reader. */
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
    // The message of an error of the catalogue says everything, so its stack is left out.
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
