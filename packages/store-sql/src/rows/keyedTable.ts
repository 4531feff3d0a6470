import type { Session } from "../database/Session.ts"
import type { TableSchema } from "./TableSchema.ts"
import { tableSchemaOf } from "./tableSchemaOf.ts"

/**
 * Returns the schema of a table whose rows a key column identifies. Throws a `TypeError` if the table lacks the column, or if
 * several rows may have the same key: one result would then stand for all of them.
 *
 * @internal
 */
export const keyedTable = async (session: Session, table: TableSchema, key: string): Promise<TableSchema> => {
  if (isUnique(table, key)) return table
  // A unique index may have been created after the schema was cached.
  const current = await tableSchemaOf(session, table.quotedName, { refresh: true })
  if (!current.columns.has(key)) {
    throw new TypeError(`The table ${table.quotedName} has no column "${key}": name its key column in the option "key"`)
  }
  if (isUnique(current, key)) return current
  throw new TypeError(
    `The column "${key}" does not identify the rows of ${table.quotedName}, because no unique index has it as its only column: ` +
      'name a unique column in the option "key", or create a unique index on this one',
  )
}

// An index on expressions or on some rows leaves other rows with the same value possible.
const isUnique = ({ columns, uniques, knowsUniques }: TableSchema, key: string): boolean =>
  columns.has(key) &&
  (!knowsUniques ||
    uniques.some((unique) => !unique.computed && unique.columns.length === 1 && unique.columns[0] === key))
