import { randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { stringify } from 'yaml';
import { Random } from '../generate/random.ts';
import { Commands, type Ended } from './commands.ts';
import { Gateway } from './gateway.ts';
import type { LakeFolders } from './lake-check.ts';
import { OriginProcess } from './origin-process.ts';
import { processesOf, signal, type Role } from './processes.ts';
import { publish, serve, type Published } from './publisher.ts';

export interface StormSettings {
  seed: number;
  iteration: number;
  target: 'disk' | 's3';
}

export const DATASET = 'things';
/** Every command ends much sooner, even on a busy machine. */
const COMMAND_LIMIT_MS = 240_000;
const REVIVE_LIMIT_MS = 60_000;
const REVIVE_INTERVAL_MS = 500;
/** Errors that no injected fault may cause. */
const UNFIT = new Set(['INTERNAL', 'LAKE_CORRUPT', 'LEDGER_UNBALANCED', 'RUN_UNKNOWN']);

/** The target of a storm: a folder with a publisher, a user's settings, and a lake or an S3 gateway with the lake. */
export class Lab {
  readonly folder: string;
  /** The key of the environment and the signature of the publisher's redirect. No file may hold either. */
  readonly secrets: readonly [string, string] = [newSecret(), newSecret()];
  readonly problems: string[] = [];
  /** Events with their times. */
  readonly timeline: string[] = [];
  readonly gateway: Gateway | undefined;
  readonly #settings: StormSettings;
  readonly #origin: OriginProcess;
  readonly #startedAtMs = performance.now();
  #commands: Commands | undefined;
  #sources: Published[] = [];

  private constructor(settings: StormSettings, folder: string) {
    const [key, signature] = this.secrets;
    this.#settings = settings;
    this.folder = folder;
    this.#origin = new OriginProcess(join(folder, 'publisher'), this.random('origin'), signature);
    this.gateway = settings.target === 's3' ? new Gateway(folder, key) : undefined;
  }

  static async create(settings: StormSettings): Promise<Lab> {
    return new Lab(settings, await mkdtemp(join(tmpdir(), 'longhaul-chaos-')));
  }

  async open(): Promise<void> {
    await mkdir(join(this.folder, 'tmp'));
    const long = this.gateway !== undefined;
    this.#sources = await publish(join(this.folder, 'publisher'), this.random('files'), { long });
    await this.gateway?.start();
    await this.#origin.start();
    const sources = this.#sources.map(({ id }) => ({ id, address: this.#origin.address(id) }));
    const datasets = { [DATASET]: { time_zone: 'America/Denver', sources } };
    await writeFile(join(this.folder, 'datasets.yaml'), stringify({ datasets }));
    for (const { id, manners } of this.#sources) this.note(`${id}: ${JSON.stringify(manners)}`);
    const env = { AWS_SECRET_ACCESS_KEY: this.secrets[0], ...this.gateway?.env() };
    this.#commands = new Commands(this.folder, env);
  }

  get sources(): readonly Published[] {
    return this.#sources;
  }

  get lake(): LakeFolders {
    const data = join(this.folder, 'data');
    const disk = { raw: join(data, 'takehome-raw'), converted: join(data, 'takehome-converted') };
    return this.gateway?.folders() ?? disk;
  }

  async run(...args: string[]): Promise<Ended> {
    if (!this.#commands) throw new Error('The lab is not open.');
    const ended = await this.#commands.run(args, COMMAND_LIMIT_MS);
    const { code, message, codes, log } = ended;
    this.note(`longhaul ${args[0]} → ${code}${code === 0 ? '' : `: ${message} (${log})`}`);
    const unfit = codes.find((each) => UNFIT.has(each));
    if (unfit !== undefined) this.problems.push(`longhaul ${args[0]} reported ${unfit}: ${log}`);
    if (code === 'endless') throw new Error(`longhaul ${args.join(' ')} did not end: ${log}`);
    return ended;
  }

  /** Starts a killed server again at its port. Another process's connection may hold the port for a while. */
  async revive(role: Role): Promise<void> {
    for (const limit = performance.now() + REVIVE_LIMIT_MS; ;) {
      try {
        await (role === 'gateway' ? this.gateway?.start() : this.#origin.start());
        this.note(`the ${role} is back`);
        return;
      } catch (error) {
        if (performance.now() > limit) throw error;
        await sleep(REVIVE_INTERVAL_MS);
      }
    }
  }

  /** Gives a file of the publisher another version. */
  async replace(choice: number): Promise<void> {
    const source = this.#sources[choice % this.#sources.length];
    if (!source) return;
    const version = Math.floor(choice / this.#sources.length) % source.versions.length;
    await serve(join(this.folder, 'publisher'), source.id, version);
    this.note(`the publisher has version ${version} of ${source.id}`);
  }

  /** Makes the publisher behave well from now on. */
  async endFaults(): Promise<void> {
    await writeFile(join(this.folder, 'publisher', 'calm'), '');
    this.note('the storm is over');
  }

  async stopServers(): Promise<void> {
    await this.#origin.stop();
    await this.gateway?.stop();
  }

  /** Kills the processes that still belong to this folder, and so to this lab. */
  async close(): Promise<void> {
    await this.stopServers().catch(() => undefined);
    for (const { pid } of processesOf(this.folder)) signal(pid, 'SIGKILL');
  }

  /** Each use has its own stream of numbers, so that the timing of one does not change another. */
  random(use: string): Random {
    return new Random(this.#settings.seed, `${use} of iteration ${this.#settings.iteration}`);
  }

  note(what: string): void {
    const seconds = (performance.now() - this.#startedAtMs) / 1000;
    this.timeline.push(`${seconds.toFixed(2).padStart(7)} s  ${what}`);
  }
}

function newSecret(): string {
  return `canary${randomBytes(12).toString('hex')}`;
}
