import { expressBatch } from "@multistatus/adapter-express"
import type { Express } from "express"

import type { Configuration } from "./Configuration.ts"
import { actionOptions, batchOptions, headerRules, jobsPath } from "./batchOptions.ts"
import { tenantOf } from "./requestChecks.ts"
import type { Stores } from "./stores.ts"
import { userResource } from "./userResource.ts"
import type { Users } from "./Users.ts"

/** Mounts the batch endpoints on the Express application; `close` stops their jobs. */
export const mountBatches = (
  app: Express,
  users: Users,
  stores: Stores,
  configuration: Configuration,
): { readonly close: () => Promise<void> } => {
  const batch = expressBatch({
    ...batchOptions(users, stores, configuration),
    tenant: ({ headers }) => tenantOf(headers),
  })
  const resource = userResource(users)
  const actions = actionOptions(stores, configuration)
  const endpoints = {
    "/api/v1/users/bulk-create": batch.bulk(resource, "create", actions),
    "/api/v1/users/bulk-update": batch.bulk(resource, "update", actions),
    "/api/v1/users/bulk-delete": batch.bulk(resource, "delete", actions),
    "/api/v1/users/batch": batch.operations(resource, { ...actions, clientStrategies: ["atomic", "stop-after"] }),
    "/api/v1/batch": batch.requests(app, { clientStrategies: ["atomic"], headers: headerRules }),
    "/api/v1/$batch": batch.requests(app, { clientStrategies: ["atomic"], headers: headerRules, contentType: true }),
  }
  for (const [path, endpoint] of Object.entries(endpoints)) {
    const route = path.replace("$", "\\$")
    app.post(route, endpoint)
    app.get(`${route}/describe`, endpoint.describe)
  }
  app.use(jobsPath, batch.jobs)
  return { close: () => batch.close() }
}
