/**
 * What the catalog says of a table, looked up once for each pool.
 */
import type { Violation } from "./Violation.ts"

/** @internal */
export interface ColumnSchema {
  readonly name: string
  /** The type that values are read as, without length: `character varying`. */
  readonly type: string
  /** The type as it was declared: `character varying(20)`. */
  readonly declared: string
  /** The SQL of the default, where a statement may use it. */
  readonly initial: string | undefined
  /** Whether the column is left to the table unless a row gives it. */
  readonly generated: boolean
  /** MySQL and SQLite: whether the database numbers new rows with it, each higher than the one before. */
  readonly counter: boolean
  /** PostgreSQL: how values are sent. */
  readonly form: "plain" | "json" | "array" | "json-array" | "text"
  /** MySQL: the collation of the column. */
  readonly collation?: string | undefined
}

/** @internal */
export interface ConstraintSchema {
  readonly kind: Violation["kind"]
  readonly columns: ReadonlyArray<string>
}

/** @internal */
export interface UniqueSchema {
  readonly columns: ReadonlyArray<string>
  readonly primary: boolean
  /** Whether it is over expressions or some of the rows: what it compares is then not what the columns hold. */
  readonly computed: boolean
}

/** @internal */
export interface TableSchema {
  /** The quoted name, for statements. */
  readonly text: string
  readonly columns: ReadonlyMap<string, ColumnSchema>
  readonly constraints: ReadonlyMap<string, ConstraintSchema>
  readonly uniques: ReadonlyArray<UniqueSchema>
  /** Columns that refer to the table itself: statements on many rows would judge such rows together. */
  readonly selfReferences: ReadonlyArray<string>
  /** Whether a trigger may drop or change rows before they are stored. */
  readonly interferes: boolean
  /** PostgreSQL and MySQL: the routine that isolates rows, if it was installed. */
  readonly routine: string | undefined
  /** Whether inserts and deletes can answer with rows: MySQL lacks it. */
  readonly returning: boolean
  /** MySQL: how far apart the numbers are that the database gives. */
  readonly numberStep?: number
  /** Statements made for this table already. */
  readonly texts: Map<string, unknown>
}

/**
 * The names among `columns` that an SQL expression mentions, in the table's order.
 *
 * @internal
 */
export const mentioned = (expression: string, columns: Iterable<string>): ReadonlyArray<string> => {
  const words = new Set(expression.replaceAll(/'(?:[^']|'')*'/g, "''").match(/[\p{L}\p{N}_$]+/gu))
  const lower = new Set([...words].map((word) => word.toLowerCase()))
  return [...columns].filter((name) => lower.has(name.toLowerCase()))
}
