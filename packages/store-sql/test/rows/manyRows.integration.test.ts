import { isFailure } from "@multistatus/core"
import { deleteMany, insertMany, migrate, openDatabase, updateMany } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import { PGlite } from "@electric-sql/pglite"
import { CamelCasePlugin, type Generated, Kysely, PGliteDialect, sql } from "kysely"
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest"

import { guardDialect } from "../../src/transactions/guardDialect.ts"
import { emptyPeople, failures, openPeople, type People, shown, distinctUrls } from "../support/people.ts"

interface Odd {
  readonly 'the "odd" `table\'; --': { readonly id: number; readonly 'a "b" `c\'; --': string | null }
  readonly nodes: { readonly id: number; readonly parent: number | null }
  readonly long_names: { readonly some_id: number; readonly first_name: string; readonly last_name: Generated<string> }
}

interface Camel {
  readonly longNames: { readonly someId: number; readonly firstName: string; readonly lastName: Generated<string> }
}

describe.each(distinctUrls)("statements on many rows (%s)", (...url) => {
  let people: People
  let odd: Kysely<Odd>
  beforeAll(async () => {
    people = await openPeople(url, 4)
    odd = people.db as unknown as Kysely<Odd>
    await sql`create table ${sql.table('the "odd" `table\'; --')} (id int primary key, ${sql.id('a "b" `c\'; --')} varchar(20) unique)`.execute(
      odd,
    )
    await sql`create table nodes (id int primary key, parent int, constraint nodes_parent foreign key (parent) references nodes (id))`.execute(
      odd,
    )
    await sql`create table long_names (some_id int primary key, first_name varchar(20) not null unique, last_name varchar(20) default 'Doe')`.execute(
      odd,
    )
  })
  afterAll(() => people.close())
  beforeEach(() => emptyPeople(people.db))

  it("quote names of tables and columns", async () => {
    const table = 'the "odd" `table\'; --'
    const column = 'a "b" `c\'; --'
    const rows = [1, 2, 3].map((id) => ({ id, [column]: id === 3 ? "v1" : `v${id}` })) as never
    expect(
      (await insertMany(odd, table, rows, { returning: "all" }))
        .map(shown)
        .map((row) => (Array.isArray(row) ? row : Object.assign({}, row))),
    ).toEqual([{ id: 1, [column]: "v1" }, { id: 2, [column]: "v2" }, ["DUPLICATE", column]])
    const changes = [1, 2].map((key) => ({ key, set: { [column]: key === 2 ? "v1" : "v1" } as never }))
    expect(
      (await updateMany(odd, table, changes, { returning: [column] }))
        .map(shown)
        .map((row) => (Array.isArray(row) ? row : Object.assign({}, row))),
    ).toEqual([{ [column]: "v1" }, ["DUPLICATE", column]])
    expect((await deleteMany(odd, table, [1, 9])).map(shown)).toEqual([{ id: 1 }, ["NOT_FOUND", undefined]])
  })

  it("check rows that refer to each other one by one", async () => {
    const early = await insertMany(odd, "nodes", [
      { id: 2, parent: 1 },
      { id: 1, parent: null },
      { id: 3, parent: 1 },
    ])
    expect(early.map(shown)).toEqual([["CONFLICT", "parent"], { id: 1, parent: null }, { id: 3, parent: 1 }])
    expect((await deleteMany(odd, "nodes", [1, 3])).map(shown)).toEqual([["CONFLICT", "id"], { id: 3 }])
  })

  it("use the names that a plugin gives", async () => {
    const camel = people.db.withPlugin(new CamelCasePlugin()) as unknown as Kysely<Camel>
    const rows = [
      { someId: 1, firstName: "Ada" },
      { someId: 2, firstName: "Bea", lastName: "Roe" },
      { someId: 3, firstName: "Ada" },
    ]
    const outcomes = await insertMany(camel, "longNames", rows, { key: "someId", returning: ["someId", "lastName"] })
    expect(outcomes.map(shown).map((row) => (Array.isArray(row) ? row : Object.assign({}, row)))).toEqual([
      { someId: 1, lastName: "Doe" },
      { someId: 2, lastName: "Roe" },
      ["DUPLICATE", "firstName"],
    ])
    const changes = [
      { key: 1, set: { firstName: "Bea" } },
      { key: 2, set: { lastName: "Poe" } },
    ]
    const changed = await updateMany(camel, "longNames", changes, { key: "someId", returning: "all" })
    expect(changed.map(shown).map((row) => (Array.isArray(row) ? row : Object.assign({}, row)))).toEqual([
      ["DUPLICATE", "firstName"],
      { someId: 2, firstName: "Bea", lastName: "Poe" },
    ])
    expect((await deleteMany(camel, "longNames", [1, 5], { key: "someId" })).map(shown)).toEqual([
      { someId: 1 },
      ["NOT_FOUND", undefined],
    ])
  })

  it("reject for a key that is invalid for the table", async () => {
    await expect(deleteMany(people.db, "people", ["x"], { key: "nothing" as never })).rejects.toThrow(
      /no column "nothing"/,
    )
    await expect(
      insertMany(people.db, "people", [{ id: "a", email: "a@x" }], { key: "no" as never, returning: ["id"] }),
    ).rejects.toThrow(/no column "no"/)
  })

  it("refuse a key that several rows may have, and change none of them", async () => {
    const { db } = people
    await insertMany(db, "people", [
      { id: "a", email: "a@x", tenant: 1, code: "x" },
      { id: "b", email: "b@x", tenant: 1, code: "y" },
    ])
    const message = /column "tenant" does not identify the rows of .*people.*: name a unique column in the option "key"/
    await expect(deleteMany(db, "people", [1], { key: "tenant" })).rejects.toThrow(message)
    const change = { key: 1, set: { name: "Ada" } }
    await expect(updateMany(db, "people", [change], { key: "tenant" })).rejects.toThrow(message)
    const rows = [{ id: "c", email: "c@x", tenant: 1 }]
    await expect(insertMany(db, "people", rows, { key: "tenant", returning: ["id"] })).rejects.toThrow(message)
    expect(await db.selectFrom("people").select(["id", "name"]).orderBy("id").execute()).toEqual([
      { id: "a", name: "nobody" },
      { id: "b", name: "nobody" },
    ])
    expect(await updateMany(db, "people", [{ key: "a@x", set: { name: "Ada" } }], { key: "email" })).toHaveLength(1)
  })

  it("take a key that became unique after their first call", async () => {
    const labels = people.db as unknown as Kysely<{ readonly labels: { readonly id: number; readonly tag: string } }>
    await sql`create table labels (id int primary key, tag varchar(20))`.execute(labels)
    await insertMany(labels, "labels", [{ id: 1, tag: "a" }])
    await expect(deleteMany(labels, "labels", ["a"], { key: "tag" })).rejects.toThrow("does not identify")
    await sql`create unique index labels_tag on labels (tag)`.execute(labels)
    expect(await deleteMany(labels, "labels", ["a"], { key: "tag" })).toEqual([{ tag: "a" }])
  })

  it("do not deadlock with each other over the same values in opposite orders", async () => {
    if (!people.able.concurrentConnections) return
    const rows = Array.from({ length: 300 }, (_, index) => `same${index}@x`)
    for (let round = 0; round < 5; round++) {
      await emptyPeople(people.db)
      const calls = await Promise.all(
        [rows, rows.toReversed(), rows, rows.toReversed()].map((emails, call) =>
          insertMany(
            people.db,
            "people",
            emails.map((email, index) => ({ id: `${call}-${index}`, email, name: "Ada" })),
          ),
        ),
      )
      const inserted = calls.flat().filter((outcome) => !isFailure(outcome))
      expect(inserted).toHaveLength(rows.length)
      expect(failures(calls.flat()).every(({ code, field }) => code === "DUPLICATE" && field === "email")).toBe(true)

      const keys = inserted.map((row) => (row as { readonly id: string }).id)
      const updates = await Promise.all(
        [keys, keys.toReversed(), keys, keys.toReversed()].map((order, age) =>
          updateMany(
            people.db,
            "people",
            order.map((key) => ({ key, set: { age } })),
          ),
        ),
      )
      expect(failures(updates.flat())).toEqual([])
      const deletes = await Promise.all(
        [keys, keys.toReversed()].map((order) => deleteMany(people.db, "people", order)),
      )
      expect(failures(deletes.flat()).map(({ code }) => code)).toEqual(keys.map(() => "NOT_FOUND"))
    }
  })

  it("do not deadlock over the same new and refused rows", async () => {
    if (!people.able.concurrentConnections) return
    await people.db.insertInto("people").values({ id: "taken", email: "taken@x" }).execute()
    const emails = [...Array.from({ length: 100 }, (_, index) => `e${index}@x`), "taken@x"]
    const calls = await Promise.all(
      [emails, emails.toReversed()].map((order, call) =>
        insertMany(
          people.db,
          "people",
          order.map((email) => ({ id: `${call}${email}`, email, name: "Ada" })),
        ),
      ),
    )
    expect(calls.flat().filter((outcome) => !isFailure(outcome))).toHaveLength(100)
  })

  it("see the changes of their transaction, and stay in it", async () => {
    const undone = people.db.transaction().execute(async (transaction) => {
      await insertMany(transaction, "people", [{ id: "a", email: "a@x" }])
      const outcomes = await insertMany(transaction, "people", [
        { id: "b", email: "a@x" },
        { id: "c", email: "c@x" },
      ])
      expect(outcomes.map(shown)).toEqual([["DUPLICATE", "email"], { id: "c", email: "c@x" }])
      expect((await updateMany(transaction, "people", [{ key: "c", set: { age: 1 } }])).map(shown)).toEqual([
        { id: "c", age: 1 },
      ])
      expect(await transaction.selectFrom("people").select("id").execute()).toHaveLength(2)
      throw new Error("undo")
    })
    await expect(undone).rejects.toThrow("undo")
    expect(await people.db.selectFrom("people").select("id").execute()).toEqual([])
  })
})

const rivalry: Readonly<Partial<Record<string, ReadonlyArray<string>>>> = {
  postgres: [
    `create function rival() returns trigger language plpgsql as $$ begin
      if new.email = 'rival@x' then raise exception using errcode = '40001'; end if; return new; end $$`,
    "create trigger rival before update or insert on people for each row execute function rival()",
  ],
  mysql: ["insert", "update"].map(
    (event) => `create trigger rival_${event} before ${event} on people for each row
      begin if new.email = 'rival@x' then signal sqlstate '40001'; end if; end`,
  ),
}

describe.each(distinctUrls.filter(([dialect]) => dialect !== "sqlite"))("a serialization failure (%s)", (...url) => {
  it("rejects the call and applies nothing of it", async () => {
    const { db, close } = await openPeople(url)
    for (const statement of rivalry[url[0]] ?? rivalry["postgres"] ?? []) await sql.raw(statement).execute(db)
    const rows = [
      { id: "a", email: "a@x" },
      { id: "b", email: "a@x" },
      { id: "c", email: "rival@x" },
    ]
    const state = (error: unknown) => (error as { sqlState?: string }).sqlState ?? (error as { code?: string }).code
    expect(await insertMany(db, "people", rows).catch(state)).toBe("40001")
    expect(await db.selectFrom("people").select("id").execute()).toEqual([])
    await insertMany(db, "people", rows.slice(0, 1))
    const changes = [
      { key: "a", set: { age: 1, email: "a@x" } },
      { key: "a", set: { age: 2, email: "rival@x" } },
    ]
    expect(await updateMany(db, "people", changes).catch(state)).toBe("40001")
    expect(failures(await insertMany(db, "people", [{ id: "d", email: "d@x" }]))).toEqual([])
    await close()
  })
})

interface Server {
  readonly things: { readonly id: Generated<number>; readonly text: string; readonly state: Generated<string> }
}

describe.each(["pglite", "postgres"] as const)("PostgreSQL's own (%s)", (dialect) => {
  // PGlite takes seconds to start, so its tests share one, with nothing in it at their beginning.
  let pglite: PGlite | undefined
  beforeAll(async () => {
    if (dialect === "pglite") pglite = await PGlite.create()
  })
  afterAll(() => pglite?.close())

  const connect = async () => {
    if (pglite === undefined)
      return openDatabase<Server>(await freshDatabase(inject("postgresUrl")), { maxConnections: 1 })
    await pglite.exec("drop schema public cascade; create schema public; grant usage on schema public to public")
    return { db: new Kysely<Server>({ dialect: guardDialect(new PGliteDialect({ pglite })) }), close: async () => {} }
  }

  const open = async (...statements: ReadonlyArray<string>) => {
    const opened = await connect()
    await migrate(opened.db, dialect)
    for (const statement of statements) await sql.raw(statement).execute(opened.db)
    return opened
  }

  it("identity columns are numbered in the order of the rows", async () => {
    const { db, close } = await open(
      "create table things (id int generated always as identity primary key, text text unique, state text generated always as (upper(text)) stored)",
    )
    const outcomes = await insertMany(
      db,
      "things",
      ["c", "a", "b"].map((text) => ({ text })),
      { returning: "all" },
    )
    expect(outcomes).toEqual([
      { id: 1, text: "c", state: "C" },
      { id: 2, text: "a", state: "A" },
      { id: 3, text: "b", state: "B" },
    ])
    expect((await insertMany(db, "things", [{ text: "d" }, { text: "a" }])).map(shown)).toEqual([
      { text: "d" },
      ["DUPLICATE", "text"],
    ])
    await expect(insertMany(db, "things", [{ id: 9, text: "e" }])).rejects.toThrow(/non-DEFAULT/)
    await close()
  })

  it("triggers can skip rows, raise errors and fill in keys row by row", async () => {
    const { db, close } = await open(
      "create table things (id int primary key, text text unique, state text default 'new')",
      `create function judge() returns trigger language plpgsql as $$ begin
        if new.text = 'skip' then return null; end if;
        if new.text = 'raise' then raise exception 'secret words'; end if;
        new.id := coalesce(new.id, length(new.text)); new.state := new.state || '!'; return new; end $$`,
      "create trigger judge before insert on things for each row execute function judge()",
    )
    const rows = ["one", "skip", "raise", "three"].map((text) => ({ text }))
    const outcomes = await insertMany(db, "things", rows, { returning: "all" })
    expect(outcomes.map(shown)).toEqual([
      { id: 3, text: "one", state: "new!" },
      ["CONFLICT", undefined],
      ["VALIDATION_ERROR", undefined],
      { id: 5, text: "three", state: "new!" },
    ])
    expect(outcomes[2]).toMatchObject({ message: "The row of things is not allowed" })
    expect((await insertMany(db, "things", [{ text: "fourth" }, { text: "skip" }])).map(shown)).toEqual([
      { text: "fourth" },
      ["CONFLICT", undefined],
    ])
    expect((await insertMany(db, "things", [{ text: "seventh" }])).map(shown)).toEqual([{ text: "seventh" }])
    await close()
  })

  it("deferred constraints are checked at once, except in the caller's transaction", async () => {
    const { db, close } = await open(
      "create table things (id int primary key, text text unique deferrable initially deferred, state text default 'x')",
    )
    const rows = [
      { id: 1, text: "a" },
      { id: 2, text: "a" },
    ]
    expect((await insertMany(db, "things", rows)).map(shown)).toEqual([rows[0], ["DUPLICATE", "text"]])
    const later = db.transaction().execute((transaction) => insertMany(transaction, "things", [{ id: 3, text: "a" }]))
    await expect(later).rejects.toThrow(/duplicate key/)
    await close()
  })

  it("tables can be in another schema, by name or withSchema", async () => {
    const { db, close } = await open(
      "create schema other",
      "create table other.things (id serial primary key, text text unique, state text default 'o')",
    )
    const qualified = db as unknown as Kysely<{ readonly "other.things": Server["things"] }>
    expect(await insertMany(qualified, "other.things", [{ text: "a" }], { returning: "all" })).toEqual([
      { id: 1, text: "a", state: "o" },
    ])
    const outcomes = await insertMany(db.withSchema("other"), "things", [{ text: "b" }, { text: "a" }], {
      returning: ["id"],
    })
    expect(outcomes.map(shown)).toEqual([{ id: expect.any(Number) }, ["DUPLICATE", "text"]])
    await close()
  })

  it("unique indexes can have expressions and conditions", async () => {
    const { db, close } = await open(
      "create table things (id int primary key, text text, state text default 'x')",
      "create unique index things_lower on things (lower(text)) where state = 'x'",
    )
    const rows = [
      { id: 1, text: "a" },
      { id: 2, text: "A" },
      { id: 3, text: "A", state: "y" },
    ]
    expect((await insertMany(db, "things", rows)).map(shown)).toEqual([rows[0], ["DUPLICATE", "text"], rows[2]])
    const changes = [
      { key: 1, set: { text: "b" } },
      { key: 3, set: { state: "x", text: "B" } },
    ]
    expect((await updateMany(db, "things", changes)).map(shown)).toEqual([{ id: 1, text: "b" }, ["DUPLICATE", "text"]])
    await close()
  })

  it("roles without permission get the error of PostgreSQL", async () => {
    const { db, close } = await open(
      "create table things (id int primary key, text text, state text)",
      "create role reader",
      "grant select on things to reader",
      "set role reader",
    )
    await expect(insertMany(db, "things", [{ id: 1, text: "a" }])).rejects.toThrow(/permission denied/)
    await sql`reset role`.execute(db)
    await close()
  })

  it("default expressions that name a function are evaluated for the rows that lack the column", async () => {
    const { db, close } = await open(
      "create sequence counted",
      "create table things (id int default nextval('counted') primary key, text text, state text default lower('X') || '-' || 1)",
    )
    const rows = [{ text: "a" }, { id: 50, text: "b" }, { text: "c", state: "given" }]
    expect(await insertMany(db, "things", rows, { returning: "all" })).toEqual([
      { id: 1, text: "a", state: "x-1" },
      { id: 50, text: "b", state: "x-1" },
      { id: 2, text: "c", state: "given" },
    ])
    await close()
  })
})

describe("a statement that inserts many rows into PostgreSQL", () => {
  it("is prepared once for any number and shape of rows", async () => {
    const { db, close } = await openDatabase<Server>(await freshDatabase(inject("postgresUrl")), { maxConnections: 1 })
    await sql`create table things (id serial primary key, text text unique, state text default 'x')`.execute(db)
    const prepared = async () =>
      (await sql<{ readonly statement: string }>`select statement from pg_prepared_statements`.execute(db)).rows
    for (const size of [1, 10, 100]) {
      await insertMany(
        db,
        "things",
        Array.from({ length: size }, (_, index) => ({
          text: `${size}-${index}`,
          ...(index % 2 === 0 && { state: "y" }),
        })),
      )
    }
    await insertMany(db, "things", [{ id: 7000, text: "z" }])
    expect(await prepared()).toHaveLength(1)
    await close()
  })

  it("needs the routine only when a row fails, and says when it is missing", async () => {
    const { db, close } = await openDatabase<Server>(await freshDatabase(inject("postgresUrl")), { maxConnections: 1 })
    await sql`create table things (id serial primary key, text text unique, state text default 'x')`.execute(db)
    expect(failures(await insertMany(db, "things", [{ text: "a" }]))).toEqual([])
    await expect(insertMany(db, "things", [{ text: "a" }])).rejects.toThrow(/run `migrate\(db, "postgres"\)` first/)
    await migrate(db, "postgres")
    expect((await insertMany(db, "things", [{ text: "a" }])).map(shown)).toEqual([["DUPLICATE", "text"]])
    await close()
  })
})
