import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { crc32 } from 'node:zlib';
import fc from 'fast-check';
import { portalLab, textOf, type PortalLab } from './lab.ts';

/** A portal on this machine that a property test may slow down. */
export interface SlowPortal {
  address: string;
  setCap(records: number): void;
  /** Sets a function that the portal calls before each page. */
  onPage(act: (() => void) | undefined): void;
}

const RUNS = 12;

/** A landing that was interrupted at any pages, with pages of any size, has the SHA-256 of an uninterrupted one. */
export async function assertSameAfterKills(portal: SlowPortal, records: number): Promise<void> {
  const whole = await digestOf(portal, []);
  const kill = fc.record({
    cap: fc.integer({ min: Math.ceil(records / 20), max: records + 1 }),
    pages: fc.integer({ min: 1, max: 21 }),
  });
  await fc.assert(
    fc.asyncProperty(fc.array(kill, { maxLength: 4 }), async (kills) => {
      assert.equal(await digestOf(portal, kills), whole);
    }),
    { numRuns: RUNS },
  );
  portal.onPage(undefined);
}

async function digestOf(
  portal: SlowPortal,
  kills: readonly { cap: number; pages: number }[],
): Promise<string> {
  const lab = await portalLab();
  try {
    for (const { cap, pages } of kills) {
      portal.setCap(cap);
      const controller = new AbortController();
      let left = pages;
      portal.onPage(() => {
        left -= 1;
        if (left === 0) controller.abort(new Error('killed'));
      });
      await landOrEnd(lab, portal.address, controller.signal);
    }
    portal.onPage(undefined);
    const { csv, manifest } = await lab.land({ address: portal.address });
    assert.equal(manifest.portal?.records, manifest.scan.records);
    return createHash('sha256').update(csv).digest('hex');
  } finally {
    await lab.remove();
  }
}

async function landOrEnd(lab: PortalLab, address: string, signal: AbortSignal): Promise<void> {
  try {
    await lab.land({ address, signal });
  } catch (error) {
    assert.equal((error as Error).message, 'killed');
  }
}

/** The next attempt does not ask again for pages that an interrupted attempt has stored. */
export async function assertGoesOn(portal: SlowPortal, records: number): Promise<void> {
  const lab = await portalLab();
  const controller = new AbortController();
  let pages = 0;
  portal.setCap(Math.ceil(records / 10));
  portal.onPage(() => {
    pages += 1;
    if (pages === 8) controller.abort(new Error('killed'));
  });
  try {
    await landOrEnd(lab, portal.address, controller.signal);
    await lab.land({ address: portal.address });
    assert.ok(pages <= 8 + 5, `${pages} pages were asked for`);
  } finally {
    portal.onPage(undefined);
    await lab.remove();
  }
}

/** A landing that goes on at any byte, with another page size, gets the same bytes as a whole landing. */
export async function assertSameFromAnyByte(portal: SlowPortal, records: number): Promise<void> {
  const lab = await portalLab();
  const { address } = portal;
  const caps = fc.integer({ min: Math.ceil(records / 20), max: records + 1 });
  try {
    await fc.assert(
      fc.asyncProperty(
        caps,
        caps,
        fc.double({ min: 0, max: 1, noNaN: true }),
        async (one, other, share) => {
          portal.setCap(one);
          const first = await lab.open({ address });
          const whole = Buffer.from(await textOf(first));
          const offset = Math.max(1, Math.floor(share * whole.length));
          const crc = crc32(whole.subarray(0, offset));
          const { validator } = first;
          portal.setCap(other);
          const position = first.positionAt?.(offset);
          const rest = await lab.open({
            address,
            from: { validator, end: { bytes: offset, crc32: crc, position } },
          });
          assert.equal(rest.startOffset, position === undefined ? 0 : offset);
          assert.equal(await textOf(rest), whole.subarray(rest.startOffset).toString('utf8'));
        },
      ),
      { numRuns: 20 },
    );
  } finally {
    await lab.remove();
  }
}
