import { insertMany, updateMany } from "@multistatus/store-sql"
import type { Insertable, Updateable } from "kysely"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"

import { emptyPeople, openPeople, type People, shown, type Tables, distinctUrls } from "../support/people.ts"

type Person = Insertable<Tables["people"]>
type Change = { readonly key: string; readonly set: Updateable<Tables["people"]> }

const size = 500
const id = (index: number) => `p${String(index).padStart(5, "0")}`
const person = (index: number): Person => ({ id: id(index), email: `${id(index)}@x`, name: "Ada", age: 30, team: 1 })

const offences: Readonly<Record<string, readonly [Change["set"], string, string | undefined]>> = {
  unique: [{ email: "taken@x" }, "DUPLICATE", "email"],
  "composite unique": [{ tenant: 1, code: "taken" }, "DUPLICATE", "tenant"],
  check: [{ age: -1 }, "VALIDATION_ERROR", "age"],
  "not null": [{ name: null as never }, "VALIDATION_ERROR", "name"],
  "foreign key": [{ team: 99 }, "CONFLICT", "team"],
  type: [{ age: "old" as never }, "VALIDATION_ERROR", "age"],
  length: [{ name: "x".repeat(21) }, "VALIDATION_ERROR", "name"],
}

const typed = new Set(["type", "length"])

// Without offenders, all kinds are the same.
const countsOf = (kind: string): ReadonlyArray<number> => [...(kind === "unique" ? [0] : []), 1, 10, size]

describe.each(distinctUrls)("updateMany (%s)", (...url) => {
  let people: People
  beforeAll(async () => {
    people = await openPeople(url)
    await insertMany(people.db, "people", [person(0)])
  })
  afterAll(() => people.close())
  beforeEach(async () => {
    await emptyPeople(people.db)
    await people.db.insertInto("people").values({ id: "taken", email: "taken@x", tenant: 1, code: "taken" }).execute()
    await insertMany(
      people.db,
      "people",
      Array.from({ length: size }, (_, index) => person(index)),
    )
    people.sent.clear()
  })

  const stored = async <Column extends keyof Tables["people"] & string>(column: Column) => {
    const rows = await people.db
      .selectFrom("people")
      .select(["id", column])
      .where("id", "<>", "taken")
      .orderBy("id")
      .execute()
    return rows.map((row) => (row as Readonly<Record<string, unknown>>)[column])
  }

  describe.each(Object.entries(offences))("%s", (kind, [set, code, field]) => {
    it.each(countsOf(kind))("finds %i offenders among 500 changes", async (count) => {
      const { able, sent, db } = people
      if (typed.has(kind) && !able.typedColumns) return
      const offends = (index: number) => count > 0 && index % (size / count) === 0
      // The same columns throughout: what unlike shapes cost is another test's matter.
      const good = (index: number): Change["set"] => ({
        name: `n${index}`,
        email: `new${index}@x`,
        age: index,
        team: null,
        tenant: 2,
        code: `c${index}`,
      })
      const changes = Array.from({ length: size }, (_, index) => ({
        key: id(index),
        set: { ...good(index), ...(offends(index) && set) },
      }))
      const outcomes = await updateMany(db, "people", changes)
      if (count === 0) expect(sent.statements).toHaveLength(1)
      else if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.update)
      expect(outcomes.map(shown)).toEqual(
        changes.map(({ key, set }, index) => (offends(index) ? [code, field] : { id: key, ...set })),
      )
      expect(await stored("email")).toEqual(
        changes.map((_, index) => (offends(index) ? `${id(index)}@x` : `new${index}@x`)),
      )
    })

    it("leaves a transaction usable, with the valid changes in it", async () => {
      const { able, sent, db } = people
      if (typed.has(kind) && !able.typedColumns) return
      const changes: ReadonlyArray<Change> = [
        { key: id(0), set },
        { key: id(1), set: { name: "Bea" } },
      ]
      const outcomes = await db.transaction().execute(async (transaction) => {
        await transaction.selectFrom("people").select("id").execute()
        sent.clear()
        const outcomes = await updateMany(transaction, "people", changes)
        if (able.statements !== undefined && able.unlikeUpdates === "together") {
          expect(sent.statements.length).toBeLessThanOrEqual(able.statements.update)
        }
        await transaction.updateTable("people").set({ name: "Cid" }).where("id", "=", id(2)).execute()
        return outcomes
      })
      expect(outcomes.map(shown)).toEqual([[code, field], { id: id(1), name: "Bea" }])
      expect((await stored("name")).slice(0, 4)).toEqual(["Ada", "Bea", "Cid", "Ada"])
    })
  })

  it("answers NOT_FOUND for missing keys only", async () => {
    const { db, able, sent } = people
    const changes = [id(1), "nobody", id(2), "no one"].map((key) => ({ key, set: { age: 5 } }))
    const outcomes = await updateMany(db, "people", changes, { returning: ["id", "age"] })
    if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.update)
    expect(outcomes.map(shown).map((row) => (Array.isArray(row) ? row : Object.assign({}, row)))).toEqual([
      { id: id(1), age: 5 },
      ["NOT_FOUND", undefined],
      { id: id(2), age: 5 },
      ["NOT_FOUND", undefined],
    ])
    expect(outcomes[1]).toMatchObject({ status: 404, message: "people nobody not found" })
    const strangers = await updateMany(db, "people", [
      { key: "x", set: { email: "x@x" } },
      { key: "y", set: { email: "y@x" } },
    ])
    expect(strangers.map(shown)).toEqual([
      ["NOT_FOUND", undefined],
      ["NOT_FOUND", undefined],
    ])
  })

  it("finds a row that a change leaves as it is", async () => {
    const outcomes = await updateMany(people.db, "people", [
      { key: id(1), set: { age: 30 } },
      { key: id(2), set: {} },
      { key: "nobody", set: {} },
    ])
    expect(outcomes.map(shown)).toEqual([{ id: id(1), age: 30 }, { id: id(2) }, ["NOT_FOUND", undefined]])
    expect(await stored("age")).toEqual(Array.from({ length: size }, () => 30))
    const refused = await updateMany(people.db, "people", [
      { key: id(1), set: { age: 30 } },
      { key: id(2), set: { age: -1 } },
    ])
    expect(refused.map(shown)).toEqual([{ id: id(1), age: 30 }, ["VALIDATION_ERROR", "age"]])
  })

  it("leaves columns that a change omits as they are", async () => {
    const { db, able, sent } = people
    const changes: ReadonlyArray<Change> = [
      { key: id(0), set: { name: "Bea" } },
      { key: id(1), set: { age: null, team: undefined } },
      { key: id(2), set: { name: "Cid", age: 3 } },
    ]
    await updateMany(db, "people", changes)
    expect(sent.statements).toHaveLength(able.unlikeUpdates === "together" ? 1 : 3)
    expect((await stored("name")).slice(0, 4)).toEqual(["Bea", "Ada", "Cid", "Ada"])
    expect((await stored("age")).slice(0, 4)).toEqual([30, null, 3, 30])
    expect((await stored("team")).slice(0, 4)).toEqual([1, 1, 1, 1])
  })

  it("applies changes of the same key in their order", async () => {
    const changes: ReadonlyArray<Change> = [
      { key: id(0), set: { age: 1 } },
      { key: id(0), set: { age: -1 } },
      { key: id(1), set: { age: 4 } },
      { key: id(0), set: { name: "Bea", age: 2 } },
    ]
    const outcomes = await updateMany(people.db, "people", changes, { returning: ["age", "name"] })
    expect(outcomes.map(shown).map((row) => (Array.isArray(row) ? row : Object.assign({}, row)))).toEqual([
      { age: 1, name: "Ada" },
      ["VALIDATION_ERROR", "age"],
      { age: 4, name: "Ada" },
      { age: 2, name: "Bea" },
    ])
  })

  it("moves a unique value only if it is free at its change", async () => {
    const { db } = people
    const early = await updateMany(db, "people", [
      { key: id(0), set: { email: `${id(1)}@x` } },
      { key: id(1), set: { email: "free@x" } },
    ])
    expect(early.map(shown)).toEqual([["DUPLICATE", "email"], { id: id(1), email: "free@x" }])
    const late = await updateMany(db, "people", [
      { key: id(3), set: { email: "free3@x" } },
      { key: id(2), set: { email: `${id(3)}@x` } },
    ])
    expect(late.map(shown)).toEqual([
      { id: id(3), email: "free3@x" },
      { id: id(2), email: `${id(3)}@x` },
    ])
  })

  it("changes keys when another column is the key", async () => {
    const { db } = people
    const renamed = await updateMany(db, "people", [
      { key: id(0), set: { id: "new" } },
      { key: id(1), set: { id: "taken" } },
    ])
    expect(renamed.map(shown)).toEqual([{ id: "new" }, ["DUPLICATE", "id"]])
    const byEmail = await updateMany(db, "people", [{ key: `${id(2)}@x`, set: { age: 9 } }], {
      key: "email",
      returning: ["id", "age"],
    })
    expect(byEmail.map((row) => ({ ...row }))).toEqual([{ id: id(2), age: 9 }])
    await expect(updateMany(db, "teams", [{ key: 1, set: {} }], { key: "nothing" as never })).rejects.toThrow(
      /no column "nothing"/,
    )
  })
})
