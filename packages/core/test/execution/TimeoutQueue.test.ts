import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { TimeoutQueue } from "../../src/execution/TimeoutQueue.ts"

/** A clock that tests advance by hand, with timers. */
const makeClock = () => {
  let time = 0
  const timers = new Map<number, { readonly at: number; readonly fire: () => void }>()
  let created = 0
  return {
    now: () => time,
    timer: (milliseconds: number, fire: () => void) => {
      const id = created++
      timers.set(id, { at: time + milliseconds, fire })
      return () => void timers.delete(id)
    },
    advance: (milliseconds: number) => {
      const until = time + milliseconds
      for (;;) {
        const due = [...timers].filter(([, { at }]) => at <= until).sort(([, a], [, b]) => a.at - b.at)[0]
        if (due === undefined) break
        timers.delete(due[0])
        time = Math.max(time, due[1].at)
        due[1].fire()
      }
      time = until
    },
    pending: () => timers.size,
    created: () => created,
  }
}

const makeQueue = (milliseconds = 100) => {
  const clock = makeClock()
  const expired: Array<readonly [string, number]> = []
  const queue = new TimeoutQueue<{ ended: boolean; endsAt: number; readonly name: string }>({
    milliseconds,
    timer: clock.timer,
    now: clock.now,
    expire: (entry) => {
      entry.ended = true
      expired.push([entry.name, clock.now()])
    },
  })
  const add = (name: string) => {
    const entry = { ended: false, endsAt: 0, name }
    queue.add(entry)
    return entry
  }
  return { clock, queue, expired, add }
}

describe("TimeoutQueue", () => {
  it("expires each entry after the timeout", () => {
    const { clock, expired, add } = makeQueue()
    add("a")
    clock.advance(30)
    add("b")
    clock.advance(1_000)
    expect(expired).toEqual([
      ["a", 100],
      ["b", 130],
    ])
  })

  it("does not expire an entry that has ended", () => {
    const { clock, expired, add } = makeQueue()
    add("a").ended = true
    add("b")
    clock.advance(1_000)
    expect(expired).toEqual([["b", 100]])
  })

  it("uses one timer for any number of entries", () => {
    const { clock, add } = makeQueue()
    for (let index = 0; index < 1_000; index++) add(String(index)).ended = index < 999
    expect(clock.pending()).toBe(1)
    clock.advance(100)
    expect(clock.created()).toBe(1)
    expect(clock.pending()).toBe(0)
  })

  it("expires entries that are added while others expire", () => {
    const clock = makeClock()
    const expired: Array<string> = []
    const queue = new TimeoutQueue<{ ended: boolean; endsAt: number; readonly name: string }>({
      milliseconds: 10,
      timer: clock.timer,
      now: clock.now,
      expire: ({ name }) => {
        expired.push(`${name} ${clock.now()}`)
        if (name.length < 3) queue.add({ ended: false, endsAt: 0, name: `${name}+` })
      },
    })
    queue.add({ ended: false, endsAt: 0, name: "a" })
    clock.advance(1_000)
    expect(expired).toEqual(["a 10", "a+ 20", "a++ 30"])
  })

  it("expires entries that are added after it was empty", () => {
    const { clock, expired, add } = makeQueue()
    add("a")
    clock.advance(500)
    add("b")
    clock.advance(500)
    expect(expired).toEqual([
      ["a", 100],
      ["b", 600],
    ])
  })

  it("expires nothing after it was closed", () => {
    const { clock, queue, expired, add } = makeQueue()
    add("a")
    queue.close()
    clock.advance(1_000)
    expect(expired).toEqual([])
    expect(clock.pending()).toBe(0)
  })

  it("expires exactly the entries that have not ended, each after the timeout", () => {
    const entries = fc.array(fc.record({ wait: fc.nat(50), ended: fc.boolean() }), { maxLength: 30 })
    fc.assert(
      fc.property(entries, (entries) => {
        const { clock, expired, add } = makeQueue(100)
        const expected: Array<readonly [string, number]> = []
        entries.forEach(({ wait, ended }, index) => {
          clock.advance(wait)
          add(String(index)).ended = ended
          if (!ended) expected.push([String(index), clock.now() + 100])
        })
        clock.advance(1_000)
        expect(expired).toEqual(expected)
      }),
    )
  })
})
