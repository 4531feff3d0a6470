/**
 * Deletes many rows of MySQL or MariaDB. MariaDB tells which; on MySQL they are locked and read first.
 */
import { byKey } from "../answeredRows.ts"
import { dependOnEachOther, type RowDialect, quoteName } from "../RowDialect.ts"
import { oneByOne } from "./oneByOne.ts"
import { selected } from "./readRows.ts"
import { isMysqlRowError } from "./refusal.ts"
import { removeOne } from "./rowStatements.ts"
import { plain } from "./values.ts"
import { ascending } from "../rowOrder.ts"

/** @internal */
export const mysqlDelete: RowDialect["remove"] = async (task) => {
  const { session, table, keys, key, returning } = task
  const one = removeOne(task)
  const where = `${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`
  if (dependOnEachOther(task)) return oneByOne(task, one, undefined)
  try {
    if (table.returning) {
      const { rows } = await session.run(
        `/* multistatus */ delete from ${table.text} where ${where} returning ${selected(task)}`,
        keys.map(plain),
      )
      return byKey(keys, rows, returning === undefined)
    }
    return await session.atomically(async (inner) => {
      const { rows } = await inner.run(
        `select ${selected(task)} from ${table.text} where ${where} order by ${quoteName(session, key)} for update`,
        keys.map(plain),
      )
      if (rows.length > 0)
        await inner.run(`/* multistatus */ delete from ${table.text} where ${where}`, keys.map(plain))
      return byKey(keys, rows, returning === undefined)
    })
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return oneByOne(task, one, ascending(keys))
  }
}
