import { defineQuery, defineSignal } from '@temporalio/workflow';
import type { EmrProgress } from '../model/emr.ts';
import type { RunProgress } from '../model/run.ts';

export const progressQuery = defineQuery<RunProgress>('progress');

/** From `convertOnEmr` to the run that started it, whenever something changes that a person sees. */
export const emrNews = defineSignal<[EmrProgress]>('emrNews');
