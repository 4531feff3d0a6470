import * as fc from "fast-check"
import { describe, expect, it } from "vitest"
import { TimeoutQueue } from "../../src/execution/TimeoutQueue.ts"

/** A clock that is moved by hand, with as many timers as are asked for. */
const makeClock = () => {
  let time = 0
  const timers = new Map<number, { readonly at: number; readonly fire: () => void }>()
  let made = 0
  return {
    now: () => time,
    timer: (milliseconds: number, fire: () => void) => {
      const id = made++
      timers.set(id, { at: time + milliseconds, fire })
      return () => void timers.delete(id)
    },
    move: (milliseconds: number) => {
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
    made: () => made,
  }
}

const makeQueue = (milliseconds = 100) => {
  const clock = makeClock()
  const expired: Array<readonly [string, number]> = []
  const queue = new TimeoutQueue<{ over: boolean; endsAt: number; readonly name: string }>({
    milliseconds,
    timer: clock.timer,
    now: clock.now,
    expire: (entry) => {
      entry.over = true
      expired.push([entry.name, clock.now()])
    },
  })
  const add = (name: string) => {
    const entry = { over: false, endsAt: 0, name }
    queue.add(entry)
    return entry
  }
  return { clock, queue, expired, add }
}

describe("TimeoutQueue", () => {
  it("lets each entry expire when its time is over", () => {
    const { clock, expired, add } = makeQueue()
    add("a")
    clock.move(30)
    add("b")
    clock.move(1_000)
    expect(expired).toEqual([
      ["a", 100],
      ["b", 130],
    ])
  })

  it("never lets an entry expire that is over", () => {
    const { clock, expired, add } = makeQueue()
    add("a").over = true
    add("b")
    clock.move(1_000)
    expect(expired).toEqual([["b", 100]])
  })

  it("has one timer at a time, however many entries there are", () => {
    const { clock, add } = makeQueue()
    for (let at = 0; at < 1_000; at++) add(String(at)).over = at < 999
    expect(clock.pending()).toBe(1)
    clock.move(100)
    expect(clock.made()).toBe(1)
    expect(clock.pending()).toBe(0)
  })

  it("watches entries that are added while others expire", () => {
    const clock = makeClock()
    const expired: Array<string> = []
    const queue = new TimeoutQueue<{ over: boolean; endsAt: number; readonly name: string }>({
      milliseconds: 10,
      timer: clock.timer,
      now: clock.now,
      expire: ({ name }) => {
        expired.push(`${name} ${clock.now()}`)
        if (name.length < 3) queue.add({ over: false, endsAt: 0, name: `${name}+` })
      },
    })
    queue.add({ over: false, endsAt: 0, name: "a" })
    clock.move(1_000)
    expect(expired).toEqual(["a 10", "a+ 20", "a++ 30"])
  })

  it("watches again after it had nothing to watch", () => {
    const { clock, expired, add } = makeQueue()
    add("a")
    clock.move(500)
    add("b")
    clock.move(500)
    expect(expired).toEqual([
      ["a", 100],
      ["b", 600],
    ])
  })

  it("stops watching when it is closed", () => {
    const { clock, queue, expired, add } = makeQueue()
    add("a")
    queue.close()
    clock.move(1_000)
    expect(expired).toEqual([])
    expect(clock.pending()).toBe(0)
  })

  it("lets exactly those expire that are not over in time, each at its time", () => {
    const entries = fc.array(fc.record({ wait: fc.nat(50), over: fc.boolean() }), { maxLength: 30 })
    fc.assert(
      fc.property(entries, (entries) => {
        const { clock, expired, add } = makeQueue(100)
        const expected: Array<readonly [string, number]> = []
        entries.forEach(({ wait, over }, at) => {
          clock.move(wait)
          add(String(at)).over = over
          if (!over) expected.push([String(at), clock.now() + 100])
        })
        clock.move(1_000)
        expect(expired).toEqual(expected)
      }),
    )
  })
})
