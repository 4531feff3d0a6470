/** Suites that put one mistake at a time into a statement of the idempotency store, which its contract has to find. */
import type { IdempotencyStore } from "@multistatus/core/store"
import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { type Kysely, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import type { IdempotencyDialect } from "../../src/idempotency/IdempotencyDialect.ts"
import { mysqlIdempotencyTexts, mysqlNow, toMariadb } from "../../src/idempotency/mysql.ts"
import { postgresIdempotency, postgresIdempotencyTexts } from "../../src/idempotency/postgres.ts"
import { acquireRoutine, postgresIdempotencyRoutines } from "../../src/idempotency/postgresRoutines.ts"
import { openSession } from "../../src/database/Session.ts"
import { sqliteIdempotencyTexts, sqliteNow } from "../../src/idempotency/sqlite.ts"
import { idempotencyStoreOn } from "../../src/idempotency/sqlIdempotencyStore.ts"
import { stepwiseIdempotency, type StepwiseTexts } from "../../src/idempotency/stepwise.ts"
import { type Claims, openClaims } from "./claims.ts"
import { type Mutant, mysqlMutants, postgresMutants, sqliteMutants } from "./idempotencyMutants.ts"

/** Commands after which a mistake has to be found. */
const commands = 12_000

/** The same commands each time: a mistake that is found once is always found. */
const seed = 1

/** Makes a dialect whose statements have one mistake in them, or none. */
type Mutate<Text extends string> = (db: Kysely<unknown>, mutant?: Mutant<Text>) => Promise<IdempotencyDialect>

const suite = <Text extends string>(
  name: string,
  url: () => Promise<string>,
  mutants: ReadonlyArray<Mutant<Text>>,
  mutate: Mutate<Text>,
): void => {
  describe(`the statements for ${name}`, () => {
    let claims: Claims
    beforeAll(async () => {
      claims = await openClaims(await url())
    })
    afterAll(() => claims.close())

    const check = async (mutant?: Mutant<Text>) => {
      const { db, evict } = claims
      const store = idempotencyStoreOn(openSession(db), await mutate(db, mutant))
      await checkEnd(store)
      await IdempotencyStoreContract.check(
        { store, evict },
        { commands: mutant ? commands : 300, seed, shrinks: false },
      )
    }

    it("agree with the model", { timeout: 120_000 }, async () => {
      await check()
    })

    it.each(mutants)("disagree with it after this change to %s: %s → %s", { timeout: 120_000 }, async (...mutant) => {
      const difference = await check(mutant).then(
        () => "none",
        (error: Error) => String(error.cause),
      )
      // An error of the database would prove nothing.
      expect(difference).toContain("answers differently")
    })
  })
}

// Random commands hardly ever purge or resolve at the very moment at which a record expires.
const checkEnd = async (store: IdempotencyStore): Promise<void> => {
  const [now, times] = [3_000_000_000_000, { owner: "o".repeat(22), leaseMs: 5, pendingTtlMs: 10, resultTtlMs: 10 }]
  await store.purge(1_000_000, now)
  const items = ["a", "b", "c"].map((key) => ({ key, fingerprint: "f", mode: "hold" as const }))
  await store.acquire(items, { ...times, now })
  const answers = [
    await store.resolve("a", "forget", now + 10),
    await store.purge(9, now + 9),
    await store.purge(2, now + 10),
    await store.purge(2, now + 10),
  ]
  if (answers.join() !== "false,0,2,1") throw new Error("", { cause: `A store answers differently: ${answers.join()}` })
}

const replaced = (text: string, from: string, to: string): string => {
  expect(text).toContain(from)
  return text.replaceAll(from, () => to)
}

const mutatePostgres: Mutate<keyof typeof postgresIdempotencyTexts> = async (db, mutant) => {
  for (const routine of postgresIdempotencyRoutines) {
    const isMeant = mutant?.[0] === (routine.includes(acquireRoutine) ? "acquire" : "settle")
    await sql.raw(isMeant ? replaced(routine, mutant[1], mutant[2]) : routine).execute(db)
  }
  if (mutant === undefined || mutant[0] === "acquire" || mutant[0] === "settle") {
    return postgresIdempotency(postgresIdempotencyTexts)
  }
  const [text, from, to] = mutant
  return postgresIdempotency({
    ...postgresIdempotencyTexts,
    [text]: replaced(postgresIdempotencyTexts[text], from, to),
  })
}

const mutateSteps =
  (texts: StepwiseTexts, now: string): Mutate<keyof StepwiseTexts> =>
  async (_, mutant) => {
    const mutated = { ...texts }
    if (mutant !== undefined) {
      const [text, from, to] = mutant
      mutated[text] = replaced(texts[text].replaceAll(now, "NOW"), from, to).replaceAll("NOW", () => now)
    }
    return stepwiseIdempotency({ texts: () => mutated, returning: () => true, isLocked: () => false })
  }

/** Declares the suites for the mutants that are selected. */
export const mutantSuites = (select: <Text extends string>(mutants: ReadonlyArray<Mutant<Text>>) => typeof mutants) => {
  const [postgres, mariadb] = [inject("postgresUrl"), inject("mariadbUrl")]
  const mariadbTexts = toMariadb(mysqlIdempotencyTexts)
  suite("PostgreSQL", () => freshDatabase(postgres), select(postgresMutants), mutatePostgres)
  suite("SQLite", async () => "sqlite::memory:", select(sqliteMutants), mutateSteps(sqliteIdempotencyTexts, sqliteNow))
  suite("MariaDB", () => freshDatabase(mariadb), select(mysqlMutants), mutateSteps(mariadbTexts, mysqlNow))
}
