import type { DatabaseDialect } from "./DatabaseUrl.ts"

/** Properties of a database that matter to `insertMany`, `updateMany`, `deleteMany` and the stores. */
export interface Capabilities {
  /**
   * Whether statements return the rows that they changed (`RETURNING`). `partly`: MariaDB supports it for inserts and
   * deletes, MySQL not at all; the rows are then read by one more statement.
   */
  readonly returning: "always" | "partly"
  /**
   * What isolates the rows that a statement fails for: a routine in the database, in one round trip, or this process, row
   * by row. `process` is used only for a database that runs inside the process.
   */
  readonly isolatesRows: "database" | "process"
  /**
   * Maximum number of statements of one call, including those for rows that fail, without catalog lookups. `undefined`: up to
   * one per row.
   */
  readonly statements: { readonly insert: number; readonly update: number; readonly delete: number } | undefined
  /** Whether updates that set different columns run as one statement or as one statement per set of columns. */
  readonly unlikeUpdates: "together" | "by-shape"
  /** Whether a transaction remains usable after a failed statement without a savepoint. */
  readonly survivesErrors: boolean
  /** Whether the database supports savepoints. */
  readonly savepoints: boolean
  /** Whether several transactions can be open at once. */
  readonly concurrentConnections: boolean
  /** Whether `select … for update` locks rows. */
  readonly rowLocks: boolean
  /** Whether the database rejects values that do not fit the column's type. SQLite does so only for STRICT tables. */
  readonly typedColumns: boolean
}

const postgres: Capabilities = {
  returning: "always",
  isolatesRows: "database",
  statements: { insert: 2, update: 2, delete: 2 },
  unlikeUpdates: "together",
  survivesErrors: false,
  savepoints: true,
  concurrentConnections: true,
  rowLocks: true,
  typedColumns: true,
}

const byDialect: Readonly<Record<DatabaseDialect, Capabilities>> = {
  postgres,
  pglite: { ...postgres, concurrentConnections: false },
  mysql: {
    returning: "partly",
    isolatesRows: "database",
    statements: { insert: 3, update: 3, delete: 3 },
    unlikeUpdates: "by-shape",
    survivesErrors: true,
    savepoints: true,
    concurrentConnections: true,
    rowLocks: true,
    typedColumns: true,
  },
  sqlite: {
    returning: "always",
    isolatesRows: "process",
    statements: undefined,
    unlikeUpdates: "together",
    survivesErrors: true,
    savepoints: true,
    concurrentConnections: false,
    rowLocks: false,
    typedColumns: false,
  },
}

/** Returns the capabilities of a dialect. */
export const capabilities = (dialect: DatabaseDialect): Capabilities => byDialect[dialect]
