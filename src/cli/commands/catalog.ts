import { once } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import { Command, InvalidArgumentError } from 'commander';
import { isFromHere, listenOn } from '../../embedded/loopback.ts';
import {
  answerCatalog,
  clientDefaults,
  failure,
  NAMESPACE,
  tableNames,
  type CatalogAnswer,
} from '../../iceberg/rest-catalog.ts';
import { LonghaulError } from '../../model/errors.ts';
import { openLake } from '../../storage/open-lake.ts';
import { examples, interruptible, print, type CliContext, type Flags } from '../command.ts';
import { asLonghaulError, errorObject, errorText } from '../errors.ts';

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
    .option('--port <port>', 'where it listens (default: a free port)', portNumber)
    .action(async (flags: ServeFlags) => await serve(context, flags));
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

async function serve(context: CliContext, { port: wanted, ...flags }: ServeFlags): Promise<void> {
  const { settings } = context.loadConfig();
  const { converted } = await openLake(settings);
  const defaults = await clientDefaults(settings.lake);
  const tables = await tableNames(converted);
  const answer = async (request: IncomingMessage): Promise<CatalogAnswer> =>
    await answerCatalog(converted, defaults, request);
  const server = serverOf(answer, context.note);
  await interruptible(async (signal) => {
    try {
      const port = await listenOn(server, wanted === undefined ? [] : [wanted]);
      if (wanted !== undefined && port !== wanted) {
        const hint = 'Give another --port, or none: then it takes a free one.';
        throw new LonghaulError('USAGE', `Port ${wanted} is taken, or not permitted.`, { hint });
      }
      const served = { url: `http://127.0.0.1:${port}`, namespace: NAMESPACE, tables };
      await print(context, flags, served, () => servedText(served));
      if (!signal.aborted) await once(signal, 'abort');
    } finally {
      server.close();
      server.closeAllConnections();
    }
  });
}

function serverOf(
  answer: (request: IncomingMessage) => Promise<CatalogAnswer>,
  onNote: (text: string) => void,
): Server {
  return createServer((request, response) => {
    const answering = isFromHere(request)
      ? answer(request).catch((error: unknown) => failed(error, onNote))
      : Promise.resolve(FOREIGN);
    void answering.then(({ status, body }) => {
      // The Iceberg REST specification answers a successful HEAD with 204.
      const isHead = request.method === 'HEAD';
      response.writeHead(isHead && status === 200 ? 204 : status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
      });
      response.end(isHead ? undefined : JSON.stringify(body));
    });
  });
}

const FOREIGN = failure(
  403,
  'ForbiddenException',
  'The catalog answers programs on this machine, at http://127.0.0.1 or http://localhost.',
);

/** Shows the error to the client's user and to the operator of the catalog. */
function failed(thrown: unknown, onNote: (text: string) => void): CatalogAnswer {
  const error = asLonghaulError(thrown);
  onNote(errorText(error));
  const { code, message, hint, retryable } = errorObject(error);
  const text = `${code}: ${message} ${hint}`;
  return retryable
    ? failure(503, 'ServiceUnavailableException', text)
    : failure(500, 'InternalServerError', text);
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
