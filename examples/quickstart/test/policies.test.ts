/**
 * Tests of the policies in the documentation.
 */
import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { setTimeout as delay } from "node:timers/promises"
import { expressBatch } from "@multistatus/adapter-express"
import { type BatchPolicy, resource } from "@multistatus/core"
import express from "express"
import { afterEach, expect, it } from "vitest"
import { oneAtATime } from "../oneAtATime.ts"
import { officeHours } from "../officeHours.ts"
import { ask } from "./ask.ts"

let close = () => {}
afterEach(() => close())

const serve = async (policy: BatchPolicy): Promise<string> => {
  const notes = resource("notes", {
    create: { run: () => ({ id: "1" }) },
    archive: { run: (_, { id }) => ({ id }) },
    wait: { identified: false, run: () => delay(200, {}) },
  })
  const app = express()
  const batch = expressBatch({ policies: [policy], tenant: (request) => request.get("x-api-key") })
  app.post("/notes/batch", batch.operations(notes))
  const server = app.listen(0, "127.0.0.1")
  close = () => server.close()
  await once(server, "listening")
  return `http://127.0.0.1:${(server.address() as AddressInfo).port}/notes/batch`
}

const operations = [{ action: "create" }, { action: "archive", id: "2" }]

it("outside office hours a large batch is refused", async () => {
  const url = await serve(officeHours({ open: () => false, smallBatch: 1 }))
  const refused = await ask(url, { operations })
  expect(refused.headers.get("content-type")).toBe("application/problem+json")
  expect(refused).toMatchObject({ status: 403, body: { code: "OFFICE_CLOSED", title: "Office closed" } })
})

it("outside office hours a single operation is refused", async () => {
  const url = await serve(officeHours({ open: () => false, smallBatch: 2 }))
  expect(await ask(url, { operations })).toMatchObject({
    status: 207,
    body: {
      results: [
        { status: "success", id: "1" },
        { status: "error", id: "2", error: { code: "FORBIDDEN" } },
      ],
    },
  })
})

it("during office hours every batch is admitted", async () => {
  const url = await serve(officeHours({ open: () => true, smallBatch: 1 }))
  expect(await ask(url, { operations })).toMatchObject({ status: 200, body: { succeeded: 2 } })
})

it("a second batch of a tenant is refused while the first one runs", async () => {
  const url = await serve(oneAtATime())
  const first = ask(url, { operations: [{ action: "wait" }] }, { "x-api-key": "a" })
  await delay(50)
  const second = await ask(url, { operations }, { "x-api-key": "a" })
  expect(second).toMatchObject({ status: 429, body: { code: "BATCH_IN_PROGRESS", retry_after: 1 } })
  expect(second.headers.get("retry-after")).toBe("1")
  expect(await ask(url, { operations }, { "x-api-key": "b" })).toMatchObject({ status: 200 })
  expect(await first).toMatchObject({ status: 200 })
  expect(await ask(url, { operations }, { "x-api-key": "a" })).toMatchObject({ status: 200 })
})
