/** Tests of how transactions end; a part of `UnitOfWorkContract`. */
import { expect } from "vitest"
import type { Transaction } from "../../execution/UnitOfWork.ts"
import { type DeclareTest, ampleTime } from "./Fixture.ts"

/** Declares the tests. @internal */
export const declare = (test: DeclareTest): void => {
  test("commits all effects of work that returns commit", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    const outcome = await unitOfWork.run(async ({ handle }) => {
      await add(handle, key("a"))
      await add(handle, key("b"))
      return "commit"
    }, ampleTime)
    expect(outcome).toBe("committed")
    expect(await existingKeys()).toEqual(["a", "b"])
  })

  test("rolls back all effects of work that returns rollback", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    const outcome = await unitOfWork.run(async ({ handle }) => {
      await add(handle, key("a"))
      return "rollback"
    }, ampleTime)
    expect(outcome).toBe("rolled-back")
    expect(await existingKeys()).toEqual([])
  })

  test("commits work without effects", async ({ subject }) => {
    expect(await subject.unitOfWork.run(async () => "commit", ampleTime)).toBe("committed")
  })

  for (const count of [0, 1, 2, 3]) {
    test(`rolls back work that rejects after ${count} statements, and passes on the rejection`, async ({
      subject,
      key,
      existingKeys,
    }) => {
      const error = new Error("not transient")
      let runs = 0
      const running = subject.unitOfWork.run(async ({ handle }) => {
        runs++
        for (let index = 0; index < count; index++) await subject.add(handle, key(String(index)))
        throw error
      }, ampleTime)
      await expect(running).rejects.toBe(error)
      expect(runs).toBe(1)
      expect(await existingKeys()).toEqual([])
    })

    test(`rolls back work whose statement fails after ${count} others`, async ({ subject, key, existingKeys }) => {
      const running = subject.unitOfWork.run(async ({ handle }) => {
        for (let index = 0; index < count; index++) await subject.add(handle, key(String(index)))
        await subject.add(handle, key("twice"))
        await subject.add(handle, key("twice"))
        return "commit"
      }, ampleTime)
      await expect(running).rejects.toThrow()
      expect(await existingKeys()).toEqual([])
    })
  }

  test("returns the actual outcome of work that ignores a failed statement", async ({ subject, key, existingKeys }) => {
    const outcome = await subject.unitOfWork
      .run(async ({ handle }) => {
        await subject.add(handle, key("a"))
        await subject.add(handle, key("a")).catch(() => undefined)
        return "commit"
      }, ampleTime)
      .catch(() => "rejected")
    expect(await existingKeys()).toEqual(outcome === "committed" ? ["a"] : [])
    expect(["committed", "rejected"]).toContain(outcome)
  })

  test("has a handle outside of transactions", async ({ subject, key, existingKeys }) => {
    await subject.add(subject.unitOfWork.handle, key("a"))
    expect(await existingKeys()).toEqual(["a"])
  })

  for (const ending of ["commit", "rollback", "reject"] as const) {
    test(`rejects statements through the handle after ${ending}`, async ({ subject, key, existingKeys }) => {
      let ended: Transaction | undefined
      const running = subject.unitOfWork.run(async (transaction) => {
        ended = transaction
        await subject.add(transaction.handle, key("a"))
        if (ending === "reject") throw new Error("rejected")
        return ending
      }, ampleTime)
      await running.catch(() => undefined)
      await expect(subject.add(ended!.handle, key("late"))).rejects.toThrow()
      await expect(ended!.savepoint(async () => "keep")).rejects.toThrow()
      expect(await existingKeys()).toEqual(ending === "commit" ? ["a"] : [])
    })
  }

  test("includes the effects of code that is not passed the handle", async ({ subject, key, existingKeys }) => {
    const { addHere, unitOfWork } = subject
    const work = (ending: "commit" | "rollback") => (transaction: Transaction) =>
      transaction.enter(async () => {
        await addHere(key(`${ending} a`))
        await new Promise((resolve) => setTimeout(resolve, 2))
        await Promise.resolve().then(() => addHere(key(`${ending} b`)))
        return ending
      })
    expect(await unitOfWork.run(work("rollback"), ampleTime)).toBe("rolled-back")
    expect(await unitOfWork.run(work("commit"), ampleTime)).toBe("committed")
    await addHere(key("outside"))
    expect(await existingKeys()).toEqual(["commit a", "commit b", "outside"])
  })

  test("returns or throws from enter what the function returns or throws", async ({ subject }) => {
    await subject.unitOfWork.run(async ({ enter }) => {
      expect(enter(() => 7)).toBe(7)
      expect(() =>
        enter(() => {
          throw new RangeError("seven")
        }),
      ).toThrow(RangeError)
      return "commit"
    }, ampleTime)
  })

  test("discards the effects of code that still runs after the rollback", async ({ subject, key, existingKeys }) => {
    const rolledBack = Promise.withResolvers<void>()
    let late: Promise<void> | undefined
    await subject.unitOfWork.run(async ({ enter }) => {
      late = enter(async () => {
        await subject.addHere(key("early"))
        await rolledBack.promise
        await subject.addHere(key("late"))
      })
      late.catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return "rollback"
    }, ampleTime)
    rolledBack.resolve()
    await expect(late).rejects.toThrow()
    expect(await existingKeys()).toEqual([])
  })
}
