import { prepareCsv } from './prepare.ts';
import { serveThread } from './thread.ts';

/** A range prepared in a thread of its own. */
await serveThread(prepareCsv);
