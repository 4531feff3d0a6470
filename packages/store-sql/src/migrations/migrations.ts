/**
 * What the store owns in a database: SQL texts, by dialect and in order.
 */
import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { idempotencyMigration } from "../idempotency/idempotencyMigration.ts"
import { jobMigration } from "../jobs/jobMigration.ts"
import { firstMysqlRowRoutine, mysqlRowRoutine } from "../rows/mysql/rowRoutine.ts"
import { quotaMigration } from "../quota/quotaMigration.ts"
import { currentRowRoutine } from "../rows/postgres/currentRowRoutine.ts"
import { postgresRowRoutine } from "../rows/postgres/rowRoutine.ts"

/** A migration: its name, which orders it, and its statements; each can be run again. @internal */
export interface StoreMigration {
  readonly name: string
  readonly statements: ReadonlyArray<string>
}

const idempotency = (dialect: DatabaseDialect): StoreMigration => ({
  name: "0003_idempotency",
  statements: idempotencyMigration[dialect],
})

const quota = (dialect: DatabaseDialect): StoreMigration => ({
  name: "0004_quota",
  statements: quotaMigration[dialect],
})

const jobs = (dialect: Exclude<DatabaseDialect, "mysql">): StoreMigration => ({
  name: "0005_jobs",
  statements: jobMigration[dialect],
})

const postgres: ReadonlyArray<StoreMigration> = [
  { name: "0001_rows", statements: [postgresRowRoutine] },
  idempotency("postgres"),
  quota("postgres"),
  jobs("postgres"),
  { name: "0006_rows", statements: [currentRowRoutine] },
]

/** @internal */
export const storeMigrations: Readonly<Record<DatabaseDialect, ReadonlyArray<StoreMigration>>> = {
  postgres,
  pglite: postgres,
  mysql: [
    { name: "0001_rows", statements: firstMysqlRowRoutine },
    {
      name: "0002_commit",
      statements: [
        `create table if not exists multistatus_commit (
          id char(36) character set ascii collate ascii_bin primary key, created_at datetime(3) not null, index (created_at)
        ) engine = innodb`,
      ],
    },
    idempotency("mysql"),
    quota("mysql"),
    { name: "0006_rows", statements: mysqlRowRoutine },
  ],
  sqlite: [idempotency("sqlite"), quota("sqlite"), jobs("sqlite")],
}
