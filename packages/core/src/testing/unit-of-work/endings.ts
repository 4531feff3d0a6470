/** How transactions end: part of `UnitOfWorkContract`. */
import { expect } from "vitest"
import type { Transaction } from "../../execution/UnitOfWork.ts"
import { type Declare, plenty } from "./Trial.ts"

/** @internal */
export const declare = (trial: Declare): void => {
  trial("keeps everything of work that answers commit", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    const outcome = await unitOfWork.run(async ({ handle }) => {
      await add(handle, key("a"))
      await add(handle, key("b"))
      return "commit"
    }, plenty)
    expect(outcome).toBe("committed")
    expect(await there()).toEqual(["a", "b"])
  })

  trial("keeps nothing of work that answers rollback", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    const outcome = await unitOfWork.run(async ({ handle }) => {
      await add(handle, key("a"))
      return "rollback"
    }, plenty)
    expect(outcome).toBe("rolled-back")
    expect(await there()).toEqual([])
  })

  trial("commits work that does nothing", async ({ subject }) => {
    expect(await subject.unitOfWork.run(async () => "commit", plenty)).toBe("committed")
  })

  for (const done of [0, 1, 2, 3]) {
    trial(
      `keeps nothing of work that rejects after ${done} statements, and passes the rejection on`,
      async ({ subject, key, there }) => {
        const error = new Error("not transient")
        let runs = 0
        const running = subject.unitOfWork.run(async ({ handle }) => {
          runs++
          for (let at = 0; at < done; at++) await subject.add(handle, key(String(at)))
          throw error
        }, plenty)
        await expect(running).rejects.toBe(error)
        expect(runs).toBe(1)
        expect(await there()).toEqual([])
      },
    )

    trial(`keeps nothing of work whose statement fails after ${done} others`, async ({ subject, key, there }) => {
      const running = subject.unitOfWork.run(async ({ handle }) => {
        for (let at = 0; at < done; at++) await subject.add(handle, key(String(at)))
        await subject.add(handle, key("twice"))
        await subject.add(handle, key("twice"))
        return "commit"
      }, plenty)
      await expect(running).rejects.toThrow()
      expect(await there()).toEqual([])
    })
  }

  trial("tells the truth of work that takes no notice of a failed statement", async ({ subject, key, there }) => {
    const outcome = await subject.unitOfWork
      .run(async ({ handle }) => {
        await subject.add(handle, key("a"))
        await subject.add(handle, key("a")).catch(() => undefined)
        return "commit"
      }, plenty)
      .catch(() => "rejected")
    expect(await there()).toEqual(outcome === "committed" ? ["a"] : [])
    expect(["committed", "rejected"]).toContain(outcome)
  })

  trial("has a handle outside of transactions too", async ({ subject, key, there }) => {
    await subject.add(subject.unitOfWork.handle, key("a"))
    expect(await there()).toEqual(["a"])
  })

  for (const ending of ["commit", "rollback", "reject"] as const) {
    trial(`takes no more statements through the handle after ${ending}`, async ({ subject, key, there }) => {
      let kept: Transaction | undefined
      const running = subject.unitOfWork.run(async (transaction) => {
        kept = transaction
        await subject.add(transaction.handle, key("a"))
        if (ending === "reject") throw new Error("rejected")
        return ending
      }, plenty)
      await running.catch(() => undefined)
      await expect(subject.add(kept!.handle, key("late"))).rejects.toThrow()
      await expect(kept!.savepoint(async () => "keep")).rejects.toThrow()
      expect(await there()).toEqual(ending === "commit" ? ["a"] : [])
    })
  }

  trial("lets code that is handed nothing take part", async ({ subject, key, there }) => {
    const { addHere, unitOfWork } = subject
    const work = (ending: "commit" | "rollback") => (transaction: Transaction) =>
      transaction.enter(async () => {
        await addHere(key(`${ending} a`))
        await new Promise((resolve) => setTimeout(resolve, 2))
        await Promise.resolve().then(() => addHere(key(`${ending} b`)))
        return ending
      })
    expect(await unitOfWork.run(work("rollback"), plenty)).toBe("rolled-back")
    expect(await unitOfWork.run(work("commit"), plenty)).toBe("committed")
    await addHere(key("outside"))
    expect(await there()).toEqual(["commit a", "commit b", "outside"])
  })

  trial("enters with what the function answers or throws", async ({ subject }) => {
    await subject.unitOfWork.run(async ({ enter }) => {
      expect(enter(() => 7)).toBe(7)
      expect(() =>
        enter(() => {
          throw new RangeError("seven")
        }),
      ).toThrow(RangeError)
      return "commit"
    }, plenty)
  })

  trial("keeps nothing of code that runs on after its transaction was undone", async ({ subject, key, there }) => {
    let go = (): void => undefined
    const released = new Promise<void>((resolve) => (go = resolve))
    let late: Promise<void> | undefined
    await subject.unitOfWork.run(async ({ enter }) => {
      late = enter(async () => {
        await subject.addHere(key("early"))
        await released
        await subject.addHere(key("late"))
      })
      late.catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return "rollback"
    }, plenty)
    go()
    await expect(late).rejects.toThrow()
    expect(await there()).toEqual([])
  })
}
