import { expressBatch } from "@multistatus/adapter-express"
import type { Express } from "express"

import { tenantOf } from "./admission.ts"
import type { Configuration } from "./Configuration.ts"
import { actionOptions, batchOptions, headerRules, jobsPath, userResource } from "./userBatches.ts"
import { openStores, type Stores } from "./stores.ts"
import type { Users } from "./Users.ts"

/** Mounts the batch endpoints, and opens what they keep things in, on the Express application. */
export const mountBatches = async (app: Express, users: Users, configuration: Configuration): Promise<Stores> => {
  const stores = await openStores(users, configuration)
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
  const close = async () => {
    await batch.close()
    await stores.close()
  }
  return { ...stores, close }
}
