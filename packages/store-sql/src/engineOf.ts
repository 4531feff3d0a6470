import type { Engine, Task } from "./ManyRows.ts"
import { mysqlDelete } from "./mysqlDelete.ts"
import { mysqlInsert } from "./mysqlInsert.ts"
import { mysqlUpdate } from "./mysqlUpdate.ts"
import { postgresDelete, postgresUpdate } from "./postgresChange.ts"
import { postgresInsert } from "./postgresInsert.ts"
import type { Session } from "./Session.ts"
import { sqliteEngine } from "./sqliteRows.ts"
import { withoutZeros } from "./withoutZeros.ts"

// What is known of a table may have been the reason of an error: the next call looks it up again.
const forgetful =
  (run: Engine["insert"]): Engine["insert"] =>
  async (task: Task) => {
    try {
      return await run(task)
    } catch (error) {
      task.session.facts.delete(task.facts.text)
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
