/**
 * Why a database refused one row, and what a client is told of it.
 */
import { failure, type Failure } from "@multistatus/core"

/** A row that the database refused. */
export interface Violation {
  /**
   * - `unique`: unique and exclusion constraints;
   * - `check`: CHECK constraints, and whatever a trigger raises;
   * - `not-null`: a value is missing;
   * - `foreign-key`: refers to a row that is not there, or is still referred to;
   * - `type`: of the wrong type, too long or out of range.
   */
  readonly kind: "unique" | "check" | "not-null" | "foreign-key" | "type"
  /** What was asked of the row. */
  readonly action: "insert" | "update" | "delete"
  /** The table as the caller named it. */
  readonly table: string
  /** The constraint or unique index, where the database names it. */
  readonly constraint?: string | undefined
  /** The column at fault, or the first of several; absent where the database does not tell. */
  readonly column?: string | undefined
  /** All columns of the constraint. */
  readonly columns: ReadonlyArray<string>
  /** Position of the row in the call, from 0. */
  readonly index: number
  /** The database's own words: for logs, not for clients. */
  readonly message: string
}

/**
 * The failure that stands for a violation unless `describe` gives another.
 *
 * **Details** `unique` is `DUPLICATE`, `foreign-key` is `CONFLICT`, everything else `VALIDATION_ERROR`. `field` is the
 * column; a constraint over several columns lists all of them in `errors`. Nothing of the database's own words is in it.
 */
export const toFailure = (violation: Violation): Failure => {
  const message = sentence(violation)
  return failure(codes[violation.kind], message, {
    ...(violation.column !== undefined && { field: violation.column }),
    ...(violation.columns.length > 1 && { errors: violation.columns.map((field) => ({ field, message })) }),
  })
}

const codes = {
  unique: "DUPLICATE",
  check: "VALIDATION_ERROR",
  "not-null": "VALIDATION_ERROR",
  "foreign-key": "CONFLICT",
  type: "VALIDATION_ERROR",
} as const

const sentence = ({ kind, action, table, column, columns }: Violation): string => {
  const subject = column ?? `The row of ${table}`
  switch (kind) {
    case "unique":
      if (column === undefined) return `The row of ${table} already exists`
      return columns.length > 1 ? `${list(columns)} already exist together` : `${column} already exists`
    case "check":
      return column === undefined ? `${subject} is not allowed` : `${subject} has a value that is not allowed`
    case "not-null":
      return `${subject} is missing a value`
    case "foreign-key":
      if (action === "delete") return `The row of ${table} is still referred to`
      return `${subject} refers to nothing that exists${action === "update" ? ", or is still referred to" : ""}`
    case "type":
      return `${subject} has a value of the wrong type, too long or out of range`
  }
}

const list = (names: ReadonlyArray<string>): string => `${names.slice(0, -1).join(", ")} and ${names.at(-1)}`
