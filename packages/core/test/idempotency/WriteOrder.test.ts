import { beforeEach, describe, expect, it } from "vitest"
import { WriteOrder } from "../../src/idempotency/WriteOrder.ts"

/** Timers that fire when a test says so. */
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

/** Asks for something, and notes when it is had. */
const ask = async (name: string, wanted: Promise<(() => void) | undefined>) => {
  const leave = await wanted
  log.push(leave === undefined ? `not ${name}` : name)
  return leave ?? (() => {})
}

describe("turns", () => {
  it("come one after another, in the order they were asked for", async () => {
    const first = await ask("first", order.takeTurn(1))
    const second = ask("second", order.takeTurn(1))
    const third = ask("third", order.takeTurn(1))
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

  it("are not waited for longer than said, and pass to the next then", async () => {
    const first = await ask("first", order.takeTurn(1))
    void ask("second", order.takeTurn(1))
    fire()
    await settled()
    const third = ask("third", order.takeTurn(1))
    first()
    await third
    expect(log).toEqual(["first", "not second", "third"])
  })
})

describe("transactions", () => {
  it("run beside each other", async () => {
    await ask("one", order.beginTransaction())
    await ask("other", order.beginTransaction())
    expect(log).toEqual(["one", "other"])
  })

  it("are waited for by what is written outside of them, and do not begin while it waits or writes", async () => {
    const one = await ask("one", order.beginTransaction())
    const other = await ask("other", order.beginTransaction())
    const outside = ask("outside", order.takeExclusiveTurn(1))
    void ask("late", order.beginTransaction())
    one()
    await settled()
    expect(log).toEqual(["one", "other"])
    other()
    await settled()
    expect(log).toEqual(["one", "other", "outside"])
    ;(await outside)()
    await settled()
    expect(log).toEqual(["one", "other", "outside", "late"])
  })

  it("that do not end are not waited for longer than said, and others begin again", async () => {
    await ask("stuck", order.beginTransaction())
    void ask("outside", order.takeExclusiveTurn(1))
    void ask("late", order.beginTransaction())
    await settled()
    fire()
    await settled()
    expect(log).toEqual(["stuck", "not outside", "late"])
  })

  it("may take turns while something waits for them to end", async () => {
    const inside = await ask("inside", order.beginTransaction())
    void ask("outside", order.takeExclusiveTurn(1))
    const turn = await ask("turn", order.takeTurn(1))
    await settled()
    turn()
    inside()
    await settled()
    expect(log).toEqual(["inside", "turn", "outside"])
  })

  it("wait for all that is written outside, which goes one after another", async () => {
    const one = ask("one", order.takeExclusiveTurn(1))
    const two = ask("two", order.takeExclusiveTurn(1))
    void ask("inside", order.beginTransaction())
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
