import type { Context } from '@temporalio/activity';
import type { ActivityInterceptors } from '@temporalio/worker';

/** The dataset and source of an activity, for its logs and metrics; absent where it is about none. */
interface Subject {
  dataset?: string;
  source?: string;
  ingestDate?: string;
}

/**
 * Puts what an activity is about on all that it logs and measures, and logs its end.
 * @param onDone gets the name of each activity that has ended well.
 */
export function activityTelemetry(
  { info, log }: Context,
  onDone: (activity: string) => void,
): ActivityInterceptors {
  let subject: Subject = {};
  return {
    inbound: {
      execute: async (input, next) => {
        subject = subjectOf(input.args[0]);
        const startedAtMs = performance.now();
        log.debug(`${info.activityType} started`);
        const result: unknown = await next(input);
        const seconds = Math.round(performance.now() - startedAtMs) / 1000;
        // The SDK logs a failure itself.
        log.info(`${info.activityType} done`, { seconds });
        onDone(info.activityType);
        return result;
      },
    },
    outbound: {
      getLogAttributes: (input, next) => next({ ...input, ...subject }),
      getMetricTags: (input, next) => {
        const { dataset, source } = subject;
        return next({ ...input, ...(dataset && { dataset }), ...(source && { source }) });
      },
    },
  };
}

/** By the shape that all inputs share: a dataset or its name, a source. Ids and names only: an address may be long. */
function subjectOf(input: unknown): Subject {
  if (typeof input !== 'object' || input === null) return {};
  const { dataset, source, ingestDate } = input as Record<string, unknown>;
  const subject: Subject = {};
  const name = textAt(dataset, 'name') ?? (typeof dataset === 'string' ? dataset : undefined);
  const id = textAt(source, 'id');
  if (name !== undefined) subject.dataset = name;
  if (id !== undefined) subject.source = id;
  if (typeof ingestDate === 'string') subject.ingestDate = ingestDate;
  return subject;
}

function textAt(value: unknown, key: string): string | undefined {
  if (typeof value !== 'object' || value === null) return undefined;
  const found = (value as Record<string, unknown>)[key];
  return typeof found === 'string' ? found : undefined;
}
