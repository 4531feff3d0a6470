import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterAll, beforeAll, beforeEach, describe, expect, inject, it } from "vitest"

import { addEndpoint, each, type Given, keysFrom } from "../support/batches.ts"
import { addKey, keysIn, openKeys } from "../support/keys.ts"

const urls = {
  SQLite: async () => "sqlite::memory:",
  PGlite: async () => "pglite::memory:",
  PostgreSQL: () => freshDatabase(inject("postgresUrl")),
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

/** Opens a database whose connections are waited for longer than a new one may take. */
const open = (url: string) => openKeys(url, { maxConnections: 10, connectTimeout: 250 })

type Opened = Awaited<ReturnType<typeof open>>

/** Sends one batch to an endpoint of its own. */
const sendTo = async (opened: Opened, body: object, options?: Given) => {
  const { send, close } = addEndpoint(opened, options)
  const answer = await send(body)
  await close()
  return answer
}

describe.each(Object.keys(urls) as Array<keyof typeof urls>)("atomic batches on %s", (kind) => {
  let opened: Opened
  beforeAll(async () => {
    opened = await open(await urls[kind]())
  }, 60_000)
  afterAll(() => opened?.close())
  beforeEach(async () => {
    await opened.db.deleteFrom("keys").execute()
  })

  it("all run with few connections", async () => {
    const { send, close } = addEndpoint(opened, { limits: { deadline: 60_000 } })
    const prefixes = Array.from({ length: 50 }, (_, index) => `b${index}`)
    // Long enough that the last of those that share ten connections wait longer than a connection may take.
    const wait = each("wait", [kind === "PostgreSQL" || kind === "MariaDB" ? 100 : 5])
    const answers = await Promise.all(
      prefixes.map((prefix) => {
        const operations = [...wait, ...each("add", keysFrom(prefix)), ...each("addMany", [prefix])]
        return send({ atomic: true, operations })
      }),
    )
    await close()
    expect(answers).toEqual(answers.map(() => ({ status: 200, code: undefined, index: undefined })))
    expect(await keysIn(opened.db)).toHaveLength(50 * 101)
  }, 120_000)

  it("fail at once when a handler goes past the transaction", async () => {
    const limits = { deadline: 60_000 }
    const startedAt = performance.now()
    const operations = [...each("add", ["a"]), ...each("addOutside", ["b"])]
    const answer = await sendTo(opened, { atomic: true, operations }, { limits })
    expect(answer).toEqual({ status: 500, code: "OUTSIDE_TRANSACTION", index: 1 })
    expect(performance.now() - startedAt).toBeLessThan(20_000)
    expect(await keysIn(opened.db)).toEqual([])
    expect((await sendTo(opened, { operations: each("addOutside", ["c"]) })).status).toBe(200)
    expect(await keysIn(opened.db)).toEqual(["c"])
  }, 60_000)

  it("name the operation that makes a statement on many rows fail", async () => {
    await addKey(opened.db, "m-70")
    const operations = [...each("add", ["a"]), ...each("addMany", keysFrom("m"))]
    const answer = await sendTo(opened, { atomic: true, operations })
    expect(answer).toEqual({ status: 500, code: "INTERNAL", index: 71 })
    expect(await keysIn(opened.db)).toEqual(["m-70"])
    expect((await sendTo(opened, { operations }, { transactionSize: 10 })).status).toBe(207)
    expect(await keysIn(opened.db)).toHaveLength(101)
  }, 60_000)

  it("leave nothing behind at the deadline, and give the connection back", async () => {
    const operations = [...each("add", ["a"]), ...each("wait", [60_000])]
    const answer = await sendTo(opened, { atomic: true, operations }, { limits: { deadline: 1_000 } })
    expect(answer).toEqual({ status: 504, code: "DEADLINE_EXCEEDED", index: 1 })
    expect(await keysIn(opened.db)).toEqual([])
    await addKey(opened.db, "b")
    expect(await keysIn(opened.db)).toEqual(["b"])
  }, 60_000)
})

describe("a commit that the database refuses", () => {
  it("is neither retried nor answered as done on PostgreSQL", async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await open(await urls.PostgreSQL())
    stack.defer(opened.close)
    const { db } = opened
    await sql`create table checked (name text primary key references keys deferrable initially deferred)`.execute(db)
    await sql`create function check_later() returns trigger language plpgsql as $$
      begin insert into checked values (new.name || ' is missing'); return new; end $$`.execute(db)
    await sql`create trigger later after insert on keys for each row execute function check_later()`.execute(db)
    expect(await sendTo(opened, { atomic: true, operations: each("add", ["a", "b"]) })).toMatchObject({
      status: 500,
      code: "INTERNAL",
    })
    expect(await keysIn(db)).toEqual([])
  })

  it("is neither retried nor answered as done on SQLite", async () => {
    await using stack = new AsyncDisposableStack()
    const opened = await open(await urls.SQLite())
    stack.defer(opened.close)
    const { db } = opened
    await sql`create table checked (name text references keys deferrable initially deferred)`.execute(db)
    await sql`create trigger later after insert on keys begin insert into checked values ('missing'); end`.execute(db)
    expect(await sendTo(opened, { atomic: true, operations: each("add", ["a", "b"]) })).toMatchObject({
      status: 500,
      code: "INTERNAL",
    })
    expect(await keysIn(db)).toEqual([])
    await sql`drop trigger later`.execute(db)
    expect((await sendTo(opened, { atomic: true, operations: each("add", ["a"]) })).status).toBe(200)
  })
})
