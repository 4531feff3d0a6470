/** Many at once, through two clients. */
import { describe, expect, it } from "vitest"
import type { Acquired, IdempotencyTimes } from "../../idempotency/IdempotencyStore.ts"
import { type Backend, claim, hash, hashes, makeOwner, stage, start, times } from "./Fixture.ts"

const everybody = 24

/** Declares the cases. */
export const rivals = (backend: () => Backend): void => {
  const clientOf = (index: number) => {
    const { store, other = store } = backend()
    return index % 2 === 0 ? store : other
  }

  /** Everybody claims their keys at once, each as an owner of their own; answers by rival. */
  const race = (keysOf: (rival: number) => ReadonlyArray<string>, fingerprint: string, now?: number) =>
    Promise.all(
      Array.from({ length: everybody }, async (_, rival) => {
        const owner = now === undefined ? live() : times(makeOwner(), now)
        const keys = keysOf(rival)
        const answers = await clientOf(rival).acquire(
          keys.map((key) => claim(key, fingerprint)),
          owner,
        )
        return { owner, keys, answers }
      }),
    )

  describe("rivals", () => {
    it("see what the other client did", async () => {
      const { store, other = store } = backend()
      const { actor, key } = stage(store)
      const [here, there] = [actor(store), actor(other)]
      await here.acquire(start)
      expect(await there.acquire(start)).toMatchObject({ _tag: "in-progress" })
      expect(await other.peek(key, start)).toEqual(await store.peek(key, start))
      await here.complete(start, "{}")
      expect(await there.acquire(start)).toEqual({ _tag: "replay", result: "{}" })
    })

    it("get a key that all want at once only one of them", async () => {
      const keys = hashes(40)
      const answers = (await race(() => keys, hash())).map((rival) => rival.answers)
      for (const index of keys.keys()) {
        const tags = answers.map((answer) => answer[index]!._tag)
        expect(tags.filter((tag) => tag === "fresh")).toHaveLength(1)
        expect(tags.filter((tag) => tag === "in-progress")).toHaveLength(everybody - 1)
      }
    })

    it("take over at the end of a lease only one of them", async () => {
      const keys = hashes(20)
      const fingerprint = hash()
      const first = times(makeOwner(), start)
      await backend().store.acquire(
        keys.map((key) => claim(key, fingerprint)),
        first,
      )
      const raced = await race(() => keys, fingerprint, start + first.leaseMs)
      for (const index of keys.keys()) {
        const got = raced.map(({ answers }) => answers[index]!)
        expect(got.filter(({ _tag }) => _tag === "taken-over")).toEqual([{ _tag: "taken-over", fence: 2, journal: "" }])
        expect(got.filter(({ _tag }) => _tag === "in-progress")).toHaveLength(everybody - 1)
      }
    })

    it("do not block each other for good when they want the same keys in opposite orders", async () => {
      const keys = hashes(60)
      const fingerprint = hash()
      for (let round = 0; round < 5; round++) {
        const orders = [keys, keys.toReversed(), keys.toSorted(), keys.toSorted().reverse()]
        const raced = await race((rival) => orders[rival % 4]!, fingerprint)
        const winners = new Map<string, number>()
        for (const [rival, { owner, keys: wanted, answers }] of raced.entries()) {
          const won = wanted.filter((_, index) => isClaimed(answers[index]!))
          for (const key of won) winners.set(key, (winners.get(key) ?? 0) + 1)
          const released = won.map((key) => ({ key, fingerprint, action: { _tag: "release" } as const }))
          expect(await clientOf(rival).settle(released, owner)).toEqual(won.map(() => "applied"))
        }
        expect([...winners.values()]).toEqual(keys.map(() => 1))
      }
    })

    it("claim, settle and release overlapping keys at once, and every claim is settled by its owner", async () => {
      const keys = hashes(30)
      const fingerprint = hash()
      const finished = new Map<string, number>()
      await Promise.all(
        Array.from({ length: everybody }, async (_, rival) => {
          for (let round = 0; round < 4; round++) {
            const owner = live()
            const wanted = keys.filter((_key, index) => (index * 7 + rival + round) % 3 !== 0)
            if (rival % 2 === 1) wanted.reverse()
            const answers = await clientOf(rival).acquire(
              wanted.map((key) => claim(key, fingerprint)),
              owner,
            )
            const won = wanted.filter((_key, index) => isClaimed(answers[index]!))
            const actions = won.map((key, index) => ({
              key,
              fingerprint,
              action: index % 2 === 0 ? ({ _tag: "complete", result: key } as const) : ({ _tag: "release" } as const),
            }))
            expect(await clientOf(rival + 1).settle(actions, owner)).toEqual(won.map(() => "applied"))
            for (const { key, action } of actions) {
              if (action._tag === "complete") finished.set(key, (finished.get(key) ?? 0) + 1)
            }
          }
        }),
      )
      expect([...finished.values()]).toEqual([...finished.values()].map(() => 1))
    })

    it("who send the same call twice at once claim once", async () => {
      const keys = hashes(20)
      const fingerprint = hash()
      const owner = live()
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

/** By the store's own clock, and over long after the test. */
const live = (): IdempotencyTimes => times(makeOwner())
