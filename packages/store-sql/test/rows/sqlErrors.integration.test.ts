import { failure } from "@multistatus/core"
import { sqlErrors } from "@multistatus/store-sql"
import { type RawBuilder, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { openPeople, type People, urls } from "../support/people.ts"

describe.each(urls)("sqlErrors (%s)", (...url) => {
  const [dialect] = url
  let people: People
  beforeAll(async () => {
    people = await openPeople(url)
    await people.db.insertInto("people").values({ id: "a", email: "a@x", team: 1, tenant: 1, code: "x" }).execute()
  })
  afterAll(() => people.close())

  const thrownBy = (statement: RawBuilder<unknown>): Promise<unknown> =>
    statement.execute(people.db).then(
      () => undefined,
      (error: unknown) => error,
    )
  const mapped = async (statement: RawBuilder<unknown>) => {
    const found = sqlErrors(dialect)(await thrownBy(statement))
    return found && { code: found.code, field: found.field }
  }
  const isNamed = dialect !== "mysql"

  it("turns violated constraints into failures", async () => {
    expect({
      unique: await mapped(sql`insert into people (id, email) values ('b', 'a@x')`),
      several: await mapped(sql`insert into people (id, email, tenant, code) values ('b', 'b@x', 1, 'x')`),
      notNull: await mapped(sql`insert into people (id, email) values ('b', null)`),
      foreignKey: await mapped(sql`insert into people (id, email, team) values ('b', 'b@x', 99)`),
      referred: (await mapped(sql`delete from teams where id = 1`))?.code,
      check: (await mapped(sql`insert into people (id, email, age) values ('b', 'b@x', -1)`))?.code,
    }).toEqual({
      unique: { code: "DUPLICATE", field: isNamed ? "email" : undefined },
      several: { code: "DUPLICATE", field: isNamed ? "tenant" : undefined },
      notNull: { code: "VALIDATION_ERROR", field: "email" },
      foreignKey: { code: "CONFLICT", field: dialect === "sqlite" ? undefined : "team" },
      referred: "CONFLICT",
      check: "VALIDATION_ERROR",
    })
  })

  it("leaves other errors alone", async () => {
    expect(await mapped(sql`insert into nowhere (id) values (1)`)).toBeUndefined()
    expect(await mapped(sql`selec 1`)).toBeUndefined()
    for (const other of [new Error("x"), undefined, "x", { code: "23505" }])
      expect(sqlErrors(dialect)(other)).toBeUndefined()
  })

  it("finds the violation among the causes of an error, and lets the application describe it", async () => {
    const cause = await thrownBy(sql`insert into people (id, email) values ('b', 'a@x')`)
    const describe = () => failure("TAKEN", "Taken")
    expect(sqlErrors(dialect, { describe })(new Error("wrapped", { cause }))).toMatchObject({ code: "TAKEN" })
  })
})

it("sqlErrors says which dialects there are", () => {
  expect(() => sqlErrors(undefined as never)).toThrow("sqlErrors needs the dialect (postgres, pglite, mysql, sqlite)")
})
