import assert from 'node:assert/strict';
import { join } from 'node:path';
import { test } from 'node:test';
import { loadConfig } from '../../src/config/load-config.ts';
import type { TemporalSettings } from '../../src/config/temporal-settings.ts';
import { configFolder, messageOf as configMessage } from './config-files.ts';

const SECRET = 'sekrit-of-the-profile';
const TOML = `[profile.default]
address = "ambient.example:7233"

[profile.cloud]
address = "lake.tmprl.cloud:7233"
namespace = "lake.a1b2c"
api_key = "${SECRET}"

[profile.mutual]
address = "own.example:7233"
namespace = "team"
grpc_meta = { "x-team" = "lake" }
[profile.mutual.tls]
client_cert_path = "client.pem"
client_key_path = "client.key"
server_name = "temporal.internal"

[profile.nowhere]
namespace = "team"
`;

const folder = configFolder().folderWith({
  'own.toml': TOML,
  'broken.toml': `[profile.cloud]\napi_key = "${SECRET}\n`,
  '.config/temporalio/temporal.toml': TOML,
  'client.pem': 'the certificate',
  'client.key': 'the key',
});

const pems = {
  TEMPORAL_TLS_CLIENT_CERT_PATH: 'client.pem',
  TEMPORAL_TLS_CLIENT_KEY_PATH: 'client.key',
};

function temporalOf(env: Record<string, string>): TemporalSettings {
  return loadConfig({ env: { HOME: folder, ...env }, cwd: folder }).settings.temporal;
}

function messageOf(env: Record<string, string>): string {
  const message = configMessage(() => temporalOf(env));
  assert.ok(!message.includes(SECRET));
  return message;
}

void test('a temporal.toml that no setting names changes nothing', () => {
  const { temporal, addresses } = loadConfig({ env: { HOME: folder }, cwd: folder }).settings;
  assert.deepEqual(temporal, {
    address: undefined,
    namespace: 'default',
    apiKey: undefined,
    tls: false,
    metadata: {},
  });
  assert.ok(addresses.fileMarks);
  const { apiKey, namespace } = temporalOf({ TEMPORAL_ADDRESS: 't.example:7233' });
  assert.deepEqual([apiKey, namespace], [undefined, 'default']);
});

void test('a chosen profile is used whole, from where Temporal keeps it or from the file that is named', () => {
  const files: Record<string, string>[] = [{}, { TEMPORAL_CONFIG_FILE: 'own.toml' }];
  for (const file of files) {
    const found = temporalOf({ TEMPORAL_PROFILE: 'cloud', ...file });
    assert.deepEqual(found, {
      address: 'lake.tmprl.cloud:7233',
      namespace: 'lake.a1b2c',
      apiKey: SECRET,
      tls: true,
      metadata: { 'temporal-namespace': 'lake.a1b2c' },
    });
  }
  const byFile = temporalOf({ TEMPORAL_CONFIG_FILE: 'own.toml' });
  assert.equal(byFile.address, 'ambient.example:7233');
});

void test('a configured server, by profile too, takes file: and private addresses away', () => {
  const env = { HOME: folder, TEMPORAL_PROFILE: 'cloud' };
  const { addresses } = loadConfig({ env, cwd: folder }).settings;
  assert.deepEqual(addresses, { allowPrivate: false });
});

void test('settings win over the profile', () => {
  const env = { TEMPORAL_PROFILE: 'cloud', TEMPORAL_NAMESPACE: 'mine', TEMPORAL_TLS: 'false' };
  const { namespace, tls, metadata } = temporalOf(env);
  assert.deepEqual([namespace, tls], ['mine', false]);
  assert.deepEqual(metadata, { 'temporal-namespace': 'mine' });
});

void test('certificates come from the profile, from settings, or from their text', () => {
  const cwd = process.cwd();
  process.chdir(folder);
  try {
    const { tls, metadata } = temporalOf({ TEMPORAL_PROFILE: 'mutual' });
    assert.deepEqual(withText(tls), {
      serverNameOverride: 'temporal.internal',
      clientCertPair: { crt: 'the certificate', key: 'the key' },
    });
    assert.deepEqual(metadata, { 'x-team': 'lake' });
  } finally {
    process.chdir(cwd);
  }
  const own = temporalOf({ TEMPORAL_ADDRESS: 't.example:7233', ...pems });
  const clientCertPair = { crt: 'the certificate', key: 'the key' };
  assert.deepEqual(withText(own.tls), { clientCertPair });
  const text = temporalOf({
    TEMPORAL_ADDRESS: 't.example:7233',
    TEMPORAL_TLS_SERVER_CA_CERT_DATA: 'a signer',
    TEMPORAL_GRPC_META_X_TEAM: 'lake',
  });
  assert.deepEqual(withText(text.tls), { serverRootCACertificate: 'a signer' });
  assert.deepEqual(Object.values(text.metadata), ['lake']);
});

/** TLS options that are set, each PEM as text. */
function withText(tls: TemporalSettings['tls']): unknown {
  const text = JSON.stringify(tls, (_, value: unknown) =>
    value instanceof Uint8Array ? Buffer.from(value).toString() : value,
  );
  return JSON.parse(text);
}

void test('a wrong profile or key is named with its file, and nothing of a profile’s secrets is shown', () => {
  const cases: [Record<string, string>, RegExp][] = [
    [
      { TEMPORAL_PROFILE: 'clowd' },
      /environment: there is no profile "clowd" in the temporal\.toml of .*: it has "default", "cloud", "mutual", "nowhere"/,
    ],
    [{ TEMPORAL_PROFILE: 'x', HOME: join(folder, 'none') }, /no profile "x" in .*: it has none/],
    [{ TEMPORAL_CONFIG_FILE: 'none.toml' }, /none\.toml cannot be read \(ENOENT/],
    [{ TEMPORAL_CONFIG_FILE: 'broken.toml' }, /broken\.toml is no valid TOML, line 2/],
    [{ TEMPORAL_PROFILE: 'nowhere' }, /the profile "nowhere" has no address/],
    [
      { TEMPORAL_ADDRESS: 't.example:7233', TEMPORAL_TLS_CLIENT_CERT_PATH: 'client.pem' },
      /TLS certificate has no key to go with it/,
    ],
    [
      { TEMPORAL_ADDRESS: 't.example:7233', ...pems, TEMPORAL_TLS_CLIENT_KEY_PATH: 'none.key' },
      /a TLS file cannot be read \(ENOENT: .*none\.key/,
    ],
  ];
  for (const [env, message] of cases) assert.match(messageOf(env), message);
});

void test('a worker’s addresses are on loopback unless they say otherwise, and versions come in pairs', () => {
  const of = (env: Record<string, string>) => loadConfig({ env, cwd: folder }).settings.worker;
  assert.equal(of({ METRICS_ADDRESS: '9464' }).metricsAddress, '127.0.0.1:9464');
  assert.equal(of({ METRICS_ADDRESS: '0.0.0.0:9464' }).metricsAddress, '0.0.0.0:9464');
  assert.equal(of({ WORKER_HEALTH_ADDRESS: '[::1]:80' }).healthAddress, '[::1]:80');
  assert.equal(of({}).healthAddress, undefined);
  assert.deepEqual(of({ WORKER_DEPLOYMENT_NAME: 'lake', WORKER_BUILD_ID: '1.2' }).version, {
    deploymentName: 'lake',
    buildId: '1.2',
  });
  assert.match(messageOf({ WORKER_BUILD_ID: '1.2' }), /go together/);
  assert.match(messageOf({ METRICS_ADDRESS: 'example.com' }), /METRICS_ADDRESS must be a port/);
  assert.match(messageOf({ WORKER_HEALTH_ADDRESS: '70000' }), /WORKER_HEALTH_ADDRESS must be/);
});
