import { printable } from '../../model/names.ts';

/** What most likely went wrong, out of what Spark wrote to its standard error. */
export interface ProbableCause {
  /** Class of the exception, package and all: `java.io.IOException`. */
  kind: string;
  /** Its own words, first line. */
  message: string;
}

/**
 * The last `Caused by` of the text; where there is none, the last exception of a JVM, else of Python. Undefined for a
 * text without any (a kill, an empty log).
 */
export function probableCause(stderr: string): ProbableCause | undefined {
  const lines = stderr.split(/\r?\n/);
  for (const form of [CAUSED_BY, JVM_EXCEPTION, PYTHON_EXCEPTION]) {
    for (const line of lines.toReversed()) {
      const match = form.exec(line);
      if (match) return causeOf(match[1] ?? '', match[2] ?? '');
    }
  }
  return undefined;
}

/** One line for people: `java.io.IOException: No space left on device`. */
export function causeText({ kind, message }: ProbableCause): string {
  const name = kind.replace(/^.*\./, '');
  return message === '' ? name : `${name}: ${message}`;
}

const CLASS = String.raw`((?:[A-Za-z_][\w$]*\.)+[A-Z][\w$]*)`;
/** A cause of the driver's, or of a task's that the driver's message quotes. */
const CAUSED_BY = new RegExp(String.raw`^\s*Caused by: ${CLASS}(?::\s*(.*))?$`);
/** At a line's start, behind `Exception in thread "…"`, or behind a log line's words and py4j's colon. */
const JVM_EXCEPTION = new RegExp(
  String.raw`^(?:: |Exception in thread "[^"]*" |.*\b(?:ERROR|FATAL)\b.*?: )?((?:[a-z_][\w$]*\.)+[A-Z][\w$]*(?:Exception|Error|Throwable))(?::\s*(.*))?$`,
);
const PYTHON_EXCEPTION =
  /^((?:[A-Za-z_]\w*\.)*[A-Z]\w*(?:Error|Exception|Exit|Interrupt))(?::\s*(.*))?$/;

/** Two lines of a terminal. */
const MAX_MESSAGE_CHARACTERS = 400;

function causeOf(kind: string, message: string): ProbableCause {
  const line = message.trim();
  const cut =
    line.length > MAX_MESSAGE_CHARACTERS ? `${line.slice(0, MAX_MESSAGE_CHARACTERS)}…` : line;
  return { kind, message: printable(cut) };
}
