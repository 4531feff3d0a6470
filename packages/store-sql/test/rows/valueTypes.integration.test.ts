import {
  type DatabaseDialect,
  insertMany,
  migrate,
  openDatabase,
  type OpenedDatabase,
  updateMany,
} from "@multistatus/store-sql"
import { type Kysely, sql } from "kysely"
import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { shown, urls } from "../support/people.ts"

type Values = Readonly<Record<string, unknown>>

interface Tables {
  readonly things: { readonly id: string }
}

interface Case {
  readonly type: string
  /** Values that are stored and read alike by many rows and by one. */
  readonly good: ReadonlyArray<unknown>
  readonly bad: ReadonlyArray<unknown>
}

const date = new Date("2024-02-29T12:34:56.789Z")
const bytes = Buffer.from([0, 255, 39, 92, 34])

const postgres: Readonly<Record<string, Case>> = {
  truth: { type: "boolean", good: [true, false, null, "yes"], bad: ["maybe"] },
  small: { type: "smallint", good: [-5, "7", null], bad: [40_000, "x"] },
  whole: { type: "int4 default 42", good: [0, -5, undefined, null], bad: ["1.5", 2 ** 31] },
  big: { type: "bigint", good: [2n ** 62n, "9007199254740993", 5], bad: [2n ** 63n] },
  exact: { type: "numeric(7,3)", good: ["1234.567", 1.5, "-0.001", null], bad: ["12345.6", "abc"] },
  single: { type: "real", good: [1.5, "NaN", Number.POSITIVE_INFINITY], bad: ["1e99"] },
  double: { type: "double precision", good: [0.1, 1e-300, -0, Number.NaN], bad: ["abc"] },
  long: { type: "text default 'a''b'", good: ["", "NULL", "{}", `"\\'`, undefined, null], bad: ["\0"] },
  short: { type: "varchar(3)", good: ["abc", "äöü", "ab   "], bad: ["abcd"] },
  padded: { type: "char(4)", good: ["ab", "abcd"], bad: ["abcde"] },
  label: { type: "mood default 'sad'", good: ["happy", undefined, null], bad: ["angry"] },
  limited: { type: "positive", good: [1, undefined], bad: [-1, "x"] },
  code: { type: "code3", good: ["abc"], bad: ["abcd"] },
  raw: { type: "bytea", good: [bytes, new Uint8Array([1, 2]), Buffer.alloc(0), "\\x00ff"], bad: ["\\xzz"] },
  moment: {
    type: "timestamptz default now()",
    good: [date, "2024-01-01T00:00:00+02", "infinity", null],
    bad: ["yesterdayish", "2024-13-01"],
  },
  local: { type: "timestamp", good: [date, "2024-01-01 10:00:00.123456"], bad: ["x"] },
  day: { type: "date", good: ["2024-02-29", date], bad: ["2023-02-29"] },
  hour: { type: "time", good: ["10:11:12.5"], bad: ["25:00"] },
  span: { type: "interval", good: ["1 day 02:03:04"], bad: ["soonish"] },
  key: { type: "uuid default gen_random_uuid()", good: ["A0EEBC99-9C0B-4EF8-BB6D-6BB9BD380A11"], bad: ["nope"] },
  tree: {
    type: "jsonb",
    good: [{ a: [1, { b: "x\"'\\" }], n: null }, [1, [2]], '"text"', 5, true, null, "{}"],
    bad: ["{"],
  },
  doc: { type: "json", good: [{ b: 1, a: 2 }, "[1]"], bad: ["nope"] },
  numbers: {
    type: "int4[]",
    good: [
      [1, null, 3],
      [
        [1, 2],
        [3, 4],
      ],
      [],
      null,
      "{4,5}",
    ],
    bad: [["x"], "{1"],
  },
  words: { type: "text[] default '{a,b}'", good: [["a,b", 'c"d', "e\\f", "", "NULL", "{x}"], undefined], bad: [] },
  codes: { type: "varchar(2)[]", good: [["ab"]], bad: [["abc"]] },
  trees: { type: "jsonb[]", good: [[{ a: 1 }, [2], "3"]], bad: [["{"]] },
  moments: { type: "timestamptz[]", good: [[date, null]], bad: [["x"]] },
  blobs: { type: "bytea[]", good: [[bytes]], bad: [] },
  labels: { type: "mood[]", good: [["happy", "sad"]], bad: [["angry"]] },
  place: { type: "point", good: ["(1,2)"], bad: ["(1"] },
  area: { type: "box", good: ["(3,4),(1,2)"], bad: ["x"] },
  range: { type: "int4range", good: ["[1,5)"], bad: ["[5,1)"] },
  bits: { type: "bit(3)", good: ["101"], bad: ["10", "2"] },
  address: { type: "inet", good: ["10.0.0.1/8"], bad: ["x"] },
  pair: { type: "pair", good: ['(1,"a b")'], bad: ["(x,y)"] },
}

const mysql: Readonly<Record<string, Case>> = {
  truth: { type: "boolean", good: [true, false, null, 1], bad: ["maybe"] },
  whole: { type: "int default 42", good: [0, -5, undefined, null, "7"], bad: [2 ** 31, "x"] },
  big: { type: "bigint unsigned", good: [2n ** 53n, "18446744073709551615", 5], bad: [-1] },
  exact: { type: "decimal(7,3)", good: ["1234.567", 1.5, null], bad: ["12345.6", "abc"] },
  single: { type: "float", good: [1.5, 0.1], bad: [1e99] },
  double: { type: "double", good: [0.1, 1e-300, 1.7976931348623157e308], bad: ["abc"] },
  long: { type: "text default ('a')", good: ["", "NULL", `"\\'\`%_`, "\0", "\u{1f600}", undefined, null], bad: [] },
  short: { type: "varchar(3) default concat('x','y')", good: ["abc", "äöü", undefined], bad: ["abcd"] },
  padded: { type: "char(4)", good: ["ab", "abcd"], bad: ["abcde"] },
  label: { type: "enum('happy','sad') default 'sad'", good: ["happy", undefined, null], bad: ["angry"] },
  raw: { type: "varbinary(20)", good: [bytes, new Uint8Array([1, 2]), Buffer.alloc(0)], bad: [Buffer.alloc(21)] },
  blob: { type: "blob", good: [bytes], bad: [] },
  moment: { type: "timestamp(3) null default current_timestamp(3)", good: [date, "2024-01-01 00:00:00"], bad: ["x"] },
  local: { type: "datetime(6)", good: [date, "2024-01-01 10:00:00.123456"], bad: ["2024-13-01"] },
  day: { type: "date", good: ["2024-02-29", date], bad: ["2023-02-29"] },
  hour: { type: "time", good: ["10:11:12"], bad: ["x"] },
  tree: { type: "json", good: [{ a: [1, { b: "x\"'\\" }], n: null }, [1, [2]], '"text"', 5, null], bad: ["{"] },
  flag: { type: "bit(1)", good: [true, 0, 1], bad: [2] },
  key: { type: "uuid", good: ["a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"], bad: ["nope"] },
}

const sqlite: Readonly<Record<string, Case>> = {
  truth: { type: "integer", good: [true, false, null, 1], bad: ["maybe"] },
  whole: { type: "integer default 42", good: [0, -5, undefined, null, 2n ** 50n], bad: ["x", 1.5] },
  double: { type: "real default (1.5 + 1)", good: [0.1, 1e-300, 3, undefined], bad: ["abc"] },
  long: {
    type: "text default 'a''b'",
    good: ["", "NULL", `"\\'`, "\u{1f600}", undefined, null],
    bad: [Buffer.from("x")],
  },
  raw: { type: "blob default x'00ff'", good: [bytes, new Uint8Array([1, 2]), undefined], bad: ["text"] },
  moment: { type: "text default current_date", good: ["2024-01-01", undefined], bad: [] },
  tree: {
    type: "text check (json_valid(tree))",
    good: [{ a: [1, { b: "x\"'\\" }], n: null }, [1, [2]], '"text"'],
    bad: [],
  },
  any: { type: "any", good: [1, "1", 1.5, bytes, null], bad: [] },
}

const cases: Readonly<Record<DatabaseDialect, Readonly<Record<string, Case>>>> = {
  postgres,
  pglite: postgres,
  mysql,
  sqlite,
}

const prepare = async (db: Kysely<Tables>, dialect: DatabaseDialect): Promise<void> => {
  if (dialect === "postgres" || dialect === "pglite") {
    await sql`create type mood as enum ('happy', 'sad')`.execute(db)
    await sql`create domain positive as int default 7 check (value > 0)`.execute(db)
    await sql`create domain code3 as varchar(3)`.execute(db)
    await sql`create type pair as (a int, b text)`.execute(db)
  }
  for (const table of ["things", "twins"]) {
    const columns = Object.entries(cases[dialect]).map(([name, { type }]) => `${name} ${type}`)
    const quote = dialect === "mysql" ? "`" : '"'
    const quoted = columns.map((column) => column.replace(/^\w+/, (name) => `${quote}${name}${quote}`))
    await sql
      .raw(
        `create table ${table} (id varchar(40) primary key, ${quoted.join(", ")})${dialect === "sqlite" ? " strict" : ""}`.replace(
          "varchar(40)",
          dialect === "sqlite" ? "text" : "varchar(40)",
        ),
      )
      .execute(db)
  }
}

// SQLite has rows without a prototype, and some defaults are never the same twice.
const comparable = (rows: ReadonlyArray<Values>, volatile: ReadonlyArray<string>) =>
  rows.map((row) => Object.fromEntries(Object.entries(row).filter(([name]) => !volatile.includes(name))))

describe.each(urls)("values (%s)", (dialect, makeUrl) => {
  let opened: OpenedDatabase<Tables>
  beforeAll(async () => {
    opened = await openDatabase<Tables>(await makeUrl())
    await migrate(opened.db, dialect)
    await prepare(opened.db, dialect)
  })
  afterAll(() => opened.close())

  const names = Object.keys(cases[dialect])
  const volatile = ["key", "moment"]
  const read = async (table: string) =>
    comparable(
      await opened.db
        .selectFrom(table as "things")
        .selectAll()
        .orderBy("id")
        .execute(),
      [],
    )

  const rowsOf = (name: string, values: ReadonlyArray<unknown>, prefix: string) =>
    values.map((value, index) => ({ id: `${prefix}${index}`, [name]: value }))

  // PGlite refuses bytes as text, and does not know the types that are made after its start.
  const notByPglite = new Set(["raw", "blobs", "labels", "truth"])

  // The drivers encode arrays and objects for JSON each in its own way; that of a JSON column is encoded here.
  const plain = (name: string, value: unknown) =>
    ["tree", "doc"].includes(name) && typeof value !== "string" && value !== null ? JSON.stringify(value) : value

  it.each(names)("%s are stored as a statement on one row stores them", async (name) => {
    const { db } = opened
    const { good } = cases[dialect][name] as Case
    await db.deleteFrom("things").execute()
    await db.deleteFrom("twins" as "things").execute()
    const rows = rowsOf(name, good, "r")
    for (const [index, row] of rows.entries()) {
      const value = plain(name, good[index])
      const alone = name === "trees" || (dialect === "pglite" && notByPglite.has(name))
      const twin = alone ? row : { ...row, [name]: value }
      if (alone) await insertMany(db, "twins" as "things", [twin as never])
      else
        await db
          .insertInto("twins" as "things")
          .values(twin as never)
          .execute()
    }
    const outcomes = await insertMany(db, "things", rows as never, { returning: "all" })
    const stored = await read("things")
    const left =
      dialect === "postgres" || dialect === "pglite" || dialect === "mysql"
        ? volatile.filter((column) => column !== name || good.includes(undefined))
        : []
    expect(comparable(stored, left)).toEqual(comparable(await read("twins"), left))
    expect(comparable(outcomes as unknown as ReadonlyArray<Values>, [])).toEqual(stored)

    const other = await insertMany(db, "things", rows.map((_, index) => ({ id: `u${index}` })) as never)
    expect(other.map(shown)).toHaveLength(rows.length)
    const changes = rows.map((row, index) => ({ key: `u${index}`, set: { [name]: row[name] } }))
    const changed = await updateMany(db, "things", changes as never, { returning: [name] as never })
    const given = rows.flatMap((row, index) => (row[name] === undefined ? [] : [index]))
    const told = comparable(changed as unknown as ReadonlyArray<Values>, [])
    expect(given.map((index) => told[index])).toEqual(given.map((index) => ({ [name]: stored[index]?.[name] })))
  })

  it.each(names)("%s that do not fit are refused in insertions and changes", async (name) => {
    const { db } = opened
    const { bad, good } = cases[dialect][name] as Case
    await db.deleteFrom("things").execute()
    const rows = rowsOf(name, [...bad, good[0]], "b")
    const refused = ["VALIDATION_ERROR", name]
    const outcomes = await insertMany(db, "things", rows as never)
    expect(outcomes.map(shown)).toEqual(rows.map((row, index) => (index < bad.length ? refused : row)))
    const inside = await db
      .transaction()
      .execute((transaction) =>
        insertMany(transaction, "things", rows.map((row) => ({ ...row, id: `t${String(row["id"])}` })) as never),
      )
    expect(inside.map(shown).slice(0, bad.length)).toEqual(bad.map(() => refused))
    await insertMany(db, "things", rows.map((_, index) => ({ id: `c${index}` })) as never)
    const changes = rows.map((row, index) => ({ key: `c${index}`, set: { [name]: row[name] } }))
    const changed = await updateMany(db, "things", changes as never)
    expect(changed.map(shown).slice(0, bad.length)).toEqual(bad.map(() => refused))
  })
})
