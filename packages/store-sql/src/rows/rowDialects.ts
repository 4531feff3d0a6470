import type { RowDialect, RowTask } from "./RowDialect.ts"
import { mysqlDelete } from "./mysql/deleteRows.ts"
import { mysqlInsert } from "./mysql/insertRows.ts"
import { mysqlUpdate } from "./mysql/updateRows.ts"
import { postgresDelete, postgresUpdate } from "./postgres/changeRows.ts"
import { postgresInsert } from "./postgres/insertRows.ts"
import { isOutdated, OutdatedSchemaError } from "./postgres/tableVersion.ts"
import { rejectNulRows } from "./postgres/rejectNulRows.ts"
import type { Session } from "../database/Session.ts"
import { sqliteRowDialect } from "./sqlite/changeRows.ts"
import { forgetTableSchema } from "./tableSchemaOf.ts"

type RunTask = RowDialect["insert"]

// An outdated schema may have caused an error, so the next call reads it again.
const forgettingSchema =
  (run: RunTask): RunTask =>
  async (task: RowTask) => {
    try {
      return await run(task)
    } catch (error) {
      if (isOutdated(error)) throw new OutdatedSchemaError(task.table.quotedName)
      if (error instanceof OutdatedSchemaError) throw error
      forgetTableSchema(task.session, task.table.quotedName)
      throw error
    }
  }

const makeRowDialect = ({ insert, update, remove }: RowDialect, wrap = (run: RunTask) => run): RowDialect => ({
  insert: forgettingSchema(wrap(insert)),
  update: forgettingSchema(wrap(update)),
  remove: forgettingSchema(wrap(remove)),
})

const postgres = makeRowDialect(
  { insert: postgresInsert, update: postgresUpdate, remove: postgresDelete },
  rejectNulRows,
)

const mysql = makeRowDialect({ insert: mysqlInsert, update: mysqlUpdate, remove: mysqlDelete })

const rowDialects = { postgres, pglite: postgres, mysql, sqlite: makeRowDialect(sqliteRowDialect) }

/** Returns the row dialect of a session's database. @internal */
export const rowDialectOf = ({ dialect }: Session): RowDialect => rowDialects[dialect]
