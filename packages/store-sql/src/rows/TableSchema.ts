/**
 * The schema of a table, as read from the database's catalog.
 */
import type { Violation } from "./Violation.ts"

/** A column of a table. @internal */
export interface ColumnSchema {
  readonly name: string
  /** The type without its length, such as `character varying`. PostgreSQL casts values to it. */
  readonly type: string
  /** The type as declared, such as `character varying(20)`. */
  readonly declaredType: string
  /** The SQL expression of the default, if statements may evaluate it. */
  readonly defaultSql: string | undefined
  /** Whether the database fills the column unless a row sets it. */
  readonly isGenerated: boolean
  /** MySQL and SQLite: whether the database assigns ascending numbers to new rows. */
  readonly isAutoIncrement: boolean
  /** PostgreSQL: the text form in which values are sent. */
  readonly encoding: "plain" | "json" | "array" | "json-array" | "text"
  /** MySQL: an expression that gives the value `?` the column's collation. */
  readonly collatedSql?: string | undefined
}

/** A constraint or unique index of a table. @internal */
export interface ConstraintSchema {
  readonly kind: Violation["kind"]
  readonly columns: ReadonlyArray<string>
}

/** A unique index of a table. @internal */
export interface UniqueSchema {
  readonly columns: ReadonlyArray<string>
  readonly primary: boolean
  /** Whether the index is on expressions or only on some rows, so that column values do not decide uniqueness. */
  readonly computed: boolean
}

/** A table. @internal */
export interface TableSchema {
  /** The quoted name, for statements. */
  readonly quotedName: string
  readonly columns: ReadonlyMap<string, ColumnSchema>
  readonly constraints: ReadonlyMap<string, ConstraintSchema>
  readonly uniques: ReadonlyArray<UniqueSchema>
  /** Whether `uniques` is complete. It is not for a view, whose rows other tables keep unique. */
  readonly knowsUniques: boolean
  /** PostgreSQL: whether it is a view. The defaults of its columns are those of other tables. */
  readonly isView?: boolean
  /** PostgreSQL: the version of the table that this schema was read from (see `tableVersion`). */
  readonly version?: string
  /** Columns of foreign keys to the table itself. One statement would check such rows together, not one after another. */
  readonly selfReferencingColumns: ReadonlyArray<string>
  /** Whether a trigger or rule may drop or change rows before they are stored. */
  readonly mayAlterRows: boolean
  /** PostgreSQL and MySQL: the name of the installed routine that isolates failing rows. */
  readonly routine: string | undefined
  /** Whether inserts and deletes support RETURNING. MySQL does not. */
  readonly supportsReturning: boolean
  /** MySQL: the difference between two consecutive AUTO_INCREMENT values. */
  readonly autoIncrementStep?: number
  /** Statements that were generated for this table. */
  readonly statementCache: Map<string, unknown>
}

/**
 * Returns the names among `columns` that an SQL expression mentions, in the order of `columns`.
 *
 * @internal
 */
export const columnsMentionedIn = (expression: string, columns: Iterable<string>): ReadonlyArray<string> => {
  const words = new Set(expression.replaceAll(/'(?:[^']|'')*'/g, "''").match(/[\p{L}\p{N}_$]+/gu))
  const lowerCaseWords = new Set([...words].map((word) => word.toLowerCase()))
  return [...columns].filter((name) => lowerCaseWords.has(name.toLowerCase()))
}
