/**
 * What an adapter owes, as tests over real HTTP. Needs vitest.
 *
 * **Details**
 * The framework under test serves a small application, whose parts that are not HTTP come from `Fixture`. Every request
 * is answered as below, by whatever means the framework has for it: its own parsers, its own errors, its own ways to
 * answer. What is not said here (how a 404 looks, whether there are entity tags) is the framework's own.
 *
 * | route | answer |
 * |---|---|
 * | every request | runs in an `AsyncLocalStorage` whose store is `{ id, parent }`: `id` the header `x-request-id` or else a new one, `parent` the `id` of the store that the request was made in, or `null` |
 * | any method `/echo`, and all below | 200 JSON `{ method, url, ip, headers, body }`: url as it was sent; ip the first of `x-forwarded-for`, else the peer's; headers sorted by name, without `connection`; body as parsed, `null` where there is none |
 * | `GET /text`, `/html`, `/binary`, `/large`, `/unicode` | `payloads`, as `text/plain`, `text/html`, `application/octet-stream`, JSON; other methods than GET and HEAD on `/text`: 405 with `allow` |
 * | `GET /chunked?ms=` | `payloads.chunks` as `text/plain`, written one after another, so many milliseconds apart |
 * | `GET /empty`, `/nothing`, `/health` | 200 without a body; 204; 200 |
 * | `GET /redirect?to=` | 302 to there, or to `/text` |
 * | `GET /negotiated` | by `accept`: `payloads.html`, or JSON; else 406 |
 * | `GET /cookies` | the cookies that arrived, as JSON; sets the cookie `seen=1` |
 * | `GET /whoami` | `authorization: Bearer alice` → 200 `{ who: "alice" }`; without it 401 with `www-authenticate` |
 * | `GET /context` | 200 `{ id, parent, kept }` of the store; `kept` whether it is the same after waiting for a timer |
 * | `GET /slow?ms=&mark=`, `/marks`, `/busy?ms=` | 200 `{ ms }` after `Fixture.slow`; 200 `Fixture.marks`; 200 after `busy` |
 * | `GET /limited?key=` | 200, or 429 for more than three requests of a key and an address: the framework's own limiter, or `Fixture.admit` |
 * | `GET /fail/sync`, `/fail/async` | throws at once; rejects later: 500 |
 * | `GET /fail/destroy`, `/fail/half` | destroys the response at once; after part of the body |
 * | `POST /items` `{ id, name }` | 201, the item, `location: /items/<id>`; 4xx if either is not a string |
 * | `GET`, `PUT`, `PATCH`, `DELETE /items/:id` | 200 with the `etag`, or 304 where `if-none-match` is that; 200 from `{ name }`; 200 from `Fixture.patch`; 204; 404 |
 * | `POST /batch`, `GET /batch/describe` | the JSON batch, with `batchOptions` and `requestsOptions`; what it accepts |
 * | `operationsEndpoints`, `bulkEndpoints` | by path, each with its `/describe` |
 *
 * Nothing else may differ from one request to the next: no counters, no random headers.
 *
 * **Example** (A framework of one's own)
 * ```ts
 * AdapterContract.suite("Koa", async () => {
 *   const server = app.listen(0, "127.0.0.1")
 *   await once(server, "listening")
 *   const { port } = server.address() as AddressInfo
 *   return { url: `http://127.0.0.1:${port}`, connect: () => connect(port, "127.0.0.1"), close: async () => server.close() }
 * })
 * ```
 */
import { afterAll, beforeAll, describe } from "vitest"
import { answers } from "./answers.ts"
import { type Client, makeClient, type Started } from "./Client.ts"
import { envelopes } from "./envelopes.ts"
import { interference } from "./interference.ts"
import { nesting } from "./nesting.ts"
import { parity } from "./parity.ts"
import type { ContractRequest } from "./requests.ts"
import { subRequests } from "./subRequests.ts"

export { type Answered, type Client, makeClient, type Sent, type Started } from "./Client.ts"
export * from "./Fixture.ts"
export { responsiveMs } from "./interference.ts"
export { exceptions } from "./parity.ts"
export { type ContractRequest, inherited, requests } from "./requests.ts"
export type { Connection, Message, Received, Wire } from "./Wire.ts"

/** What a framework adds to the suite. */
export interface SuiteOptions {
  /** Further requests, to further routes, that are answered alike alone and in a batch. */
  readonly requests?: ReadonlyArray<ContractRequest> | undefined
  /** Headers, beside `exceptions`, that are not compared, each with the reason. */
  readonly except?: Readonly<Record<string, string>> | undefined
}

/** Registers the suite. */
export const suite = (name: string, start: () => Promise<Started>, options: SuiteOptions = {}): void => {
  describe(`the adapter contract on ${name}`, () => {
    let started: Started | undefined
    let running: Client | undefined
    const client = (): Client => {
      if (running === undefined) throw new Error("The server was not started")
      return running
    }

    beforeAll(async () => {
      started = await start()
      running = makeClient(started)
    })

    afterAll(async () => started?.close())

    parity(client, options.requests ?? [], options.except ?? {})
    subRequests(client)
    nesting(client)
    interference(client)
    envelopes(client)
    answers(client)
  })
}
