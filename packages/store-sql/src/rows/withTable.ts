import type { Session } from "../database/Session.ts"
import { OutdatedSchemaError } from "./postgres/tableVersion.ts"
import type { TableSchema } from "./TableSchema.ts"
import { currentTableSchema, tableSchemaOf } from "./tableSchemaOf.ts"

const attempts = 3

/**
 * Runs `work` with the schema of a table, and again with its current schema if the table turns out to have changed. The
 * failed attempt has changed nothing.
 *
 * @internal
 */
export const withTable = async <A>(
  session: Session,
  quotedName: string,
  work: (table: TableSchema) => Promise<A>,
): Promise<A> => {
  let table = await tableSchemaOf(session, quotedName)
  for (let attempt = 1; ; attempt++) {
    try {
      return await work(table)
    } catch (error) {
      if (!(error instanceof OutdatedSchemaError) || attempt === attempts) throw error
      table = await currentTableSchema(session, quotedName)
    }
  }
}
