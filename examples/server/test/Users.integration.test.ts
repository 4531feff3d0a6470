import type { OpenedDatabase } from "@multistatus/store-sql"
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest"

import { migrate, type Tables } from "../src/Tables.ts"
import { Users } from "../src/Users.ts"
import { openTables } from "./databases.ts"

const duplicate = { code: "DUPLICATE", field: "email", message: "Email already exists" }
const missing = { code: "NOT_FOUND", message: "User u_099 not found" }

describe.each(["sqlite", "pglite", "postgres", "mariadb"] as const)("Users (%s)", (kind) => {
  let database: OpenedDatabase<Tables>
  let users: Users

  beforeAll(async () => {
    database = await openTables(kind)
    users = new Users(database)
  })
  beforeEach(() => database.db.deleteFrom("users").execute())
  afterAll(() => database.close())

  it("keeps every member of a user", async () => {
    const input = {
      name: "Zoë 🦊",
      email: "Zoe@Example.com",
      tags: ["a", null],
      nested: { deep: { number: -1.5 } },
      nul: "\0",
    }
    const created = await users.create(input)
    expect(created).toEqual({ ...input, id: expect.stringMatching(/^u_[0-9a-f]{32}$/) })
    expect(await users.find(created.id)).toEqual(created)
  })

  it("lets many users have no email", async () => {
    const created = await users.createMany([{ name: "Alice" }, { name: "Bob", email: null }])
    expect(created).toMatchObject([{ email: null }, { email: null }])
  })

  it("refuses an email that is taken in any letter case", async () => {
    await users.create({ name: "Alice", email: "alice@example.com" })
    await expect(users.create({ name: "Other", email: "ALICE@example.com" })).rejects.toEqual(duplicate)
  })

  it("creates many in order, each independently", async () => {
    const rows = Array.from({ length: 500 }, (_, index) => ({ name: `n${index}`, email: `n${index}@example.com` }))
    const created = await users.createMany(rows)
    expect(created).toMatchObject(rows)
    expect(await users.list(1000)).toEqual(created)

    const more = [
      { name: "fresh", email: "fresh@example.com" },
      { name: "again", email: "N7@example.com" },
    ]
    expect(await users.createMany(more)).toMatchObject([{ name: "fresh" }, duplicate])
    expect(await users.list(1000)).toHaveLength(501)
  })

  it("changes many, each independently", async () => {
    const alice = await users.create({ name: "Alice", email: "a@example.com", age: 7, city: "Bern" })
    const bob = await users.create({ name: "Bob", email: "b@example.com" })
    const outcomes = await users.updateMany([
      { id: alice.id, patch: { age: 8 } },
      { id: "u_099", patch: { name: "Nobody" } },
      { id: bob.id, patch: { email: "A@example.com" } },
    ])
    expect(outcomes).toMatchObject([
      { id: alice.id, name: "Alice", email: "a@example.com", age: 8, city: "Bern" },
      { code: "NOT_FOUND", message: "User u_099 not found" },
      duplicate,
    ])
    expect(await users.find(bob.id)).toEqual(bob)
  })

  it("removes many, each independently", async () => {
    const { id } = await users.create({ name: "Alice" })
    const outcomes = await users.removeMany([id, "u_099", id])
    const missing = (id: string) => ({ code: "NOT_FOUND", message: `User ${id} not found` })
    expect(outcomes).toMatchObject([{ id }, missing("u_099"), missing(id)])
    expect(await users.list(10)).toEqual([])
  })

  it("creates more rows than the parameters of one statement could hold", async () => {
    const rows = Array.from({ length: 14_000 }, (_, index) => ({ name: `n${index}`, email: `n${index}@example.com` }))
    const outcomes = await users.createMany([...rows, { name: "again", email: "n0@example.com" }])
    expect(outcomes.at(-1)).toMatchObject(duplicate)
    const names = (await users.list(100_000)).map((user) => user.name)
    expect(names).toEqual(rows.map((row) => row.name))
  })

  it("creates nobody from an empty list", async () => {
    expect(await users.createMany([])).toEqual([])
  })

  it("changes what a patch names and nothing else", async () => {
    const { id } = await users.create({ name: "Alice", email: "a@example.com", age: 7, city: "Bern" })
    expect(await users.update(id, { age: 8 })).toEqual({
      id,
      name: "Alice",
      email: "a@example.com",
      age: 8,
      city: "Bern",
    })
    expect(await users.update(id, { name: "Alice Smith", email: null })).toEqual({
      id,
      name: "Alice Smith",
      email: null,
      age: 8,
      city: "Bern",
    })
    expect(await users.find(id)).toMatchObject({ name: "Alice Smith", email: null, age: 8 })
  })

  it("loses no member when two patches meet", async () => {
    const { id } = await users.create({ name: "Alice" })
    await Promise.all(Array.from({ length: 8 }, (_, index) => users.update(id, { [`m${index}`]: index })))
    expect(await users.find(id)).toMatchObject({ m0: 0, m1: 1, m2: 2, m3: 3, m4: 4, m5: 5, m6: 6, m7: 7 })
  })

  it("refuses another user's email", async () => {
    await users.create({ name: "Alice", email: "a@example.com" })
    const bob = await users.create({ name: "Bob", email: "b@example.com" })
    await expect(users.update(bob.id, { email: "A@example.com" })).rejects.toEqual(duplicate)
    expect(await users.update(bob.id, { email: "B@example.com" })).toMatchObject({ email: "B@example.com" })
  })

  it("finds nobody by an unknown id of any content", async () => {
    await expect(users.find("u_099")).rejects.toEqual(missing)
    await expect(users.update("u_099", {})).rejects.toEqual(missing)
    await expect(users.remove("u_099")).rejects.toEqual(missing)
    await expect(users.find("u_\0")).rejects.toMatchObject({ code: "NOT_FOUND" })
    const { id } = await users.create({ name: "Alice" })
    await expect(users.find(id.toUpperCase().replace("U_", "u_"))).rejects.toMatchObject({ code: "NOT_FOUND" })
    await expect(users.find(`${id} `)).rejects.toMatchObject({ code: "NOT_FOUND" })
  })

  it("removes a user once, and frees the email", async () => {
    const { id } = await users.create({ name: "Alice", email: "a@example.com" })
    await users.remove(id)
    await expect(users.remove(id)).rejects.toMatchObject({ code: "NOT_FOUND" })
    await users.create({ name: "Alice", email: "a@example.com" })
  })

  it("takes part in a transaction, and is rolled back with it", async () => {
    const { id } = await users.create({ name: "Alice" })
    const undone = database.db.transaction().execute(async (transaction) => {
      const inside = users.within(transaction)
      await inside.createMany([{ name: "Bob" }, { name: "Carol" }])
      await inside.update(id, { name: "Changed" })
      expect(await inside.list(10)).toHaveLength(3)
      throw new Error("undo")
    })
    await expect(undone).rejects.toThrow("undo")
    expect((await users.list(10)).map((user) => user.name)).toEqual(["Alice"])
  })

  it("can be migrated again", async () => {
    await users.create({ name: "Alice" })
    await Promise.all([migrate(database), migrate(database)])
    expect(await users.list(10)).toHaveLength(1)
  })
})
