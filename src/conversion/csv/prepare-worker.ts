import { serveThread } from '../thread.ts';
import { prepareCsv } from './prepare.ts';

/** A range prepared in a thread of its own. */
await serveThread(prepareCsv);
