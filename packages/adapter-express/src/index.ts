/** Multistatus batch endpoints for Express 4 and 5. */
// oxlint-disable-next-line import/no-unassigned-import -- first, so that an old version of Node.js fails with a sentence
import "@multistatus/node-exchange"

export { expressBatch } from "./expressBatch.ts"
export type { ExpressBatch, ExpressBatchHandler, ExpressRequestsOptions } from "./expressBatch.ts"
export type { ExpressApplication } from "./expressExchange.ts"
