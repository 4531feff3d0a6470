/**
 * Which errors of PostgreSQL concern a row, and what they say of it.
 */
import type { RowError } from "../RowDialect.ts"
import type { Cell } from "./postgresText.ts"
import { isCustomState, rowErrorStates } from "./rowErrorStates.ts"
import type { Row } from "../../database/Session.ts"
import { guessFaultyColumn } from "./guessFaultyColumn.ts"
import { isOutdated } from "./tableVersion.ts"
import { columnsMentionedIn, type TableSchema } from "../TableSchema.ts"

/**
 * Returns whether an error is about one row: a data exception, a violated constraint or WITH CHECK OPTION, or an error that
 * a trigger raised.
 *
 * @internal
 */
export const isPostgresRowError = (error: unknown): boolean =>
  error instanceof Error &&
  !isOutdated(error) &&
  "code" in error &&
  typeof error.code === "string" &&
  new RegExp(rowErrorStates).test(error.code)

/**
 * Converts the routine's error report on a row. `cells` are the values that were sent for `columns`.
 *
 * @internal
 */
export const toPostgresRowError = (
  table: TableSchema,
  report: Row,
  columns: ReadonlyArray<string>,
  cells: ReadonlyArray<Cell>,
): RowError => {
  const state = String(report["~state"])
  const message = String(report["~message"])
  const constraint = textOf(report["~constraint"])
  const constraintSchema = constraint === undefined ? undefined : table.constraints.get(constraint)
  const rowError = (kind: RowError["kind"], columnNames: ReadonlyArray<string>): RowError => ({
    kind,
    message,
    columns: columnNames,
    ...(constraint !== undefined && { constraint }),
    ...(isCustomState(state) && { sqlState: state }),
  })
  switch (state) {
    case "23505":
    case "23P01":
      return rowError("unique", constraintSchema?.columns ?? columnsInDetail(table, report))
    case "23503":
    case "23001":
      return rowError("foreign-key", constraintSchema?.columns ?? columnsInDetail(table, report))
    case "23502":
      return rowError(
        "not-null",
        [textOf(report["~column"]) ?? ""].filter((name) => name !== ""),
      )
    case "23514":
      return rowError("check", constraintSchema?.columns ?? columnsOfType(table, columns, textOf(report["~type"])))
    default:
      if (state.startsWith("22")) return rowError("type", guessFaultyColumn(table, message, columns, cells))
      return rowError(constraintSchema?.kind ?? "check", constraintSchema?.columns ?? [])
  }
}

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

// The detail "Key (tenant, lower(email))=(…) already exists", in any language, names the columns of an index that the schema
// does not list.
const columnsInDetail = (table: TableSchema, report: Row): ReadonlyArray<string> =>
  columnsMentionedIn(/\((.+?)\)=\(/s.exec(String(report["~detail"] ?? ""))?.[1] ?? "", table.columns.keys())

// A violated constraint of a domain reports the domain, not the column.
const columnsOfType = (table: TableSchema, columns: ReadonlyArray<string>, type: string | undefined) =>
  columns.filter((name) => type !== undefined && table.columns.get(name)?.declaredType === type).slice(0, 1)
