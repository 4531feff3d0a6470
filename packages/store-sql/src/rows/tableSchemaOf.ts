import { mysqlTableSchema } from "./mysql/tableSchema.ts"
import { postgresTableSchema } from "./postgres/tableSchema.ts"
import type { Session } from "../database/Session.ts"
import { sqliteTableSchema } from "./sqlite/tableSchema.ts"
import type { TableSchema } from "./TableSchema.ts"

/** The cached schemas of each pool, by the quoted name of the table. */
const caches = new WeakMap<object, Map<string, TableSchema>>()

const cacheOf = ({ pool }: Session): Map<string, TableSchema> => {
  const cache = caches.get(pool) ?? new Map<string, TableSchema>()
  caches.set(pool, cache)
  return cache
}

/** Removes a table from the cache, so that the next call reads its schema again. @internal */
export const forgetTableSchema = (session: Session, quotedName: string): void =>
  void cacheOf(session).delete(quotedName)

/**
 * Returns the schema of a table, from the cache or, with `refresh`, from the database.
 *
 * @internal
 */
export const tableSchemaOf = async (
  session: Session,
  quotedName: string,
  { refresh = false }: { readonly refresh?: boolean } = {},
): Promise<TableSchema> => {
  const cache = cacheOf(session)
  const cached = cache.get(quotedName)
  if (cached !== undefined && !refresh) return cached
  const table = await readSchema[session.dialect](session, quotedName)
  if (table === undefined) {
    // This query fails with the database's own error for a missing table.
    await session.query(`select 1 from ${quotedName} where 1 = 0`, [])
    throw new Error(`The catalog does not list the table ${quotedName}: check its name and the privileges of the user`)
  }
  cache.set(quotedName, table)
  return table
}

const readSchema = {
  postgres: postgresTableSchema,
  pglite: postgresTableSchema,
  mysql: mysqlTableSchema,
  sqlite: sqliteTableSchema,
}
