/**
 * Runs the jobs of the reference server in a process that serves no requests. It reads the same environment variables, and
 * needs a store that both processes reach: `REDIS_URL`, or a `DATABASE_URL` of PostgreSQL.
 */
import { runWorker } from "@multistatus/core"
import { readConfiguration } from "@multistatus/example-server/Configuration"
import { openStores } from "@multistatus/example-server/stores"
import { migrate, openTables } from "@multistatus/example-server/Tables"
import { actionOptions, batchOptions } from "@multistatus/example-server/batchOptions"
import { userResource } from "@multistatus/example-server/userResource"
import { Users } from "@multistatus/example-server/Users"

const start = async (): Promise<void> => {
  const configuration = readConfiguration(process.env)
  const database = await openTables(configuration)
  const isShared = configuration.store === "redis" || (configuration.store === "sql" && database.dialect === "postgres")
  if (!isShared) {
    throw new Error(
      "A worker needs a store that it shares with the server: set REDIS_URL, or DATABASE_URL to PostgreSQL",
    )
  }
  await migrate(database)
  const users = new Users(database)
  const stores = await openStores(users, configuration)
  const resource = userResource(users)
  const actions = actionOptions(stores, configuration)
  // These endpoints have the same names as on the server, because a job finds its endpoint by name.
  const worker = runWorker(batchOptions(users, stores, configuration), (batch) => {
    for (const action of ["create", "update", "delete"]) batch.bulk(resource, action, actions)
    batch.operations(resource, { ...actions, clientStrategies: ["atomic", "stop-after"] })
  })

  const stop = async (): Promise<void> => {
    await worker.close()
    await stores.close()
    await database.close()
    process.exit(0)
  }
  process.once("SIGTERM", () => void stop())
  process.once("SIGINT", () => void stop())
  console.log("working")
}

await start().catch((error: unknown) => {
  console.error(error instanceof Error ? error.message : String(error))
  process.exit(1)
})
