import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { EmrNews } from '../model/emr.ts';
import type { RunProgress } from '../model/run.ts';

export const progressQuery = defineQuery<RunProgress>('progress');

/** Before a cancellation: what was downloaded is thrown away, instead of kept for the next run of the day. */
export const discardDownloads = defineSignal('discardDownloads');

/** From `convertOnEmr` to the run that started it, whenever something changes that a person sees. */
export const emrNews = defineSignal<[EmrNews]>('emrNews');
