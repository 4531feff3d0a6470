/**
 * Converts outcomes of rows to the results of `insertMany`, `updateMany` and `deleteMany`.
 */
import { failure, type Failure } from "@multistatus/core"

import type { GivenColumn, RowOutcome } from "./RowDialect.ts"
import type { Session } from "../database/Session.ts"
import type { TableSchema } from "./TableSchema.ts"
import { toFailure, type Violation } from "./Violation.ts"

/** The outcomes of a call, and what their results are made of. @internal */
export interface CallOutcomes {
  readonly action: Violation["action"]
  /** The table as the caller names it. */
  readonly table: string
  readonly outcomes: ReadonlyArray<RowOutcome>
  /** Returns the result of a row without returned columns. */
  readonly defaultResult: (index: number) => unknown
  readonly columns: ReadonlyArray<GivenColumn>
  /** The key column as the caller names it. */
  readonly key: string
  readonly describe: ((violation: Violation) => Failure | undefined) | undefined
  /** Updates and deletes: returns the key of a row that was not found. */
  readonly keyOf: ((index: number) => unknown) | undefined
}

/** Returns a result for each outcome. @internal */
export const toResults = (call: CallOutcomes): ReadonlyArray<unknown> => {
  const { action, table, outcomes, defaultResult, key, describe, keyOf } = call
  const givenNames = new Map(call.columns.map((column) => [column.name, column.given]))
  return outcomes.map((outcome, index) => {
    if (outcome === undefined) {
      if (keyOf === undefined) return failure("CONFLICT", `The row of ${table} was not stored`)
      return failure("NOT_FOUND", `${table} ${keyText(keyOf(index))} not found`)
    }
    if ("row" in outcome) return outcome.row ?? defaultResult(index)
    const { kind, constraint, message, sqlState } = outcome.error
    // A row cannot be deleted because other rows refer to its key.
    const columns = action === "delete" ? [key] : outcome.error.columns
    const names = columns.map((name) => givenNames.get(name) ?? name)
    const violation: Violation = {
      kind,
      action,
      table,
      columns: names,
      index,
      message,
      ...(constraint !== undefined && { constraint }),
      ...(sqlState !== undefined && { sqlState }),
      ...(names[0] !== undefined && { column: names[0] }),
    }
    return describe?.(violation) ?? toFailure(violation)
  })
}

const keyText = (key: unknown): string =>
  ArrayBuffer.isView(key) ? Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("hex") : String(key)

/** Returns the names in the database of the columns to return. @internal */
export const returnedColumns = (
  session: Session,
  table: TableSchema,
  returning: "all" | ReadonlyArray<string> | undefined,
): ReadonlyArray<string> | undefined =>
  returning === "all" ? [...table.columns.keys()] : returning?.map(session.columnName)
