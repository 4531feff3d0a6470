/** Lets pg-boss take part in a transaction of Kysely. */
import { CompiledQuery, type Kysely } from "kysely"
import type { PgBoss } from "pg-boss"

type BossDatabase = NonNullable<NonNullable<Parameters<PgBoss["complete"]>[3]>["db"]>

/** What `fromKysely` of pg-boss makes of it; and its texts, which are the same for every chunk, are planned once. */
export const pgBossTransaction = (transaction: unknown): BossDatabase => ({
  executeSql: async (text: string, values: ReadonlyArray<unknown> = []) => {
    const query = CompiledQuery.raw(`/* multistatus prepare */ ${text}`, [...values])
    const { rows } = await (transaction as Kysely<unknown>).withoutPlugins().executeQuery(query)
    return { rows: [...rows] }
  },
})
