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
import { type Claims, openClaims } from "../support/claims.ts"
import { type Mutant, mysqlMutants, postgresMutants, sqliteMutants } from "../support/mutants.ts"

const commands = 12_000

/** The same commands each time: a mistake that is found is found again. */
const seed = 1

/** Makes a database's way of doing it with one mistake in it. */
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
      await IdempotencyStoreContract.check(
        { store, evict },
        { commands: mutant ? commands : 300, seed, shrinks: false },
      )
      await checkEnd(store)
    }

    it("agree with the model, which is how mistakes in them are found", { timeout: 120_000 }, async () => {
      await check()
    })

    it.each(mutants)("are not correct with this mistake: %s: %s → %s", { timeout: 120_000 }, async (...mutant) => {
      const difference = await check(mutant).then(
        () => "none",
        (error: Error) => String(error.cause),
      )
      // And not an error of the database, which would prove nothing.
      expect(difference).toContain("answers differently")
    })
  })
}

// Random commands hardly ever purge or decide at the very moment that a record is over.
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

suite("PostgreSQL", () => freshDatabase(inject("postgresUrl")), postgresMutants, mutatePostgres)
suite("SQLite", async () => "sqlite::memory:", sqliteMutants, mutateSteps(sqliteIdempotencyTexts, sqliteNow))
suite(
  "MariaDB",
  () => freshDatabase(inject("mariadbUrl")),
  mysqlMutants,
  mutateSteps(toMariadb(mysqlIdempotencyTexts), mysqlNow),
)
