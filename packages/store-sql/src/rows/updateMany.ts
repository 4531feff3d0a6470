import type { Failure } from "@multistatus/core"
import type { Updateable } from "kysely"

import { rowDialectOf } from "./rowDialects.ts"
import type { DatabaseHandle, ManyOptions, Returned, Returning, RowKey } from "./ManyOptions.ts"
import { survey } from "./RowDialect.ts"
import { answer, answeredColumns, noKey } from "./outcomes.ts"
import { openSession } from "../database/Session.ts"
import { inWaves } from "./waves.ts"

/** New values for the row with a key. */
export interface RowChange<DB, Table extends keyof DB> {
  readonly key: RowKey
  /** Columns that are `undefined` stay as they are. */
  readonly set: Updateable<DB[Table]>
}

/**
 * Updates many rows by their keys, and answers for each change: the row or why it was refused, in the order given.
 *
 * **Details** `NOT_FOUND` where no row has the key; otherwise as with `insertMany`, statements included. Changes may set
 * unlike columns: on PostgreSQL, PGlite and SQLite they are one statement all the same, on MySQL and MariaDB one for each
 * set of columns. Changes of the same key are applied in their order, one statement for the first of each key,
 * one for the second, and so on. A unique value passes from one row to another only if it is free when its change comes.
 *
 * Without `returning` a change is answered as the key with the values set.
 *
 * **Gotchas** Where PostgreSQL runs unlike changes together, a trigger `update of` a column sees every row of the call
 * updated if any of them sets the column; the values of the others are as they were. MySQL and MariaDB tell missing rows
 * by a look afterwards: inside a transaction it is exact, outside a rival may have deleted or inserted the row meanwhile.
 */
export const updateMany = async <
  DB,
  Table extends keyof DB & string,
  const R extends Returning<DB, Table> | undefined = undefined,
>(
  db: DatabaseHandle<DB>,
  table: Table,
  changes: ReadonlyArray<NoInfer<RowChange<DB, Table>>>,
  options: ManyOptions<DB, Table, R> = {},
): Promise<ReadonlyArray<Returned<DB, Table, R, Updateable<DB[Table]>> | Failure>> => {
  if (changes.length === 0) return []
  const session = openSession(db)
  const sets = changes.map(({ set }) => set as Readonly<Record<string, unknown>>)
  const { facts, columns } = await survey(session, table, sets)
  const key = session.columnName(options.key ?? "id")
  if (!facts.columns.has(key)) throw noKey(facts, key)
  const returning = answeredColumns({ session, facts, key, returning: options.returning })
  const engine = rowDialectOf(session)
  const keys = changes.map((change) => change.key)
  const outcomes = await inWaves(keys, (indexes) => {
    const rows = indexes.map((index) => sets[index] ?? {})
    const used =
      indexes.length === changes.length
        ? columns
        : columns.filter(({ given }) => rows.some((row) => row[given] !== undefined))
    return engine.update({
      session,
      table: facts,
      key,
      columns: used,
      rows,
      keys: indexes.map((index) => keys[index]),
      returning,
    })
  })
  return answer({
    action: "update",
    table,
    outcomes,
    given: (index) => ({ [options.key ?? "id"]: keys[index], ...sets[index] }),
    columns,
    key: options.key ?? "id",
    describe: options.describe,
    missing: (index) => keys[index],
  }) as ReadonlyArray<Returned<DB, Table, R, Updateable<DB[Table]>> | Failure>
}
