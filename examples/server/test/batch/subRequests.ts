/** Sub-requests that tests send, and what is expected of them. */
import { expect } from "vitest"
import type { Api, SubResponse } from "./Api.ts"

/** A sub-request that creates a user. */
export const post = (id: string, name: string, more: object = {}) => ({
  id,
  method: "POST",
  url: "/api/v1/users",
  body: { name },
  ...more,
})

/** The id, status and code of each. */
export const summary = (responses: ReadonlyArray<SubResponse>) =>
  responses.map(({ id, status, body }) => [id, status, (body as { code?: string } | null)?.code])

/** One sub-request alone in its batch. */
export const one = async (
  api: Api,
  request: object,
  headers: Readonly<Record<string, string>> = {},
): Promise<SubResponse> => {
  const [response] = await api.requests([{ id: "only", ...request }], headers)
  return response!
}

/** The answer to a sub-request that was refused for one of its members. */
export const invalid = (field: string) => ({
  id: "only",
  status: 400,
  body: {
    type: "urn:multistatus:problem:invalid-request",
    title: "Invalid request",
    status: 400,
    detail: expect.any(String),
    code: "INVALID_REQUEST",
    field,
  },
})
