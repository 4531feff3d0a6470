/** Helpers for tests of adapters: they send the same request over a socket and through an exchange. */
export {
  comparablePart,
  type ComparisonServer,
  type ReceivedResponse,
  startComparisonServer,
} from "./ComparisonServer.ts"
