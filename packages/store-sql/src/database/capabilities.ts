import type { DatabaseDialect } from "./DatabaseUrl.ts"

/** What a database can do for statements on many rows and for the stores. */
export interface Capabilities {
  /**
   * Whether statements answer with the rows they touched. `partly`: MariaDB does for inserts and deletes, MySQL not at
   * all; the rest is read by one more statement.
   */
  readonly returning: "always" | "partly"
  /**
   * Who isolates the rows that a statement on many rows fails for: a routine of the database, in one round trip, or
   * this process, row by row. `process` only where the database runs inside it.
   */
  readonly isolatesRows: "database" | "process"
  /** Statements that one call may take, rows that fail included and catalog look-ups aside; `undefined`: one per row. */
  readonly statements: { readonly insert: number; readonly update: number; readonly delete: number } | undefined
  /** Whether an update of rows that give unlike columns is one statement, or one for each shape. */
  readonly unlikeUpdates: "together" | "by-shape"
  /** Whether a statement that fails leaves the open transaction usable without a savepoint. */
  readonly survivesErrors: boolean
  readonly savepoints: boolean
  /** Whether several transactions can be open at once. */
  readonly concurrentConnections: boolean
  /** Whether rows can be locked by `select … for update`. */
  readonly rowLocks: boolean
  /** Whether values are refused that do not fit their column's type; SQLite does so for STRICT tables alone. */
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

const all: Readonly<Record<DatabaseDialect, Capabilities>> = {
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

/** What a dialect can and cannot do. */
export const capabilities = (dialect: DatabaseDialect): Capabilities => all[dialect]
