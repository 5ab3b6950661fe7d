/** What commands use of Temporal on this machine: one server and worker for each state folder. Its process is `host.ts`. */
export { findEmbedded, pinEmbedded, stopEmbedded, type StopResult } from './host-link.ts';
export {
  joinEmbedded,
  type EmbeddedAddress,
  type EmbeddedServer,
  type JoinOptions,
} from './join.ts';
