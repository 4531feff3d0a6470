import { describe, expect, it } from "vitest"
import type { Api, User } from "./Api.ts"
import { onBoth } from "./onBoth.ts"

const both = onBoth()

const operationsPath = "/api/v1/users/batch"

/** Runs what holds where an endpoint says that it offers atomic batches, or else what holds where it does not. */
const whetherOffered = async (api: Api, path: string, offered: () => Promise<void>, refused: () => Promise<void>) => {
  const { body } = await api.ask("GET", `${path}/describe`)
  await ((body as { readonly strategies: ReadonlyArray<string> }).strategies.includes("atomic") ? offered() : refused())
}

const notOffered = { status: 400, body: { code: "STRATEGY_NOT_OFFERED", status: 400 } }

describe("an atomic batch", () => {
  const alice = { name: "Alice", email: "alice@example.com" }
  const operations = ({ id }: User) => [
    { action: "create", data: alice },
    { action: "update", id, data: { name: "Alice Smith" } },
    { action: "delete", id: "u_099" },
    { action: "create", data: { name: "" } },
  ]

  it("applies nothing when anything fails, and is refused where it is not offered", () =>
    both(async (api) => {
      const user = await api.create({ name: "Zoe" })
      const ask = (list: ReadonlyArray<unknown>) =>
        api.ask("POST", operationsPath, { body: { atomic: true, operations: list } })
      await whetherOffered(
        api,
        operationsPath,
        async () => {
          const failed = await ask(operations(user).slice(0, 3))
          expect({ status: failed.status, body: failed.body }).toEqual({
            status: 404,
            body: {
              status: "failed",
              error: expect.stringMatching(/^Operation 3 failed: user u_099 not found$/i),
              operations_applied: 0,
              failed_index: 2,
              code: "NOT_FOUND",
            },
          })
          expect(await ask(operations(user))).toMatchObject({ body: { operations_applied: 0 } })
          expect(await api.names()).toEqual(["Zoe"])
          expect(await ask(operations(user).slice(0, 2))).toMatchObject({ status: 200, body: { succeeded: 2 } })
          expect(await api.names()).toEqual(["Alice Smith", "Alice"])
        },
        async () => {
          expect(await ask(operations(user).slice(0, 2))).toMatchObject(notOffered)
          expect(await api.names()).toEqual(["Zoe"])
        },
      )
    }))

  it("of sub-requests applies nothing when anything fails, and is refused where it is not offered", () =>
    both(async (api) => {
      const post = (id: string, body: object) => ({ id, method: "POST", url: "/api/v1/users", body })
      const failing = [post("a", alice), post("b", { name: "" })]
      const whole = { body: { atomic: true, requests: failing } }
      const group = { body: { requests: failing.map((request) => ({ ...request, atomicityGroup: "g" })) } }
      for (const path of ["/api/v1/batch", "/api/v1/$batch"]) {
        await whetherOffered(
          api,
          path,
          async () => {
            for (const asking of [whole, group]) {
              const { status, body } = await api.ask("POST", path, asking)
              expect({ status, body }).toMatchObject({
                status: 200,
                body: {
                  responses: [
                    { id: "a", status: 424, body: { code: "ROLLED_BACK" } },
                    { id: "b", status: 422 },
                  ],
                },
              })
            }
          },
          async () => {
            for (const asking of [whole, group]) expect(await api.ask("POST", path, asking)).toMatchObject(notOffered)
          },
        )
      }
      expect(await api.names()).toEqual([])
    }))
})
