/** Tests of transient errors and of concurrent transactions; a part of `UnitOfWorkContract`. */
import { expect } from "vitest"
import { type Capabilities, type DeclareTest, ampleTime, type TestContext } from "./Fixture.ts"

/** Declares the tests. @internal */
export const declare = (test: DeclareTest, { concurrent }: Capabilities): void => {
  test("distinguish transient errors from others", async ({ subject }) => {
    const { isTransient } = subject.unitOfWork
    expect(isTransient(subject.transientError())).toBe(true)
    for (const other of [new Error("x"), new TypeError("x"), undefined, null, "x", 7, {}, { code: "x" }]) {
      expect(isTransient(other)).toBe(false)
    }
  })

  test("are retried from the start after a transient error", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    const handles = new Set<unknown>()
    const outcome = await unitOfWork.run(async ({ handle }) => {
      handles.add(handle)
      await add(handle, key("once"))
      await add(handle, key(`attempt ${handles.size}`))
      if (handles.size < 3) throw subject.transientError()
      return "commit"
    }, ampleTime)
    expect(outcome).toBe("committed")
    expect(handles.size).toBe(3)
    expect(await existingKeys()).toEqual(["attempt 3", "once"])
  })

  test("are retried from the start after a transient error in a savepoint", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    let runs = 0
    const outcome = await unitOfWork.run(async ({ handle, savepoint }) => {
      runs++
      await savepoint(async () => {
        await add(handle, key("once"))
        if (runs < 2) throw subject.transientError()
        return "keep"
      })
      return "commit"
    }, ampleTime)
    expect({ outcome, runs }).toEqual({ outcome: "committed", runs: 2 })
    expect(await existingKeys()).toEqual(["once"])
  })

  test("end in a conflict after a bounded number of attempts", async ({ subject, key, existingKeys }) => {
    let runs = 0
    const outcome = await subject.unitOfWork.run(async ({ handle }) => {
      runs++
      await subject.add(handle, key("a"))
      throw subject.transientError()
    }, ampleTime)
    expect(outcome).toBe("conflict")
    expect(runs).toBeGreaterThan(1)
    expect(runs).toBeLessThanOrEqual(20)
    expect(await existingKeys()).toEqual([])
  })

  test("end in a conflict at the deadline", async ({ subject }) => {
    let runs = 0
    const outcome = await subject.unitOfWork.run(
      async () => {
        runs++
        await new Promise((resolve) => setTimeout(resolve, 600))
        throw subject.transientError()
      },
      { remainingMs: 500 },
    )
    expect({ outcome, runs }).toEqual({ outcome: "conflict", runs: 1 })
  })

  test("all end, even if there are more than connections", async ({ subject, key, existingKeys }) => {
    const indexes = Array.from({ length: 30 }, (_, index) => index)
    const outcomes = await Promise.all(
      indexes.map((index) =>
        subject.unitOfWork.run(async ({ handle }) => {
          await subject.add(handle, key(`a ${index}`))
          await subject.add(handle, key(`b ${index}`))
          return index % 3 === 0 ? "rollback" : "commit"
        }, ampleTime),
      ),
    )
    expect(outcomes).toEqual(indexes.map((index) => (index % 3 === 0 ? "rolled-back" : "committed")))
    expect(await existingKeys()).toHaveLength(40)
  })

  if (!concurrent) return

  test("do not see each other's effects before the commit", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    await unitOfWork.run(async ({ handle }) => {
      await add(handle, key("a"))
      expect(await existingKeys()).toEqual([])
      return "commit"
    }, ampleTime)
    expect(await existingKeys()).toEqual(["a"])
  })

  test("are kept apart for code that finds them by the asynchronous context", async ({
    subject,
    key,
    existingKeys,
  }) => {
    const bothArrived = barrier(2)
    const work = (name: string, ending: "commit" | "rollback") =>
      subject.unitOfWork.run(async ({ enter }) => {
        await enter(() => subject.addHere(key(`${name} 1`)))
        await bothArrived()
        await enter(() => subject.addHere(key(`${name} 2`)))
        return ending
      }, ampleTime)
    await Promise.all([work("kept", "commit"), work("undone", "rollback")])
    expect(await existingKeys()).toEqual(["kept 1", "kept 2"])
  })

  test("that deadlock both commit in the end", async (context) => {
    await addKeys(context, ["x", "y"])
    const { subject, key, existingKeys } = context
    const bothArrived = barrier(2)
    let runs = 0
    const work = (name: string, [first, second]: readonly [string, string]) =>
      subject.unitOfWork.run(async ({ handle }) => {
        runs++
        await subject.add(handle, key(name))
        await subject.touch(handle, key(first))
        if (runs <= 2) await bothArrived()
        await subject.touch(handle, key(second))
        return "commit"
      }, ampleTime)
    expect(await Promise.all([work("a", ["x", "y"]), work("b", ["y", "x"])])).toEqual(["committed", "committed"])
    expect(runs).toBeGreaterThan(2)
    expect(await existingKeys()).toEqual(["a", "b", "x", "y"])
  })

  test("that deadlock are retried even if the handler hides the error", async (context) => {
    await addKeys(context, ["x", "y"])
    const { subject, key, existingKeys } = context
    const bothArrived = barrier(2)
    let runs = 0
    const work = (name: string, [first, second]: readonly [string, string]) =>
      subject.unitOfWork.run(async ({ enter, handle }) => {
        runs++
        await subject.touch(handle, key(first))
        if (runs <= 2) await bothArrived()
        // Like an application that catches every error and responds with 500 itself.
        const failed = await enter(() => subject.touch(handle, key(second))).then(
          () => false,
          () => true,
        )
        await subject.add(handle, key(`${name} after ${failed ? "failure" : "success"}`)).catch(() => undefined)
        return "commit"
      }, ampleTime)
    expect(await Promise.all([work("a", ["x", "y"]), work("b", ["y", "x"])])).toEqual(["committed", "committed"])
    expect(await existingKeys()).toEqual(["a after success", "b after success", "x", "y"])
  })
}

const addKeys = async ({ subject, key }: TestContext, names: ReadonlyArray<string>): Promise<void> => {
  for (const name of names) await subject.add(subject.unitOfWork.handle, key(name))
}

// Creates a function whose promises all resolve once it was called `size` times.
const barrier = (size: number): (() => Promise<void>) => {
  const opened = Promise.withResolvers<void>()
  let arrived = 0
  return () => {
    if (++arrived >= size) opened.resolve()
    return opened.promise
  }
}
