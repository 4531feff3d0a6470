/** Multistatus batch endpoints for Fastify 5. */
// oxlint-disable-next-line import/no-unassigned-import -- first, so that an old version of Node.js fails with a sentence
import "@multistatus/node-exchange"

export { fastifyBatch } from "./fastifyBatch.ts"
export type { FastifyBatch } from "./fastifyBatch.ts"
