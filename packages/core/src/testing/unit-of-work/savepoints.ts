/** Tests of savepoints; a part of `UnitOfWorkContract`. */
import { expect } from "vitest"
import { type DeclareTest, ampleTime } from "./Fixture.ts"

/** Declares the tests. @internal */
export const declare = (test: DeclareTest): void => {
  test("keep or undo their work separately from the rest", async ({ subject, key, existingKeys }) => {
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
    }, ampleTime)
    expect(await existingKeys()).toEqual(["after", "before", "keep 1", "keep 2"])
  })

  test("undo work that rejects, and pass on the rejection", async ({ subject, key, existingKeys }) => {
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
    }, ampleTime)
    expect(outcome).toBe("committed")
    expect(await existingKeys()).toEqual(["after"])
  })

  test("allow the transaction to continue after a failed statement", async ({ subject, key, existingKeys }) => {
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
    }, ampleTime)
    expect(outcome).toBe("committed")
    expect(await existingKeys()).toEqual(["a", "b"])
  })

  test("nest", async ({ subject, key, existingKeys }) => {
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
    }, ampleTime)
    const expected = ["keep (keep) after", "keep (keep) before", "keep (keep) inside"]
    expect(await existingKeys()).toEqual([...expected, "keep (undo) after", "keep (undo) before"])
  })

  test("are undone by a rollback even if they were kept", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    await unitOfWork.run(async ({ handle, savepoint }) => {
      await savepoint(async () => {
        await add(handle, key("a"))
        return "keep"
      })
      return "rollback"
    }, ampleTime)
    expect(await existingKeys()).toEqual([])
  })

  test("may still be open when the transaction is rolled back", async ({ subject, key, existingKeys }) => {
    const { add, unitOfWork } = subject
    const decision = Promise.withResolvers<"keep">()
    let open: Promise<void> | undefined
    const outcome = await unitOfWork.run(async ({ handle, savepoint }) => {
      open = savepoint(async () => {
        await add(handle, key("a"))
        return decision.promise
      })
      open.catch(() => undefined)
      await new Promise((resolve) => setTimeout(resolve, 50))
      return "rollback"
    }, ampleTime)
    expect(outcome).toBe("rolled-back")
    decision.resolve("keep")
    await expect(open).rejects.toThrow()
    expect(await existingKeys()).toEqual([])
    expect(await unitOfWork.run(async () => "commit", ampleTime)).toBe("committed")
  })

  test("include the effects of code that is not passed the handle", async ({ subject, key, existingKeys }) => {
    await subject.unitOfWork.run(async ({ enter, savepoint }) => {
      for (const verdict of ["undo", "keep"] as const) {
        await savepoint(async () => {
          await enter(() => subject.addHere(key(verdict)))
          return verdict
        })
      }
      return "commit"
    }, ampleTime)
    expect(await existingKeys()).toEqual(["keep"])
  })
}
