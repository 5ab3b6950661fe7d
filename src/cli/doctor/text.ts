import { printable } from '../../model/names.ts';
import type { CheckResult, CheckStatus } from './check.ts';

const MARKS: Readonly<Record<CheckStatus, string>> = {
  ok: 'ok',
  problem: 'PROBLEM',
  unknown: 'cannot tell',
};

/** A line a check, and a problem's fix below it. */
export function doctorText(checks: readonly CheckResult[]): string {
  const markWidth = Math.max(...Object.values(MARKS).map((mark) => mark.length));
  const titleWidth = Math.max(...checks.map(({ title }) => title.length));
  const indent = ' '.repeat(markWidth + titleWidth + 4);
  const lines = checks.map(({ title, status, found, fix }) => {
    const head = `${MARKS[status].padEnd(markWidth)}  ${title.padEnd(titleWidth)}  `;
    const body = [...found.split('\n'), ...(fix === undefined ? [] : [`→ ${fix}`])];
    return head + body.map((line) => printable(line)).join(`\n${indent}`);
  });
  return [...lines, '', verdict(checks)].join('\n');
}

function verdict(checks: readonly CheckResult[]): string {
  const count = checks.filter(({ status }) => status === 'problem').length;
  if (count === 0) return 'No problem found.';
  return count === 1 ? 'One problem.' : `${count} problems.`;
}
