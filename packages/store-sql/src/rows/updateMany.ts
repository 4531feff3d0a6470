import type { Failure } from "@multistatus/core"
import type { Updateable } from "kysely"

import { openSession } from "../database/Session.ts"
import { checkKysely } from "../transactions/checkKysely.ts"
import { keyedTable } from "./keyedTable.ts"
import type { DatabaseHandle, ManyOptions, Returned, Returning, RowKey } from "./ManyOptions.ts"
import { resolveTable } from "./RowDialect.ts"
import { rowDialectOf } from "./rowDialects.ts"
import { runInRounds } from "./runInRounds.ts"
import { returnedColumns, toResults } from "./toResults.ts"
import { withTable } from "./withTable.ts"

/** New values for the row with a key. */
export interface RowChange<DB, Table extends keyof DB> {
  readonly key: RowKey
  /** The new values. Columns that are `undefined` keep their value. */
  readonly set: Updateable<DB[Table]>
}

/**
 * Updates many rows by their keys and returns a result for each change: the row or a failure, in the order given.
 *
 * **Details** A key without a row is `NOT_FOUND`. Changes may set different columns: PostgreSQL, PGlite and SQLite still
 * use one statement, MySQL and MariaDB use one for each set of columns. Otherwise the number of statements is that of
 * `insertMany`. Changes with the same key are applied in order: one statement for the first change of every key, one for
 * the second, and so on. A change that sets a unique value which another row has fails, unless an earlier change has
 * freed the value.
 *
 * Without `returning` the result of a change is an object with the key and the values set.
 *
 * **Gotchas** When PostgreSQL updates rows with different columns in one statement, a trigger `update of` a column fires
 * for every row if any row sets that column; rows that do not set it keep its value. MySQL and MariaDB find missing rows
 * with a query afterwards. It is exact inside a transaction; outside, another client may have deleted or inserted a row
 * in between.
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
  checkKysely(db, "The first argument of updateMany")
  checkChanges(changes)
  if (changes.length === 0) return []
  const session = openSession(db)
  const sets = changes.map(({ set }) => set as Readonly<Record<string, unknown>>)
  const { quotedName, columns } = await resolveTable(session, table, sets)
  const { key = "id" } = options
  const keyName = session.columnName(key)
  const rowDialect = rowDialectOf(session)
  const keys = changes.map((change) => change.key)
  const outcomes = await runInRounds(keys, (indexes) => {
    const rows = indexes.map((index) => sets[index] ?? {})
    const setColumns =
      indexes.length === changes.length
        ? columns
        : columns.filter(({ given }) => rows.some((row) => row[given] !== undefined))
    return withTable(session, quotedName, async (found) => {
      const schema = await keyedTable(session, found, keyName)
      return rowDialect.update({
        session,
        table: schema,
        key: keyName,
        columns: setColumns,
        rows,
        keys: indexes.map((index) => keys[index]),
        returning: returnedColumns(session, schema, options.returning),
      })
    })
  })
  return toResults({
    action: "update",
    table,
    outcomes,
    defaultResult: (index) => ({ [key]: keys[index], ...sets[index] }),
    columns,
    key,
    describe: options.describe,
    keyOf: (index) => keys[index],
  }) as ReadonlyArray<Returned<DB, Table, R, Updateable<DB[Table]>> | Failure>
}

const checkChanges = (changes: unknown): void => {
  const example = 'such as [{ key: 1, set: { name: "Ada" } }]'
  if (!Array.isArray(changes)) throw new TypeError(`The changes of updateMany must be an array, ${example}`)
  for (const [index, change] of (changes as ReadonlyArray<Partial<RowChange<object, never>> | undefined>).entries()) {
    if (typeof change?.set === "object" && change.set !== null) continue
    throw new TypeError(`The change at position ${index} of updateMany has no "set": changes are an array, ${example}`)
  }
}
