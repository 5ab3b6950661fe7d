import { serveThread } from '../thread.ts';
import { profileRange } from './profile-range.ts';

/** A range profiled in a thread of its own. */
await serveThread(profileRange);
