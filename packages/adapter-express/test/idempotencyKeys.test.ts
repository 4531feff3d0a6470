import { once } from "node:events"
import type { AddressInfo } from "node:net"
import { memoryIdempotencyStore, resource } from "@multistatus/core"
import express from "express"
import { expect, it } from "vitest"
import { expressBatch } from "../src/index.ts"

const users = resource("users", { create: { run: () => ({ id: "1" }) } })

it("keeps the keys of paths that differ in letter case apart", async () => {
  const batch = expressBatch({ tenant: () => "a", idempotency: { store: memoryIdempotencyStore() } })
  const app = express()
  app.post("/:org/batch", batch.operations(users))
  const server = app.listen(0, "127.0.0.1")
  await once(server, "listening")
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`
  const isReplayed = async (path: string) => {
    const headers = { "content-type": "application/json", "idempotency-key": "k" }
    const body = JSON.stringify({ operations: [{ action: "create", data: {} }] })
    const answer = await fetch(origin + path, { method: "POST", headers, body })
    expect(answer.status).toBe(200)
    return answer.headers.get("idempotency-replayed")
  }
  expect([await isReplayed("/ABC/batch"), await isReplayed("/abc/batch")]).toEqual([null, null])
  expect([await isReplayed("/ABC/batch"), await isReplayed("/abc/batch?a=1")]).toEqual(["true", "true"])
  server.close()
})
