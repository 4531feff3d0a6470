/** What savepoints owe: part of `UnitOfWorkContract`. */
import { expect } from "vitest"
import { type Declare, plenty } from "./Trial.ts"

/** @internal */
export const declare = (trial: Declare): void => {
  trial("keep or undo their work apart from the rest", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    await unitOfWork.run(async ({ handle, savepoint }) => {
      await add(handle, key("before"))
      for (const name of ["keep 1", "undo 1", "undo 2", "keep 2"]) {
        await savepoint(async () => {
          await add(handle, key(name))
          return name.startsWith("keep") ? "keep" : "undo"
        })
      }
      await add(handle, key("after"))
      return "commit"
    }, plenty)
    expect(await there()).toEqual(["after", "before", "keep 1", "keep 2"])
  })

  trial("undo work that rejects, and pass the rejection on", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    const error = new Error("rejected")
    const outcome = await unitOfWork.run(async ({ handle, savepoint }) => {
      const undone = savepoint(async () => {
        await add(handle, key("undone"))
        throw error
      })
      await expect(undone).rejects.toBe(error)
      await add(handle, key("after"))
      return "commit"
    }, plenty)
    expect(outcome).toBe("committed")
    expect(await there()).toEqual(["after"])
  })

  trial("let the transaction go on after a statement that failed", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    const outcome = await unitOfWork.run(async ({ handle, savepoint }) => {
      await add(handle, key("a"))
      await expect(savepoint(() => add(handle, key("a")).then(() => "keep"))).rejects.toThrow()
      await savepoint(async () => {
        await add(handle, key("a")).catch(() => undefined)
        return "undo"
      })
      await add(handle, key("b"))
      return "commit"
    }, plenty)
    expect(outcome).toBe("committed")
    expect(await there()).toEqual(["a", "b"])
  })

  trial("nest", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    await unitOfWork.run(async ({ handle, savepoint }) => {
      const nested = (outer: "keep" | "undo", inner: "keep" | "undo") =>
        savepoint(async () => {
          const name = `${outer} (${inner})`
          await add(handle, key(`${name} before`))
          await savepoint(async () => {
            await add(handle, key(`${name} inside`))
            return inner
          })
          await add(handle, key(`${name} after`))
          return outer
        })
      await nested("keep", "keep")
      await nested("keep", "undo")
      await nested("undo", "keep")
      await nested("undo", "undo")
      return "commit"
    }, plenty)
    const expected = ["keep (keep) after", "keep (keep) before", "keep (keep) inside"]
    expect(await there()).toEqual([...expected, "keep (undo) after", "keep (undo) before"])
  })

  trial("that are kept go with a transaction that is undone", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    await unitOfWork.run(async ({ handle, savepoint }) => {
      await savepoint(async () => {
        await add(handle, key("a"))
        return "keep"
      })
      return "rollback"
    }, plenty)
    expect(await there()).toEqual([])
  })

  trial("may be open still when the transaction is undone", async ({ subject, key, there }) => {
    const { add, unitOfWork } = subject
    let release = (_: "keep"): void => undefined
    let open: Promise<void> | undefined
    const outcome = await unitOfWork.run(async ({ handle, savepoint }) => {
      open = savepoint(async () => {
        await add(handle, key("a"))
        return new Promise((resolve) => (release = resolve))
      })
      open.catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return "rollback"
    }, plenty)
    expect(outcome).toBe("rolled-back")
    release("keep")
    await expect(open).rejects.toThrow()
    expect(await there()).toEqual([])
    expect(await unitOfWork.run(async () => "commit", plenty)).toBe("committed")
  })

  trial("hold what code adds that is handed nothing", async ({ subject, key, there }) => {
    await subject.unitOfWork.run(async ({ enter, savepoint }) => {
      for (const verdict of ["undo", "keep"] as const) {
        await savepoint(async () => {
          await enter(() => subject.addHere(key(verdict)))
          return verdict
        })
      }
      return "commit"
    }, plenty)
    expect(await there()).toEqual(["keep"])
  })
}
