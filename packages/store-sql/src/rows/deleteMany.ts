import type { Failure } from "@multistatus/core"
import type { Selectable } from "kysely"

import { openSession } from "../database/Session.ts"
import { checkKysely } from "../transactions/checkKysely.ts"
import { keyedTable } from "./keyedTable.ts"
import type { DatabaseHandle, ManyOptions, Returned, Returning, RowKey } from "./ManyOptions.ts"
import { resolveTable } from "./RowDialect.ts"
import { rowDialectOf } from "./rowDialects.ts"
import { runInRounds } from "./runInRounds.ts"
import { returnedColumns, toResults } from "./toResults.ts"
import { withTable } from "./withTable.ts"

/**
 * Deletes many rows by their keys and returns a result for each: the row or a failure, in the order given.
 *
 * **Details** A key without a row, or one that the call repeats, is `NOT_FOUND`. A row that other rows still refer to is
 * `CONFLICT`. The number of statements is that of `insertMany`. Without `returning` the result of a row is an object with
 * its key. MySQL cannot return deleted rows, so they are locked and read first, in the same transaction.
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
  checkKysely(db, "The first argument of deleteMany")
  if (!Array.isArray(keys)) throw new TypeError("The keys of deleteMany must be an array, such as [1, 2, 3]")
  if (keys.length === 0) return []
  const session = openSession(db)
  const { quotedName, columns } = await resolveTable(session, table, [])
  const { key = "id" } = options
  const keyName = session.columnName(key)
  const rowDialect = rowDialectOf(session)
  const outcomes = await runInRounds(keys, (indexes) =>
    withTable(session, quotedName, async (found) => {
      const schema = await keyedTable(session, found, keyName)
      return rowDialect.remove({
        session,
        table: schema,
        key: keyName,
        columns,
        rows: [],
        keys: indexes.map((index) => keys[index]),
        returning: returnedColumns(session, schema, options.returning),
      })
    }),
  )
  return toResults({
    action: "delete",
    table,
    outcomes,
    defaultResult: (index) => ({ [key]: keys[index] }),
    columns,
    key,
    describe: options.describe,
    keyOf: (index) => keys[index],
  }) as ReadonlyArray<Returned<DB, Table, R, Partial<Selectable<DB[Table]>>> | Failure>
}
