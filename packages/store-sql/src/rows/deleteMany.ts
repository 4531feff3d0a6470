import type { Failure } from "@multistatus/core"
import type { Selectable } from "kysely"

import { rowDialectOf } from "./rowDialects.ts"
import type { DatabaseHandle, ManyOptions, Returned, Returning, RowKey } from "./ManyOptions.ts"
import { survey } from "./RowDialect.ts"
import { answer, answeredColumns, noKey } from "./outcomes.ts"
import { openSession } from "../database/Session.ts"
import { inWaves } from "./waves.ts"

/**
 * Deletes many rows by their keys, and answers for each key: the row or why it was refused, in the order given.
 *
 * **Details** `NOT_FOUND` where no row has the key, the second time that a key is named included; `CONFLICT` where
 * another row still refers to it. Otherwise as with `insertMany`, statements included. Without `returning` a row is
 * answered as its key alone. MySQL, which cannot return rows, locks and reads them first, in the same transaction.
 */
export const deleteMany = async <
  DB,
  Table extends keyof DB & string,
  const R extends Returning<DB, Table> | undefined = undefined,
>(
  db: DatabaseHandle<DB>,
  table: Table,
  keys: ReadonlyArray<RowKey>,
  options: ManyOptions<DB, Table, R> = {},
): Promise<ReadonlyArray<Returned<DB, Table, R, Partial<Selectable<DB[Table]>>> | Failure>> => {
  if (keys.length === 0) return []
  const session = openSession(db)
  const { facts, columns } = await survey(session, table, [])
  const key = session.columnName(options.key ?? "id")
  if (!facts.columns.has(key)) throw noKey(facts, key)
  const returning = answeredColumns({ session, facts, key, returning: options.returning })
  const engine = rowDialectOf(session)
  const outcomes = await inWaves(keys, (indexes) =>
    engine.remove({
      session,
      table: facts,
      key,
      columns,
      rows: [],
      keys: indexes.map((index) => keys[index]),
      returning,
    }),
  )
  return answer({
    action: "delete",
    table,
    outcomes,
    given: (index) => ({ [options.key ?? "id"]: keys[index] }),
    columns,
    key: options.key ?? "id",
    describe: options.describe,
    missing: (index) => keys[index],
  }) as ReadonlyArray<Returned<DB, Table, R, Partial<Selectable<DB[Table]>>> | Failure>
}
