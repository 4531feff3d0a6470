import { mysqlTableSchema } from "./mysql/tableSchema.ts"
import { postgresTableSchema } from "./postgres/tableSchema.ts"
import type { Session } from "../database/Session.ts"
import { sqliteTableSchema } from "./sqlite/tableSchema.ts"
import type { TableSchema } from "./TableSchema.ts"

/** What is known of the tables of each pool, by their quoted names. */
const known = new WeakMap<object, Map<string, TableSchema>>()

const knownOf = ({ pool }: Session): Map<string, TableSchema> => {
  const facts = known.get(pool) ?? new Map<string, TableSchema>()
  known.set(pool, facts)
  return facts
}

/** Makes the next call look the table up again. @internal */
export const forgetTable = (session: Session, text: string): void => void knownOf(session).delete(text)

/**
 * What is known of a table; `fresh` asks the database again.
 *
 * @internal
 */
export const tableSchemaOf = async (session: Session, text: string, fresh = false): Promise<TableSchema> => {
  const facts = knownOf(session)
  const earlier = facts.get(text)
  if (earlier !== undefined && !fresh) return earlier
  const found = await look[session.dialect](session, text)
  if (found === undefined) {
    // The database's own error says best that a table is missing.
    await session.look(`select 1 from ${text} where 1 = 0`, [])
    throw new Error(`The table ${text} cannot be looked up`)
  }
  facts.set(text, found)
  return found
}

const look = {
  postgres: postgresTableSchema,
  pglite: postgresTableSchema,
  mysql: mysqlTableSchema,
  sqlite: sqliteTableSchema,
}
