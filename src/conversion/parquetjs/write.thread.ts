import { serveThread } from '../thread.ts';
import { writeFile } from './write-file.ts';

/** A file written in a thread of its own. */
await serveThread(writeFile);
