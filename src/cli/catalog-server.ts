import { createServer, type Server } from 'node:http';
import { isFromHere, listenOn } from '../embedded/listen.ts';
import { failure, type CatalogAnswer, type RestCatalog } from '../iceberg/rest-catalog.ts';
import { LonghaulError } from '../model/errors.ts';
import { asLonghaulError, errorObject, errorText } from './errors.ts';

/**
 * Serves the catalog on 127.0.0.1 until the signal.
 * @param wanted the port; undefined: any that is free.
 * @param onListening gets its address.
 * @throws LonghaulError USAGE where the port cannot be had.
 */
export async function serveCatalog(
  catalog: RestCatalog,
  wanted: number | undefined,
  { signal, onNote }: { signal: AbortSignal; onNote: (text: string) => void },
  onListening: (url: string) => Promise<void>,
): Promise<void> {
  const server = serverOf(catalog, onNote);
  try {
    const port = await listenOn(server, wanted === undefined ? [] : [wanted]);
    if (wanted !== undefined && port !== wanted) {
      const hint = 'Give another --port, or none: then it takes a free one.';
      throw new LonghaulError('USAGE', `Port ${wanted} is taken, or not permitted.`, { hint });
    }
    await onListening(`http://127.0.0.1:${port}`);
    await new Promise<void>((resolve) => {
      signal.addEventListener('abort', () => resolve());
      if (signal.aborted) resolve();
    });
  } finally {
    server.close();
    server.closeAllConnections();
  }
}

function serverOf(catalog: RestCatalog, onNote: (text: string) => void): Server {
  return createServer((request, response) => {
    const { method = '', url = '' } = request;
    const answering = isFromHere(request)
      ? catalog.answer(method, url).catch((error: unknown) => failed(error, onNote))
      : Promise.resolve(FOREIGN);
    void answering.then(({ status, body }) => {
      // The specification's success for HEAD is 204.
      const isBare = method === 'HEAD' && status === 200;
      response.writeHead(isBare ? 204 : status, {
        'content-type': 'application/json',
        'cache-control': 'no-store',
      });
      response.end(method === 'HEAD' ? undefined : JSON.stringify(body));
    });
  });
}

const FOREIGN = failure(
  403,
  'ForbiddenException',
  'The catalog answers programs on this machine, at http://127.0.0.1 or http://localhost.',
);

/** The client's user sees it, and who runs the catalog. */
function failed(thrown: unknown, onNote: (text: string) => void): CatalogAnswer {
  const error = asLonghaulError(thrown);
  onNote(errorText(error));
  const { code, message, hint, retryable } = errorObject(error);
  const text = `${code}: ${message} ${hint}`;
  return retryable
    ? failure(503, 'ServiceUnavailableException', text)
    : failure(500, 'InternalServerError', text);
}
