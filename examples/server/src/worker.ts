/**
 * Runs the jobs of the reference server in a process that answers no requests, from the same environment variables. It needs
 * a store that both see: `REDIS_URL`, or a `DATABASE_URL` of PostgreSQL.
 */
import { runWorker } from "@multistatus/core"
import { openDatabase } from "@multistatus/store-sql"

import { readConfiguration } from "./Configuration.ts"
import { openStores } from "./stores.ts"
import { migrate, type Tables } from "./Tables.ts"
import { actionOptions, batchOptions, userResource } from "./userBatches.ts"
import { Users } from "./Users.ts"

const start = async (): Promise<void> => {
  const configuration = readConfiguration(process.env)
  const database = await openDatabase<Tables>(configuration.databaseUrl)
  await migrate(database)
  const users = new Users(database)
  const stores = await openStores(users, configuration)
  if (configuration.redisUrl === undefined && database.dialect !== "postgres") {
    throw new Error("A worker shares its jobs with servers: set REDIS_URL, or a DATABASE_URL of PostgreSQL")
  }
  const resource = userResource(users)
  const actions = actionOptions(stores, configuration)
  // The names of the endpoints are those of the server's, so that jobs find them.
  const worker = runWorker({ ...batchOptions(users, stores, configuration), tenant: () => undefined }, (batch) => {
    for (const action of ["create", "update", "delete"]) batch.bulk(resource, action, actions)
    batch.operations(resource, { ...actions, clientStrategies: ["atomic", "stop-after"] })
  })
  process.once("SIGTERM", () => {
    const stop = async () => {
      await worker.close()
      await stores.close()
      await database.close()
      process.exit(0)
    }
    void stop()
  })
  console.log("working")
}

await start().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
