/** Kills or freezes servers in the midst of batches, retries until all is answered, and counts what was done. */
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"

import { openDatabase } from "@multistatus/store-sql"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { inject } from "vitest"

import type { Results } from "../../batch/Api.ts"
import { type ServerProcess, startProgram } from "../../batch/ServerProcess.ts"

/**
 * What happens to a server.
 *
 * - `SIGKILL`: it is gone, and another one started in its place.
 * - `SIGSTOP`: it stands still until its leases are over and others have gone on, and then goes on itself.
 */
export type Fault = "SIGKILL" | "SIGSTOP"

/** Where the keys are; the effects are in PostgreSQL. */
export type Keys = "in the transaction" | "in Redis"

/** What came of it. */
export interface Tally {
  readonly operations: number
  readonly faults: number
  /** Effects beyond the first of an operation. */
  readonly duplicates: number
  /** How many of those there may be, where effects and results are not stored in one step. */
  readonly atMost: number
  /** Operations that were answered as done, and are not. */
  readonly lost: number
}

const program = join(import.meta.dirname, "effectServer.ts")

const size = 20
const leaseMs = 500
/** Long enough for operations to end one by one, so that each is stored when it has ended. */
const workMs = 40
/** Operations of a batch that run at once. */
const concurrency = 1
/** Faults that a batch meets at most. */
const faultsPerRound: Readonly<Record<Fault, number>> = { SIGKILL: 2, SIGSTOP: 1 }
/**
 * A server that is killed leaves behind what it was doing. One that goes on does it as well, though another has done it
 * meanwhile; and what it had done without having it stored yet, another has done too.
 */
const perOperationInFlight: Readonly<Record<Fault, number>> = { SIGKILL: 1, SIGSTOP: 2 }
/** How long a client goes on trying. */
const patienceMs = 60_000

/** Sends so many batches, in half of which every operation has a key, in the others the batch; prints and answers what came of it. */
export const faultRounds = async (keys: Keys, fault: Fault, rounds: number): Promise<Tally> => {
  const url = await freshDatabase(inject("postgresUrl"))
  const database = await openDatabase<{ readonly effects: { readonly name: string } }>(url)
  await sql`create table effects (name text not null)`.execute(database.db)
  const environment = {
    DATABASE_URL: url,
    ...(keys === "in Redis" && { REDIS_URL: await freshDatabase(inject("redisUrl")) }),
    LEASE_MS: String(leaseMs),
    WORK_MS: String(workMs),
    CONCURRENCY: String(concurrency),
  }
  const servers = new Servers(() => startProgram(program, environment))
  let faults = 0
  try {
    for (let round = 0; round < rounds; round++) faults += await runRound(servers, round, fault)
  } finally {
    await servers.close()
  }
  const { rows } = await sql<{ readonly name: string; readonly count: number }>`
    select name, count(*)::int4 as count from effects group by name`.execute(database.db)
  await database.close()
  const operations = rounds * size
  const done = rows.reduce((sum, { count }) => sum + count, 0)
  const [duplicates, lost] = [done - rows.length, operations - rows.length]
  console.log(
    `${fault}, keys ${keys}: ${faults} faults among ${operations} operations, ${concurrency} at once: ` +
      `${duplicates} happened twice, ${lost} never`,
  )
  return { operations, faults, duplicates, lost, atMost: faults * concurrency * perOperationInFlight[fault] }
}

/** Sends a batch until all of it is done, through one server or the other; answers how many faults it met. */
const runRound = async (servers: Servers, round: number, fault: Fault): Promise<number> => {
  const names = Array.from({ length: size }, (_, index) => `${round}-${index}`)
  const ofBatch = round % 2 === 1
  const operations = names.map((name) => ({
    action: "add",
    data: { name },
    ...(!ofBatch && { idempotency_key: name }),
  }))
  const headers = { ...(ofBatch && { "idempotency-key": `batch-${round}` }) }
  const endsAt = performance.now() + patienceMs
  let faults = 0
  let answer: Answer | undefined
  for (let attempt = 0; performance.now() < endsAt; attempt++) {
    const server = await servers.take(attempt)
    const gone = new AbortController()
    const asked = ask(server, { operations }, headers, gone.signal)
    if (faults < faultsPerRound[fault]) {
      const isAnswered = await Promise.race([asked.then(() => true), delay(Math.random() * size * workMs)])
      if (isAnswered !== true) {
        faults++
        servers.strike(server, fault)
        // Nobody waits for an answer of a server that stands still.
        gone.abort()
      }
    }
    answer = await asked
    if (isDone(answer)) return faults
    await delay(50)
  }
  throw new Error(`The batch was not done in time: ${JSON.stringify(answer)}`)
}

interface Answer {
  readonly status: number
  readonly body: Partial<Results>
}

const isDone = (answer: Answer | undefined): boolean =>
  answer?.status === 200 && answer.body.results?.every(({ status }) => status === "success") === true

// Undefined where there was no answer.
const ask = async (
  { origin }: ServerProcess,
  body: object,
  headers: Readonly<Record<string, string>>,
  signal: AbortSignal,
): Promise<Answer | undefined> => {
  try {
    const response = await fetch(`${origin}/effects/batch`, {
      method: "POST",
      headers: { "content-type": "application/json", ...headers },
      body: JSON.stringify(body),
      signal,
    })
    return { status: response.status, body: (await response.json()) as Partial<Results> }
  } catch {
    return undefined
  }
}

/** Two servers, of which one is always there. */
class Servers {
  private readonly start: () => Promise<ServerProcess>
  private ready: Array<ServerProcess> = []
  private readonly stricken = new Set<Promise<void>>()

  constructor(start: () => Promise<ServerProcess>) {
    this.start = start
  }

  async take(attempt: number): Promise<ServerProcess> {
    while (this.ready.length + this.stricken.size < 2) this.ready.push(await this.start())
    while (this.ready.length === 0) await Promise.race(this.stricken)
    return this.ready[attempt % this.ready.length]!
  }

  strike(server: ServerProcess, fault: Fault): void {
    this.ready = this.ready.filter((other) => other !== server)
    const recover = async () => {
      this.ready.push(await (fault === "SIGKILL" ? this.replace(server) : this.freeze(server)))
      this.stricken.delete(recovering)
    }
    const recovering = recover()
    this.stricken.add(recovering)
  }

  async close(): Promise<void> {
    await Promise.all(this.stricken)
    // What went on late has its effect now.
    await delay(4 * leaseMs)
    for (const server of this.ready) server.kill("SIGKILL")
    await Promise.all(this.ready.map(({ ended }) => ended))
  }

  private async replace(server: ServerProcess): Promise<ServerProcess> {
    server.kill("SIGKILL")
    await server.ended
    return this.start()
  }

  private async freeze(server: ServerProcess): Promise<ServerProcess> {
    server.kill("SIGSTOP")
    // Long enough for the others to be in the midst of it.
    await delay(leaseMs * (1.2 + Math.random()))
    server.kill("SIGCONT")
    return server
  }
}
