import type { Engine, Task } from "./RowDialect.ts"
import { mysqlDelete } from "./mysql/deleteRows.ts"
import { mysqlInsert } from "./mysql/insertRows.ts"
import { mysqlUpdate } from "./mysql/updateRows.ts"
import { postgresDelete, postgresUpdate } from "./postgres/changeRows.ts"
import { postgresInsert } from "./postgres/insertRows.ts"
import type { Session } from "../database/Session.ts"
import { sqliteEngine } from "./sqlite/changeRows.ts"
import { forgetTable } from "./tableSchemaOf.ts"
import { withoutZeros } from "./postgres/withoutZeros.ts"

// What is known of a table may have been the reason of an error: the next call looks it up again.
const forgetful =
  (run: Engine["insert"]): Engine["insert"] =>
  async (task: Task) => {
    try {
      return await run(task)
    } catch (error) {
      forgetTable(task.session, task.facts.text)
      throw error
    }
  }

const engine = ({ insert, update, remove }: Engine, first = (run: Engine["insert"]) => run): Engine => ({
  insert: forgetful(first(insert)),
  update: forgetful(first(update)),
  remove: forgetful(first(remove)),
})

const postgres = engine({ insert: postgresInsert, update: postgresUpdate, remove: postgresDelete }, withoutZeros)

const mysql = engine({ insert: mysqlInsert, update: mysqlUpdate, remove: mysqlDelete })

const engines = { postgres, pglite: postgres, mysql, sqlite: engine(sqliteEngine) }

/** The statements of a session's database. @internal */
export const engineOf = ({ dialect }: Session): Engine => engines[dialect]
