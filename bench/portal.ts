/**
 * `npm run bench -- portal [--records 100000]`: measures the time from the page of Denver's traffic accidents to the
 * answer of a query. Ingest and query are one command each, which starts all it needs. A stand-in on this machine
 * serves the Hub and its pages of 2000 records.
 */
import { parseArgs } from 'node:util';
import { startDenverHub } from '../test/helpers/denver-hub.ts';
import { withLab, type Lab } from '../test/helpers/lab.ts';
import { machineFacts } from './machine.ts';

const SQL = 'SELECT count(*) AS n, max(reported_date) AS last_report FROM accidents';

const { values } = parseArgs({ options: { records: { type: 'string', default: '100000' } } });
const denver = await startDenverHub({ records: Number(values.records) });
console.log(machineFacts());
try {
  await withLab({ up: false }, bench);
} finally {
  await denver.close();
}

async function bench(lab: Lab): Promise<void> {
  const page = denver.page('denver-traffic-accidents/all');
  const ingest = await run(lab, ['ingest', page, '--name', 'accidents']);
  const query = await run(lab, ['query', SQL]);
  console.log(query.stdout);
  const [first, second] = [ingest.seconds, query.seconds];
  console.log(`${values.records} records`);
  console.log(`ingest   ${first.toFixed(1)} s`);
  console.log(`query    ${second.toFixed(1)} s`);
  console.log(`together ${(first + second).toFixed(1)} s`);
}

async function run(lab: Lab, args: string[]): Promise<{ seconds: number; stdout: string }> {
  const startedAt = performance.now();
  const { code, stdout, stderr } = await lab.run(args);
  if (code !== 0) throw new Error(`${args.join(' ')}: ${stdout}${stderr}`);
  return { seconds: (performance.now() - startedAt) / 1000, stdout };
}
