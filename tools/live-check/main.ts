/**
 * `npm run live-check`: asks each address of datasets.yaml through the code of a run, and prints the differences from
 * public reports. It reads five records of a table and the first MiB of a file. It needs the internet, so an operator
 * runs it. Exit code 1 means that something is broken, not only newer.
 *
 * `--origin http://127.0.0.1:<port>` asks this host in place of the publishers' hosts.
 */
import { resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { loadDatasets } from '../../src/config/load-datasets.ts';
import type { OpenRequest } from '../../src/landing/source.ts';
import { printable } from '../../src/model/names.ts';
import { checkSource, type Checked } from './check-source.ts';
import { DENVER_FACTS } from './denver-facts.ts';

/** A portal that had no requests for a long time may need a while for its first answer. */
const TIMEOUT_MS = 30_000;

const { values } = parseArgs({ options: { origin: { type: 'string' } } });
const contact = process.env['HTTP_CONTACT'];
const request: OpenRequest = {
  settings: {
    connectTimeoutMs: TIMEOUT_MS,
    stallTimeoutMs: TIMEOUT_MS,
    ...(contact !== undefined && contact !== '' && { contact }),
  },
  policy: { allowPrivate: values.origin !== undefined },
  signal: new AbortController().signal,
};

let broken = 0;
for (const { name, sources } of loadDatasets(resolve('datasets.yaml'))) {
  for (const source of sources) {
    const id = `${name}/${source.id}`;
    const address = values.origin === undefined ? source.address : moved(source.address);
    const checked = await checkSource({ ...source, address }, DENVER_FACTS[id], request);
    broken += checked.broken.length;
    for (const line of linesOf(id, checked)) console.log(printable(line));
  }
}
console.log(broken === 0 ? 'Nothing is broken.' : `Broken: ${broken}.`);
process.exitCode = broken === 0 ? 0 : 1;

function moved(address: string): string {
  const { pathname, search } = new URL(address);
  return new URL(pathname + search, values.origin).href;
}

function linesOf(id: string, { seen, broken: wrong, newer }: Checked): string[] {
  const { reads, service, records, bytes, changedAt } = seen ?? {};
  const facts = [
    reads && `${reads} of ${service}`,
    records !== undefined && `${records} records`,
    bytes !== undefined && `${bytes} bytes`,
    changedAt && `changed ${changedAt}`,
  ].filter(Boolean);
  return [
    `${wrong.length === 0 ? 'ok    ' : 'BROKEN'} ${id}${facts.length > 0 ? `: ${facts.join(', ')}` : ''}`,
    ...wrong.map((each) => `  broken: ${each}`),
    ...newer.map((each) => `  newer: ${each}`),
  ];
}
