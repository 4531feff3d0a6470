/** Creates and updates the tables and routines of the store. */
import { setTimeout as delay } from "node:timers/promises"

import { type Kysely, sql } from "kysely"
import { type Migration, Migrator } from "kysely/migration"

import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { checkKysely } from "../transactions/checkKysely.ts"
import { storeMigrations } from "./migrations.ts"

const attempts = 5

/**
 * Creates and updates the tables of the store, and the routines that isolate failing rows.
 *
 * **Details** Migrations that have run are recorded in `multistatus_migration`, apart from those of the application. Running it
 * again changes nothing, and several processes may run it at once. On PostgreSQL and MySQL the user needs the right to create
 * functions or procedures in the current schema; afterwards only the right to execute them.
 */
export const migrate = async <DB>(db: Kysely<DB>, dialect: DatabaseDialect): Promise<void> => {
  checkKysely(db, "The first argument of migrate")
  if (!Object.hasOwn(storeMigrations, dialect)) {
    const dialects = Object.keys(storeMigrations).join(", ")
    throw new TypeError(
      `The second argument of migrate must be the dialect (${dialects}), but is ${String(dialect)}: pass "dialect" of openDatabase(url)`,
    )
  }
  for (let attempt = 1; ; attempt++) {
    const { error } = await migratorOf(db, dialect).migrateToLatest()
    if (error === undefined) return
    // Another process may have run the same migration: then the next attempt finds it recorded.
    if (attempt === attempts) throw error
    await delay(attempt * 20 + Math.random() * 50)
  }
}

const migratorOf = <DB>(db: Kysely<DB>, dialect: DatabaseDialect): Migrator => {
  const migrations = storeMigrations[dialect].map(({ name, statements }): [string, Migration] => [
    name,
    {
      up: async (on) => {
        for (const statement of statements) await sql.raw(statement).execute(on)
      },
    },
  ])
  return new Migrator({
    db: db.withoutPlugins(),
    provider: { getMigrations: async () => Object.fromEntries(migrations) },
    migrationTableName: "multistatus_migration",
    migrationLockTableName: "multistatus_migration_lock",
  })
}
