import { freshDatabase } from "@multistatus/test-services"
import { openDatabase } from "@multistatus/store-sql"
import { inject } from "vitest"

import { migrate, type Tables } from "../src/Tables.ts"

/** URLs of empty databases, one maker for each kind. */
export const databases = {
  sqlite: async () => "sqlite::memory:",
  pglite: async () => "pglite::memory:",
  postgres: () => freshDatabase(inject("postgresUrl")),
  mariadb: () => freshDatabase(inject("mariadbUrl")),
}

/** Opens an empty database with the tables in it. */
export const openTables = async (kind: keyof typeof databases) => {
  const database = await openDatabase<Tables>(await databases[kind]())
  await migrate(database)
  return database
}
