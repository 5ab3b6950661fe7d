import assert from 'node:assert/strict';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { describe, it } from 'node:test';
import { HdfsUnreachable, parseListing, WebHdfs, webHdfsBase } from '../../src/emr/webhdfs.ts';

type Answer = (request: IncomingMessage, response: ServerResponse) => void;

async function withServer(answer: Answer, body: (base: string) => Promise<void>): Promise<void> {
  const server = createServer(answer);
  await new Promise<void>((resolve) => {
    server.listen(0, '127.0.0.1', resolve);
  });
  const { port } = server.address() as AddressInfo;
  try {
    await body(`http://127.0.0.1:${port}/proxy`);
  } finally {
    server.closeAllConnections();
    await new Promise((resolve) => {
      server.close(resolve);
    });
  }
}

async function using<T>(base: string, act: (hdfs: WebHdfs) => Promise<T>): Promise<T> {
  const hdfs = new WebHdfs(base);
  try {
    return await act(hdfs);
  } finally {
    await hdfs.close();
  }
}

describe('WebHDFS', () => {
  it('reads a range from wherever the NameNode sends it on the same machine', async () => {
    const asked: string[] = [];
    await withServer(
      (request, response) => {
        const url = new URL(request.url ?? '', 'http://x');
        asked.push(`${url.pathname} ${url.searchParams.get('op')}`);
        if (url.pathname.startsWith('/proxy/')) {
          const port = request.socket.localPort;
          const location = `http://localhost:${port}/node${url.search}`;
          response.writeHead(307, { location }).end();
          return;
        }
        const offset = Number(url.searchParams.get('offset'));
        const length = Number(url.searchParams.get('length'));
        response.end('0123456789'.slice(offset, offset + length));
      },
      async (base) => {
        const bytes = await using(
          base,
          async (hdfs) => await hdfs.readRange('/a b/ü?.parquet', 2, 5),
        );
        assert.equal(bytes.toString(), '234');
        assert.deepEqual(asked, ['/proxy/webhdfs/v1/a%20b/%C3%BC%3F.parquet OPEN', '/node OPEN']);
      },
    );
  });

  it('is led to no other machine', async () => {
    for (const location of [
      'http://169.254.169.254/latest/meta-data/',
      'http://10.0.0.7:9864/x',
      'file:///etc/passwd',
      'not an address:',
    ]) {
      await withServer(
        (_request, response) => response.writeHead(307, { location }).end(),
        async (base) => {
          const reading = using(base, async (hdfs) => await hdfs.readRange('/x', 0, 1));
          await assert.rejects(reading, HdfsUnreachable, location);
        },
      );
    }
  });

  it('that sends on and on, refuses, or is not there is out of reach, and no error of the run', async () => {
    const answers: Answer[] = [
      (_request, response) => response.writeHead(307, { location: '/proxy/again' }).end(),
      (_request, response) => response.writeHead(403).end(),
      (_request, response) => response.writeHead(500).end(),
      (_request, response) => response.end('<html>'),
      (request) => request.socket.destroy(),
    ];
    for (const answer of answers) {
      await withServer(answer, async (base) => {
        const listing = using(base, async (hdfs) => await hdfs.list('/x'));
        await assert.rejects(listing, HdfsUnreachable);
      });
    }
    const refused = using('http://127.0.0.1:1', async (hdfs) => await hdfs.list('/x'));
    await assert.rejects(refused, HdfsUnreachable);
  });

  it('knows what is not there', async () => {
    await withServer(
      (_request, response) => response.writeHead(404).end('{}'),
      async (base) => {
        await using(base, async (hdfs) => {
          assert.equal(await hdfs.list('/x'), undefined);
          assert.equal(await hdfs.size('/x'), undefined);
          await hdfs.deleteFolder('/x');
        });
      },
    );
  });

  it('distinguishes files from folders', () => {
    const status = (pathSuffix: string, type: string, length: number): object => ({
      ...{ pathSuffix, type, length, owner: 'hadoop' },
    });
    const FileStatus = [status('part-00000.parquet', 'FILE', 7), status('x', 'DIRECTORY', 0)];
    assert.deepEqual(parseListing(JSON.stringify({ FileStatuses: { FileStatus } })), [
      { name: 'part-00000.parquet', bytes: 7, isFolder: false },
      { name: 'x', bytes: 0, isFolder: true },
    ]);
    for (const text of ['', '[]', 'null', '{"FileStatuses":{"FileStatus":[{}]}}']) {
      assert.throws(() => parseListing(text), HdfsUnreachable);
    }
  });

  it('of a cluster is where the setting says', () => {
    const cluster = { id: 'j-1', master: 'ip-10-0-0-1.internal' };
    assert.equal(webHdfsBase('http://{master}:9870', cluster), 'http://ip-10-0-0-1.internal:9870');
    assert.equal(
      webHdfsBase('http://localhost:1/hdfs/{cluster}', cluster),
      'http://localhost:1/hdfs/j-1',
    );
    assert.equal(webHdfsBase('http://{master}:9870', { id: 'j-1', master: undefined }), undefined);
  });
});
