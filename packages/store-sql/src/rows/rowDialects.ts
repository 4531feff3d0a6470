import type { RowDialect, RowTask } from "./RowDialect.ts"
import { mysqlDelete } from "./mysql/deleteRows.ts"
import { mysqlInsert } from "./mysql/insertRows.ts"
import { mysqlUpdate } from "./mysql/updateRows.ts"
import { postgresDelete, postgresUpdate } from "./postgres/changeRows.ts"
import { postgresInsert } from "./postgres/insertRows.ts"
import type { Session } from "../database/Session.ts"
import { sqliteRowDialect } from "./sqlite/changeRows.ts"
import { forgetTable } from "./tableSchemaOf.ts"
import { withoutZeros } from "./postgres/withoutZeros.ts"

// What is known of a table may have been the reason of an error: the next call looks it up again.
const forgetful =
  (run: RowDialect["insert"]): RowDialect["insert"] =>
  async (task: RowTask) => {
    try {
      return await run(task)
    } catch (error) {
      forgetTable(task.session, task.table.text)
      throw error
    }
  }

const engine = ({ insert, update, remove }: RowDialect, first = (run: RowDialect["insert"]) => run): RowDialect => ({
  insert: forgetful(first(insert)),
  update: forgetful(first(update)),
  remove: forgetful(first(remove)),
})

const postgres = engine({ insert: postgresInsert, update: postgresUpdate, remove: postgresDelete }, withoutZeros)

const mysql = engine({ insert: mysqlInsert, update: mysqlUpdate, remove: mysqlDelete })

const engines = { postgres, pglite: postgres, mysql, sqlite: engine(sqliteRowDialect) }

/** The statements of a session's database. @internal */
export const rowDialectOf = ({ dialect }: Session): RowDialect => engines[dialect]
