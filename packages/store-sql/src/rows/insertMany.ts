import type { Failure } from "@multistatus/core"
import type { Insertable } from "kysely"

import { openSession } from "../database/Session.ts"
import { checkKysely } from "../transactions/checkKysely.ts"
import { keyedTable } from "./keyedTable.ts"
import type { DatabaseHandle, ManyOptions, Returned, Returning } from "./ManyOptions.ts"
import { resolveTable } from "./RowDialect.ts"
import { rowDialectOf } from "./rowDialects.ts"
import { returnedColumns, toResults } from "./toResults.ts"
import { withTable } from "./withTable.ts"

/**
 * Inserts many rows and returns a result for each: the row or a failure, in the order given.
 *
 * **Details** A row that fails does not prevent the others from being inserted, as if they were inserted one by one. Of
 * equal rows the first is inserted and the others are `DUPLICATE`. If no row fails, the call is one statement. Failing
 * rows add one call of a routine that `migrate` installs (PostgreSQL, PGlite, MySQL, MariaDB), whatever their number.
 * Inside a transaction of PostgreSQL or PGlite there is always a single call, and the transaction stays usable.
 *
 * Rows may set different columns. A column that a row lacks, or that is `undefined`, gets its default. `returning` selects
 * the columns to return, `"all"` returns all of them; without it the results are the rows as given. Errors that are not
 * about a row, such as deadlocks, lost connections and missing tables, reject the call, and nothing is inserted.
 *
 * **Gotchas** Values are plain values, not SQL expressions. A string for a JSON column must be JSON text; arrays and
 * objects are encoded. Deferred constraints of PostgreSQL are checked immediately, except inside the caller's transaction.
 */
export const insertMany = async <
  DB,
  Table extends keyof DB & string,
  const R extends Returning<DB, Table> | undefined = undefined,
>(
  db: DatabaseHandle<DB>,
  table: Table,
  rows: ReadonlyArray<NoInfer<Insertable<DB[Table]>>>,
  options: ManyOptions<DB, Table, R> = {},
): Promise<ReadonlyArray<Returned<DB, Table, R, Insertable<DB[Table]>> | Failure>> => {
  checkKysely(db, "The first argument of insertMany")
  if (!Array.isArray(rows)) throw new TypeError('The rows of insertMany must be an array, such as [{ name: "Ada" }]')
  if (rows.length === 0) return []
  const session = openSession(db)
  const givenRows = rows as ReadonlyArray<Readonly<Record<string, unknown>>>
  const { quotedName, columns } = await resolveTable(session, table, givenRows)
  const { key = "id" } = options
  const keyName = session.columnName(key)
  const outcomes = await withTable(session, quotedName, async (found) => {
    // Returned rows are matched by their key.
    const schema = options.returning === undefined ? found : await keyedTable(session, found, keyName)
    return rowDialectOf(session).insert({
      session,
      table: schema,
      key: keyName,
      columns,
      rows: givenRows,
      keys: [],
      returning: returnedColumns(session, schema, options.returning),
    })
  })
  return toResults({
    action: "insert",
    table,
    outcomes,
    defaultResult: (index) => givenRows[index],
    columns,
    key,
    describe: options.describe,
    keyOf: undefined,
  }) as ReadonlyArray<Returned<DB, Table, R, Insertable<DB[Table]>> | Failure>
}
