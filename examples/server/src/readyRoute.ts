import { setTimeout as delay } from "node:timers/promises"

import type { Route } from "./Route.ts"

/** A store that the server needs, and a question that the store answers while it is up. */
export interface StoreCheck {
  readonly store: string
  readonly ask: () => Promise<unknown>
}

/** `GET /ready`: 200 if every store answers within two seconds, else 503. The body has the state of each store. */
export const readyRoute = (checks: ReadonlyArray<StoreCheck>): Route => {
  const shared = checks.map(({ store, ask }) => ({ store, isUp: shareRunning(() => answersInTime(ask)) }))
  return {
    method: "get",
    path: "/ready",
    answer: async () => {
      const states = await Promise.all(
        shared.map(async ({ store, isUp }) => [store, (await isUp()) ? "ok" : "does not answer"] as const),
      )
      const isReady = states.every(([, state]) => state === "ok")
      return {
        status: isReady ? 200 : 503,
        body: { status: isReady ? "ready" : "not ready", stores: Object.fromEntries(states) },
      }
    },
  }
}

const timeoutMs = 2000

const answersInTime = async (ask: StoreCheck["ask"]): Promise<boolean> => {
  const answered = new AbortController()
  const timedOut = delay(timeoutMs, false, { signal: answered.signal }).catch(() => false)
  const isUp = ask().then(
    () => true,
    () => false,
  )
  return Promise.race([isUp, timedOut]).finally(() => answered.abort())
}

/** Requests that arrive while a store is asked share that question, so that probes do not pile up on a store that hangs. */
const shareRunning = <Result>(run: () => Promise<Result>): (() => Promise<Result>) => {
  let running: Promise<Result> | undefined
  return () => (running ??= run().finally(() => (running = undefined)))
}
