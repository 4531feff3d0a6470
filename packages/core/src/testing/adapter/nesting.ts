/** Tests that a batch must not contain a batch, for any spelling of its URL. */
import { beforeAll, describe, expect, it } from "vitest"
import { type Client, jsonOf } from "./Client.ts"
import { bulkEndpoints, operationsEndpoints } from "./Fixture.ts"
import { words } from "./requests.ts"

const spellings = words(
  "/batch /BATCH /Batch /%62atch /%62%61%74%63%68 /batc%68 /batch/ /batch// /batch/. /batch?x=1 /batch? /./batch",
  "/x/../batch /batch/x/.. /%2e/batch /x/%2e%2e/batch //batch /.//batch /x/..//batch /%2fbatch /batch%2f /batch%3f",
  "/batch;x=1 /batch%20 /%2562atch /batch/describe /batch%00",
)

/** Declares the tests. */
export const nesting = (client: () => Client): void => {
  describe("a nested batch", () => {
    const note = (id: string) => ({ id, method: "PATCH", url: "/items/nested", body: { note: id } })
    const harmless = { requests: [{ id: "n", method: "GET", url: "/text" }] }
    const inner = { requests: [note("n")] }
    const notes = async () =>
      (jsonOf(await client().get("/items/nested")) as { readonly notes: ReadonlyArray<string> }).notes

    beforeAll(async () => {
      await client().send({
        method: "PUT",
        url: "/items/nested",
        headers: { "content-type": "application/json" },
        body: '{"name":"x"}',
      })
    })

    it.each(spellings)("is refused for the URL %s", async (url) => {
      const alone = await client().post(url, harmless)
      const [nested, other] = await client().batch([
        { method: "POST", url, body: inner },
        { method: "GET", url: "/text" },
      ])
      expect(nested!.status).toBeGreaterThanOrEqual(400)
      // A spelling that does not reach the endpoint gets the application's own 404.
      const code = url.startsWith("//") ? "INVALID_REQUEST" : "NESTED_BATCH"
      if (alone.status === 200) expect(nested).toMatchObject({ status: 400, body: { code } })
      expect(other!.status).toBe(200)
      expect(await notes()).toEqual([])
    })

    it("is refused if its URL is made of references", async () => {
      const responses = await client().batch([
        { id: "word", method: "POST", url: "/echo", body: { word: "batch", first: "bat" } },
        { id: "whole", method: "POST", url: "/@{word.body.body.word}", body: inner },
        { id: "parts", method: "POST", url: "/@{word.body.body.first}ch", body: inner },
      ])
      for (const nested of responses.slice(1)) {
        expect(nested).toMatchObject({ status: 400, body: { code: "NESTED_BATCH" } })
      }
      expect(await notes()).toEqual([])
    })

    it("is not reached by a redirect, which is returned and not followed", async () => {
      const [response] = await client().batch([{ method: "GET", url: "/redirect?to=/batch" }])
      expect(response).toMatchObject({ status: 302, headers: { location: "/batch" } })
    })

    it.each([...Object.keys(bulkEndpoints), ...Object.keys(operationsEndpoints)])(
      "is refused by %s as well",
      async (url) => {
        const body = {
          operations: [{ action: "update", id: "nested", data: { note: "x" } }],
          items: [{ id: "nested", note: "x" }],
        }
        const [response] = await client().batch([{ method: "POST", url, body }])
        expect(response).toMatchObject({ status: 400, body: { code: "NESTED_BATCH" } })
        expect(await notes()).toEqual([])
      },
    )
  })
}
