import { describe, expect, it } from "vitest"
import { isJsonType } from "../../src/http/MediaType.ts"

describe("isJsonType", () => {
  it.each([
    "application/json",
    "APPLICATION/JSON",
    "application/json; charset=utf-8",
    "application/json ;charset=utf-8",
    " application/json",
    "application/problem+json",
    "application/vnd.api+json",
    "text/json",
  ])("is true of %j", (type) => expect(isJsonType(type)).toBe(true))

  it.each([
    "",
    "json",
    "text/plain",
    "application/jsonp",
    "application/json-seq",
    "application/x-ndjson",
    "application/json, text/plain",
    "text/plain; a=application/json",
    "application/xml+json+zip",
    "/json",
  ])("is false of %j", (type) => expect(isJsonType(type)).toBe(false))
})
