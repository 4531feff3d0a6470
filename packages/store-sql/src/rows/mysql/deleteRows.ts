/**
 * Deletes many rows of MySQL or MariaDB. MariaDB returns the deleted rows; on MySQL they are locked and read first.
 */
import { matchByKey } from "../matchRows.ts"
import { mayDependOnEachOther, quoteName, type RowDialect } from "../RowDialect.ts"
import { ascending } from "../rowOrder.ts"
import { selectList } from "./readRows.ts"
import { isMysqlRowError } from "./rowError.ts"
import { deleteRow } from "./rowStatements.ts"
import { runRowByRow } from "./runRowByRow.ts"
import { toMysqlValue } from "./values.ts"

/** @internal */
export const mysqlDelete: RowDialect["remove"] = async (task) => {
  const { session, table, keys, key, returning } = task
  const statementsOf = deleteRow(task)
  const where = `${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`
  const withoutColumns = returning === undefined
  if (mayDependOnEachOther(task)) return runRowByRow(task, statementsOf, undefined)
  try {
    if (table.supportsReturning) {
      const { rows } = await session.run(
        `/* multistatus */ delete from ${table.quotedName} where ${where} returning ${selectList(task)}`,
        keys.map(toMysqlValue),
      )
      return matchByKey(keys, rows, withoutColumns)
    }
    return await session.atomically(async (inner) => {
      const { rows } = await inner.run(
        `select ${selectList(task)} from ${table.quotedName} where ${where} order by ${quoteName(session, key)} for update`,
        keys.map(toMysqlValue),
      )
      if (rows.length > 0) {
        await inner.run(`/* multistatus */ delete from ${table.quotedName} where ${where}`, keys.map(toMysqlValue))
      }
      return matchByKey(keys, rows, withoutColumns)
    })
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return runRowByRow(task, statementsOf, ascending(keys))
  }
}
