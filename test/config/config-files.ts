import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { after } from 'node:test';
import { parseDatasets } from '../../src/config/load-datasets.ts';
import { LonghaulError, type ErrorCode } from '../../src/model/errors.ts';

export interface ConfigFolder {
  folder: string;
  /** Writes the files into a new folder. @returns its path. */
  folderWith: (files: Readonly<Record<string, string>>) => string;
}

/** Makes a folder for the tests of one file. */
export function configFolder(): ConfigFolder {
  const folder = mkdtempSync(join(tmpdir(), 'longhaul-config-'));
  after(() => {
    rmSync(folder, { recursive: true });
  });
  const folderWith = (files: Readonly<Record<string, string>>): string => {
    const cwd = mkdtempSync(join(folder, 'case-'));
    for (const [name, text] of Object.entries(files)) {
      mkdirSync(dirname(join(cwd, name)), { recursive: true });
      writeFileSync(join(cwd, name), text);
    }
    return cwd;
  };
  return { folder, folderWith };
}

/** @returns the error with this code that `act` throws. Fails if `act` throws another error or none. */
export function errorOf(act: () => unknown, code: ErrorCode): LonghaulError {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof LonghaulError && error.code === code, String(error));
    return error;
  }
  return assert.fail('nothing was thrown');
}

/** @returns the message that the user reads of the CONFIG_INVALID error which `act` throws. */
export function messageOf(act: () => unknown): string {
  return errorOf(act, 'CONFIG_INVALID').message;
}

/** @returns the problems of a datasets.yaml, each with its line: `d.yaml:3 …`. */
export function problemsOf(text: string): string[] {
  return parseDatasets(text, 'd.yaml').problems.map(({ where, message }) => `${where} ${message}`);
}
