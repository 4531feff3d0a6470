import { setTimeout as delay } from "node:timers/promises"

import type { Acquired, AcquireItem } from "@multistatus/core/store"
import { freshDatabase } from "@multistatus/test-services"
import { sql } from "kysely"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"

import { type Claims, makeOwner, openClaims, shuffled } from "../support/claims.ts"

const clients = 8
const rounds = 50
const keysPerRound = 200
const keysPerBatch = 150

const times = { leaseMs: 1_000, pendingTtlMs: 10_000, resultTtlMs: 60_000 }
const start = 1_800_000_000_000

const items = (round: number): ReadonlyArray<AcquireItem> =>
  Array.from({ length: keysPerRound }, (_, index) => ({
    key: `${round}-${index}`.padEnd(43, "k"),
    fingerprint: "f".repeat(43),
    mode: "retry",
  }))

const hasClaim = ({ _tag }: Acquired): boolean => _tag === "fresh" || _tag === "taken-over"

const rivals = (name: string, url: () => Promise<string>, deadlocks: (claims: Claims) => Promise<number>): void => {
  describe(`rivals on ${name}`, () => {
    let claims: Claims
    beforeAll(async () => {
      claims = await openClaims(await url())
    })
    afterAll(() => claims.close())

    /** All clients ask for their own selection at once; who got what, and every key one owner. */
    const all = async (round: number, now: number) => {
      const batches = Array.from({ length: clients }, (_, client) => {
        const chosen = shuffled(items(round)).slice(0, keysPerBatch)
        return { owner: makeOwner(), chosen, store: client % 2 === 0 ? claims.store : claims.other }
      })
      const answers = await Promise.all(
        batches.map(({ owner, chosen, store }) => store.acquire(chosen, { ...times, owner, now })),
      )
      const owners = new Map<string, string>()
      answers.forEach((answer, client) =>
        answer.forEach((acquired, index) => {
          if (!hasClaim(acquired)) return expect(acquired._tag).toBe("in-progress")
          const { owner, chosen } = batches[client]!
          expect(owners.has(chosen[index]!.key)).toBe(false)
          owners.set(chosen[index]!.key, owner)
        }),
      )
      const asked = new Set(batches.flatMap(({ chosen }) => chosen.map(({ key }) => key)))
      return { batches, owners, asked }
    }

    it(
      `claim overlapping keys in any order, ${clients} at once: each key has one owner, and nobody fails`,
      { timeout: 120_000 },
      async () => {
        for (let round = 0; round < rounds; round++) {
          const { batches, owners, asked } = await all(round, start)
          // A key that was new has an owner when all have been answered: nobody gave way to nobody.
          expect([...asked].filter((key) => !owners.has(key))).toEqual([])
          const settled = await Promise.all(
            batches.map(async ({ owner, chosen, store }) => {
              const mine = chosen.filter(({ key }) => owners.get(key) === owner)
              const release = ({ key, fingerprint }: AcquireItem) =>
                ({ key, fingerprint, action: { _tag: Math.random() < 0.5 ? "release" : "extend" } }) as const
              return store.settle(shuffled(mine).map(release), { ...times, owner, now: start })
            }),
          )
          expect(new Set(settled.flat())).toEqual(new Set(["applied"]))
          // What was released, and what was left, is claimed anew.
          await all(round, start + times.leaseMs)
        }
        expect(await deadlocks(claims)).toBe(0)
      },
    )

    it("remove expired keys while others claim them again", { timeout: 120_000 }, async () => {
      for (let round = rounds; round < rounds + 10; round++) {
        await all(round, start)
        const later = start + times.pendingTtlMs + round * 100_000
        const [removed] = await Promise.all([
          Promise.all([claims.store.purge(100, later), claims.other.purge(10_000, later)]),
          all(round, later),
        ])
        expect(removed[0]).toBeLessThanOrEqual(100)
      }
      expect(await deadlocks(claims)).toBe(0)
    })
  })
}

rivals(
  "PostgreSQL",
  () => freshDatabase(inject("postgresUrl")),
  async ({ db }) => {
    // Sessions report what happened to them up to a second later.
    await delay(1_500)
    const { rows } = await sql<{ readonly deadlocks: number }>`
      select deadlocks::int4 from pg_stat_database where datname = current_database()`.execute(db)
    return rows[0]!.deadlocks
  },
)

// MariaDB counts those of the whole server, of other tests too.
rivals(
  "MariaDB",
  () => freshDatabase(inject("mariadbUrl")),
  async () => 0,
)
