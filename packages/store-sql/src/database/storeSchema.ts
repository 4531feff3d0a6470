/**
 * Checks that a database has the tables and routines of a store, as this release knows them.
 */
import type { DatabaseDialect } from "./DatabaseUrl.ts"
import type { Session } from "./Session.ts"

/** What a store needs in its database. @internal */
export interface StoreSchema {
  readonly table: string
  /** The latest migration that the store needs. */
  readonly migration: string
}

/**
 * The number of the latest migration of this release. A database may have later ones: a newer release runs beside this one.
 *
 * @internal
 */
export const latestMigration = 7

/** The end of the name of a migration after which older releases must not use the database. @internal */
export const breakingSuffix = "_breaking"

/**
 * Rejects with an error that says how to fix the database if it lacks the schema of a store, or if a newer release has
 * changed it in a way that this release does not understand.
 *
 * @internal
 */
export const checkStoreSchema = async (session: Session, { table, migration }: StoreSchema): Promise<void> => {
  const explained = explainMissingSchema(session)
  await explained.query(`select 1 from ${table} where 1 = 0`, [])
  const names = await migrationNames(session)
  if (names === undefined) return
  if (!names.includes(migration)) {
    throw new Error(
      `The schema of ${table} is older than this release of @multistatus/store-sql: ${runMigrate(session.dialect)}`,
    )
  }
  const breaking = names.find((name) => name.endsWith(breakingSuffix) && Number.parseInt(name, 10) > latestMigration)
  if (breaking === undefined) return
  throw new Error(
    `The database was migrated by a newer release of @multistatus/store-sql (${breaking}), whose tables this release cannot use: ` +
      "deploy that release or a later one",
  )
}

// Undefined if the statements of `migrate` were run by another tool.
const migrationNames = async (session: Session): Promise<ReadonlyArray<string> | undefined> => {
  try {
    return (await session.query("select name from multistatus_migration", [])).map(({ name }) => String(name))
  } catch (error) {
    if (isMissing(error)) return undefined
    throw error
  }
}

/**
 * Returns a session whose errors for a missing table or routine say that `migrate` must be run.
 *
 * @internal
 */
export const explainMissingSchema = (session: Session): Session => {
  const explain = (error: unknown): never => {
    if (!isMissing(error)) throw error
    throw new Error(`The database lacks a table or routine of @multistatus/store-sql: ${runMigrate(session.dialect)}`, {
      cause: error,
    })
  }
  return {
    ...session,
    run: (text, parameters) => session.run(text, parameters).catch(explain),
    query: (text, parameters) => session.query(text, parameters).catch(explain),
    atomically: (work) => session.atomically((inside) => work(explainMissingSchema(inside))),
  }
}

const runMigrate = (dialect: DatabaseDialect): string => `run migrate(db, "${dialect}") at deployment`

// SQLSTATE (PostgreSQL, PGlite): undefined table, column and function, invalid schema name.
const sqlStates = new Set<unknown>(["42P01", "42703", "42883", "3F000"])

// MySQL and MariaDB: no such table, unknown column, no such procedure.
const mysqlNumbers = new Set<unknown>([1146, 1054, 1305])

const isMissing = (error: unknown): boolean => {
  if (!(error instanceof Error)) return false
  const { code, errno } = error as { code?: unknown; errno?: unknown }
  return (
    sqlStates.has(code) || mysqlNumbers.has(errno) || /^no such (table|column)|^no column named/.test(error.message)
  )
}
