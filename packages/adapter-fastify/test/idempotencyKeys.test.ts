import { memoryIdempotencyStore, resource } from "@multistatus/core"
import makeFastify from "fastify"
import { expect, it } from "vitest"
import { fastifyBatch } from "../src/index.ts"

const users = resource("users", { create: { run: () => ({ id: "1" }) } })

const serve = async (options: Omit<Parameters<typeof fastifyBatch>[1], "tenant">, path: string) => {
  const app = makeFastify({ routerOptions: { caseSensitive: false } })
  await app.register(fastifyBatch, { tenant: () => "a", ...options })
  app.batch.operations(path, users)
  const url = await app.listen({ port: 0, host: "127.0.0.1" })
  const body = JSON.stringify({ operations: [{ action: "create", data: {} }] })
  const send = (target: string, headers: Record<string, string> = {}) =>
    fetch(url + target, {
      method: "POST",
      headers: { "content-type": "application/json", "idempotency-key": "k", ...headers },
      body,
    })
  return { app, send }
}

it("keeps the keys of paths that differ in letter case apart", async () => {
  const { app, send } = await serve({ idempotency: { store: memoryIdempotencyStore() } }, "/:org/batch")
  const isReplayed = async (target: string) => (await send(target)).headers.get("idempotency-replayed")
  expect([await isReplayed("/ABC/batch"), await isReplayed("/abc/batch")]).toEqual([null, null])
  expect([await isReplayed("/ABC/batch"), await isReplayed("/abc/batch?a=1")]).toEqual(["true", "true"])
  await app.close()
})

it("says that keys are not supported without idempotency", async () => {
  const { app, send } = await serve({}, "/batch")
  const answer = await send("/batch")
  expect([answer.status, answer.headers.get("idempotency-status")]).toEqual([200, "not-supported"])
  await app.close()
})

it("refuses a preference that it cannot apply only with handling=strict", async () => {
  const { app, send } = await serve({}, "/batch")
  expect((await send("/batch", { prefer: "respond-async" })).status).toBe(200)
  const refused = await send("/batch", { prefer: "respond-async, handling=strict" })
  expect([refused.status, await refused.json()]).toMatchObject([400, { code: "INVALID_BATCH" }])
  const applied = await send("/batch", { prefer: "return=minimal, handling=strict" })
  expect(applied.headers.get("preference-applied")).toBe("return=minimal, handling=strict")
  await app.close()
})
