import { beforeEach, describe, expect, it } from "vitest"
import { WriteOrder } from "../../src/idempotency/WriteOrder.ts"

/** Timers, which a test fires. */
let timers: Array<() => void> = []
const fire = () => {
  for (const timer of timers.splice(0)) timer()
}

let order: WriteOrder
let log: Array<string>

beforeEach(() => {
  timers = []
  log = []
  order = new WriteOrder((_, run) => {
    timers.push(run)
    return () => {
      timers = timers.filter((other) => other !== run)
    }
  })
})

const settled = () => new Promise((resolve) => setImmediate(resolve))

/** Logs when a turn or transaction begins, or that it timed out. */
const logged = async (name: string, beginning: Promise<(() => void) | undefined>) => {
  const release = await beginning
  log.push(release === undefined ? `${name} timed out` : name)
  return release ?? (() => {})
}

describe("turns", () => {
  it("are taken one after another, in the order of the calls", async () => {
    const first = await logged("first", order.takeTurn(1))
    const second = logged("second", order.takeTurn(1))
    const third = logged("third", order.takeTurn(1))
    await settled()
    expect(log).toEqual(["first"])
    first()
    first()
    await settled()
    expect(log).toEqual(["first", "second"])
    ;(await second)()
    await third
    expect(log).toEqual(["first", "second", "third"])
  })

  it("time out, and then pass to the next in line", async () => {
    const first = await logged("first", order.takeTurn(1))
    void logged("second", order.takeTurn(1))
    fire()
    await settled()
    const third = logged("third", order.takeTurn(1))
    first()
    await third
    expect(log).toEqual(["first", "second timed out", "third"])
  })
})

describe("transactions", () => {
  it("run side by side", async () => {
    await logged("one", order.beginTransaction())
    await logged("other", order.beginTransaction())
    expect(log).toEqual(["one", "other"])
  })

  it("delay an exclusive turn, and do not begin while it waits or is taken", async () => {
    const one = await logged("one", order.beginTransaction())
    const other = await logged("other", order.beginTransaction())
    const exclusive = logged("exclusive", order.takeExclusiveTurn(1))
    void logged("late", order.beginTransaction())
    one()
    await settled()
    expect(log).toEqual(["one", "other"])
    other()
    await settled()
    expect(log).toEqual(["one", "other", "exclusive"])
    ;(await exclusive)()
    await settled()
    expect(log).toEqual(["one", "other", "exclusive", "late"])
  })

  it("that do not end make an exclusive turn time out, and then others begin", async () => {
    await logged("stuck", order.beginTransaction())
    void logged("exclusive", order.takeExclusiveTurn(1))
    void logged("late", order.beginTransaction())
    await settled()
    fire()
    await settled()
    expect(log).toEqual(["stuck", "exclusive timed out", "late"])
  })

  it("may take turns while an exclusive turn waits for them", async () => {
    const inside = await logged("inside", order.beginTransaction())
    void logged("exclusive", order.takeExclusiveTurn(1))
    const turn = await logged("turn", order.takeTurn(1))
    await settled()
    turn()
    inside()
    await settled()
    expect(log).toEqual(["inside", "turn", "exclusive"])
  })

  it("wait for all exclusive turns, which are taken one after another", async () => {
    const one = logged("one", order.takeExclusiveTurn(1))
    const two = logged("two", order.takeExclusiveTurn(1))
    void logged("inside", order.beginTransaction())
    await settled()
    expect(log).toEqual(["one"])
    ;(await one)()
    await settled()
    expect(log).toEqual(["one", "two"])
    ;(await two)()
    await settled()
    expect(log).toEqual(["one", "two", "inside"])
  })
})
