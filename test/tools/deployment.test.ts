import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { parse } from 'yaml';
import { loadConfig } from '../../src/config/load-config.ts';
import { SETTING_KEYS } from '../../src/config/setting-keys.ts';

interface Service {
  image?: string;
  restart?: string;
  depends_on?: Record<string, { condition: string }>;
  environment?: Record<string, string | number>;
  healthcheck?: { test: string[] };
  stop_grace_period?: string;
  ports?: string[];
  volumes?: string[];
}

const dockerfile = read('Dockerfile');
const compose = parse(read('docker-compose.yml')) as {
  services: Record<string, Service>;
  volumes: Record<string, null>;
};
const services = Object.entries(compose.services);
const worker = compose.services['worker'] ?? {};

function read(name: string): string {
  return readFileSync(new URL(`../../${name}`, import.meta.url), 'utf8');
}

/** Replaces `${NAME:-default}` by its default, as Docker does when NAME is not set. */
function withDefaults(environment: Service['environment'] = {}): Record<string, string> {
  const entries = Object.entries(environment).map(([key, value]) => [
    key,
    String(value).replaceAll(/\$\{\w+:-([^}]*)\}/g, '$1'),
  ]);
  return Object.fromEntries(entries) as Record<string, string>;
}

void describe('docker-compose.yml', () => {
  void it('pins every image by a whole version', () => {
    for (const [name, { image }] of services) {
      assert.match(image ?? '', /^[\w./-]+:v?\d+(?:\.\d+){1,2}$/, name);
    }
  });

  void it('starts in the order of health: each service that another waits for has a health check', () => {
    for (const [name, { depends_on: needs = {} }] of services) {
      for (const [other, { condition }] of Object.entries(needs)) {
        const needed = compose.services[other];
        assert.ok(needed, `${name} needs ${other}`);
        const ends = condition === 'service_completed_successfully';
        assert.ok(ends || condition === 'service_healthy', `${name} → ${other}`);
        if (ends) assert.equal(needed.restart, undefined, other);
        else assert.ok(needed.healthcheck, other);
      }
    }
    assert.deepEqual(Object.keys(worker.depends_on ?? {}), ['temporal', 'versitygw']);
  });

  void it('gives the worker settings that exist and are accepted', () => {
    const env = withDefaults(worker.environment);
    const unknown = Object.keys(env).filter(
      (key) => !Object.hasOwn(SETTING_KEYS, key) && !key.startsWith('AWS_'),
    );
    assert.deepEqual(unknown, []);
    const { temporal, lake, worker: settings } = loadConfig({ env, cwd: '/lake' }).settings;
    assert.equal(temporal.address, 'temporal:7233');
    assert.ok(lake.kind === 's3');
    assert.deepEqual([lake.bucket, lake.prefix, lake.pathStyle], ['lake', '', true]);
    const seconds = Number(/^(\d+)s$/.exec(worker.stop_grace_period ?? '')?.[1]);
    assert.ok(seconds * 1000 > settings.graceMs, 'a worker has time for its checkpoint');
  });

  void it('has the same credentials on both sides, and opens no port beyond this machine', () => {
    const gateway = withDefaults(compose.services['versitygw']?.environment);
    const env = withDefaults(worker.environment);
    assert.equal(env['AWS_ACCESS_KEY_ID'], gateway['ROOT_ACCESS_KEY']);
    assert.equal(env['AWS_SECRET_ACCESS_KEY'], gateway['ROOT_SECRET_KEY']);
    for (const [name, { ports = [] }] of services) {
      for (const port of ports) assert.match(port, /^127\.0\.0\.1:/, name);
    }
  });

  void it('keeps what lasts in volumes that it declares', () => {
    const used = services.flatMap(([, { volumes = [] }]) =>
      volumes.map((each) => each.split(':')[0] ?? '').filter((each) => !each.startsWith('.')),
    );
    assert.deepEqual([...new Set(used)].toSorted(), Object.keys(compose.volumes).toSorted());
  });
});

void describe('Dockerfile', () => {
  void it('builds on a pinned Node, does not run as root, and is asked for readiness', () => {
    const bases = Array.from(dockerfile.matchAll(/^FROM (\S+)/gm), ([, image]) => image);
    assert.ok(bases.length === 2 && new Set(bases).size === 1);
    assert.match(bases[0] ?? '', /^node:24\.\d+\.\d+-[a-z]+-slim$/);
    assert.match(dockerfile, /^USER node$/m);
    const address = /WORKER_HEALTH_ADDRESS=(\S+)/.exec(dockerfile)?.[1] ?? 'none';
    assert.ok(dockerfile.includes(`fetch('http://${address}/readyz')`));
    assert.equal(worker.environment?.['WORKER_HEALTH_ADDRESS'], address);
    assert.ok(worker.healthcheck?.test.at(-1)?.includes(`http://${address}/readyz`));
  });

  void it('copies only what .dockerignore lets through', () => {
    const allowed = read('.dockerignore')
      .split('\n')
      .filter((line) => line.startsWith('!'))
      .map((line) => line.slice(1));
    const copied = Array.from(dockerfile.matchAll(/^COPY (?!--from)(.+) \S+$/gm), ([, names]) =>
      (names ?? '').split(' '),
    ).flat();
    assert.deepEqual(copied.toSorted(), allowed.toSorted());
  });
});
