/** Kills a PostgreSQL server in the midst of atomic batches, again and again. */
import { setTimeout as delay } from "node:timers/promises"

import { startPostgres } from "@multistatus/test-services"
import { expect } from "vitest"

import { addEndpoint, each, keysFrom } from "../support/batches.ts"
import { keysIn, openKeys } from "../support/keys.ts"

/**
 * Kills the server at so many random points inside batches of 100 operations. After each kill either all of a batch is
 * there or nothing, and the answer fits.
 */
export const killRounds = async (rounds: number): Promise<void> => {
  await using server = await startPostgres({ durable: true })
  const database = await openKeys(server.url)
  const endpoint = addEndpoint(database)
  // Long enough for the kill to come in between.
  const operationsOf = (prefix: string) =>
    keysFrom(prefix).flatMap((key, index) => each("add", [key]).concat(index % 5 === 0 ? each("wait", [5]) : []))
  const send = (prefix: string) => endpoint.send({ atomic: true, operations: operationsOf(prefix) })
  const durations: Array<number> = []
  for (let index = 0; index < 5; index++) {
    const startedAt = performance.now()
    expect((await send(`warm${index}`)).status).toBe(200)
    durations.push(performance.now() - startedAt)
  }
  const usual = durations.sort((one, other) => one - other)[2]!
  for (let round = 0; round < rounds; round++) {
    const asking = send(`r${round}`)
    // Half of them aim at the end, where the commit is.
    await delay(usual * (round % 2 === 0 ? Math.random() : 0.9 + 0.1 * Math.random()))
    await server.kill()
    await server.restart()
    const { status, code } = await asking
    const there = (await keysIn(database.db)).filter((key) => key.startsWith(`r${round}-`)).length
    const outcome = { round, status, code, there }
    const expected = status === 200 ? [100] : code === "OUTCOME_UNKNOWN" ? [0, 100] : [0]
    expect({ ...outcome, fits: expected.includes(there) }).toEqual({ ...outcome, fits: true })
    expect([200, 409, 500, 503]).toContain(status)
  }
  expect((await send("after")).status).toBe(200)
  await endpoint.close()
  await database.close()
}
