/**
 * The contract of adapters, as tests over real HTTP. Needs vitest.
 *
 * **Details** The framework under test serves a small application. `Fixture` implements everything in it that is not HTTP.
 * The application must respond to requests as listed below, by the framework's own means: its parsers, its error handling,
 * its ways to send a response. Whatever the list leaves open (the body of a 404, entity tags) is up to the framework.
 *
 * | route | response |
 * |---|---|
 * | every request | runs in an `AsyncLocalStorage` with the store `{ id, parent }`: `id` is the header `x-request-id` or else a new id; `parent` is the `id` of the store in which the request was sent, or `null` |
 * | any method `/echo` and below | 200 JSON `{ method, url, ip, headers, body }`: `url` as it was sent; `ip` the first of `x-forwarded-for`, or else the peer's; `headers` sorted by name, without `connection`; `body` as it was parsed, or `null` |
 * | `GET /text`, `/html`, `/binary`, `/large`, `/unicode` | `payloads`, as `text/plain`, `text/html`, `application/octet-stream`, JSON; methods other than GET and HEAD on `/text`: 405 with `allow` |
 * | `GET /chunked?ms=` | `payloads.chunks` as `text/plain`, written one by one, `ms` milliseconds apart |
 * | `GET /empty`, `/nothing`, `/health` | 200 without a body; 204; 200 |
 * | `GET /redirect?to=` | 302 to that URL, or to `/text` |
 * | `GET /negotiated` | by `accept`: `payloads.html` or JSON; otherwise 406 |
 * | `GET /cookies` | the received cookies as JSON; sets the cookie `seen=1` |
 * | `GET /whoami` | `authorization: Bearer alice` → 200 `{ who: "alice" }`; without it 401 with `www-authenticate` |
 * | `GET /context` | 200 `{ id, parent, kept }` of the store; `kept` is whether the store is still the same after a timer |
 * | `GET /slow?ms=&mark=`, `/marks`, `/busy?ms=` | 200 `{ ms }` after `Fixture.slow`; 200 `Fixture.marks`; 200 after `busy` |
 * | `GET /limited?key=` | 200, or 429 after three requests of a key and an address, by the framework's own limiter or `Fixture.admit` |
 * | `GET /fail/sync`, `/fail/async` | 500: the handler throws synchronously; rejects later |
 * | `GET /fail/destroy`, `/fail/half` | destroys the response at once; destroys it after part of the body |
 * | `POST /items` `{ id, name }` | 201 with the item and `location: /items/<id>`; 4xx if one of the two is not a string |
 * | `GET`, `PUT`, `PATCH`, `DELETE /items/:id` | GET: 200 with the `etag`, or 304 if `if-none-match` equals it; PUT: 200 for `{ name }`; PATCH: 200 by `Fixture.patch`; DELETE: 204; GET, PATCH and DELETE of an unknown item: 404 |
 * | `POST /batch`, `GET /batch/describe` | the JSON batch endpoint with `batchOptions` and `requestsOptions`; its description |
 * | `operationsEndpoints`, `bulkEndpoints` | the endpoints by path, each with its `/describe` |
 *
 * Responses must not vary otherwise: no counters, no random headers.
 *
 * **Example** (Koa)
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
import { type Client, makeClient, type RunningServer } from "./Client.ts"
import { envelopes } from "./envelopes.ts"
import { isolation } from "./isolation.ts"
import { nesting } from "./nesting.ts"
import { parity } from "./parity.ts"
import type { ContractRequest } from "./requests.ts"
import { responses } from "./responses.ts"
import { subRequests } from "./subRequests.ts"

export { type Client, makeClient, type RunningServer, type SubRequestMembers, type SubResponse } from "./Client.ts"
export * from "./Fixture.ts"
export { responsiveMs } from "./isolation.ts"
export { exceptions } from "./parity.ts"
export { type ContractRequest, inherited, requests } from "./requests.ts"
export type { Connection, Wire, WireRequest, WireResponse } from "./Wire.ts"

/** Options of the suite. */
export interface SuiteOptions {
  /** Further requests whose responses must be the same alone and in a batch. */
  readonly requests?: ReadonlyArray<ContractRequest> | undefined
  /** Headers, beside `exceptions`, that are not compared, each with a reason. */
  readonly except?: Readonly<Record<string, string>> | undefined
}

/** Declares the tests of an adapter. */
export const suite = (name: string, start: () => Promise<RunningServer>, options: SuiteOptions = {}): void => {
  describe(`the adapter contract on ${name}`, () => {
    let server: RunningServer | undefined
    let serverClient: Client | undefined
    const client = (): Client => {
      if (serverClient === undefined) throw new Error("The server is not running")
      return serverClient
    }

    beforeAll(async () => {
      server = await start()
      serverClient = makeClient(server)
    })

    afterAll(async () => server?.close())

    parity(client, options.requests ?? [], options.except ?? {})
    subRequests(client)
    nesting(client)
    isolation(client)
    envelopes(client)
    responses(client)
  })
}
