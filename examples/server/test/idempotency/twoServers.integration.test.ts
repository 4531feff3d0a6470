/** Two servers, one on each framework, with the same keys. */
import { mkdtemp, rm } from "node:fs/promises"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { setTimeout as delay } from "node:timers/promises"

import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { type Answer, Api, type Results } from "../batch/Api.ts"
import { databases } from "../databases.ts"
import { frameworks, type ServerProcess, startServer } from "../batch/ServerProcess.ts"
import { codes, create } from "./asking.ts"

const redis = async () => freshDatabase(inject("redisUrl"))

const shared: Readonly<Record<string, () => Promise<Record<string, string>>>> = {
  PostgreSQL: async () => ({ STORE: "sql", DATABASE_URL: await databases.postgres() }),
  MariaDB: async () => ({ STORE: "sql", DATABASE_URL: await databases.mariadb() }),
  "Redis, with users in PostgreSQL": async () => ({
    REDIS_URL: await redis(),
    DATABASE_URL: await databases.postgres(),
  }),
  "Redis Cluster, with users in PostgreSQL": async () => ({
    REDIS_URL: inject("redisClusterUrl"),
    DATABASE_URL: await databases.postgres(),
  }),
}

/** Node options that shift the clock of a process. */
const clockOff = (milliseconds: number): string => {
  const shift = `const now = Date.now; Date.now = () => now() + ${milliseconds}`
  return `--import data:text/javascript,${encodeURIComponent(shift)}`
}

const hour = 3_600_000
const hundred = Array.from({ length: 100 }, (_, index) => index)
const mark = `two${Math.random().toString(36).slice(2)}`

describe.each(Object.keys(shared))("two servers that share %s, with clocks two hours apart", (name) => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  beforeAll(async () => {
    const environment = await shared[name]!()
    for (const [index, framework] of frameworks.entries()) {
      const options = clockOff(index === 0 ? hour : -hour)
      servers.push(await startServer(framework, { ...environment, NODE_OPTIONS: options, CONCURRENCY: "10" }))
    }
    apis.push(...servers.map(({ origin }) => new Api(origin)))
  })
  afterAll(async () => {
    for (const api of apis) api.close()
    await Promise.all(servers.map((server) => server.stop()))
  })

  it("run a hundred identical batches of a hundred keyed creations once", { timeout: 120_000 }, async () => {
    const operations = hundred.map((index) => create(`${mark}-${index}`, `n${index}`))
    const answers = await Promise.all(hundred.map((round) => apis[round % 2]!.operations(operations)))
    const unfair = answers.filter((answer) => !isFair(answer))
    expect(unfair.map(({ status, text }) => [status, text.slice(0, 300)])).toEqual([])
    expect([...(await apis[0]!.names())].sort()).toEqual(hundred.map((index) => `n${index}`).sort())
    const last = await doneBy(() => apis[0]!.operations(operations))
    const other = await apis[1]!.operations(operations)
    expect(new Set([...codes(last), ...codes(other)])).toEqual(new Set(["replayed"]))
    // All answers name the same user for an operation.
    const ids = last.body.results.map(({ id }) => id)
    for (const { body } of [...answers, other]) {
      for (const { index, status, id } of (body as Results).results ?? []) {
        if (status === "success") expect(id).toBe(ids[index])
      }
    }
  })

  it("run a hundred identical batches under one key once", { timeout: 120_000 }, async () => {
    await apis[0]!.reset()
    const headers = { "idempotency-key": `${mark}-batch` }
    const body = { users: hundred.map((index) => ({ name: `n${index}` })) }
    const ask = (round: number) => apis[round % 2]!.ask("POST", "/api/v1/users/bulk-create", { body, headers: headers })
    const answers = await Promise.all(hundred.map(ask))
    expect(answers.map(({ status }) => status).filter((status) => status !== 201 && status !== 409)).toEqual([])
    const done = answers.filter(({ status }) => status === 201)
    expect(new Set(done.map(({ text }) => text)).size).toBe(1)
    expect(await apis[1]!.names()).toHaveLength(100)
    for (const round of [0, 1]) {
      const again = await ask(round)
      expect({ status: again.status, text: again.text, replayed: again.headers["idempotency-replayed"] }).toEqual({
        status: 201,
        text: done[0]!.text,
        replayed: "true",
      })
    }
  })

  it("refuse a retry while the other runs it, and replay it afterwards", async () => {
    const batch = (api: Api) =>
      api.operations([{ action: "sleep", data: { ms: 600 } }], {}, { "idempotency-key": `${mark}-progress` })
    for (const [one, other] of [apis, apis.toReversed()] as Array<[Api, Api]>) {
      const key = `${mark}-sleep-${apis.indexOf(one)}`
      const operations = [{ action: "sleep", idempotency_key: key, data: { ms: 600 } }]
      const running = one.operations(operations)
      await delay(250)
      expect(codes(await other.operations(operations))).toEqual(["IDEMPOTENCY_IN_PROGRESS"])
      expect(codes(await running)).toEqual(["ok"])
      expect(codes(await other.operations(operations))).toEqual(["replayed"])
    }
    expect((await batch(apis[0]!)).status).toBe(200)
    expect((await batch(apis[1]!)).headers["idempotency-replayed"]).toBe("true")
  })
})

it("two servers on one SQLite file run a hundred identical batches once", { timeout: 120_000 }, async () => {
  const directory = await mkdtemp(join(tmpdir(), "two-servers-"))
  const environment = { STORE: "sql", DATABASE_URL: `sqlite:${join(directory, "users.db")}` }
  const servers: Array<ServerProcess> = []
  try {
    for (const framework of frameworks) servers.push(await startServer(framework, environment))
    const apis = servers.map(({ origin }) => new Api(origin))
    const operations = hundred.map((index) => create(`${mark}-${index}`, `n${index}`))
    const answers = await Promise.all(hundred.map((round) => apis[round % 2]!.operations(operations)))
    const unfair = answers.filter((answer) => !isFair(answer))
    expect(unfair.map(({ status, text }) => [status, text.slice(0, 300)])).toEqual([])
    expect([...(await apis[0]!.names())].sort()).toEqual(hundred.map((index) => `n${index}`).sort())
    for (const api of apis) api.close()
    await Promise.all(servers.map((server) => server.stop()))
  } finally {
    for (const server of servers) server.kill("SIGKILL")
    await rm(directory, { recursive: true })
  }
})

/** 2xx, 409, or 207 in which nothing failed but what is in progress elsewhere. */
const isFair = (answer: Answer): boolean => {
  if (answer.status === 409) return true
  if (![200, 201, 207].includes(answer.status)) return false
  return codes(answer).every((code) => ["ok", "replayed", "IDEMPOTENCY_IN_PROGRESS"].includes(code))
}

const doneBy = async <A extends Answer>(ask: () => Promise<A>): Promise<A> => {
  const answer = await ask()
  return answer.status === 200 ? answer : doneBy(ask)
}
