/**
 * Which row of a statement's answer belongs to which row of the call: never by the order of the answer.
 */
import { done, type RowOutcome } from "./RowDialect.ts"
import { canonical } from "./rowOrder.ts"
import type { Row } from "../database/Session.ts"

/** Rows by their key, which the statement answers as `~key`; `silent`: nothing else is asked for. @internal */
export const byKey = (
  keys: ReadonlyArray<unknown>,
  rows: ReadonlyArray<Row>,
  silent = false,
): ReadonlyArray<RowOutcome> => {
  const exact = new Map<string, RowOutcome>()
  const alike = new Map<string, RowOutcome>()
  for (const { "~key": key, ...row } of rows) {
    const outcome = silent ? done : { row }
    exact.set(textOf(key), outcome)
    alike.set(canonical(key), outcome)
  }
  return keys.map((key) => exact.get(textOf(key)) ?? alike.get(canonical(key)))
}

/** Rows by the numbers that the database gave them, which rise in the order of the call. @internal */
export const byNumber = (rows: ReadonlyArray<Row>): ReadonlyArray<RowOutcome> =>
  rows
    .map(({ "~key": key, ...row }) => ({ key: BigInt(String(key)), row }))
    .sort((left, right) => (left.key < right.key ? -1 : 1))
    .map(({ row }) => ({ row }))

const textOf = (key: unknown): string => (ArrayBuffer.isView(key) ? canonical(key) : String(key))
