import * as Context from "effect/Context"
import * as Effect from "effect/Effect"
import * as Option from "effect/Option"
import { describe, expect, it, vi } from "vitest"
import * as OperationsCodec from "../../src/formats/OperationsCodec.ts"
import * as ActionDispatcher from "../../src/resources/ActionDispatcher.ts"
import { resource } from "../../src/resources/Resource.ts"
import { BatchError } from "../../src/batch/BatchError.ts"
import { PolicyRefusal } from "../../src/batch/RefusalReason.ts"
import { failure } from "../../src/batch/Failure.ts"
import { OperationResult } from "../../src/batch/OperationResult.ts"
import * as BatchEndpoint from "../../src/api/BatchEndpoint.ts"
import type { BatchOptions } from "../../src/api/BatchOptions.ts"
import * as EndpointServices from "../../src/api/EndpointServices.ts"
import { resolveOptions } from "../../src/api/BatchSettings.ts"
import { BatchEngine } from "../../src/engine/BatchEngine.ts"
import type { BatchPolicy } from "../../src/execution/BatchPolicy.ts"
import { memoryIdempotencyStore } from "../../src/idempotency/memoryIdempotencyStore.ts"
import { alone, make, send, things, users } from "../support/endpoints.ts"
import { jsonRequest, request, stream } from "../support/request.ts"

describe("an endpoint", () => {
  it("refuses a batch within a batch", async () => {
    const { status, json } = await send(make().operations(users), { operations: [{}] }, { isSubRequest: true })
    expect({ status, code: json.code }).toEqual({ status: 400, code: "NESTED_BATCH" })
  })

  it("answers refusals as problem documents, and closes the connection where the body was not read", async () => {
    const endpoint = make({ limits: { bodyBytes: 100 } }).operations(users)
    const large = await endpoint.handle(request(stream("x".repeat(200))))
    expect(large).toMatchObject({ status: 413, close: true, headers: { "content-type": "application/problem+json" } })
    const malformed = await endpoint.handle(request(stream("{")))
    expect(malformed).toMatchObject({ status: 400, close: false })
    expect(JSON.parse(malformed.body)).toMatchObject({
      type: "urn:multistatus:problem:malformed-json",
      code: "MALFORMED_JSON",
    })
  })

  it("applies the preference of the client, and reports that it did", async () => {
    const endpoint = make().operations(users)
    const prefer = (prefer: string) =>
      send(endpoint, { operations: [{ action: "create", data: {} }] }, { headers: { prefer } })
    const minimal = await prefer("return=minimal")
    expect(minimal.headers["preference-applied"]).toBe("return=minimal")
    expect(minimal.json).toEqual({ status: "success", succeeded: 1, failed: 0, results: [] })
    const full = await prefer("return=representation")
    expect(full.headers["preference-applied"]).toBe("return=representation")
    expect(full.json.results[0].data).toEqual({ id: "u_001" })
    expect((await prefer("handling=lenient")).headers).not.toHaveProperty("preference-applied")
  })

  it("refuses more concurrent batches than allowed, across all endpoints", async () => {
    const waiting = Promise.withResolvers<void>()
    const batch = make({ limits: { concurrentBatches: 1 } })
    const slow = batch.operations(resource("things", { do: { identified: false, run: () => waiting.promise } }))
    const first = send(slow, things(1))
    await new Promise((resolve) => setTimeout(resolve, 10))
    const second = await send(batch.bulk(users, "create"), { users: [{}] })
    expect(second).toMatchObject({
      status: 503,
      headers: { "retry-after": "1" },
      json: { code: "OVERLOADED", limit: 1 },
    })
    waiting.resolve()
    expect((await first).status).toBe(200)
    expect((await send(slow, things(1))).status).toBe(200)
  })

  it("describes itself", () => {
    const batch = make({
      limits: { operations: 5, responseBytes: 1_000 },
      concurrency: "parallel",
      clientStrategies: ["stop-after"],
    })
    const { status, body } = batch.bulk(users, "create", { limits: { operations: 7 } }).describe()
    expect(status).toBe(200)
    expect(JSON.parse(body)).toMatchObject({
      kind: "bulk",
      list: "users",
      limits: { operations: 7, body_bytes: 10_485_760, depth: 64, deadline_ms: 30_000, response_bytes: 1_000 },
      strategy: "partial",
      strategies: ["partial", "stop-after"],
      concurrency: "unbounded",
    })
  })

  it("is not created with invalid options of its own", () => {
    expect(() => make().operations(users, { concurrency: 0 })).toThrow("concurrency")
    expect(() => make().operations(users, { sequential: true } as never)).toThrow("sequential")
  })
})

describe("a policy", () => {
  const policy = (admit: BatchPolicy["admit"]): BatchOptions => ({ policies: [{ name: "test", admit }] })

  it("may refuse a batch, and then nothing runs", async () => {
    const run = vi.fn<() => void>()
    const reason = new PolicyRefusal({ code: "CLOSED", status: 503, detail: "Closed for today", retryAfter: 60 })
    const options = policy(() => Effect.fail(new BatchError({ reason })))
    const { status, headers, json } = await send(alone(run, options), things(1))
    expect({ status, retryAfter: headers["retry-after"], code: json.code, detail: json.detail }).toEqual({
      status: 503,
      retryAfter: "60",
      code: "CLOSED",
      detail: "Closed for today",
    })
    expect(run).not.toHaveBeenCalled()
  })

  it("may set the results of operations, and releases its resources when all operations have ended", async () => {
    const log: Array<string> = []
    const options = policy(({ batch, tenant, endpoint }) =>
      Effect.acquireRelease(
        Effect.sync(() => {
          log.push(`acquire ${endpoint} ${tenant}`)
          batch.operations[0]!.result = OperationResult.error(failure("RATE_LIMITED", "m"))
        }),
        () => Effect.sync(() => log.push(`release ${batch.operations.map(({ result }) => result?.outcome).join(" ")}`)),
      ),
    )
    const run = (data: unknown) => void log.push(`run ${data}`)
    const { json } = await send(alone(run, { ...options, tenant: () => "acme" }), things(1, 2))
    expect(log).toEqual(["acquire things acme", "run 2", "release error success"])
    expect(json).toMatchObject({ succeeded: 1, failed: 1 })
  })
})

describe("a time limit", () => {
  it("of a batch ends its operations, and the batch is answered", async () => {
    const run = (data: unknown) => (data === "slow" ? new Promise(() => {}) : { id: data })
    const endpoint = alone(run, { limits: { deadline: 30 }, concurrency: "sequential" })
    const { status, json } = await send(endpoint, things("a", "slow", "c"))
    expect(status).toBe(207)
    expect(json).toMatchObject({ status: "partial", succeeded: 1, failed: 1, skipped: 1 })
    expect(json.results.map((result: { readonly status: string }) => result.status)).toEqual([
      "success",
      "error",
      "skipped",
    ])
  })

  it("of an operation ends that operation alone", async () => {
    const run = (data: unknown) => (data === "slow" ? new Promise(() => {}) : { id: data })
    const { json } = await send(alone(run, { limits: { operationTimeout: 20 } }), things("a", "slow", "c"))
    expect(json.results[1].error).toMatchObject({ code: "TIMEOUT", retryable: true })
    expect(json).toMatchObject({ succeeded: 2, failed: 1 })
  })
})

describe("a client that disconnects", () => {
  it("cancels operations that have not started", async () => {
    const client = new AbortController()
    let ran = 0
    const run = () => {
      ran++
      client.abort()
      return new Promise((resolve) => setTimeout(resolve, 5))
    }
    const { json } = await send(alone(run, { concurrency: 2 }), things(1, 2, 3, 4), { signal: client.signal })
    expect(ran).toBeLessThanOrEqual(2)
    expect(json.skipped).toBe(4 - ran)
  })
})

describe("the answer of a batch with keys", () => {
  /** An endpoint whose store takes 5 ms to record results, and a log of what the store and the codec do. */
  const setUp = ({ idempotency = true, encodes = true } = {}) => {
    const log: Array<string> = []
    const memory = memoryIdempotencyStore()
    const store: typeof memory = {
      ...memory,
      settle: async (...call) => {
        log.push("store starts")
        await new Promise((resolve) => setTimeout(resolve, 5))
        log.push("store ends")
        return memory.settle(...call)
      },
    }
    const operationsCodec = OperationsCodec.make({ keyed: true })
    const codec: typeof operationsCodec = {
      ...operationsCodec,
      encode: (...call) => {
        log.push("codec encodes")
        if (encodes) return operationsCodec.encode(...call)
        throw new Error("This codec is broken")
      },
    }
    const onUnexpected = (error: unknown) => void log.push(`unexpected: ${(error as Error).message}`)
    const settings = resolveOptions({
      tenant: () => "a",
      idempotency: idempotency ? { store } : undefined,
      onUnexpected,
    })
    const answer = Effect.gen(function* () {
      const endpoint = yield* BatchEndpoint.make({
        name: "users",
        codec,
        dispatcher: (batch) => ActionDispatcher.make(users, batch),
      })
      const key = idempotency ? "k" : undefined
      return yield* endpoint.handle(jsonRequest({ operations: [{ action: "create", data: {}, idempotency_key: key }] }))
    })
    return { log, answer: () => Effect.runPromise(Effect.provide(answer, EndpointServices.fromSettings(settings))) }
  }

  it("is replayed in the format of the codec", async () => {
    const store = memoryIdempotencyStore()
    const codec = {
      ...OperationsCodec.make({ keyed: true }),
      format: { toJson: () => "stored", fromJson: (json: unknown) => ({ id: json }), stub: () => null },
    }
    const settings = resolveOptions({ tenant: () => "a", idempotency: { store } })
    const make = BatchEndpoint.make({
      name: "users",
      codec,
      dispatcher: (batch) => ActionDispatcher.make(users, batch),
    })
    const request = { operations: [{ action: "create", data: {}, idempotency_key: "k" }] }
    const answer = Effect.gen(function* () {
      const endpoint = yield* make
      yield* endpoint.handle(jsonRequest(request))
      return yield* endpoint.handle(jsonRequest(request))
    })
    const { body } = await Effect.runPromise(Effect.provide(answer, EndpointServices.fromSettings(settings)))
    expect(JSON.parse(String(body)).results).toMatchObject([{ id: "stored", replayed: true }])
  })

  it("is encoded while the store records results", async () => {
    const { answer, log } = setUp()
    expect((await answer()).status).toBe(200)
    expect(log).toEqual(["store starts", "codec encodes", "store ends"])
  })

  it("is a 500 where the codec fails, after the store has recorded results", async () => {
    const { answer, log } = setUp({ encodes: false })
    expect((await answer()).status).toBe(500)
    expect(log).toEqual(["store starts", "codec encodes", "store ends", "unexpected: This codec is broken"])
  })

  it("is a 500 where the codec fails without idempotency", async () => {
    const { answer, log } = setUp({ idempotency: false, encodes: false })
    expect((await answer()).status).toBe(500)
    expect(log).toEqual(["codec encodes", "unexpected: This codec is broken"])
  })
})

describe("the effects of actions", () => {
  class Greeting extends Context.Service<Greeting, { readonly text: string }>()("test/Greeting") {}

  const greetings = resource("greetings", {
    say: {
      identified: false,
      run: Effect.fnUntraced(function* () {
        const { text } = yield* Greeting
        const span = yield* Effect.orDie(Effect.currentSpan)
        return { text, span: span.name, isRoot: Option.isNone(span.parent) }
      }),
    },
  })

  const makeEndpoint = BatchEndpoint.make({
    name: "greetings",
    codec: OperationsCodec.make({ data: true }),
    dispatcher: (batch) => ActionDispatcher.make(greetings, batch),
  })
  const greeting = (text: string) => Effect.provideService(Greeting, Greeting.of({ text }))
  const say = () => jsonRequest({ operations: [{ action: "say" }] })
  const dataOf = ({ body }: { readonly body: string }): unknown => JSON.parse(body).results[0].data

  it("get the services of the context in which the endpoint was made", async () => {
    const endpoint = await Effect.runPromise(
      makeEndpoint.pipe(greeting("made"), Effect.withSpan("start-up"), Effect.provide(BatchEngine.layer)),
    )
    // The span in which the endpoint was made has nothing to do with a batch.
    expect(dataOf(await Effect.runPromise(endpoint.handle(say())))).toEqual({
      text: "made",
      span: "multistatus.batch",
      isRoot: true,
    })
    expect(dataOf(await Effect.runPromise(greeting("handled")(endpoint.handle(say()))))).toMatchObject({
      text: "handled",
    })
  })
})
