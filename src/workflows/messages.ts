import { defineQuery } from '@temporalio/workflow';
import type { RunProgress } from '../model/run.ts';

export const progressQuery = defineQuery<RunProgress>('progress');
