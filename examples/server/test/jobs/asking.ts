/** Jobs, and what is to be seen of them. */
import { expect } from "vitest"
import type { Answer, Api } from "../batch/Api.ts"

/** A job as its monitor shows it. */
export interface Monitor {
  readonly id: string
  readonly status: string
  readonly total: number
  readonly completed: number
  readonly succeeded: number
  readonly failed: number
  readonly skipped?: number
}

/** A result of a job. */
export interface JobResult {
  readonly index: number
  readonly status: string
  readonly id?: string
  readonly error?: { readonly code: string; readonly message: string }
}

/** Operations that create users; every tenth has no valid email where `broken`. */
export const creates = (count: number, mark: string, broken = false) =>
  Array.from({ length: count }, (_, index) => ({
    action: "create",
    data: { name: `${mark} ${index}`, email: broken && index % 10 === 0 ? "none" : `${mark}.${index}@example.com` },
  }))

/** Hands a job in; answers what was said of it. */
export const submit = async (
  api: Api,
  operations: ReadonlyArray<unknown>,
  headers: Readonly<Record<string, string>> = {},
): Promise<Answer & { readonly location: string }> => {
  const answer = await api.ask("POST", "/api/v1/users/batch", {
    body: { operations },
    headers: { prefer: "respond-async", ...headers },
  })
  if (answer.status !== 202) throw new Error(answer.text)
  return { ...answer, location: answer.headers.location! }
}

/** Looks at a job until it has ended. */
export const ended = async (api: Api, location: string, timeout = 60_000): Promise<Monitor> => {
  let monitor: Monitor | undefined
  await expect
    .poll(
      async () => {
        const { status, body } = await api.ask("GET", location)
        monitor = body as Monitor
        return status
      },
      { timeout, interval: 50 },
    )
    .toBe(200)
  return monitor!
}

/** All results, page by page. */
export const results = async (api: Api, location: string, query = ""): Promise<ReadonlyArray<JobResult>> => {
  const all: Array<JobResult> = []
  let cursor = ""
  while (true) {
    const { body } = await api.ask("GET", `${location}/results?limit=1000${cursor}${query}`)
    const page = body as { readonly results: ReadonlyArray<JobResult>; readonly next_cursor?: string }
    all.push(...page.results)
    if (page.next_cursor === undefined) return all
    cursor = `&cursor=${page.next_cursor}`
  }
}
