import type { Configuration } from "./Configuration.ts"
import { dataPlaces } from "./dataPlaces.ts"
import { exampleCommand } from "./endpoints.ts"

/** The text that the server prints when it is ready: what there is to call, and where data are stored. */
export const startMessage = (origin: string, configuration: Configuration): string =>
  [
    `Multistatus reference server on ${configuration.framework === "express" ? "Express" : "Fastify"}. The API key is demo (X-Api-Key: demo).`,
    "  POST /api/v1/users/bulk-create, bulk-update, bulk-delete   one action on many users",
    "  POST /api/v1/users/batch                                   mixed actions on users",
    "  POST /api/v1/batch                                         many requests in one",
    "  GET  /                                                     all endpoints",
    ...dataPlaces(configuration).map(({ data, place }) => `${data}: ${place}`),
    "Try it:",
    exampleCommand(origin),
  ].join("\n")
