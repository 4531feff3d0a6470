import { type DatabaseDialect, insertMany, type Violation } from "@multistatus/store-sql"
import { failure } from "@multistatus/core"
import { type Insertable, sql } from "kysely"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"

import { emptyPeople, failures, openPeople, type People, shown, type Tables, urls } from "../support/people.ts"

type Person = Insertable<Tables["people"]>

const size = 500

const person = (index: number): Person => ({
  id: `p${index}`,
  email: `p${index}@example.com`,
  name: "Ada",
  age: 30,
  team: 1,
})

/** How a row is made to fail, and what is told of it. */
const offences: Readonly<Record<string, readonly [(person: Person) => Person, string, string | undefined]>> = {
  unique: [(good) => ({ ...good, email: "taken@example.com" }), "DUPLICATE", "email"],
  "primary key": [(good) => ({ ...good, id: "taken" }), "DUPLICATE", "id"],
  "composite unique": [(good) => ({ ...good, tenant: 1, code: "taken" }), "DUPLICATE", "tenant"],
  check: [(good) => ({ ...good, age: -1 }), "VALIDATION_ERROR", "age"],
  "not null": [(good) => ({ ...good, name: null as never }), "VALIDATION_ERROR", "name"],
  "foreign key": [(good) => ({ ...good, team: 99 }), "CONFLICT", "team"],
  type: [(good) => ({ ...good, age: "old" as never }), "VALIDATION_ERROR", "age"],
  length: [(good) => ({ ...good, name: "x".repeat(21) }), "VALIDATION_ERROR", "name"],
  range: [(good) => ({ ...good, age: 2 ** 40 }), "VALIDATION_ERROR", "age"],
}

const typed = new Set(["type", "length", "range"])

// PGlite runs the statements of PostgreSQL, and without offenders all kinds are the same.
const countsOf = (dialect: DatabaseDialect, kind: string): ReadonlyArray<number> =>
  dialect === "pglite" ? [10] : [...(kind === "unique" ? [0] : []), 1, 10, 50, size]

describe.each(urls)("insertMany (%s)", (...url) => {
  let people: People
  beforeAll(async () => {
    people = await openPeople(url)
    await insertMany(people.db, "people", [])
    await insertMany(people.db, "people", [person(0)])
    await insertMany(people.db, "notes", [{ text: "warm" }])
  })
  afterAll(() => people.close())
  beforeEach(async () => {
    await emptyPeople(people.db)
    await people.db.deleteFrom("notes").execute()
    await people.db
      .insertInto("people")
      .values({ id: "taken", email: "taken@example.com", tenant: 1, code: "taken" })
      .execute()
    people.sent.clear()
  })

  const stored = async () => {
    const rows = await people.db.selectFrom("people").select("id").where("id", "<>", "taken").execute()
    return rows.map(({ id }) => id).sort()
  }

  describe.each(Object.entries(offences))("%s", (kind, [spoil, code, field]) => {
    it.each(countsOf(url[0], kind))("finds %i offenders among 500 rows", async (count) => {
      const { able, sent, db } = people
      if (typed.has(kind) && !able.typedColumns) return
      const offends = (index: number) => count > 0 && index % (size / count) === 0
      const rows = Array.from({ length: size }, (_, index) => (offends(index) ? spoil(person(index)) : person(index)))
      const outcomes = await insertMany(db, "people", rows)
      if (count === 0) expect(sent.statements).toHaveLength(1)
      else if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.insert)
      expect(outcomes.map(shown)).toEqual(rows.map((row, index) => (offends(index) ? [code, field] : row)))
      const good = rows.flatMap((row, index) => (offends(index) ? [] : [row.id]))
      expect(await stored()).toEqual(good.sort())
    })

    it("leaves a transaction usable, with the valid rows in it", async () => {
      const { able, sent, db } = people
      if (typed.has(kind) && !able.typedColumns) return
      const rows = [person(0), spoil(person(1)), person(2)]
      const outcomes = await db.transaction().execute(async (transaction) => {
        await transaction.selectFrom("people").select("id").execute()
        sent.clear()
        const outcomes = await insertMany(transaction, "people", rows)
        if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.insert)
        await transaction.insertInto("people").values(person(3)).execute()
        return outcomes
      })
      expect(outcomes.map(shown)).toEqual([rows[0], [code, field], rows[2]])
      expect(await stored()).toEqual(["p0", "p2", "p3"])
    })
  })

  it("is a single statement in a transaction too, and is rolled back with it", async () => {
    const { db, sent } = people
    const undone = db.transaction().execute(async (transaction) => {
      await transaction.selectFrom("people").select("id").execute()
      sent.clear()
      await insertMany(
        transaction,
        "people",
        Array.from({ length: size }, (_, index) => person(index)),
      )
      expect(sent.statements).toHaveLength(1)
      throw new Error("undo")
    })
    await expect(undone).rejects.toThrow("undo")
    expect(await stored()).toEqual([])
  })

  it("lists all columns of a composite constraint", async () => {
    const [outcome] = failures(await insertMany(people.db, "people", [{ ...person(1), tenant: 1, code: "taken" }]))
    expect(outcome).toMatchObject({
      code: "DUPLICATE",
      status: 409,
      field: "tenant",
      message: "tenant and code already exist together",
      errors: [{ field: "tenant" }, { field: "code" }],
    })
  })

  it("does not mention the database in a failure's message", async () => {
    const outcomes = await insertMany(
      people.db,
      "people",
      Object.values(offences).map(([spoil], index) => spoil(person(index))),
    )
    for (const { message } of failures(outcomes)) {
      expect(message).toMatch(/^(\w+|The row of people|tenant and code) (already|has|is|refers)/)
      expect(message).not.toMatch(/constraint|sql|violat|relation|insert/i)
    }
  })

  it("inserts the first of equal rows and refuses the others", async () => {
    const { db, able, sent } = people
    const rows = [person(1), { ...person(2), email: "p1@example.com" }, person(1), person(3), { ...person(3), id: "x" }]
    const outcomes = await insertMany(db, "people", rows)
    if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.insert)
    expect(outcomes.map(shown)).toEqual([
      rows[0],
      ["DUPLICATE", "email"],
      expect.arrayContaining(["DUPLICATE"]),
      rows[3],
      ["DUPLICATE", "email"],
    ])
    expect(await stored()).toEqual(["p1", "p3"])
  })

  it("lets the first row win in any storage order", async () => {
    const rows = [
      { ...person(1), id: "b", email: "z@example.com" },
      { ...person(2), id: "b", email: "a@example.com" },
      { ...person(3), id: "a", email: "z@example.com" },
    ]
    const outcomes = await insertMany(people.db, "people", rows)
    expect(outcomes.map(shown)).toEqual([rows[0], ["DUPLICATE", "id"], ["DUPLICATE", "email"]])
  })

  it("gives rows of different shapes their defaults", async () => {
    const { db, sent } = people
    const rows: ReadonlyArray<Person> = [
      { id: "1", email: "1@x" },
      { id: "2", email: "2@x", name: "Bea" },
      { id: "3", email: "3@x", name: undefined, age: 7 },
      { id: "4", email: "4@x", age: null, team: 1 },
    ]
    const outcomes = await insertMany(db, "people", rows, { returning: ["id", "name", "age", "team"] })
    expect(sent.statements).toHaveLength(1)
    expect(outcomes.map((row) => ({ ...row }))).toEqual([
      { id: "1", name: "nobody", age: null, team: null },
      { id: "2", name: "Bea", age: null, team: null },
      { id: "3", name: "nobody", age: 7, team: null },
      { id: "4", name: "nobody", age: null, team: 1 },
    ])
  })

  it("answers with generated keys in the order of the rows", async () => {
    const { db, sent, able } = people
    const texts = ["delta", "alpha", "charlie", "bravo"]
    const outcomes = await insertMany(
      db,
      "notes",
      texts.map((text) => ({ text })),
      { returning: "all" },
    )
    expect(sent.statements).toHaveLength(1)
    const notes = outcomes as ReadonlyArray<{ readonly id: number; readonly text: string; readonly stars: number }>
    expect(notes.map(({ text }) => text)).toEqual(texts)
    expect(notes.map(({ stars }) => stars)).toEqual([3, 3, 3, 3])
    expect(notes.map(({ id }) => id)).toEqual(notes.map(({ id }) => id).sort((left, right) => left - right))
    const known = await db.selectFrom("notes").select(["id", "text"]).orderBy("id").execute()
    expect(known.map(({ text }) => text)).toEqual(texts)

    sent.clear()
    const mixed = await insertMany(
      db,
      "notes",
      [{ text: "echo" }, { text: "alpha" }, { id: 900, text: "golf" }, { text: "x", stars: 5 }],
      {
        returning: ["id", "text", "stars"],
      },
    )
    if (able.statements !== undefined) expect(sent.statements.length).toBeLessThanOrEqual(able.statements.insert)
    expect(mixed.map((row) => shown(row))).toEqual([
      expect.objectContaining({ text: "echo", stars: 3 }),
      ["DUPLICATE", "text"],
      expect.objectContaining({ id: 900, text: "golf" }),
      expect.objectContaining({ text: "x", stars: 5 }),
    ])
  })

  it("inserts 10,000 rows and finds the one that fails", async () => {
    const { db } = people
    const rows = Array.from({ length: 10_000 }, (_, index) => person(index))
    expect(failures(await insertMany(db, "people", rows))).toEqual([])
    const more = rows.map((row, index) => ({
      ...row,
      id: `q${index}`,
      email: index === 7777 ? "p1@example.com" : `q${index}@x`,
    }))
    const outcomes = await insertMany(db, "people", more, { returning: ["id"] })
    expect(outcomes.map(shown)).toEqual(more.map(({ id }, index) => (index === 7777 ? ["DUPLICATE", "email"] : { id })))
    expect(await stored()).toHaveLength(19_999)
  })

  it("uses the failure that describe returns", async () => {
    const seen: Array<Violation> = []
    const rows = [person(1), { ...person(2), email: "taken@example.com" }, { ...person(3), age: -1 }]
    const outcomes = await insertMany(people.db, "people", rows, {
      describe: (violation) => {
        seen.push(violation)
        return violation.kind === "unique"
          ? failure("EMAIL_TAKEN", "Pick another", { field: violation.column })
          : undefined
      },
    })
    expect(outcomes.map(shown)).toEqual([rows[0], ["EMAIL_TAKEN", "email"], ["VALIDATION_ERROR", "age"]])
    expect(seen).toMatchObject([
      { kind: "unique", action: "insert", table: "people", column: "email", columns: ["email"], index: 1 },
      { kind: "check", action: "insert", table: "people", column: "age", columns: ["age"], index: 2 },
    ])
    expect(seen[1]?.message).toMatch(/age/)
  })

  it("keeps values with metacharacters as they are", async () => {
    const nasty = [
      `'; drop table p; --`,
      `\\'`,
      `"`,
      "`",
      `$1`,
      `?`,
      `{a,b}`,
      `NULL`,
      `null`,
      `\\`,
      `%s`,
      `\n\t`,
      `ü😀`,
      ``,
      `,`,
      `\\x41`,
    ]
    const rows = nasty.map((text, index) => ({ id: `${index}${text}`, email: `${text}${index}`, name: text }))
    const outcomes = await insertMany(people.db, "people", rows, { returning: ["id", "email", "name"] })
    expect(outcomes.map((row) => ({ ...row }))).toEqual(rows)
    const again = await insertMany(people.db, "people", [...rows, person(1)])
    expect(again.map(shown)).toEqual([...rows.map(() => expect.arrayContaining(["DUPLICATE"])), person(1)])
  })

  it("rejects with errors that concern no row", async () => {
    const { db } = people
    const nowhere = db as unknown as { readonly nowhere: never }
    await expect(insertMany(nowhere as never, "nowhere" as never, [{ id: 1 }] as never)).rejects.toThrow(/nowhere/)
    await expect(insertMany(db, "people", [{ ...person(1), unheard: 1 } as Person])).rejects.toThrow(/unheard/)
    await expect(insertMany(db, "people", [{ ...person(1), age: sql`1` } as never])).rejects.toThrow(/plain values/)
    expect(await stored()).toEqual([])
  })

  it("sees a column that was added later", async () => {
    const { db } = people
    await sql`alter table people add column hobby varchar(20) default 'chess'`.execute(db)
    try {
      const rows = [{ ...person(1), hobby: "go" }, person(2)] as ReadonlyArray<Person>
      await insertMany(db, "people", rows)
      const found = await sql<{
        readonly hobby: string
      }>`select hobby from people where id <> 'taken' order by id`.execute(db)
      expect(found.rows.map(({ hobby }) => hobby)).toEqual(["go", "chess"])
    } finally {
      await sql`alter table people drop column hobby`.execute(db)
    }
  })
})
