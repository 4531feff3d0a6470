import { mysqlFacts } from "./mysql/tableSchema.ts"
import { postgresFacts } from "./postgres/tableSchema.ts"
import type { Session } from "../database/Session.ts"
import { sqliteFacts } from "./sqlite/tableSchema.ts"
import type { TableFacts } from "./TableSchema.ts"

/**
 * What is known of a table; `fresh` asks the database again.
 *
 * @internal
 */
export const factsOf = async (session: Session, text: string, fresh = false): Promise<TableFacts> => {
  const known = session.facts.get(text)
  if (known !== undefined && !fresh) return known
  const facts = await look[session.dialect](session, text)
  if (facts === undefined) {
    // The database's own error says best that a table is missing.
    await session.look(`select 1 from ${text} where 1 = 0`, [])
    throw new Error(`The table ${text} cannot be looked up`)
  }
  session.facts.set(text, facts)
  return facts
}

const look = { postgres: postgresFacts, pglite: postgresFacts, mysql: mysqlFacts, sqlite: sqliteFacts }
