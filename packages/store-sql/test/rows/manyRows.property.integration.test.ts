import { isFailure } from "@multistatus/core"
import { deleteMany, insertMany, updateMany } from "@multistatus/store-sql"
import * as fc from "fast-check"
import { type Insertable, type Kysely, sql, type Updateable } from "kysely"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { createPeople, openPeople, type People, type Tables, urls } from "../support/people.ts"

type Person = Insertable<Tables["people"]>
type Call =
  | { readonly insert: ReadonlyArray<Person> }
  | { readonly update: ReadonlyArray<{ readonly key: string; readonly set: Updateable<Tables["people"]> }> }
  | { readonly remove: ReadonlyArray<string> }

/** What the error of a statement on a single row would be told as. */
const codeOf = (error: unknown): string => {
  const { code, errno, errcode, message } = error as {
    code?: string
    errno?: number
    errcode?: number
    message: string
  }
  if (code === "23505" || errno === 1062 || message.startsWith("UNIQUE")) return "DUPLICATE"
  if (code === "23503" || errno === 1451 || errno === 1452 || message.startsWith("FOREIGN")) return "CONFLICT"
  if (/^2[23]/.test(code ?? "") || errcode !== undefined || [1048, 1364, 4025, 1406, 1366].includes(errno ?? 0))
    return "VALIDATION_ERROR"
  throw error
}

const id = fc.constantFrom("a", "b", "c", "d", "e", "f")
const fields = {
  email: fc.constantFrom("a@x", "b@x", "c@x", "d@x", "e@x", "B@x "),
  name: fc.constantFrom("Ada", "Bea", null as never, "x".repeat(21)),
  age: fc.constantFrom(1, 2, null, -1, "old" as never),
  team: fc.constantFrom(1, null, 2),
  tenant: fc.constantFrom(1, 2, null),
  code: fc.constantFrom("x", "y", null),
}
const person = fc.record({ id, ...fields }, { requiredKeys: ["id", "email"] })
const blank = fc.record({ id, ...fields }, { requiredKeys: ["id"] }) as fc.Arbitrary<Person>
const rows = fc.array(fc.oneof({ weight: 9, arbitrary: person }, { weight: 1, arbitrary: blank }), { maxLength: 8 })
const change = fc.record({ key: id, set: fc.record(fields, { requiredKeys: [] }) })
const call: fc.Arbitrary<Call> = fc.oneof(
  { weight: 3, arbitrary: fc.record({ insert: rows }) },
  { weight: 3, arbitrary: fc.record({ update: fc.array(change, { maxLength: 6 }) }) },
  { weight: 1, arbitrary: fc.record({ remove: fc.array(id, { maxLength: 4 }) }) },
)

describe.each(urls)("statements on many rows (%s)", (...url) => {
  let people: People
  beforeAll(async () => {
    people = await openPeople(url)
    await createPeople(people.db, "_twin")
  })
  afterAll(() => people.close())

  const many = async (db: Kysely<Tables>, call: Call): Promise<ReadonlyArray<string>> => {
    const outcomes: ReadonlyArray<unknown> =
      "insert" in call
        ? await insertMany(db, "people", call.insert)
        : "update" in call
          ? await updateMany(db, "people", call.update)
          : await deleteMany(db, "people", call.remove)
    return outcomes.map((outcome) => (isFailure(outcome) ? outcome.code : "ok"))
  }

  // Changes of one key are applied in their order, but after the first changes of all the others.
  const inOrder = (call: Call): ReadonlyArray<number> => {
    const keys =
      "insert" in call
        ? call.insert.map((_, index) => String(index))
        : "update" in call
          ? call.update.map(({ key }) => key)
          : call.remove
    const seen = new Map<string, number>()
    const waves = keys.map((key) => {
      seen.set(key, (seen.get(key) ?? -1) + 1)
      return seen.get(key) ?? 0
    })
    return keys.map((_, index) => index).sort((left, right) => (waves[left] ?? 0) - (waves[right] ?? 0) || left - right)
  }

  const single = async (db: Kysely<Tables>, call: Call, index: number): Promise<string> => {
    const twin = "people_twin" as "people"
    const one = async (): Promise<bigint> => {
      if ("insert" in call) {
        await db
          .insertInto(twin)
          .values(call.insert[index] as Person)
          .execute()
        return 1n
      }
      if ("remove" in call)
        return (
          await db
            .deleteFrom(twin)
            .where("id", "=", call.remove[index] ?? "")
            .executeTakeFirst()
        ).numDeletedRows
      const { key, set } = call.update[index] as (typeof call.update)[number]
      if (Object.values(set).every((value) => value === undefined)) {
        return BigInt((await db.selectFrom(twin).select("id").where("id", "=", key).execute()).length)
      }
      return (await db.updateTable(twin).set(set).where("id", "=", key).executeTakeFirst()).numUpdatedRows
    }
    try {
      return (await one()) === 0n ? "NOT_FOUND" : "ok"
    } catch (error) {
      const code = codeOf(error)
      if (!("update" in call)) return code
      // Whether a bad value for a row that is not there is looked at is the database's own matter.
      const found = await db
        .selectFrom(twin)
        .select("id")
        .where("id", "=", call.update[index]?.key ?? "")
        .execute()
      return found.length === 0 ? "NOT_FOUND or VALIDATION_ERROR" : code
    }
  }

  const contents = async (db: Kysely<Tables>, table: string) =>
    (
      await db
        .selectFrom(table as "people")
        .selectAll()
        .orderBy("id")
        .execute()
    ).map((row) => ({ ...row }))

  it("have the effect of a statement for each row", async () => {
    const { db } = people
    const property = fc.asyncProperty(
      fc.array(call, { minLength: 1, maxLength: 4 }),
      fc.boolean(),
      async (calls, inside) => {
        await sql`delete from people`.execute(db)
        await sql`delete from people_twin`.execute(db)
        for (const call of calls) {
          const told = inside
            ? await db.transaction().execute((transaction) => many(transaction, call))
            : await many(db, call)
          const expected: Array<string> = []
          for (const index of inOrder(call)) expected[index] = await single(db, call, index)
          expect(
            told.map((code, index) => (expected[index]?.includes(code) === true ? expected[index] : code)),
          ).toEqual(expected)
        }
        expect(await contents(db, "people")).toEqual(await contents(db, "people_twin"))
      },
    )
    await fc.assert(property, { numRuns: 100 })
  })
})
