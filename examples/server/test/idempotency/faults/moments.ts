/** Stores that a test interrupts at a chosen moment. */
import { setTimeout as delay } from "node:timers/promises"

import type { IdempotencyStore } from "@multistatus/core/store"

import type { Results } from "../../batch/Api.ts"

/** A moment in the life of a batch with keys; `settled` is before the commit of the transaction that settled it. */
export type Moment = "acquire" | "settle" | "settled"

/** The same store; `at` sets what happens once, before its next call at that moment. `settle` includes `settleIn`. */
export const interruptible = (store: IdempotencyStore) => {
  let next: { readonly moment: Moment; readonly happens: () => unknown } | undefined
  const about = async (moment: Moment) => {
    if (next?.moment !== moment) return
    const { happens } = next
    next = undefined
    await happens()
  }
  const { settleIn } = store
  const interrupted: IdempotencyStore = {
    ...store,
    acquire: async (...given) => {
      await about("acquire")
      return store.acquire(...given)
    },
    settle: async (...given) => {
      await about("settle")
      return store.settle(...given)
    },
    ...(settleIn !== undefined && {
      settleIn: async (...given) => {
        await about("settle")
        const settled = await settleIn(...given)
        await about("settled")
        return settled
      },
    }),
  }
  return { store: interrupted, at: (moment: Moment, happens: () => unknown) => void (next = { moment, happens }) }
}

/** The answer to a batch of effects. */
export interface Reply {
  readonly status: number
  readonly body: Partial<Results> & { readonly code?: string }
  readonly headers: Headers
}

/** Adds effects of these names, each under its name as key. */
export const add = async (origin: string, names: ReadonlyArray<string>, members: object = {}): Promise<Reply> => {
  const operations = names.map((name) => ({
    action: "add",
    idempotency_key: name.replaceAll(" ", "-"),
    data: { name },
  }))
  const response = await fetch(`${origin}/effects/batch`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ operations, ...members }),
  })
  return { status: response.status, headers: response.headers, body: (await response.json()) as Reply["body"] }
}

export const isDone = ({ status, body }: Reply): boolean =>
  status === 200 && body.results?.every((result) => result.status === "success") === true

/** Retries the batch until all effects are added; rejects after `withinMs`. */
export const addUntilDone = async (
  origin: string,
  names: ReadonlyArray<string>,
  members: object = {},
  withinMs = 8000,
): Promise<Reply> => {
  const endsAt = performance.now() + withinMs
  for (;;) {
    const reply = await add(origin, names, members)
    if (isDone(reply)) return reply
    if (performance.now() > endsAt) throw new Error(`Not done in time: ${JSON.stringify(reply)}`)
    await delay(200)
  }
}
