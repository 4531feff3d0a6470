/**
 * Starts the reference server from its environment variables; `--help` lists them.
 */
import { parseArgs } from "node:util"

import { redactDatabaseUrl } from "@multistatus/store-sql"

import { type Configuration, readConfiguration } from "./Configuration.ts"
import { helpText } from "./helpText.ts"
import { startMessage } from "./startMessage.ts"
import { migrate, openTables } from "./Tables.ts"
import { Users } from "./Users.ts"
import { ConfigurationError } from "./Variable.ts"

const run = async (): Promise<void> => {
  const { values } = parseArgs({
    // pnpm passes on the `--` that separates its own arguments.
    args: process.argv.slice(2).filter((argument) => argument !== "--"),
    options: { help: { type: "boolean", short: "h", default: false } },
  })
  if (values.help) console.log(helpText())
  else await start(readConfiguration(process.env))
}

const start = async (configuration: Configuration): Promise<void> => {
  const database = await openMigrated(configuration)
  const host = await hosts[configuration.framework](new Users(database), configuration)
  const port = await host.listen(configuration.port).catch((error: unknown) => {
    const reason = portProblems.get(codeOf(error)) ?? messageOf(error)
    throw new ConfigurationError(`PORT=${configuration.port} is not available: ${reason}`)
  })

  const stop = async (): Promise<void> => {
    await host.close()
    await database.close()
    process.exit(0)
  }
  // Once, so that a second signal ends the process at once.
  process.once("SIGTERM", () => void stop())
  process.once("SIGINT", () => void stop())
  const origin = `http://127.0.0.1:${port}`
  console.log(`listening on ${origin}`)
  // Standard output has that one line, for programs that wait for it; the rest is for people.
  console.error(startMessage(origin, configuration))
}

const openMigrated = async (configuration: Configuration) => {
  const database = await openTables(configuration).catch((error: unknown) => {
    throw new ConfigurationError(
      `DATABASE_URL is not usable: ${messageOf(error)}. Check the URL, and that the database runs`,
    )
  })
  await migrate(database).catch((error: unknown) => {
    const url = redactDatabaseUrl(configuration.databaseUrl)
    throw new ConfigurationError(`DATABASE_URL=${url} is not usable: cannot create the tables: ${messageOf(error)}`)
  })
  return database
}

// Imported on demand, so that only one framework is loaded.
const hosts = {
  express: async (users: Users, configuration: Configuration) =>
    (await import("./expressHost.ts")).expressHost(users, configuration),
  fastify: async (users: Users, configuration: Configuration) =>
    (await import("./fastifyHost.ts")).fastifyHost(users, configuration),
}

const portProblems = new Map<unknown, string>([
  ["EADDRINUSE", "another process listens on it. Choose another port, or 0 for any free one"],
  ["EACCES", "this user may not listen on it. Choose a port above 1023"],
])

const codeOf = (error: unknown): unknown => (error instanceof Error && "code" in error ? error.code : undefined)

const messageOf = (error: unknown): string => (error instanceof Error ? error.message : String(error))

await run().catch((error: unknown) => {
  console.error(messageOf(error))
  process.exit(1)
})
