/**
 * A row that the database rejected, and the failure that a client receives for it.
 */
import { failure, type Failure } from "@multistatus/core"

/** A row that the database rejected. */
export interface Violation {
  /**
   * - `unique`: a unique or exclusion constraint;
   * - `check`: a CHECK constraint, or an error that a trigger raised;
   * - `not-null`: a missing value;
   * - `foreign-key`: a reference to a missing row, or a deleted row that others refer to;
   * - `type`: a value that has the wrong type, is too long or is out of range.
   */
  readonly kind: "unique" | "check" | "not-null" | "foreign-key" | "type"
  /** The action on the row. */
  readonly action: "insert" | "update" | "delete"
  /** The table as the caller names it. */
  readonly table: string
  /** The constraint or unique index, if the database names it. */
  readonly constraint?: string | undefined
  /** The column at fault, or the first of several. Absent if the database does not report one. */
  readonly column?: string | undefined
  /** All columns of the constraint. */
  readonly columns: ReadonlyArray<string>
  /** Position of the row in the call, from 0. */
  readonly index: number
  /** The SQLSTATE of an error that a trigger raised with one of its own, such as `PT409`. */
  readonly sqlState?: string | undefined
  /** The database's error message. It is for logs, not for clients. */
  readonly message: string
}

/**
 * Returns the default failure for a violation.
 *
 * **Details** `unique` becomes `DUPLICATE`, `foreign-key` becomes `CONFLICT`, all others become `VALIDATION_ERROR`. `field`
 * is the column. For a constraint on several columns, `errors` has an entry for each. The failure contains no text of the
 * database, with one exception: an error that a trigger raised with an SQLSTATE of its own keeps its message. `PT` followed by
 * a status from 400 to 499, such as `PT409`, also sets the status.
 */
export const toFailure = (violation: Violation): Failure => {
  if (violation.sqlState !== undefined) return raisedFailure(violation.sqlState, violation.message)
  const message = messageOf(violation)
  return failure(codes[violation.kind], message, {
    ...(violation.column !== undefined && { field: violation.column }),
    ...(violation.columns.length > 1 && { errors: violation.columns.map((field) => ({ field, message })) }),
  })
}

const raisedFailure = (sqlState: string, message: string): Failure => {
  const status = /^PT(4\d\d)$/.exec(sqlState)?.[1]
  return failure(raisedCodes[status ?? ""] ?? "VALIDATION_ERROR", message, status ? { status: Number(status) } : {})
}

const raisedCodes: Readonly<Record<string, string>> = {
  "401": "UNAUTHORIZED",
  "403": "FORBIDDEN",
  "404": "NOT_FOUND",
  "409": "CONFLICT",
}

const codes = {
  unique: "DUPLICATE",
  check: "VALIDATION_ERROR",
  "not-null": "VALIDATION_ERROR",
  "foreign-key": "CONFLICT",
  type: "VALIDATION_ERROR",
} as const

const messageOf = ({ kind, action, table, column, columns }: Violation): string => {
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
