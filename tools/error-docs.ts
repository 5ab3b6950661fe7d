import { format, resolveConfig } from 'prettier';
import { ERROR_CLASSES } from '../src/model/error-catalogue.ts';
import { ERROR_CATALOGUE, type ErrorClass } from '../src/model/errors.ts';

export const ERROR_DOCS_FILE = 'docs/errors.md';

const CLASS_TITLES: Record<ErrorClass, string> = {
  internal: 'Not foreseen',
  usage: 'The command or the settings',
  unavailable: 'The publisher, for now',
  refused: 'The publisher, or the address',
  content: 'What the publisher published',
  storage: 'The lake’s own disk or bucket',
  'storage-unavailable': 'The lake’s bucket, for now',
  conversion: 'The conversion',
  held: 'Held for a person to look at',
  orchestration: 'Temporal',
  cluster: 'The EMR cluster',
  'cluster-unavailable': 'EMR, for now',
  cancelled: 'Cancelled',
};

const INTRODUCTION = `# Errors

Every error that you may see has a code. It stands in the message, in the JSON of \`--json\`
(\`{error: {code, message, hint, retryable, source?}}\`) and in the Temporal Web UI as the failure's type. The
code's class decides the exit code, and whether Temporal tries again by itself.

This page is made from the catalogue, \`src/model/error-catalogue.ts\`, by \`npm run docs:errors\`.
`;

/** The text that docs/errors.md must have, made from the catalogue. */
export async function errorDocs(): Promise<string> {
  const classes = Object.keys(ERROR_CLASSES) as ErrorClass[];
  const text = [INTRODUCTION, ...classes.map(classSection)].join('\n');
  const config = await resolveConfig(ERROR_DOCS_FILE);
  return format(text, { ...config, parser: 'markdown' });
}

function classSection(name: ErrorClass): string {
  const { exitCode, retryable } = ERROR_CLASSES[name];
  const again = retryable ? 'Temporal tries again' : 'not tried again';
  const entries = Object.entries(ERROR_CATALOGUE).filter(([, entry]) => entry.class === name);
  const codes = entries.map(
    ([code, entry]) => `### ${code}\n\n${entry.happened}\n\n${entry.next}\n`,
  );
  return [`## ${CLASS_TITLES[name]}\n\nExit code ${exitCode}; ${again}.\n`, ...codes].join('\n');
}
