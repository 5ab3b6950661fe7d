/** Temporal on this machine, for first use and tests: one server and worker for each state folder. */
export { runHost } from './host.ts';
export {
  joinEmbedded,
  type EmbeddedAddress,
  type EmbeddedServer,
  type JoinOptions,
} from './join.ts';
export {
  findEmbedded,
  pinEmbedded,
  stopEmbedded,
  type EmbeddedInfo,
  type StopResult,
} from './stop.ts';
