import { describe, expect, it } from "vitest"

import { toArrayLiteral, toCell, toLiteral } from "../../../src/rows/postgres/postgresText.ts"
import type { ColumnSchema } from "../../../src/rows/TableSchema.ts"

const column = (encoding: ColumnSchema["encoding"]): ColumnSchema => ({
  name: "c",
  type: "text",
  declaredType: "text",
  defaultSql: undefined,
  isGenerated: false,
  isAutoIncrement: false,
  encoding,
})

describe("toCell", () => {
  it.each([
    ["plain", 5, "5"],
    ["plain", 5n, "5"],
    ["plain", true, "true"],
    ["plain", null, null],
    ["plain", undefined, null],
    ["plain", new Uint8Array([0, 255]).subarray(1), "\\xff"],
    ["plain", { toPostgres: () => "own" }, "own"],
    ["plain", { a: 1 }, '{"a":1}'],
    ["json", "[1]", "[1]"],
    ["json", [1, "a"], '[1,"a"]'],
    ["json", false, "false"],
    ["array", [1, null, 'a"\\'], '{"1",NULL,"a\\"\\\\"}'],
    ["array", [[true], []], '{{"true"},{}}'],
    ["array", "{1}", "{1}"],
    ["json-array", [{ a: 1 }, [2], "3"], '{"{\\"a\\":1}","[2]","3"}'],
  ] as const)("writes %s %s", (form, value, text) => {
    expect(toCell(value, column(form), false)).toBe(text)
  })

  it("writes dates in local time with its zone, or in UTC", () => {
    const date = new Date("2024-02-29T12:34:56.789Z")
    expect(toCell(date, column("plain"), true)).toBe("2024-02-29T12:34:56.789Z")
    const local = toCell(date, column("plain"), false) ?? ""
    expect(local).toMatch(/^2024-\d\d-\d\dT\d\d:\d\d:56\.789[+-]\d\d:\d\d$/)
    expect(new Date(local)).toEqual(date)
    const ancient = new Date(0)
    ancient.setFullYear(-43, 2, 15)
    expect(toCell(ancient, column("plain"), false)).toMatch(/^0044-03-15T.* BC$/)
  })

  it("refuses values that no database stores", () => {
    expect(() => toCell(() => 1, column("plain"), false)).toThrow("PostgreSQL cannot store a function")
  })
})

it("quotes the elements of an array literal", () => {
  expect(toArrayLiteral(["a", null, "NULL", 'b"\\', "", "{}"])).toBe('{"a",NULL,"NULL","b\\"\\\\","","{}"}')
})

it("quotes literals independently of how the server reads backslashes", () => {
  expect(["it's", "a\\'b", null, ""].map(toLiteral)).toEqual(["'it''s'", "E'a\\\\''b'", "null", "''"])
})
