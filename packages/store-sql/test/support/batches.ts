/** Batches that add keys to a database, from the body to the answer. */
import { createBatch, type HttpRequest } from "@multistatus/core/adapter"
import { type BatchOptions, type ManyItem, resource } from "@multistatus/core"
import type { Kysely } from "kysely"

import type { OpenedDatabase } from "../../src/database/openDatabase.ts"
import { sqlUnitOfWork, type SqlUnitOfWorkOptions } from "../../src/transactions/sqlUnitOfWork.ts"
import { addKey, type Tables } from "./keys.ts"

export interface BatchAnswer {
  readonly status: number
  readonly code: string | undefined
  readonly index: number | undefined
}

export interface Given extends BatchOptions {
  readonly transactions?: SqlUnitOfWorkOptions
}

const tx = (handle: unknown) => handle as Kysely<Tables>

/** An endpoint that adds keys: `add` one by one, `addMany` with one statement; `addOutside` goes past the transaction. */
export const addEndpoint = ({ db }: OpenedDatabase<Tables>, { transactions, ...options }: Given = {}) => {
  const keys = resource("keys", {
    add: { identified: false, run: (key: string, context) => addKey(tx(context.tx), key) },
    addMany: {
      identified: false,
      runMany: async (items: ReadonlyArray<ManyItem<string>>, context) => {
        const values = items.map(({ input }) => ({ name: input, touched: 0 }))
        await tx(context.tx).insertInto("keys").values(values).execute()
        return items.map(() => undefined)
      },
    },
    addOutside: { identified: false, run: (key: string) => addKey(db, key) },
    wait: { identified: false, run: (ms: number, { signal }) => waiting(ms, signal) },
  })
  const batch = createBatch({
    clientStrategies: ["atomic"],
    unitOfWork: sqlUnitOfWork(db, transactions),
    onUnexpected: () => undefined,
    ...options,
  })
  const endpoint = batch.operations(keys)
  const send = async (body: object): Promise<BatchAnswer> => {
    const answer = await endpoint.handle(requestOf(JSON.stringify(body)))
    const { code, failed_index: index } = JSON.parse(answer.body) as { code?: string; failed_index?: number }
    return { status: answer.status, code, index }
  }
  return { send, close: batch.close }
}

/** Operations of one action. */
export const each = (action: string, data: ReadonlyArray<unknown>) => data.map((one) => ({ action, data: one }))

/** So many keys with a common beginning. */
export const keysFrom = (prefix: string, count = 100): ReadonlyArray<string> =>
  Array.from({ length: count }, (_, index) => `${prefix}-${index}`)

/** Makes the request of a batch. */
export const requestOf = (body: string): HttpRequest => ({
  method: "POST",
  headers: { "content-type": "application/json" },
  body: { _tag: "Stream", bytes: ReadableStream.from([Buffer.from(body)]) as unknown as AsyncIterable<Uint8Array> },
  isSubRequest: false,
  signal: new AbortController().signal,
  raw: undefined,
})

const waiting = (ms: number, signal: AbortSignal): Promise<void> =>
  new Promise((resolve) => {
    const timer = setTimeout(resolve, ms)
    signal.addEventListener("abort", () => {
      clearTimeout(timer)
      resolve()
    })
  })
