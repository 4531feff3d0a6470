/** Multistatus batch endpoints for Express 4 and 5. */
export { expressBatch } from "./expressBatch.ts"
export type { ExpressBatch, ExpressBatchHandler, ExpressRequestsOptions } from "./expressBatch.ts"
export type { ExpressApplication } from "./expressExchange.ts"
