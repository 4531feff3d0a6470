/** Multistatus batch endpoints for Fastify 5. */
export { fastifyBatch } from "./fastifyBatch.ts"
export type { FastifyBatch } from "./fastifyBatch.ts"
