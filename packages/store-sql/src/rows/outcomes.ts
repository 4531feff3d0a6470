/**
 * What became of rows, as callers get it.
 */
import { failure, type Failure } from "@multistatus/core"

import type { GivenColumn, RowOutcome } from "./RowDialect.ts"
import type { Session } from "../database/Session.ts"
import type { TableSchema } from "./TableSchema.ts"
import { toFailure, type Violation } from "./Violation.ts"

/** @internal */
export interface Answering {
  readonly action: Violation["action"]
  readonly table: string
  readonly outcomes: ReadonlyArray<RowOutcome>
  /** What is answered for a row where nothing was to be returned. */
  readonly given: (index: number) => unknown
  readonly columns: ReadonlyArray<GivenColumn>
  /** The key as the caller names it. */
  readonly key: string
  readonly describe: ((violation: Violation) => Failure | undefined) | undefined
  /** The key of a row that may not be there. */
  readonly missing: ((index: number) => unknown) | undefined
}

/** @internal */
export const answer = (answering: Answering): ReadonlyArray<unknown> => {
  const { action, table, outcomes, given, key, describe, missing } = answering
  const named = new Map(answering.columns.map((column) => [column.name, column.given]))
  return outcomes.map((outcome, index) => {
    if (outcome === undefined) {
      if (missing === undefined) return failure("CONFLICT", `The row of ${table} was not stored`)
      return failure("NOT_FOUND", `${table} ${shown(missing(index))} not found`)
    }
    if ("row" in outcome) return outcome.row ?? given(index)
    const { kind, constraint, message } = outcome.refusal
    // What keeps a row from being deleted is in the rows that refer to it, by its key.
    const columns = action === "delete" ? [key] : outcome.refusal.columns
    const names = columns.map((name) => named.get(name) ?? name)
    const violation: Violation = {
      kind,
      action,
      table,
      columns: names,
      index,
      message,
      ...(constraint !== undefined && { constraint }),
      ...(names[0] !== undefined && { column: names[0] }),
    }
    return describe?.(violation) ?? toFailure(violation)
  })
}

const shown = (key: unknown): string =>
  ArrayBuffer.isView(key) ? Buffer.from(key.buffer, key.byteOffset, key.byteLength).toString("hex") : String(key)

/** Names in the database of the columns to answer with. @internal */
export const answeredColumns = ({
  session,
  facts,
  key,
  returning,
}: {
  readonly session: Session
  readonly facts: TableSchema
  readonly key: string
  readonly returning: "all" | ReadonlyArray<string> | undefined
}): ReadonlyArray<string> | undefined => {
  if (returning === undefined) return undefined
  if (!facts.columns.has(key)) throw noKey(facts, key)
  return returning === "all" ? [...facts.columns.keys()] : returning.map(session.columnName)
}

/** @internal */
export const noKey = (facts: TableSchema, key: string): Error =>
  new TypeError(`The table ${facts.text} has no column "${key}": name its key with the option "key"`)
