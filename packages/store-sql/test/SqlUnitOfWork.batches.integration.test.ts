import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterAll, describe, expect, inject, it } from "vitest"

import { addEndpoint, each, type Given, keysFrom } from "./support/batches.ts"
import { addKey, keysIn, openKeys } from "./support/keys.ts"

const urls = {
  SQLite: async () => "sqlite::memory:",
  PGlite: async () => "pglite::memory:",
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

const closing: Array<() => Promise<void>> = []
afterAll(async () => {
  for (const close of closing) await close()
})

const open = async (url: string, options?: Given) => {
  // No new connection takes that long, but a busy one is waited for longer.
  const database = await openKeys(url, { maxConnections: 10, connectTimeoutMs: 250 })
  const endpoint = addEndpoint(database, options)
  closing.push(endpoint.close, database.close)
  return { ...database, ...endpoint }
}

describe.each(Object.keys(urls) as Array<keyof typeof urls>)("atomic batches on %s", (kind) => {
  it("all get their turn, however few connections there are", async () => {
    const { db, send } = await open(await urls[kind](), { limits: { deadlineMs: 60_000 } })
    const prefixes = Array.from({ length: 50 }, (_, index) => `b${index}`)
    const answers = await Promise.all(
      prefixes.map((prefix) => {
        // Long enough that the last of those that share ten connections wait longer than a connection may take.
        const wait = each("wait", [kind === "PostgreSQL" || kind === "MariaDB" ? 100 : 5])
        return send({
          atomic: true,
          operations: [...wait, ...each("add", keysFrom(prefix)), ...each("addMany", [prefix])],
        })
      }),
    )
    expect(answers).toEqual(answers.map(() => ({ status: 200, code: undefined, index: undefined })))
    expect(await keysIn(db)).toHaveLength(50 * 101)
  }, 120_000)

  it("are told at once that a handler went past the transaction", async () => {
    const { db, send } = await open(await urls[kind](), { limits: { deadlineMs: 60_000 } })
    const startedAt = performance.now()
    const answer = await send({ atomic: true, operations: [...each("add", ["a"]), ...each("addOutside", ["b"])] })
    expect(answer).toEqual({ status: 500, code: "OUTSIDE_TRANSACTION", index: 1 })
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    expect(await keysIn(db)).toEqual([])
    expect((await send({ operations: each("addOutside", ["c"]) })).status).toBe(200)
    expect(await keysIn(db)).toEqual(["c"])
  }, 60_000)

  it("name the offender that a statement on many rows fails for", async () => {
    const { db, send } = await open(await urls[kind]())
    await addKey(db, "m-70")
    const operations = [...each("add", ["a"]), ...each("addMany", keysFrom("m"))]
    const answer = await send({ atomic: true, operations })
    expect(answer).toEqual({ status: 500, code: "INTERNAL", index: 71 })
    expect(await keysIn(db)).toEqual(["m-70"])
    const shared = await open(await urls[kind](), { transactionSize: 10 })
    await addKey(shared.db, "m-70")
    expect((await shared.send({ operations })).status).toBe(207)
    expect(await keysIn(shared.db)).toHaveLength(101)
  }, 60_000)

  it("leave nothing behind at the deadline, and give the connection back", async () => {
    const { db, send } = await open(await urls[kind](), { limits: { deadlineMs: 400 } })
    const answer = await send({ atomic: true, operations: [...each("add", ["a"]), ...each("wait", [60_000])] })
    expect(answer).toEqual({ status: 504, code: "DEADLINE_EXCEEDED", index: 1 })
    expect(await keysIn(db)).toEqual([])
    await addKey(db, "b")
    expect(await keysIn(db)).toEqual(["b"])
  }, 60_000)
})

describe("a commit that the database refuses", () => {
  it.each(["PGlite", "PostgreSQL"] as const)("is neither tried again nor told of as done on %s", async (kind) => {
    const { db, send } = await open(await urls[kind]())
    await sql`create table checked (name text primary key references keys deferrable initially deferred)`.execute(db)
    await sql`create function check_later() returns trigger language plpgsql as $$
      begin insert into checked values (new.name || ' is missing'); return new; end $$`.execute(db)
    await sql`create trigger later after insert on keys for each row execute function check_later()`.execute(db)
    expect(await send({ atomic: true, operations: each("add", ["a", "b"]) })).toMatchObject({
      status: 500,
      code: "INTERNAL",
    })
    expect(await keysIn(db)).toEqual([])
  })

  it("is neither tried again nor told of as done on SQLite", async () => {
    const { db, send } = await open(await urls.SQLite())
    await sql`create table checked (name text references keys deferrable initially deferred)`.execute(db)
    await sql`create trigger later after insert on keys begin insert into checked values ('missing'); end`.execute(db)
    expect(await send({ atomic: true, operations: each("add", ["a", "b"]) })).toMatchObject({
      status: 500,
      code: "INTERNAL",
    })
    expect(await keysIn(db)).toEqual([])
    await sql`drop trigger later`.execute(db)
    expect((await send({ atomic: true, operations: each("add", ["a"]) })).status).toBe(200)
  })
})
