import { profileRange } from './profile-file.ts';
import { serveThread } from './thread.ts';

/** A range profiled in a thread of its own. */
await serveThread(profileRange);
