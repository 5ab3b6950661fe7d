import { mkdir, statfs, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

export type HadoopConfiguration = Readonly<Record<string, string>>;

export interface HdfsPlaces {
  /** Configuration, logs, and all the data. */
  folder: string;
  rpcPort: number;
  httpPort: number;
  /** What all files may take together; undefined: what the disk has. */
  capacityBytes: number | undefined;
}

/** What a client needs to know of an HDFS. */
export function clientConfiguration(uri: string): Record<string, string> {
  return {
    'fs.defaultFS': uri,
    'dfs.replication': '1',
    'dfs.client.use.datanode.hostname': 'true',
    // With one DataNode there is none to put in its place.
    'dfs.client.block.write.replace-datanode-on-failure.enable': 'false',
  };
}

/** Writes what NameNode and DataNode read from their class path. @returns that folder. */
export async function writeHdfsConfiguration(places: HdfsPlaces): Promise<string> {
  const conf = join(places.folder, 'conf');
  await mkdir(conf, { recursive: true });
  const { hdfs, core } = await configurationOf(places);
  await writeFile(join(conf, 'core-site.xml'), toXml(core));
  await writeFile(join(conf, 'hdfs-site.xml'), toXml(hdfs));
  await writeFile(join(conf, 'log4j.properties'), LOG4J);
  return conf;
}

/** As Hadoop reads it. */
export function toXml(configuration: HadoopConfiguration): string {
  const properties = Object.entries(configuration).map(
    ([name, value]) =>
      `<property><name>${escaped(name)}</name><value>${escaped(value)}</value></property>\n`,
  );
  return `<?xml version="1.0"?>\n<configuration>\n${properties.join('')}</configuration>\n`;
}

export const LOG4J = [
  'log4j.rootLogger=INFO,console',
  'log4j.appender.console=org.apache.log4j.ConsoleAppender',
  'log4j.appender.console.target=System.err',
  'log4j.appender.console.layout=org.apache.log4j.PatternLayout',
  'log4j.appender.console.layout.ConversionPattern=%d{ISO8601} %p %c: %m%n',
  // Each request of WebHDFS, with its path.
  'log4j.logger.http.requests=WARN',
  '',
].join('\n');

async function configurationOf({
  folder,
  rpcPort,
  httpPort,
  capacityBytes,
}: HdfsPlaces): Promise<Record<'core' | 'hdfs', HadoopConfiguration>> {
  const client = clientConfiguration(`hdfs://${LOOPBACK}:${rpcPort}`);
  const core = {
    ...client,
    'hadoop.tmp.dir': join(folder, 'tmp'),
    // The DataNode starts beside the NameNode and is there first. When it has given up it sleeps for 5 s.
    'ipc.client.connect.retry.interval': '200',
    'ipc.client.connect.max.retries': String(CONNECT_RETRIES),
    'hadoop.http.staticuser.user': 'hadoop',
  };
  const hdfs = {
    // Here, since the defaults of this file would come after core-site.xml.
    ...client,
    'dfs.namenode.name.dir': `file://${join(folder, 'name')}`,
    'dfs.datanode.data.dir': `file://${join(folder, 'data')}`,
    'dfs.permissions.enabled': 'false',
    'dfs.webhdfs.enabled': 'true',
    'dfs.namenode.rpc-bind-host': LOOPBACK,
    'dfs.namenode.http-address': `${LOOPBACK}:${httpPort}`,
    'dfs.datanode.address': `${LOOPBACK}:0`,
    'dfs.datanode.http.address': `${LOOPBACK}:0`,
    'dfs.datanode.ipc.address': `${LOOPBACK}:0`,
    'dfs.datanode.hostname': LOOPBACK,
    'dfs.datanode.use.datanode.hostname': 'true',
    // Nothing to wait for: there is one DataNode, and at first no block.
    'dfs.namenode.safemode.extension': '0',
    // A lost DataNode is of no use here; a heartbeat brings a new one's space at once.
    'dfs.heartbeat.interval': '1',
    ...(await capacityOf(folder, capacityBytes)),
  };
  return { core, hdfs };
}

const LOOPBACK = '127.0.0.1';
/** Two minutes: a NameNode on a busy machine. */
const CONNECT_RETRIES = 600;

/** A DataNode knows no size of its own: it leaves free what is reserved. */
async function capacityOf(
  folder: string,
  capacityBytes: number | undefined,
): Promise<HadoopConfiguration> {
  if (capacityBytes === undefined) return {};
  const { blocks, bsize } = await statfs(folder);
  return {
    'dfs.datanode.du.reserved': String(Math.max(0, blocks * bsize - capacityBytes)),
    // A block that is begun counts whole, so blocks have to be small beside the capacity.
    'dfs.blocksize': String(SMALL_BLOCK_BYTES),
    'dfs.namenode.fs-limits.min-block-size': '0',
  };
}

const SMALL_BLOCK_BYTES = 1024 * 1024;

function escaped(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
