import { describe, expect, it } from "vitest"
import type { Answer, Results } from "../batch/Api.ts"
import { codes, create, post } from "./asking.ts"
import { everywhere, type Scenario, stores } from "./everywhere.ts"

const hundred = Array.from({ length: 100 }, (_, index) => index)

/** Whether the answer is one that concurrent retries may get. */
const isFair = ({ status }: Answer): boolean => [200, 201, 207, 409].includes(status)

const inProgress = (answer: Answer): ReadonlyArray<string> =>
  codes(answer).filter((code) => code !== "ok" && code !== "replayed")

const scenarios: Record<string, Scenario> = {
  "a hundred identical batches of a hundred keyed creations at once create a hundred users": async (api, key) => {
    const operations = hundred.map((index) => create(key(`${index}`), `n${index}`))
    const answers = await Promise.all(hundred.map(() => api.operations(operations)))
    expect(answers.every(isFair)).toBe(true)
    expect(new Set(answers.flatMap(inProgress))).toEqual(
      new Set(answers.flatMap(inProgress).map(() => "IDEMPOTENCY_IN_PROGRESS")),
    )
    expect([...(await api.names())].sort()).toEqual(hundred.map((index) => `n${index}`).sort())
    const last = await api.operations(operations)
    expect(new Set(codes(last))).toEqual(new Set(["replayed"]))
    // All answers name the same user for an operation.
    const ids = last.body.results.map(({ id }) => id)
    for (const { body } of answers) {
      for (const { index, status, id } of (body as Results).results)
        if (status === "success") expect(id).toBe(ids[index])
    }
  },

  "a hundred identical batches under one key at once run once": async (api, key) => {
    const headers = { "idempotency-key": key("a") }
    const users = hundred.map((index) => ({ name: `n${index}` }))
    const ask = () => api.ask("POST", "/api/v1/users/bulk-create", { body: { users }, headers })
    const answers = await Promise.all(hundred.map(ask))
    const done = answers.filter(({ status }) => status === 201)
    expect(answers.every(({ status }) => status === 201 || status === 409)).toBe(true)
    for (const { status, headers } of answers) if (status === 409) expect(headers["retry-after"]).toMatch(/^\d+$/)
    expect(new Set(done.map(({ text }) => text)).size).toBe(1)
    expect(done.filter(({ headers }) => headers["idempotency-replayed"] === undefined)).toHaveLength(1)
    expect(await api.names()).toHaveLength(100)
  },

  "batches with the same keys in opposite order, atomic and not, run each key once": async (api, key) => {
    const operations = hundred.slice(0, 30).map((index) => create(key(`${index}`), `n${index}`))
    const answers = await Promise.all(
      hundred
        .slice(0, 20)
        .map((round) =>
          api.operations(round % 2 === 0 ? operations : operations.toReversed(), round % 4 < 2 ? {} : { atomic: true }),
        ),
    )
    expect(answers.map(({ status }) => status).filter((status) => ![200, 207, 409].includes(status))).toEqual([])
    const names = await api.names()
    expect(names).toHaveLength(new Set(names).size)
    for (;;) {
      const last = await api.operations(operations)
      if (codes(last).every((code) => code === "replayed")) break
      expect(last.status).toBe(200)
    }
    expect(await api.names()).toHaveLength(30)
  },

  "sub-requests that wait for each other's keys do not deadlock": async (api, key) => {
    const batch = (one: string, other: string) =>
      api.requests([post("a", key(one), one), post("b", key(other), other, { dependsOn: ["a"] })])
    const answers = await Promise.all(
      hundred.slice(0, 20).map((round) => (round % 2 === 0 ? batch("x", "y") : batch("y", "x"))),
    )
    const statuses = new Set(answers.flat().map(({ status }) => status))
    for (const status of statuses) expect([201, 409, 424]).toContain(status)
    await batch("x", "y")
    expect([...(await api.names())].sort()).toEqual(["x", "y"])
  },
}

describe.each(stores)("rivals, with keys in %s", (store) => {
  const run = everywhere(store)
  it.each(Object.entries(scenarios))("%s", { timeout: 120_000 }, (_, scenario) => run(scenario, "differently"))
})
