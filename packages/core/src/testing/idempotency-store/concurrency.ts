/** Many owners at once, through two clients. */
import { describe, expect, it } from "vitest"
import type { Acquired, IdempotencyTimes } from "../../idempotency/IdempotencyStore.ts"
import { type Backend, claim, newHash, newHashes, newOwnerId, newKey, start, times } from "./Fixture.ts"

const ownerCount = 24

/** Declares the cases. */
export const concurrency = (backend: () => Backend): void => {
  const clientOf = (index: number) => {
    const { store, other = store } = backend()
    return index % 2 === 0 ? store : other
  }

  /** Lets every owner claim its keys at the same time. Returns the answers by owner. */
  const race = (keysOf: (index: number) => ReadonlyArray<string>, fingerprint: string, now?: number) =>
    Promise.all(
      Array.from({ length: ownerCount }, async (_, index) => {
        const owner = now === undefined ? byStoreClock() : times(newOwnerId(), now)
        const keys = keysOf(index)
        const answers = await clientOf(index).acquire(
          keys.map((key) => claim(key, fingerprint)),
          owner,
        )
        return { owner, keys, answers }
      }),
    )

  describe("concurrent owners", () => {
    it("see changes made through another client", async () => {
      const { store, other = store } = backend()
      const { newOwner, key } = newKey(store)
      const [here, there] = [newOwner(store), newOwner(other)]
      await here.acquire(start)
      expect(await there.acquire(start)).toMatchObject({ _tag: "in-progress" })
      expect(await other.peek(key, start)).toEqual(await store.peek(key, start))
      await here.complete(start, "{}")
      expect(await there.acquire(start)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("claim a key only once", async () => {
      const keys = newHashes(40)
      const answers = (await race(() => keys, newHash())).map(({ answers }) => answers)
      for (const index of keys.keys()) {
        const tags = answers.map((answer) => answer[index]!._tag)
        expect(tags.filter((tag) => tag === "fresh")).toHaveLength(1)
        expect(tags.filter((tag) => tag === "in-progress")).toHaveLength(ownerCount - 1)
      }
    })

    it("take over a claim only once when its lease ends", async () => {
      const keys = newHashes(20)
      const fingerprint = newHash()
      const first = times(newOwnerId(), start)
      await backend().store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        first,
      )
      const raced = await race(() => keys, fingerprint, start + first.leaseMs)
      for (const index of keys.keys()) {
        const got = raced.map(({ answers }) => answers[index]!)
        expect(got.filter(({ _tag }) => _tag === "taken-over")).toEqual([{ _tag: "taken-over", fence: 2, journal: "" }])
        expect(got.filter(({ _tag }) => _tag === "in-progress")).toHaveLength(ownerCount - 1)
      }
    })

    it("do not deadlock when they claim the same keys in opposite orders", async () => {
      const keys = newHashes(60)
      const fingerprint = newHash()
      for (let round = 0; round < 5; round++) {
        const orders = [keys, keys.toReversed(), keys.toSorted(), keys.toSorted().reverse()]
        const raced = await race((index) => orders[index % 4]!, fingerprint)
        const winners = new Map<string, number>()
        for (const [client, { owner, keys: wanted, answers }] of raced.entries()) {
          const won = wanted.filter((_, index) => isClaimed(answers[index]!))
          for (const key of won) winners.set(key, (winners.get(key) ?? 0) + 1)
          const released = won.map((key) => ({ key, fingerprint, action: { _tag: "release" } as const }))
          expect(await clientOf(client).settle(released, owner)).toEqual(won.map(() => "applied"))
        }
        expect([...winners.values()]).toEqual(keys.map(() => 1))
      }
    })

    it("claim, complete and release overlapping keys, each settled by its owner alone", async () => {
      const keys = newHashes(30)
      const fingerprint = newHash()
      const finished = new Map<string, number>()
      await Promise.all(
        Array.from({ length: ownerCount }, async (_, client) => {
          for (let round = 0; round < 4; round++) {
            const owner = byStoreClock()
            const wanted = keys.filter((_key, index) => (index * 7 + client + round) % 3 !== 0)
            if (client % 2 === 1) wanted.reverse()
            const answers = await clientOf(client).acquire(
              wanted.map((key) => claim(key, fingerprint)),
              owner,
            )
            const won = wanted.filter((_key, index) => isClaimed(answers[index]!))
            const actions = won.map((key, index) => ({
              key,
              fingerprint,
              action: index % 2 === 0 ? ({ _tag: "complete", result: key } as const) : ({ _tag: "release" } as const),
            }))
            expect(await clientOf(client + 1).settle(actions, owner)).toEqual(won.map(() => "applied"))
            for (const { key, action } of actions) {
              if (action._tag === "complete") finished.set(key, (finished.get(key) ?? 0) + 1)
            }
          }
        }),
      )
      expect([...finished.values()]).toEqual([...finished.values()].map(() => 1))
    })

    it("that send a call twice at the same time claim once", async () => {
      const keys = newHashes(20)
      const fingerprint = newHash()
      const owner = byStoreClock()
      const both = await Promise.all(
        [0, 1].map((client) =>
          clientOf(client).acquire(
            keys.map((key) => claim(key, fingerprint)),
            owner,
          ),
        ),
      )
      for (const index of keys.keys()) {
        expect(both.map((answers) => answers[index]!._tag).sort()).toEqual(["fresh", "mine"])
      }
    })
  })
}

const isClaimed = ({ _tag }: Acquired): boolean => _tag === "fresh"

/** Times by the store's own clock, with leases that outlast the test. */
const byStoreClock = (): IdempotencyTimes => times(newOwnerId())
