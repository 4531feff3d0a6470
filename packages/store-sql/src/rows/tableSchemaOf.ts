import { mysqlTableSchema } from "./mysql/tableSchema.ts"
import { readVersion } from "./postgres/tableVersion.ts"
import { postgresTableSchema } from "./postgres/tableSchema.ts"
import type { Session } from "../database/Session.ts"
import { sqliteTableSchema } from "./sqlite/tableSchema.ts"
import type { TableSchema } from "./TableSchema.ts"

/** The cached schemas of tables that one name stands for, such as those of several schemas in `search_path`. */
interface CachedTables {
  /** The one that was used last. */
  last: TableSchema
  readonly byVersion: Map<string, TableSchema>
}

const maximumVersions = 1000

/** The cached schemas of each pool, by the quoted name of the table. */
const caches = new WeakMap<object, Map<string, CachedTables>>()

const cacheOf = ({ pool }: Session): Map<string, CachedTables> => {
  const cache = caches.get(pool) ?? new Map<string, CachedTables>()
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
  if (cached !== undefined && !refresh) return cached.last
  const table = await readSchema[session.dialect](session, quotedName)
  if (table === undefined) {
    // This query fails with the database's own error for a missing table.
    await session.query(`select 1 from ${quotedName} where 1 = 0`, [])
    throw new Error(`The catalog does not list the table ${quotedName}: check its name and the privileges of the user`)
  }
  const byVersion = cached?.byVersion ?? new Map<string, TableSchema>()
  if (byVersion.size >= maximumVersions) byVersion.clear()
  if (table.version !== undefined) byVersion.set(table.version, table)
  cache.set(quotedName, { last: table, byVersion })
  return table
}

/**
 * Returns the schema of the table that a name stands for now, after a statement found the cached one outdated.
 *
 * @internal
 */
export const currentTableSchema = async (session: Session, quotedName: string): Promise<TableSchema> => {
  const cached = cacheOf(session).get(quotedName)
  const version = await readVersion(session, quotedName)
  const known = version === undefined ? undefined : cached?.byVersion.get(version)
  if (cached === undefined || known === undefined) return tableSchemaOf(session, quotedName, { refresh: true })
  cached.last = known
  return known
}

const readSchema = {
  postgres: postgresTableSchema,
  pglite: postgresTableSchema,
  mysql: mysqlTableSchema,
  sqlite: sqliteTableSchema,
}
