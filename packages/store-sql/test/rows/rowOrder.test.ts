import { describe, expect, it } from "vitest"

import type { RowTask } from "../../src/rows/RowDialect.ts"
import { ascending, canonical, orderRows, ranksOf } from "../../src/rows/rowOrder.ts"
import type { UniqueSchema } from "../../src/rows/TableSchema.ts"

const unique = (primary: boolean, ...columns: ReadonlyArray<string>): UniqueSchema => ({
  primary,
  columns,
  computed: false,
})

const task = (uniques: ReadonlyArray<UniqueSchema>, rows: RowTask["rows"]): RowTask =>
  ({
    table: { uniques },
    columns: [...new Set(rows.flatMap((row) => Object.keys(row)))].map((given) => ({ given, name: given })),
    rows,
  }) as unknown as RowTask

describe("canonical", () => {
  it.each([
    ["A@X", "a@x "],
    ["é", "e\u0301"],
    ["007", 7],
    [7n, "+7"],
    [Buffer.from("ab"), new Uint8Array([97, 98])],
  ])("is the same for values that some database compares as equal: %s and %s", (left, right) => {
    expect(canonical(left)).toBe(canonical(right))
  })

  it("differs for other values", () => {
    expect(new Set(["a", "b", "1", "1.5", "", "-1"].map(canonical)).size).toBe(6)
  })
})

const orderOf = (given: RowTask) => {
  const { order, sequence } = orderRows(given)
  return { order, ranks: order && ranksOf(order), sequence: sequence() }
}

describe("orderRows", () => {
  it("orders by the unique column that is not the primary key", () => {
    const rows = [
      { id: 1, email: "c" },
      { id: 2, email: "a" },
      { id: 3, email: "b" },
    ]
    expect(orderOf(task([unique(true, "id"), unique(false, "email")], rows))).toEqual({
      order: [1, 2, 0],
      ranks: [2, 0, 1],
      sequence: [1, 2, 0],
    })
  })

  it("keeps the order of equal rows", () => {
    const rows = [{ email: "b" }, { email: "A" }, { email: "a" }, { email: "B" }]
    expect(orderOf(task([unique(false, "email")], rows)).sequence).toEqual([1, 2, 0, 3])
  })

  it("keeps rows in order when they are equal in another unique column", () => {
    const rows = [
      { id: 1, email: "b" },
      { id: 1, email: "a" },
    ]
    expect(orderOf(task([unique(true, "id"), unique(false, "email")], rows))).toEqual({
      order: [1, 0],
      ranks: [1, 0],
      sequence: undefined,
    })
  })

  it("treats rows without a value as different", () => {
    const rows = [
      { id: null, email: "b" },
      { id: null, email: "a" },
    ]
    expect(orderOf(task([unique(true, "id"), unique(false, "email")], rows)).sequence).toEqual([1, 0])
  })

  it("keeps rows without unique values as they are", () => {
    expect(orderOf(task([unique(true, "id")], [{ name: "b" }, { name: "a" }]))).toEqual({
      order: undefined,
      ranks: undefined,
      sequence: undefined,
    })
  })
})

it("puts keys in ascending order", () => {
  expect(ascending(["b", "a", "c"])).toEqual([1, 0, 2])
})
