/** Lets pg-boss use a transaction of Kysely. */
import { CompiledQuery, type Kysely } from "kysely"
import type { PgBoss } from "pg-boss"

type BossDatabase = NonNullable<NonNullable<Parameters<PgBoss["complete"]>[3]>["db"]>

/** Makes what `fromKysely` of pg-boss makes, with statements that PostgreSQL prepares: they are the same for every chunk. */
export const pgBossTransaction = (transaction: unknown): BossDatabase => ({
  executeSql: async (text: string, values: ReadonlyArray<unknown> = []) => {
    const query = CompiledQuery.raw(`/* multistatus prepare */ ${text}`, [...values])
    const { rows } = await (transaction as Kysely<unknown>).withoutPlugins().executeQuery(query)
    return { rows: [...rows] }
  },
})
