import { deleteMany, insertMany } from "@multistatus/store-sql"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"

import { emptyPeople, openPeople, type People, shown, distinctUrls } from "../support/people.ts"

const size = 500

describe.each(distinctUrls)("deleteMany (%s)", (...url) => {
  let people: People
  beforeAll(async () => {
    people = await openPeople(url)
    await insertMany(people.db, "people", [{ id: "a", email: "a@x" }])
    await deleteMany(people.db, "teams", [-1])
  })
  afterAll(() => people.close())
  beforeEach(async () => {
    const { db, sent } = people
    await emptyPeople(db)
    await db.deleteFrom("teams").execute()
    await insertMany(
      db,
      "teams",
      Array.from({ length: size }, (_, id) => ({ id })),
    )
    sent.clear()
  })

  const teams = async () =>
    (await people.db.selectFrom("teams").select("id").orderBy("id").execute()).map(({ id }) => id)
  const ids = Array.from({ length: size }, (_, id) => id)

  it.each([0, 1, 10, 50, size])("finds %i rows among 500 that are still referred to", async (count) => {
    const { db, able, sent } = people
    const offends = (index: number) => count > 0 && index % (size / count) === 0
    await insertMany(
      db,
      "people",
      ids.filter(offends).map((team) => ({ id: `p${team}`, email: `p${team}@x`, team })),
    )
    sent.clear()
    const outcomes = await deleteMany(db, "teams", ids)
    if (count === 0) expect(sent.statements).toHaveLength(1)
    else if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.delete)
    expect(outcomes.map(shown)).toEqual(ids.map((id) => (offends(id) ? ["CONFLICT", "id"] : { id })))
    expect(await teams()).toEqual(ids.filter(offends))
  })

  it("answers NOT_FOUND for missing rows, and for the second deletion of a row", async () => {
    const { db, sent, able } = people
    const outcomes = await deleteMany(db, "teams", [3, 900, 3, 4], { returning: "all" })
    // The second time is a statement of its own.
    if (able.statements !== undefined) expect(sent.statements).toHaveLength(2)
    expect(outcomes.map(shown).map((row) => (Array.isArray(row) ? row : Object.assign({}, row)))).toEqual([
      { id: 3 },
      ["NOT_FOUND", undefined],
      ["NOT_FOUND", undefined],
      { id: 4 },
    ])
    expect(await teams()).toHaveLength(size - 2)
  })

  it("returns deleted rows and refusals inside a transaction", async () => {
    const { db, sent, able } = people
    await insertMany(db, "people", [{ id: "p", email: "p@x", name: "Ada", team: 7 }])
    await db.transaction().execute(async (transaction) => {
      await transaction.selectFrom("teams").select("id").execute()
      sent.clear()
      const outcomes = await deleteMany(transaction, "teams", [6, 7, 8], { returning: ["id"] })
      if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.delete)
      expect(outcomes.map(shown).map((row) => (Array.isArray(row) ? row : Object.assign({}, row)))).toEqual([
        { id: 6 },
        ["CONFLICT", "id"],
        { id: 8 },
      ])
      const gone = await deleteMany(transaction, "people", ["p"], { returning: ["name", "team"] })
      expect(gone.map((row) => ({ ...row }))).toEqual([{ name: "Ada", team: 7 }])
    })
    expect(await teams()).toEqual(ids.filter((id) => id !== 6 && id !== 8))
  })

  it("does nothing for no keys", async () => {
    expect(await deleteMany(people.db, "teams", [])).toEqual([])
    expect(people.sent.statements).toHaveLength(0)
  })
})
