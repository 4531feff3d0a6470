import { resource } from "@multistatus/core"
import express from "express"
import { describe, expect, it } from "vitest"
import { expressBatch } from "../src/index.ts"

const users = resource("users", { create: { run: () => ({}) } })

describe("expressBatch", () => {
  it.each([
    ["nothing", undefined],
    ["a router", express.Router()],
    ["an object", {}],
  ])("throws a TypeError if requests() gets %s instead of the application", (_, app) => {
    expect(() => expressBatch().requests(app as never)).toThrow(/^batch\.requests\(\) needs the Express application/)
  })

  it("throws a TypeError for the handler of jobs if jobs are not configured", () => {
    expect(() => expressBatch().jobs).toThrow('pass the option "jobs" to expressBatch')
  })

  it("creates handlers with a handler for the description", () => {
    const batch = expressBatch()
    const handlers = [batch.bulk(users, "create"), batch.operations(users), batch.requests(express())]
    for (const handler of handlers) expect(handler.describe).toBeTypeOf("function")
  })
})
