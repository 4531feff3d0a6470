import { expect, it } from "vitest"

import { startPostgres } from "@multistatus/test-services"

import { addEndpoint, each } from "../support/batches.ts"
import { keysIn, openKeys } from "../support/keys.ts"
import { cutProxy } from "./CutProxy.ts"
import { killRounds } from "./killRounds.ts"

it("a killed server has all of a batch or nothing", () => killRounds(8), 180_000)

it("a batch ends at its deadline when its server is killed or frozen", async () => {
  await using server = await startPostgres({ durable: true })
  const database = await openKeys(server.url)
  const endpoint = addEndpoint(database, { limits: { deadline: 1_500 } })
  const batch = (prefix: string) => ({
    atomic: true,
    operations: [...each("add", [`${prefix} 1`]), ...each("wait", [600]), ...each("add", [`${prefix} 2`])],
  })

  const frozen = endpoint.send(batch("frozen"))
  await new Promise((resolve) => setTimeout(resolve, 300))
  await server.pause()
  expect(await frozen).toEqual({ status: 504, code: "DEADLINE_EXCEEDED", index: 2 })
  await server.resume()
  expect(await keysIn(database.db)).toEqual([])

  const frozenBefore = (await server.pause(), endpoint.send(batch("frozen before")))
  expect(await frozenBefore).toEqual({ status: 504, code: "DEADLINE_EXCEEDED", index: 0 })
  await server.resume()
  expect(await keysIn(database.db)).toEqual([])

  const killed = endpoint.send(batch("killed"))
  await new Promise((resolve) => setTimeout(resolve, 300))
  await server.kill()
  const unavailable = { status: 503, code: "STORE_UNAVAILABLE", index: 0 }
  expect(await killed).toEqual(unavailable)
  expect(await endpoint.send(batch("while down"))).toEqual(unavailable)
  await server.restart()
  expect(await keysIn(database.db)).toEqual([])
  expect((await endpoint.send(batch("good"))).status).toBe(200)
  await endpoint.close()
  await database.close()
}, 120_000)

it("a commit that was lost in a crash is not confused with another transaction of the same number", async () => {
  await using server = await startPostgres({ durable: true })
  const proxy = await cutProxy(server.url)
  const database = await openKeys(server.url)
  const through = await openKeys(proxy.url)
  const endpoint = addEndpoint(through)
  proxy.cutNext("lost")
  const asking = endpoint.send({ atomic: true, operations: each("add", ["a"]) })
  await proxy.cut()
  await server.kill()
  await server.restart()
  proxy.heal()
  expect(await asking).toMatchObject({ status: 503, code: "OUTCOME_UNKNOWN" })
  expect(await keysIn(database.db)).toEqual(["a"])
  expect((await endpoint.send({ atomic: true, operations: each("add", ["b"]) })).status).toBe(200)
  await endpoint.close()
  await through.close()
  await proxy.close()
  await database.close()
}, 120_000)
