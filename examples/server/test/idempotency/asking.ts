/** Batches with idempotency keys, and short forms of their answers. */
import type { Answer, Api, Asking, OperationResult, SubResponse } from "../batch/Api.ts"

/** An operation that creates a user under a key. */
export const create = (key: unknown, name: string, more: object = {}) => ({
  action: "create",
  ...(key !== undefined && { idempotency_key: key }),
  data: { name, ...more },
})

/** A sub-request that creates a user under a key. */
export const post = (id: string, key: unknown, name: string, more: object = {}) => ({
  id,
  method: "POST",
  url: "/api/v1/users",
  ...(key !== undefined && { headers: { "Idempotency-Key": key } }),
  body: { name },
  ...more,
})

/** The ways to give a key. Each sends a batch that creates one user and returns the outcome. */
export const ways: Readonly<
  Record<string, (api: Api, key: string, name: string, headers?: Asking["headers"]) => Promise<Outcome>>
> = {
  "an operation": async (api, key, name, headers) => outcomeOf(await api.operations([create(key, name)], {}, headers)),
  "a sub-request": async (api, key, name, headers = {}) =>
    outcomeOf(await api.ask("POST", "/api/v1/batch", { body: { requests: [post("r", key, name)] }, headers })),
  "a batch of operations": async (api, key, name, headers) =>
    outcomeOf(await api.operations([create(undefined, name)], {}, { ...headers, "idempotency-key": key })),
  "a batch of sub-requests": async (api, key, name, headers) => {
    const body = { requests: [post("r", undefined, name)] }
    return outcomeOf(await api.ask("POST", "/api/v1/batch", { body, headers: { ...headers, "idempotency-key": key } }))
  },
  "a bulk creation": async (api, key, name, headers) => {
    const body = { users: [{ name }] }
    return outcomeOf(
      await api.ask("POST", "/api/v1/users/bulk-create", { body, headers: { ...headers, "idempotency-key": key } }),
    )
  },
}

/** The outcome of the only operation of a batch. */
export interface Outcome {
  /** `created`, `replayed`, or the code of the error. */
  readonly result: string
  readonly id: string | undefined
  readonly answer: Answer
}

const outcomeOf = (answer: Answer): Outcome => {
  const body = answer.body as {
    readonly code?: string
    readonly results?: ReadonlyArray<OperationResult & { readonly replayed?: boolean }>
    readonly responses?: ReadonlyArray<SubResponse & { readonly replayed?: boolean }>
    readonly users?: ReadonlyArray<{ readonly id: string }>
  }
  const header = answer.headers["idempotency-replayed"] === "true"
  const found = (code: string | undefined, replayed: boolean, id: string | undefined): Outcome => ({
    result: code ?? (replayed ? "replayed" : "created"),
    id,
    answer,
  })
  const result = body.results?.[0]
  if (result !== undefined) return found(result.error?.code, header || result.replayed === true, result.id)
  const response = body.responses?.[0]
  if (response !== undefined) {
    const { code, id } = response.body as { readonly code?: string; readonly id?: string }
    return found(code, header || response.replayed === true, id)
  }
  return found(body.code, header, body.users?.[0]?.id)
}

/** The error codes of results, `ok` where there is none; `replayed` stands before them, or for `ok`, in a replay. */
export const codes = (answer: Answer): ReadonlyArray<string> => {
  const { results, responses } = answer.body as {
    readonly results?: ReadonlyArray<OperationResult & { readonly replayed?: boolean }>
    readonly responses?: ReadonlyArray<SubResponse & { readonly replayed?: boolean }>
  }
  const all = (results ?? responses ?? []) as ReadonlyArray<
    Partial<OperationResult> & Partial<Pick<SubResponse, "body">> & { readonly replayed?: boolean }
  >
  return all.map(({ error, body, replayed }) => {
    const code = error?.code ?? (body as { readonly code?: string } | null | undefined)?.code ?? "ok"
    if (replayed !== true) return code
    return code === "ok" ? "replayed" : `replayed ${code}`
  })
}
