/**
 * Matches the rows that a statement returns to the rows of the call. The order of returned rows is not relied on.
 */
import { succeeded, type RowOutcome } from "./RowDialect.ts"
import { canonical } from "./rowOrder.ts"
import type { Row } from "../database/Session.ts"

/**
 * Matches rows by their key, which the statement returns as `~key`. With `withoutColumns`, outcomes have no columns.
 *
 * @internal
 */
export const matchByKey = (
  keys: ReadonlyArray<unknown>,
  rows: ReadonlyArray<Row>,
  withoutColumns = false,
): ReadonlyArray<RowOutcome> => {
  const byText = new Map<string, RowOutcome>()
  const byCanonicalText = new Map<string, RowOutcome>()
  for (const { "~key": key, ...row } of rows) {
    const outcome = withoutColumns ? succeeded : { row }
    byText.set(textOf(key), outcome)
    byCanonicalText.set(canonical(key), outcome)
  }
  return keys.map((key) => byText.get(textOf(key)) ?? byCanonicalText.get(canonical(key)))
}

/** Matches rows by the numbers that the database assigned, which ascend in the order of the call. @internal */
export const matchByNumber = (rows: ReadonlyArray<Row>): ReadonlyArray<RowOutcome> =>
  rows
    .map(({ "~key": key, ...row }) => ({ key: BigInt(String(key)), row }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ row }) => ({ row }))

const textOf = (key: unknown): string => (ArrayBuffer.isView(key) ? canonical(key) : String(key))
