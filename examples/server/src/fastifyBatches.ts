import { fastifyBatch } from "@multistatus/adapter-fastify"
import type { FastifyInstance } from "fastify"

import type { Configuration } from "./Configuration.ts"
import { actionOptions, batchOptions, headerRules, jobsPath } from "./batchOptions.ts"
import { tenantOf } from "./requestChecks.ts"
import type { Stores } from "./stores.ts"
import { userResource } from "./userResource.ts"
import type { Users } from "./Users.ts"

/** Mounts the batch endpoints on the Fastify application, which stops their jobs when it closes. */
export const mountBatches = async (
  app: FastifyInstance,
  users: Users,
  stores: Stores,
  configuration: Configuration,
): Promise<void> => {
  await app.register(fastifyBatch, {
    ...batchOptions(users, stores, configuration),
    tenant: ({ headers }) => tenantOf(headers),
  })
  const resource = userResource(users)
  const actions = actionOptions(stores, configuration)
  app.batch.bulk("/api/v1/users/bulk-create", resource, "create", actions)
  app.batch.bulk("/api/v1/users/bulk-update", resource, "update", actions)
  app.batch.bulk("/api/v1/users/bulk-delete", resource, "delete", actions)
  app.batch.operations("/api/v1/users/batch", resource, { ...actions, clientStrategies: ["atomic", "stop-after"] })
  app.batch.requests("/api/v1/batch", { clientStrategies: ["atomic"], headers: headerRules })
  app.batch.requests("/api/v1/$batch", { clientStrategies: ["atomic"], headers: headerRules, contentType: true })
  app.batch.jobs(jobsPath)
}
