/** What is promised of transactions over HTTP, whatever the framework and the database. */
import { once } from "node:events"
import { request as httpRequest } from "node:http"
import { setTimeout as delay } from "node:timers/promises"

import { afterAll, beforeAll, describe, expect, it } from "vitest"

import { Api, type SubResponse } from "../batch/Api.ts"
import { type Framework, type ServerProcess, startServer } from "../batch/ServerProcess.ts"
import { databases } from "../databases.ts"

const deadlineMs = 2_500
const timeout = 60_000

/** Declares the scenarios on a database, run on the frameworks side by side. */
export const scenarios = (kind: keyof typeof databases, given: ReadonlyArray<Framework>): void => {
  const servers: Array<ServerProcess> = []
  const apis: Array<Api> = []
  beforeAll(async () => {
    for (const framework of given) {
      const environment = { DATABASE_URL: await databases[kind](), DEADLINE_MS: String(deadlineMs) }
      const server = await startServer(framework, environment)
      servers.push(server)
      apis.push(new Api(server.origin))
    }
  }, timeout)
  afterAll(async () => {
    for (const api of apis) api.close()
    for (const { code } of await Promise.all(servers.map((server) => server.stop()))) expect(code).toBe(0)
  }, timeout)
  const trial = (behaviour: string, run: (api: Api) => Promise<void>) =>
    it(
      `${behaviour}`,
      async () => {
        await Promise.all(
          apis.map(async (api) => {
            await api.reset()
            await run(api)
          }),
        )
      },
      timeout,
    )
  describe("an atomic batch of operations", () => {
    declareOperations(trial)
  })
  describe("an atomic JSON batch", () => {
    declareRequests(trial)
  })
}

type Trial = (behaviour: string, run: (api: Api) => Promise<void>) => void

const create = (name: string, more: object = {}) => ({ action: "create", data: { name, ...more } })

const atomically = (api: Api, operations: ReadonlyArray<unknown>) => api.operations(operations, { atomic: true })

/** Runs something, and finds the users as they were before. */
const changingNothing = async <A>(api: Api, run: () => Promise<A>): Promise<A> => {
  const before = await api.users()
  const answer = await run()
  expect(await api.users()).toEqual(before)
  return answer
}

const declareOperations = (trial: Trial): void => {
  trial("happens as a whole", async (api) => {
    const [ann, bob] = [await api.create({ name: "Ann" }), await api.create({ name: "Bob" })]
    const { status, body } = await atomically(api, [
      create("Cid"),
      create("Dee", { email: "dee@example.com" }),
      { action: "update", id: ann.id, data: { name: "Anna" } },
      { action: "delete", id: bob.id },
      { action: "update", id: ann.id, data: { email: "anna@example.com" } },
    ])
    expect({ status, bodyStatus: body.status, succeeded: body.succeeded }).toEqual({
      status: 200,
      bodyStatus: "success",
      succeeded: 5,
    })
    expect(await api.names()).toEqual(["Anna", "Cid", "Dee"])
  })

  trial("with a missing target gets the error of the article and changes nothing", async (api) => {
    const ann = await api.create({ name: "Ann" })
    await changingNothing(api, async () => {
      const { status, text } = await atomically(api, [
        create("Bob"),
        { action: "update", id: ann.id, data: { name: "Anna" } },
        { action: "delete", id: "u_099" },
      ])
      expect(status).toBe(404)
      expect(text).toBe(
        '{"status":"failed","error":"Operation 3 failed: user u_099 not found","operations_applied":0,"failed_index":2,"code":"NOT_FOUND"}',
      )
    })
  })

  const failing: ReadonlyArray<[string, object, number, string, string]> = [
    [
      "an input that is not valid",
      create("Bob", { email: "nowhere" }),
      422,
      "VALIDATION_ERROR",
      "invalid email format",
    ],
    ["an email that is taken", create("Bob", { email: "ANN@example.com" }), 409, "DUPLICATE", "email already exists"],
    ["an action that throws", { action: "boom" }, 500, "INTERNAL", "the operation failed unexpectedly"],
    [
      "a missing target to change",
      { action: "update", id: "u_099", data: { name: "x" } },
      404,
      "NOT_FOUND",
      "user u_099 not found",
    ],
  ]
  for (const [what, operation, status, code, message] of failing) {
    trial(`with ${what} changes nothing`, async (api) => {
      const ann = await api.create({ name: "Ann", email: "ann@example.com" })
      for (const before of [
        [],
        [create("Bob")],
        [create("Bob"), create("Cid")],
        [{ action: "delete", id: ann.id }, create("Bob")],
      ]) {
        if (code === "DUPLICATE" && before.length === 2 && "id" in before[0]!) continue
        const index = before.length
        const answer = await changingNothing(api, () => atomically(api, [...before, operation, create("Dee")]))
        expect({ status: answer.status, body: answer.body }).toEqual({
          status,
          body: {
            status: "failed",
            error: `Operation ${index + 1} failed: ${message}`,
            operations_applied: 0,
            failed_index: index,
            code,
          },
        })
      }
    })
  }

  trial("with an email twice in it names the second, and changes nothing", async (api) => {
    const email = "one@example.com"
    const operations = [create("Ann", { email }), create("Bob"), create("Cid", { email }), create("Dee", { email })]
    const { status, body } = await changingNothing(api, () => atomically(api, operations))
    expect({ status, body }).toMatchObject({ status: 409, body: { failed_index: 2, code: "DUPLICATE" } })
  })

  trial("can use an email that it freed itself", async (api) => {
    const email = "one@example.com"
    const ann = await api.create({ name: "Ann", email })
    const { status } = await atomically(api, [{ action: "delete", id: ann.id }, create("Bob", { email })])
    expect(status).toBe(200)
    expect(await api.names()).toEqual(["Bob"])
  })

  trial("is rolled back at the deadline", async (api) => {
    const operations = [create("Ann"), { action: "sleep", data: { ms: 60_000 } }, create("Bob")]
    const { status, body } = await changingNothing(api, () => atomically(api, operations))
    expect({ status, body }).toMatchObject({
      status: 504,
      body: { failed_index: 1, code: "DEADLINE_EXCEEDED", operations_applied: 0 },
    })
  })

  trial("is rolled back when the client disconnects", async (api) => {
    const operations = [create("Ann"), { action: "sleep", data: { ms: 60_000 } }, create("Bob")]
    await changingNothing(api, () => askAndLeave(api, "/api/v1/users/batch", { atomic: true, operations }))
    expect((await atomically(api, [create("Cid")])).status).toBe(200)
    expect(await api.names()).toEqual(["Cid"])
  })

  trial("is refused where it is not offered, and together with stop_after", async (api) => {
    const operations = [create("Ann")]
    const both = await api.operations(operations, { atomic: true, stop_after: 1 })
    expect({ status: both.status, body: both.body }).toMatchObject({ status: 400, body: { code: expect.any(String) } })
    const bulk = await api.ask("POST", "/api/v1/users/bulk-create", {
      body: { atomic: true, users: [{ name: "Ann" }] },
    })
    expect({ status: bulk.status, body: bulk.body }).toMatchObject({
      status: 400,
      body: { code: "STRATEGY_NOT_OFFERED" },
    })
    expect(await api.names()).toEqual([])
  })
}

const askAndLeave = async (api: Api, path: string, body: object): Promise<void> => {
  const sending = httpRequest(api.origin, { path, method: "POST", headers: { "content-type": "application/json" } })
  sending.on("error", () => undefined)
  sending.end(JSON.stringify(body))
  await once(sending, "finish")
  await delay(300)
  sending.destroy()
}

const post = (id: string, name: string, more: object = {}) => ({
  id,
  method: "POST",
  url: "/api/v1/users",
  body: { name },
  ...more,
})

const summary = (responses: ReadonlyArray<SubResponse>) =>
  responses.map(({ id, status, body }) => {
    const code = (body as { readonly code?: string } | null)?.code
    return [id, status, ...(code === undefined ? [] : [code])].join(" ")
  })

const batched = async (api: Api, body: object) => {
  const answer = await api.ask("POST", "/api/v1/batch", { body })
  expect(answer.status).toBe(200)
  return summary((answer.body as { readonly responses: ReadonlyArray<SubResponse> }).responses)
}

const declareRequests = (trial: Trial): void => {
  trial("happens as a whole, through the application's own routes", async (api) => {
    const requests = [
      post("a", "Ann"),
      { id: "b", method: "PATCH", url: "/api/v1/users/@{a.body.id}", body: { name: "Anna" } },
      post("c", "Bob"),
      { id: "d", method: "GET", url: "/api/v1/users/@{a.body.id}" },
    ]
    expect(await batched(api, { atomic: true, requests })).toEqual(["a 201", "b 200", "c 201", "d 200"])
    expect(await api.names()).toEqual(["Anna", "Bob"])
  })

  const failing: ReadonlyArray<[string, object, string]> = [
    ["is missing", { method: "PATCH", url: "/api/v1/users/u_099", body: { name: "x" } }, "404 NOT_FOUND"],
    ["is not valid", { method: "POST", url: "/api/v1/users", body: { email: 7 } }, "422 VALIDATION_ERROR"],
    ["throws", { method: "GET", url: "/api/v1/boom" }, "500 INTERNAL"],
    ["is refused beforehand", { method: "GET", url: "//elsewhere" }, "400 INVALID_REQUEST"],
    ["is a batch", { method: "POST", url: "/api/v1/users/batch", body: { operations: [] } }, "400 NESTED_BATCH"],
  ]
  for (const [what, request, expected] of failing) {
    trial(`with a request that ${what} changes nothing`, async (api) => {
      await api.create({ name: "Ann" })
      const requests = [post("a", "Bob"), { id: "b", ...request }, post("c", "Cid")]
      const answers = await changingNothing(api, () => batched(api, { atomic: true, requests }))
      expect(answers).toEqual(["a 424 ROLLED_BACK", `b ${expected}`, "c 424 ROLLED_BACK"])
    })
  }

  trial("rolls back one group and leaves other groups and requests as they are", async (api) => {
    const inGroup = (group: string) => ({ atomicityGroup: group })
    const requests = [
      post("a", "A"),
      post("b", "B", inGroup("bad")),
      { id: "c", method: "DELETE", url: "/api/v1/users/u_099", ...inGroup("bad") },
      post("d", "D", inGroup("good")),
      { id: "e", method: "PATCH", url: "/api/v1/users/@{d.body.id}", body: { name: "E" }, ...inGroup("good") },
      post("f", "F", { dependsOn: ["good"] }),
      post("g", "G", { dependsOn: ["bad"] }),
    ]
    expect(await batched(api, { requests })).toEqual([
      "a 201",
      "b 424 ROLLED_BACK",
      "c 404 NOT_FOUND",
      "d 201",
      "e 200",
      "f 201",
      "g 424 FAILED_DEPENDENCY",
    ])
    expect([...(await api.names())].sort()).toEqual(["A", "E", "F"])
  })

  trial("is rolled back at the deadline, and when the client disconnects", async (api) => {
    const requests = [post("a", "Ann"), { id: "b", method: "GET", url: "/api/v1/slow?ms=60000" }, post("c", "Bob")]
    const grouped = requests.map((request) => ({ ...request, atomicityGroup: "g" }))
    expect(await changingNothing(api, () => batched(api, { requests: grouped }))).toEqual([
      "a 424 ROLLED_BACK",
      "b 504 DEADLINE_EXCEEDED",
      "c 424 ROLLED_BACK",
    ])
    await changingNothing(api, () => askAndLeave(api, "/api/v1/batch", { atomic: true, requests }))
    expect(await batched(api, { atomic: true, requests: [post("a", "Cid")] })).toEqual(["a 201"])
  })
}
