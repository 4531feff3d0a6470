/** Tests that a sub-request gets the same response as the request alone: status, headers and body. */
import { beforeAll, describe, expect, it } from "vitest"
import { alone, bodyInBatch, type Client, type SubResponse } from "./Client.ts"
import { type ContractRequest, inherited, items, nameOf, requests } from "./requests.ts"
import type { WireRequest, WireResponse } from "./Wire.ts"

/** Headers that are not compared, each with a reason. */
export const exceptions: Readonly<Record<string, string>> = {
  date: "differs by the time of the response",
  connection: "belongs to the connection, and a sub-request has none (RFC 9110, section 7.6.1)",
  "keep-alive": "belongs to the connection",
  "transfer-encoding": "belongs to the connection",
  "set-cookie": "is not exposed unless the endpoint is configured to",
  "content-length": "is compared if both have it: a server may frame a body either way (RFC 9112, section 6)",
}

type Exceptions = Readonly<Record<string, string>>

/** Declares the tests. */
export const parity = (
  client: () => Client,
  furtherRequests: ReadonlyArray<ContractRequest>,
  except: Exceptions,
): void => {
  const allRequests = [...requests, ...furtherRequests]
  const envelopes: ReadonlyArray<readonly [name: string, outer: WireRequest["headers"]]> = [
    ["with credentials, cookies and forwarding headers", inherited],
    ["without headers of its own", undefined],
  ]

  describe.each(envelopes)("a batch %s", (_, outer) => {
    const responsesAlone: Array<WireResponse> = []

    beforeAll(async () => {
      for (const request of allRequests) {
        if (request.url.startsWith("/items")) await restore(client())
        responsesAlone.push(await client().send(alone(request, outer)))
      }
    })

    it.each(allRequests.map((request, index) => ({ name: nameOf(request), request, index })))(
      "with one sub-request returns the response of the request alone: $name",
      async ({ request, index }) => {
        if (request.url.startsWith("/items")) await restore(client())
        const [response] = await client().batch([request], outer)
        const { inBatch, alone } = compare(response!, responsesAlone[index]!, except)
        expect(inBatch).toEqual(alone)
      },
    )

    it("with all sub-requests returns the responses of the requests alone", async () => {
      await restore(client())
      const responses = await client().batch(allRequests, outer)
      const compared = responses.map((response, index) => compare(response, responsesAlone[index]!, except))
      expect(compared.map(({ inBatch }) => inBatch)).toEqual(compared.map(({ alone }) => alone))
    })
  })
}

const restore = async (client: Client): Promise<void> => {
  for (const [id, name] of Object.entries(items)) {
    await client.send(alone({ method: "PUT", url: `/items/${encodeURIComponent(id)}`, body: { name } }, {}))
  }
}

// Returns the comparable parts of a sub-response and of the response to the request alone, which must be equal.
const compare = (response: SubResponse, responseAlone: WireResponse, except: Exceptions) => {
  const exposed = response.headers ?? {}
  const bothHaveLength = "content-length" in exposed && "content-length" in responseAlone.headers
  const isCompared = (name: string) =>
    name === "content-length" ? bothHaveLength : !(Object.hasOwn(exceptions, name) || Object.hasOwn(except, name))
  const compared = (headers: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => isCompared(name)))
  return {
    inBatch: {
      status: response.status,
      headers: compared(exposed),
      body: JSON.stringify(response.body),
      hidden: Object.keys(exposed).filter((name) => name !== "content-length" && Object.hasOwn(exceptions, name)),
    },
    alone: {
      status: responseAlone.status,
      headers: compared(responseAlone.headers),
      body: JSON.stringify(bodyInBatch(responseAlone)),
      hidden: [],
    },
  }
}
