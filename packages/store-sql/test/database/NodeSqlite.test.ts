import { describe, expect, it } from "vitest"

import { openNodeSqlite } from "../../src/database/NodeSqlite.ts"

const open = () => {
  const database = openNodeSqlite(":memory:")
  database.prepare("create table notes (id integer primary key, text)").run([])
  return database
}

const fill = (database: ReturnType<typeof open>, count: number) => {
  for (let index = 1; index <= count; index++)
    database.prepare("insert into notes (text) values (?)").run([`n${index}`])
}

describe("openNodeSqlite", () => {
  it("prepares a statement once while it is in use", () => {
    const database = open()
    expect(database.prepare("select 1")).toBe(database.prepare("select 1"))
  })

  it("evicts the least recently used statement", () => {
    const database = open()
    const often = database.prepare("select 'often'")
    const seldom = database.prepare("select 'seldom'")
    for (let index = 0; index < 127; index++) {
      database.prepare(`select ${index}`)
      database.prepare("select 'often'")
    }
    expect(database.prepare("select 'often'")).toBe(often)
    expect(database.prepare("select 'seldom'")).not.toBe(seldom)
  })

  it("does not keep a statement of thousands of values", () => {
    const database = open()
    const long = `values ${Array.from({ length: 10_000 }, () => "(?)").join(",")}`
    expect(database.prepare(long)).not.toBe(database.prepare(long))
  })

  it("distinguishes statements that return rows", () => {
    const database = open()
    expect(database.prepare("select 1").reader).toBe(true)
    expect(database.prepare("insert into notes (text) values ('x') returning id").reader).toBe(true)
    expect(database.prepare("insert into notes (text) values ('x')").reader).toBe(false)
    expect(database.prepare("create table others (id)").reader).toBe(false)
  })

  it("answers with changes and the last row's id", () => {
    const database = open()
    expect(database.prepare("insert into notes (text) values (?), (?)").run(["a", "b"])).toEqual({
      changes: 2,
      lastInsertRowid: 2,
    })
  })

  it("iterates to the end while the same statement runs again", () => {
    const database = open()
    fill(database, 3)
    const select = database.prepare("select text from notes order by id")
    const seen = []
    for (const row of select.iterate([])) {
      seen.push((row as { readonly text: string }).text)
      expect(select.all([])).toHaveLength(3)
    }
    expect(seen).toEqual(["n1", "n2", "n3"])
  })

  it("sees a column that was added after a statement was prepared", () => {
    const database = open()
    fill(database, 1)
    const select = database.prepare("select * from notes")
    expect(select.all([])).toEqual([{ id: 1, text: "n1" }])
    database.prepare("alter table notes add column more").run([])
    expect(select.all([])).toEqual([{ id: 1, text: "n1", more: null }])
  })

  it("binds booleans as numbers and undefined as NULL, and refuses values that it would lose", () => {
    const database = open()
    const echo = database.prepare("select ? as value")
    expect([true, false, undefined, null, 7n, "x"].map((value) => echo.all([value]))).toEqual([
      [{ value: 1 }],
      [{ value: 0 }],
      [{ value: null }],
      [{ value: null }],
      [{ value: 7 }],
      [{ value: "x" }],
    ])
    expect(() => echo.all([new Date(0)])).toThrow("SQLite cannot store [object Date]")
    expect(() => echo.all([{ value: 1 }])).toThrow("SQLite cannot store [object Object]")
  })

  it("enforces foreign keys", () => {
    const database = open()
    database.prepare("create table replies (note integer references notes (id))").run([])
    expect(() => database.prepare("insert into replies values (99)").run([])).toThrow("FOREIGN KEY")
  })
})
