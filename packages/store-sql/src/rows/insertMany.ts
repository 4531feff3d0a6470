import type { Failure } from "@multistatus/core"
import type { Insertable } from "kysely"

import { rowDialectOf } from "./rowDialects.ts"
import { survey } from "./RowDialect.ts"
import type { DatabaseHandle, ManyOptions, Returned, Returning } from "./ManyOptions.ts"
import { openSession } from "../database/Session.ts"
import { answer, answeredColumns } from "./outcomes.ts"

/**
 * Inserts many rows, and answers for each of them: the row or why it was refused, in the order given.
 *
 * **Details** Rows that fail do not keep the others from being inserted, just as if they came one by one; of rows that
 * are alike, the first is inserted and the others are `DUPLICATE`. Without a failing row it is one statement; with any
 * number of them, one more call of a routine that `migrate` installs (PostgreSQL, PGlite, MySQL, MariaDB). Inside a transaction
 * of PostgreSQL or PGlite it is a single call in either case, and the transaction stays usable.
 *
 * Rows may give unlike columns: what a row lacks, or has as `undefined`, takes the column's default. `returning` names
 * the columns to answer with, `"all"` all of them; without it the rows are answered as given. Errors that concern no row,
 * such as deadlocks, lost connections and missing tables, reject, and nothing was inserted.
 *
 * **Gotchas** Values are plain, not SQL expressions. A string for a JSON column is JSON text already; arrays and objects
 * are encoded. Deferred constraints of PostgreSQL are checked at once, except inside the caller's transaction.
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
  if (rows.length === 0) return []
  const session = openSession(db)
  const given = rows as ReadonlyArray<Readonly<Record<string, unknown>>>
  const { facts, columns } = await survey(session, table, given)
  const key = session.columnName(options.key ?? "id")
  const returning = answeredColumns({ session, facts, key, returning: options.returning })
  const outcomes = await rowDialectOf(session).insert({
    session,
    table: facts,
    key,
    columns,
    rows: given,
    keys: [],
    returning,
  })
  return answer({
    action: "insert",
    table,
    outcomes,
    given: (index) => rows[index],
    columns,
    key: options.key ?? "id",
    describe: options.describe,
    missing: undefined,
  }) as ReadonlyArray<Returned<DB, Table, R, Insertable<DB[Table]>> | Failure>
}
