import { describe, expect, it } from "vitest"
import type { Api } from "./Api.ts"
import { onBoth } from "./onBoth.ts"
import { post, summary } from "./subRequests.ts"

const both = onBoth()
const differently = (scenario: (api: Api) => Promise<void>) => both(scenario, "differently")

const inner = {
  requests: [post("in", "Nobody")],
  users: [{ name: "Nobody" }],
  operations: [{ action: "create", data: { name: "Nobody" } }],
}

const nested = (urls: ReadonlyArray<string>) =>
  urls.map((url, index) => ({ id: `n${index}`, method: "POST", url, body: inner }))

describe("a batch in a batch", () => {
  it("is refused, and nothing of it runs", () =>
    both(async (api) => {
      const urls = [
        "/api/v1/batch",
        "/api/v1/batch?x=1",
        "/api/v1/batch?",
        "/api/v1/$batch",
        "/api/v1/users/batch",
        "/api/v1/users/bulk-create",
        "/api/v1/users/bulk-update",
        "/api/v1/users/bulk-delete",
      ]
      const responses = await api.requests(nested(urls))
      expect(summary(responses)).toEqual(urls.map((_, index) => [`n${index}`, 400, "NESTED_BATCH"]))
      expect(responses.map((response) => Object.keys(response))).toEqual(urls.map(() => ["id", "status", "body"]))
      expect(await api.names()).toEqual([])
    }))

  it("is refused in every spelling of its url", () =>
    // The routers of the two do not decode the same parts of a path.
    differently(async (api) => {
      const urls = [
        "/api/v1/%24batch",
        "/api/v1/%62atch",
        "/%61pi/v1/%62%61%74%63%68",
        "/api/v1/users/b%61tch",
        "/api/v1/users/bulk%2Dcreate",
        "/api/v1/batch/",
        "/API/V1/BATCH",
        "/api/v1/./batch",
        "/api/v1/x/../batch",
        "/api//v1/batch",
        "/api/v1/batch;x",
        "/api/v1/batch%3Fx",
        "/api/v1/batch/.",
        "/api/v1/%2e/batch",
        "/api/v1%2fbatch",
        "/api/v1/%25%36%32atch",
      ]
      for (const [, status, code] of summary(await api.requests(nested(urls)))) {
        expect([`400 NESTED_BATCH`, `404 NOT_FOUND`]).toContain(`${status} ${code}`)
      }
      expect(await api.names()).toEqual([])
    }))

  it("is refused when a reference makes its url", () =>
    both(async (api) => {
      await api.create({ name: "batch" })
      const responses = await api.requests([
        { id: "a", method: "GET", url: "/api/v1/users" },
        { id: "b", method: "POST", url: "/api/v1/@{a.body.users.0.name}", body: { requests: [post("in", "Nobody")] } },
      ])
      expect(summary(responses)).toEqual([
        ["a", 200, undefined],
        ["b", 400, "NESTED_BATCH"],
      ])
      expect(await api.names()).toEqual(["batch"])
    }))
})
