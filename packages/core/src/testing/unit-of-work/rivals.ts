/** What is owed where transactions meet: part of `UnitOfWorkContract`. */
import { expect } from "vitest"
import { type Capabilities, type Declare, plenty, type Trial } from "./Trial.ts"

/** @internal */
export const declare = (trial: Declare, { concurrent }: Capabilities): void => {
  trial("know which errors are transient", async ({ subject }) => {
    const { isTransient } = subject.unitOfWork
    expect(isTransient(subject.transientError())).toBe(true)
    for (const other of [new Error("x"), new TypeError("x"), undefined, null, "x", 7, {}, { code: "x" }]) {
      expect(isTransient(other)).toBe(false)
    }
  })

  trial("make work run again from the start after a transient error", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    const handles = new Set<unknown>()
    const outcome = await unitOfWork.run(async ({ handle }) => {
      handles.add(handle)
      await add(handle, key("once"))
      await add(handle, key(`attempt ${handles.size}`))
      if (handles.size < 3) throw subject.transientError()
      return "commit"
    }, plenty)
    expect(outcome).toBe("committed")
    expect(handles.size).toBe(3)
    expect(await there()).toEqual(["attempt 3", "once"])
  })

  trial("make work run again that met them in a savepoint", async ({ subject, key, there }) => {
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
    }, plenty)
    expect([outcome, runs]).toEqual(["committed", 2])
    expect(await there()).toEqual(["once"])
  })

  trial("end in a conflict after a bounded number of attempts", async ({ subject, key, there }) => {
    let runs = 0
    const outcome = await subject.unitOfWork.run(async ({ handle }) => {
      runs++
      await subject.add(handle, key("a"))
      throw subject.transientError()
    }, plenty)
    expect(outcome).toBe("conflict")
    expect(runs).toBeGreaterThan(1)
    expect(runs).toBeLessThanOrEqual(20)
    expect(await there()).toEqual([])
  })

  trial("end in a conflict when the time is over", async ({ subject }) => {
    let runs = 0
    const outcome = await subject.unitOfWork.run(
      async () => {
        runs++
        await new Promise((resolve) => setTimeout(resolve, 600))
        throw subject.transientError()
      },
      { remainingMs: 500 },
    )
    expect([outcome, runs]).toEqual(["conflict", 1])
  })

  trial("wait for each other, however many there are", async ({ subject, key, there }) => {
    const many = Array.from({ length: 30 }, (_, index) => index)
    const outcomes = await Promise.all(
      many.map((index) =>
        subject.unitOfWork.run(async ({ handle }) => {
          await subject.add(handle, key(`a ${index}`))
          await subject.add(handle, key(`b ${index}`))
          return index % 3 === 0 ? "rollback" : "commit"
        }, plenty),
      ),
    )
    expect(outcomes).toEqual(many.map((index) => (index % 3 === 0 ? "rolled-back" : "committed")))
    expect(await there()).toHaveLength(40)
  })

  if (!concurrent) return

  trial("see nothing of each other before the commit", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    await unitOfWork.run(async ({ handle }) => {
      await add(handle, key("a"))
      expect(await there()).toEqual([])
      return "commit"
    }, plenty)
    expect(await there()).toEqual(["a"])
  })

  trial("are told apart by the code that runs in them", async ({ subject, key, there }) => {
    const open = barrier(2)
    const work = (name: string, ending: "commit" | "rollback") =>
      subject.unitOfWork.run(async ({ enter }) => {
        await enter(() => subject.addHere(key(`${name} 1`)))
        await open()
        await enter(() => subject.addHere(key(`${name} 2`)))
        return ending
      }, plenty)
    await Promise.all([work("kept", "commit"), work("undone", "rollback")])
    expect(await there()).toEqual(["kept 1", "kept 2"])
  })

  trial("that lock each other out are both run to their end", async (trial) => {
    await prepare(trial, ["x", "y"])
    const { subject, key, there } = trial
    const open = barrier(2)
    let runs = 0
    const work = (name: string, [first, second]: readonly [string, string]) =>
      subject.unitOfWork.run(async ({ handle }) => {
        runs++
        await subject.add(handle, key(name))
        await subject.touch(handle, key(first))
        if (runs <= 2) await open()
        await subject.touch(handle, key(second))
        return "commit"
      }, plenty)
    expect(await Promise.all([work("a", ["x", "y"]), work("b", ["y", "x"])])).toEqual(["committed", "committed"])
    expect(runs).toBeGreaterThan(2)
    expect(await there()).toEqual(["a", "b", "x", "y"])
  })

  trial("that lock each other out are run again even if nobody tells of it", async (trial) => {
    await prepare(trial, ["x", "y"])
    const { subject, key, there } = trial
    const open = barrier(2)
    let runs = 0
    const work = (name: string, [first, second]: readonly [string, string]) =>
      subject.unitOfWork.run(async ({ enter, handle }) => {
        runs++
        await subject.touch(handle, key(first))
        if (runs <= 2) await open()
        // What an application does that answers 500 for itself, and is not sorry.
        const failed = await enter(() => subject.touch(handle, key(second))).then(
          () => false,
          () => true,
        )
        await subject.add(handle, key(`${name} ${failed ? "in spite of" : "after"} it`)).catch(() => undefined)
        return "commit"
      }, plenty)
    expect(await Promise.all([work("a", ["x", "y"]), work("b", ["y", "x"])])).toEqual(["committed", "committed"])
    expect(await there()).toEqual(["a after it", "b after it", "x", "y"])
  })
}

const prepare = async ({ subject, key }: Trial, names: ReadonlyArray<string>): Promise<void> => {
  for (const name of names) await subject.add(subject.unitOfWork.handle, key(name))
}

const barrier = (size: number): (() => Promise<void>) => {
  let open = (): void => undefined
  let waiting = 0
  const all = new Promise<void>((resolve) => (open = resolve))
  return () => {
    if (++waiting >= size) open()
    return all
  }
}
