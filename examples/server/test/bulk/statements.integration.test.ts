import { freshDatabase } from "@multistatus/test-services"
import { guardDialect, migrate as migrateStore } from "@multistatus/store-sql"
import { Kysely, PostgresDialect } from "kysely"
import { Pool } from "pg"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { readConfiguration } from "../../src/Configuration.ts"
import { expressHost } from "../../src/expressHost.ts"
import { fastifyHost } from "../../src/fastifyHost.ts"
import { migrate, type Tables } from "../../src/Tables.ts"
import { Users } from "../../src/Users.ts"

const hosts = { express: expressHost, fastify: fastifyHost }
const configuration = readConfiguration({ STORE: "memory" })

interface Outcome {
  readonly index: number
  readonly status: string
  readonly error?: { readonly code: string; readonly field: string }
}

describe.each(["express", "fastify"] as const)("bulk-create on PostgreSQL (%s)", (framework) => {
  const statements: Array<string> = []
  let url = ""
  let stop: () => Promise<unknown> = async () => {}

  beforeAll(async () => {
    const pool = new Pool({ connectionString: await freshDatabase(inject("postgresUrl")) })
    const db = new Kysely<Tables>({
      dialect: guardDialect(new PostgresDialect({ pool })),
      log: ({ query }) => void statements.push(query.sql),
    })
    await migrateStore(db, "postgres")
    await migrate({ db, dialect: "postgres" })
    const host = await hosts[framework](new Users({ db, dialect: "postgres" }), configuration)
    url = `http://127.0.0.1:${await host.listen(0)}/api/v1/users`
    stop = async () => {
      await host.close()
      await db.destroy()
    }
    // The catalog is read once, with the first call for several.
    await create([{ name: "First", email: "taken@example.com" }, { name: "Second" }])
  })

  afterAll(() => stop())

  const create = async (users: ReadonlyArray<object>) => {
    statements.length = 0
    const answer = await fetch(`${url}/bulk-create`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ users }),
    })
    const { created, results = [] } = (await answer.json()) as { created: number; results?: ReadonlyArray<Outcome> }
    return { status: answer.status, created, results, statements: statements.length }
  }

  let made = 0
  const people = (count: number) =>
    Array.from({ length: count }, () => ({ name: `Person ${++made}`, email: `person.${made}@example.com` }))

  it("creates 500 users with one statement", async () => {
    expect(await create(people(500))).toMatchObject({ status: 201, created: 500, statements: 1 })
  })

  it.each([1, 10, 50, 500])("names each of %d offenders among 500 with at most three statements", async (offenders) => {
    const users = people(500)
    const bad = new Set(Array.from({ length: offenders }, (_, index) => Math.floor((index * 500) / offenders)))
    const answer = await create(
      users.map((user, index) => (bad.has(index) ? { ...user, email: "taken@example.com" } : user)),
    )
    expect(answer).toMatchObject({ status: 207, created: 500 - offenders })
    expect(answer.statements).toBeLessThanOrEqual(3)
    expect(answer.results.map(({ status }) => status === "error")).toEqual(users.map((_, index) => bad.has(index)))
    for (const { error } of answer.results.filter(({ index }) => bad.has(index))) {
      expect(error).toMatchObject({ code: "DUPLICATE", field: "email" })
    }
  })

  it("names each invalid user by its own field without a statement", async () => {
    const users = people(500).map((user, index) => (index % 10 === 0 ? { ...user, email: "not an email" } : user))
    const answer = await create(users)
    expect(answer).toMatchObject({ status: 207, created: 450, statements: 1 })
    const failed = answer.results.filter(({ status }) => status === "error")
    expect(failed.map(({ index }) => index)).toEqual(Array.from({ length: 50 }, (_, index) => index * 10))
    for (const { error } of failed) expect(error).toMatchObject({ code: "VALIDATION_ERROR", field: "email" })
  })
})
