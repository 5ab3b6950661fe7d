import { Command, InvalidArgumentError } from 'commander';
import { openLake } from '../../storage/open-lake.ts';
import { print, type CliContext } from '../context.ts';
import { interruptible } from '../interrupts.ts';
import { examples, withJson, type Flags } from './options.ts';

export function catalogCommand(context: CliContext): Command {
  const command = new Command('catalog')
    .summary("serves the datasets' Iceberg tables by name to DuckDB, pyiceberg and Spark")
    .description(
      'Every published dataset is an Iceberg table too: `serve` lets other programs on this machine find it by name.',
    )
    .helpCommand(false)
    .addCommand(serveCommand(context));
  return examples(command, ['catalog serve']);
}

function serveCommand(context: CliContext): Command {
  const command = new Command('serve')
    .summary('a read-only Iceberg REST catalog of the lake, until Ctrl-C')
    .description(
      'Serves a read-only Iceberg REST catalog on 127.0.0.1 until Ctrl-C: in the namespace longhaul one table for each ' +
        'dataset, named like its view, as it is at the moment of the request. Clients read the files themselves, in S3 ' +
        'with their own credentials. docs/reading.md is the guide.',
    )
    .option('--port <port>', 'where it listens (default: a free port)', portNumber);
  withJson(command).action(async (flags: ServeFlags) => await serve(context, flags));
  return examples(command, [
    'catalog serve',
    'catalog serve --port 8181',
    'catalog serve --lake s3://my-lake --json',
  ]);
}

interface ServeFlags extends Flags {
  port?: number;
}

const MAX_PORT = 65_535;

function portNumber(text: string): number {
  const port = /^[1-9]\d{0,4}$/.test(text) ? Number(text) : Infinity;
  if (port <= MAX_PORT) return port;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MAX_PORT}.`);
}

async function serve(context: CliContext, flags: ServeFlags): Promise<void> {
  const { settings } = context.loadConfig();
  const { clientDefaults, NAMESPACE, RestCatalog } = await import('../../iceberg/rest-catalog.ts');
  const { serveCatalog } = await import('../catalog-server.ts');
  const { converted } = await openLake(settings);
  const catalog = new RestCatalog(converted, await clientDefaults(settings.lake));
  const tables = await catalog.tableNames();
  await interruptible(async (signal) => {
    await serveCatalog(catalog, flags.port, { signal, onNote: context.note }, async (url) => {
      const served = { url, namespace: NAMESPACE, tables };
      await print(context, flags, served, () => servedText(served));
    });
  });
}

function servedText(served: { url: string; namespace: string; tables: string[] }): string {
  const { url, namespace, tables } = served;
  const names = tables.map((table) => `${namespace}.${table}`);
  return [
    `A read-only Iceberg REST catalog is at ${url} until Ctrl-C.`,
    `Its tables: ${names.join(', ') || 'none; the first publication of a dataset makes its table'}.`,
    '',
    `DuckDB:    ATTACH '' AS lake (TYPE iceberg, ENDPOINT '${url}', AUTHORIZATION_TYPE 'none');`,
    `           SELECT count(*) FROM lake.${names[0] ?? `${namespace}.<table>`};`,
    `pyiceberg: RestCatalog('lake', uri='${url}')`,
    'Spark:     --conf spark.sql.catalog.lake=org.apache.iceberg.spark.SparkCatalog \\',
    `           --conf spark.sql.catalog.lake.type=rest --conf spark.sql.catalog.lake.uri=${url}`,
  ].join('\n');
}
