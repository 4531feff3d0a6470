/** A sub-request is answered as the same request is alone: status, headers and body. */
import { beforeAll, describe, expect, it } from "vitest"
import { alone, type Answered, bodyInBatch, type Client } from "./Client.ts"
import { type ContractRequest, inherited, items, nameOf, requests } from "./requests.ts"
import type { Message, Received } from "./Wire.ts"

/** Headers that are not compared, each with the reason. */
export const exceptions: Readonly<Record<string, string>> = {
  date: "says when the answer was made",
  connection: "belongs to the connection, which a sub-request has none of (RFC 9110, section 7.6.1)",
  "keep-alive": "belongs to the connection",
  "transfer-encoding": "belongs to the connection",
  "set-cookie": "is never shown to whoever sent the batch, unless an endpoint is configured to",
  "content-length": "is compared where both have it: a server may frame a body either way (RFC 9112, section 6)",
}

type Exceptions = Readonly<Record<string, string>>

export const parity = (client: () => Client, more: ReadonlyArray<ContractRequest>, except: Exceptions): void => {
  const table = [...requests, ...more]
  const envelopes: ReadonlyArray<readonly [who: string, outer: Message["headers"]]> = [
    ["with credentials, cookies and forwarding headers", inherited],
    ["with no header of its own", undefined],
  ]

  describe.each(envelopes)("a batch %s", (_, outer) => {
    const received: Array<Received> = []

    beforeAll(async () => {
      for (const request of table) {
        if (request.url.startsWith("/items")) await restore(client())
        received.push(await client().send(alone(request, outer)))
      }
    })

    it.each(table.map((request, index) => ({ name: nameOf(request), request, index })))(
      "answers a lone sub-request as the request alone: $name",
      async ({ request, index }) => {
        if (request.url.startsWith("/items")) await restore(client())
        const [answer] = await client().batch([request], outer)
        const { inBatch, byItself } = views(answer!, received[index]!, except)
        expect(inBatch).toEqual(byItself)
      },
    )

    it("answers all of them together as each alone", async () => {
      await restore(client())
      const answers = await client().batch(table, outer)
      const compared = answers.map((answer, index) => views(answer, received[index]!, except))
      expect(compared.map(({ inBatch }) => inBatch)).toEqual(compared.map(({ byItself }) => byItself))
    })
  })
}

const restore = async (client: Client): Promise<void> => {
  for (const [id, name] of Object.entries(items)) {
    await client.send(alone({ method: "PUT", url: `/items/${encodeURIComponent(id)}`, body: { name } }, {}))
  }
}

const views = (answer: Answered, received: Received, except: Exceptions) => {
  const shown = answer.headers ?? {}
  const bothHaveLength = "content-length" in shown && "content-length" in received.headers
  const isCompared = (name: string) =>
    name === "content-length" ? bothHaveLength : !(Object.hasOwn(exceptions, name) || Object.hasOwn(except, name))
  const compared = (headers: Readonly<Record<string, string>>) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => isCompared(name)))
  return {
    inBatch: {
      status: answer.status,
      headers: compared(shown),
      body: JSON.stringify(answer.body),
      hidden: Object.keys(shown).filter((name) => name !== "content-length" && Object.hasOwn(exceptions, name)),
    },
    byItself: {
      status: received.status,
      headers: compared(received.headers),
      body: JSON.stringify(bodyInBatch(received)),
      hidden: [],
    },
  }
}
