/**
 * Starts the reference server from its environment variables.
 */
import { redactDatabaseUrl } from "@multistatus/store-sql"

import { type Configuration, ConfigurationError, readConfiguration } from "./Configuration.ts"
import { migrate, openTables } from "./Tables.ts"
import { Users } from "./Users.ts"

const start = async (): Promise<void> => {
  const configuration = readConfiguration(process.env)
  const database = await openTables(configuration).catch((error: unknown) => {
    throw new ConfigurationError("DATABASE_URL", redactDatabaseUrl(configuration.databaseUrl), messageOf(error))
  })
  await migrate(database)
  const host = await hosts[configuration.framework](new Users(database), configuration)
  const port = await host.listen(configuration.port).catch((error: unknown) => {
    throw new ConfigurationError("PORT", String(configuration.port), reasons.get(codeOf(error)) ?? messageOf(error))
  })

  const stop = async (): Promise<void> => {
    await host.close()
    await database.close()
    process.exit(0)
  }
  // Once: a second signal ends the process at once, as it does where nobody listens.
  process.once("SIGTERM", () => void stop())
  process.once("SIGINT", () => void stop())
  console.log(`listening on http://127.0.0.1:${port}`)
  // Standard output has that one line.
  if (host.notice !== undefined) console.error(host.notice)
}

// Loaded on demand, so that a start pays for one framework only.
const hosts = {
  express: async (users: Users, configuration: Configuration) =>
    (await import("./expressHost.ts")).expressHost(users, configuration),
  fastify: async (users: Users, configuration: Configuration) =>
    (await import("./fastifyHost.ts")).fastifyHost(users, configuration),
}

const reasons = new Map<unknown, string>([
  ["EADDRINUSE", "another process listens there"],
  ["EACCES", "this user may not listen there"],
])

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

await start().catch((error: unknown) => {
  console.error(messageOf(error))
  process.exit(1)
})
