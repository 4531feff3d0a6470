import { describe, expect, it } from "vitest"
import { nearestName } from "../../src/platform/nearestName.ts"

const known = ["limits", "concurrency", "strategy", "depth", "bodyBytes", "ttl"]

describe("nearestName", () => {
  it.each([
    ["limit", "limits"],
    ["limits", "limits"],
    ["concurency", "concurrency"],
    ["conccurrencyy", "concurrency"],
    ["stratgey", "strategy"],
    ["BODYBYTES", "bodyBytes"],
    ["ttl ", "ttl"],
  ])("finds the name that %s was meant to be", (name, nearest) => {
    expect(nearestName(name, known)).toBe(nearest)
  })

  it.each(["", "x", "limitsOfTheBatch", "time"])("finds no name for %j, which is far from all of them", (name) => {
    expect(nearestName(name, known)).toBeUndefined()
  })

  it("finds the nearest of several similar names", () => {
    expect(nearestName("operation", ["options", "operations", "operation_id"])).toBe("operations")
  })

  it("finds nothing among no names", () => {
    expect(nearestName("limits", [])).toBeUndefined()
  })
})
