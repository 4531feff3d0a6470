/** Kills the reference server in the midst of atomic batches, again and again. */
import { setTimeout as delay } from "node:timers/promises"

import { startPostgres } from "@multistatus/test-services"
import { Client } from "pg"
import { expect } from "vitest"

import { Api } from "../batch/Api.ts"
import { startServer } from "../batch/ServerProcess.ts"

const size = 100

/** So many updates of a new user each; slow enough to be killed in between. */
const operationsOf = (prefix: string) =>
  Array.from({ length: size }, (_, index) => [
    { action: "create", data: { name: `${prefix}-${index}` } },
    ...(index % 10 === 0 ? [{ action: "sleep", data: { ms: 10 } }] : []),
  ]).flat()

/** Kills the server at so many random points inside batches; after each kill either all of a batch is there or nothing. */
export const killRounds = async (rounds: number): Promise<void> => {
  await using database = await startPostgres({ durable: true })
  const client = new Client({ connectionString: database.url })
  await client.connect()
  const framework = (round: number) => (round % 2 === 0 ? "fastify" : "express")
  let usual = 0
  for (let round = 0; round < rounds; round++) {
    const server = await startServer(framework(round), { DATABASE_URL: database.url })
    const api = new Api(server.origin)
    const send = (prefix: string) => api.operations(operationsOf(prefix), { atomic: true })
    const startedAt = performance.now()
    expect((await send(`good${round}`)).status).toBe(200)
    usual = performance.now() - startedAt
    const asking = send(`round${round}`).catch(() => undefined)
    // Half of them aim at the end, where the commit is.
    await delay(usual * (round % 2 === 0 ? Math.random() : 0.85 + 0.2 * Math.random()))
    server.kill("SIGKILL")
    await server.ended
    const answer = await asking
    api.close()
    await othersGone(client)
    const { rows } = await client.query<{ readonly there: number }>(
      "select count(*)::int as there from users where name like $1",
      [`round${round}-%`],
    )
    const found = { round, there: rows[0]!.there, status: answer?.status }
    const expected = answer?.status === 200 ? [size] : [0, size]
    expect({ ...found, fits: expected.includes(found.there) }).toEqual({ ...found, fits: true })
  }
  await client.end()
}

// A commit that had been sent may still be on its way.
const othersGone = async (client: Client): Promise<void> => {
  for (;;) {
    const { rows } = await client.query(
      "select from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()",
    )
    if (rows.length === 0) return
    await delay(10)
  }
}
