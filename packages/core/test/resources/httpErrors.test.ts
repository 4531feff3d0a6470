import * as Data from "effect/Data"
import * as Effect from "effect/Effect"
import createError from "http-errors"
import { describe, expect, it } from "vitest"
import { httpErrors } from "../../src/resources/httpErrors.ts"
import { isFailure } from "../../src/batch/Failure.ts"
import { resource } from "../../src/resources/Resource.ts"
import { make, send } from "../support/endpoints.ts"
import { codes } from "../support/putEndpoint.ts"

const map = httpErrors()
const errorWith = (members: object) => Object.assign(new Error("Gone fishing"), members)

describe("httpErrors", () => {
  it.each([
    ["status", { status: 404 }, "NOT_FOUND", 404],
    ["statusCode", { statusCode: 409 }, "CONFLICT", 409],
    ["a status without a code of its own", { status: 418 }, "HTTP_418", 418],
    ["a status from 500 that may be exposed", { status: 503, expose: true }, "HTTP_503", 503],
  ])("makes a failure of an error with %s", (_, members, code, status) => {
    expect(map(errorWith(members))).toMatchObject({ code, status, message: "Gone fishing" })
    expect(isFailure(map(errorWith(members)))).toBe(true)
  })

  it.each([
    ["no status", {}],
    ["a status that is no error", { status: 304 }],
    ["a status that is text", { status: "404" }],
    ["a status from 500", { status: 503 }],
    ["a message that must not be exposed", { status: 404, expose: false }],
    ["the response of another service", { status: 404, response: {} }],
    ["the request to another service", { status: 401, request: {} }],
  ])("leaves an error unexpected that has %s", (_, members) => {
    expect(map(errorWith(members))).toBeUndefined()
  })

  it.each([undefined, null, "404", 404])("leaves %j unexpected", (value) => {
    expect(map(value)).toBeUndefined()
  })

  it("keeps what a client needs for a retry", () => {
    expect(map(createError(429, "Slow down", { headers: { "Retry-After": "30" } }))).toMatchObject({
      code: "RATE_LIMITED",
      retryable: true,
      retryAfter: 30,
    })
  })

  it("maps the errors of http-errors that an action throws", async () => {
    const things = resource("things", {
      create: {
        run: (_, { index }) => {
          throw createError([404, 422, 500][index]!, "No such thing")
        },
      },
    })
    const endpoint = make({ mapError: httpErrors(), onUnexpected: () => {} }).bulk(things, "create")
    const { json } = await send(endpoint, { things: [{}, {}, {}] })
    expect(codes(json)).toEqual(["error NOT_FOUND", "error VALIDATION_ERROR", "error INTERNAL"])
    expect(json.results[0].error.message).toBe("No such thing")
  })
})

describe("mapError", () => {
  class OutOfStock extends Data.TaggedError("OutOfStock")<{ readonly left: number }> {}

  it.each<[string, () => unknown]>([
    [
      "throws",
      () => {
        throw new OutOfStock({ left: 1 })
      },
    ],
    ["rejects with", async () => Promise.reject(new OutOfStock({ left: 1 }))],
    ["rejects with, from an effect,", () => Effect.runPromise(Effect.fail(new OutOfStock({ left: 1 })))],
    ["returns an effect that fails with", () => Effect.fail(new OutOfStock({ left: 1 }))],
    ["returns an effect that dies with", () => Effect.die(new OutOfStock({ left: 1 }))],
    ["returns", () => new OutOfStock({ left: 1 })],
  ])("gets a tagged error as itself that run %s", async (_, run) => {
    const errors: Array<unknown> = []
    const endpoint = make({ mapError: (error) => void errors.push(error), onUnexpected: () => {} }).operations(
      resource("things", { create: { run } }),
    )
    await send(endpoint, { operations: [{ action: "create" }] })
    expect(errors).toEqual([expect.any(OutOfStock)])
    expect(errors[0]).toMatchObject({ _tag: "OutOfStock", left: 1 })
  })
})
