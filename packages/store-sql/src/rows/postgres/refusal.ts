/**
 * Which errors of PostgreSQL concern a row, and what they say of it.
 */
import type { Refusal } from "../RowDialect.ts"
import type { Cell } from "./postgresText.ts"
import type { Row } from "../../database/Session.ts"
import { guessFaultyColumn } from "./guessFaultyColumn.ts"
import { type ConstraintSchema, mentioned, type TableSchema } from "../TableSchema.ts"

/**
 * Whether an error concerns a row: data exceptions, constraints, WITH CHECK OPTION, and what triggers raise.
 *
 * @internal
 */
export const isPostgresRowError = (error: unknown): boolean =>
  error instanceof Error &&
  "code" in error &&
  typeof error.code === "string" &&
  /^(22|23|44)...$|^P0001$/.test(error.code)

/**
 * What the database's report of a row means. `cells` are what was sent for the columns, in the same order.
 *
 * @internal
 */
export const toPostgresRefusal = (
  facts: TableSchema,
  report: Row,
  columns: ReadonlyArray<string>,
  cells: ReadonlyArray<Cell>,
): Refusal => {
  const state = String(report["~state"])
  const message = String(report["~message"])
  const constraint = textOf(report["~constraint"])
  const known = constraint === undefined ? undefined : facts.constraints.get(constraint)
  const refusal = (kind: Refusal["kind"], found: ReadonlyArray<string>): Refusal => ({
    kind,
    message,
    columns: found,
    ...(constraint !== undefined && { constraint }),
  })
  switch (state) {
    case "23505":
    case "23P01":
      return refusal("unique", known?.columns ?? keyColumns(facts, report))
    case "23503":
    case "23001":
      return refusal("foreign-key", known?.columns ?? keyColumns(facts, report))
    case "23502":
      return refusal(
        "not-null",
        [textOf(report["~column"]) ?? ""].filter((name) => name !== ""),
      )
    case "23514":
      return refusal("check", known?.columns ?? typed(facts, columns, textOf(report["~type"])))
    default:
      if (state.startsWith("22")) return refusal("type", guessFaultyColumn(facts, message, columns, cells))
      return refusal(checkKind(known), known?.columns ?? [])
  }
}

const checkKind = (known: ConstraintSchema | undefined) => known?.kind ?? "check"

const textOf = (value: unknown): string | undefined => (typeof value === "string" && value !== "" ? value : undefined)

// "Key (tenant, lower(email))=(…) already exists", in whatever language: columns of what the catalog does not tell of.
const keyColumns = (facts: TableSchema, report: Row): ReadonlyArray<string> =>
  mentioned(/\((.+?)\)=\(/s.exec(String(report["~detail"] ?? ""))?.[1] ?? "", facts.columns.keys())

// A domain's constraint names its type, not the column.
const typed = (facts: TableSchema, columns: ReadonlyArray<string>, type: string | undefined) =>
  columns.filter((name) => type !== undefined && facts.columns.get(name)?.declared === type).slice(0, 1)
