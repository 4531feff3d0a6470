/** The migrations of the store: SQL texts, by dialect and in order. A migration that was released never changes. */
import type { DatabaseDialect } from "../database/DatabaseUrl.ts"
import { idempotencyMigration } from "../idempotency/idempotencyMigration.ts"
import { jobMigration, jobOutcomesMigration } from "../jobs/jobMigration.ts"
import { firstMysqlRowRoutine, mysqlRowRoutine } from "../rows/mysql/rowRoutine.ts"
import { quotaMigration } from "../quota/quotaMigration.ts"
import { currentRowRoutine } from "../rows/postgres/currentRowRoutine.ts"
import { postgresRowRoutine } from "../rows/postgres/rowRoutine.ts"

/**
 * A migration. It runs in one transaction, but on MySQL, where each statement must be repeatable.
 *
 * @internal
 */
export interface StoreMigration {
  /** Migrations run in the order of their names. */
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

const jobs = (dialect: Exclude<DatabaseDialect, "mysql">): ReadonlyArray<StoreMigration> => [
  { name: "0005_jobs", statements: jobMigration[dialect] },
  { name: "0006_job_outcomes", statements: jobOutcomesMigration[dialect] },
]

const postgres: ReadonlyArray<StoreMigration> = [
  { name: "0001_rows", statements: [postgresRowRoutine] },
  idempotency("postgres"),
  quota("postgres"),
  ...jobs("postgres"),
  { name: "0007_rows", statements: [currentRowRoutine] },
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
    { name: "0007_rows", statements: mysqlRowRoutine },
  ],
  sqlite: [idempotency("sqlite"), quota("sqlite"), ...jobs("sqlite")],
}
