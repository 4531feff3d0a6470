import { toFailure, type Violation } from "@multistatus/store-sql"
import { describe, expect, it } from "vitest"

const violation = (given: Partial<Violation>): Violation => ({
  kind: "unique",
  action: "insert",
  table: "users",
  columns: given.column === undefined ? [] : [given.column],
  index: 0,
  message: "duplicate key value violates unique constraint",
  ...given,
})

describe("toFailure", () => {
  it.each([
    [{ kind: "unique", column: "email" }, "DUPLICATE", 409, "email already exists"],
    [{ kind: "unique" }, "DUPLICATE", 409, "The row of users already exists"],
    [{ kind: "check", column: "age" }, "VALIDATION_ERROR", 422, "age has a value that is not allowed"],
    [{ kind: "check" }, "VALIDATION_ERROR", 422, "The row of users is not allowed"],
    [{ kind: "not-null", column: "name" }, "VALIDATION_ERROR", 422, "name is missing a value"],
    [
      { kind: "type", column: "age" },
      "VALIDATION_ERROR",
      422,
      "age has a value of the wrong type, too long or out of range",
    ],
    [{ kind: "foreign-key", column: "team" }, "CONFLICT", 409, "team refers to nothing that exists"],
    [
      { kind: "foreign-key", column: "team", action: "update" },
      "CONFLICT",
      409,
      "team refers to nothing that exists, or is still referred to",
    ],
    [{ kind: "foreign-key", column: "id", action: "delete" }, "CONFLICT", 409, "The row of users is still referred to"],
  ] as const)("tells %j", (given, code, status, message) => {
    const failure = toFailure(violation(given))
    expect(failure).toMatchObject({ code, status, message })
    expect(failure.field).toBe("column" in given ? given.column : undefined)
    expect(failure.errors).toBeUndefined()
  })

  it("names all columns of a composite constraint", () => {
    const failure = toFailure(violation({ column: "tenant", columns: ["tenant", "year", "code"] }))
    const message = "tenant, year and code already exist together"
    expect(failure).toMatchObject({ field: "tenant", message })
    expect(failure.errors).toEqual(["tenant", "year", "code"].map((field) => ({ field, message })))
  })
})
