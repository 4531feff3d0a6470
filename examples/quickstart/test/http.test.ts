/**
 * The reference server answers every request in the documentation as shown, on both frameworks.
 */
import { fileURLToPath } from "node:url"
import { describe, expect, it } from "vitest"
import { exchange, Names, parse } from "./Exchange.ts"
import { guides, type Page } from "./Page.ts"
import { start } from "./Server.ts"

const main = fileURLToPath(import.meta.resolve("@multistatus/example-server/main"))

const withExchanges = guides().filter(({ pieces }) =>
  pieces.some((piece) => piece._tag === "Fence" && piece.language === "http"),
)

const environmentOf = ({ pieces }: Page) =>
  Object.assign({}, ...pieces.map((piece) => (piece._tag === "Server" ? piece.environment : {})))

const json = (text: string): unknown => (/^[[{]/.test(text) ? JSON.parse(text) : text)

describe.each(["express", "fastify"])("the reference server on %s", (FRAMEWORK) => {
  it.each(withExchanges.map((page) => [page.path, page] as const))("answers as %s shows", async (path, page) => {
    const server = await start(main, { ...environmentOf(page), FRAMEWORK })
    try {
      const names = new Names()
      let request: ReturnType<typeof parse> | undefined
      for (const piece of page.pieces) {
        if (piece._tag === "User") {
          const headers = { "content-type": "application/json" }
          const body = JSON.stringify(piece.user)
          const response = await fetch(`${server.origin}/api/v1/users`, { method: "POST", headers, body })
          names.bind(piece.id, ((await response.json()) as { readonly id: string }).id)
        }
        if (piece._tag !== "Fence" || piece.language !== "http") continue
        const message = parse(piece.text)
        if (!message.head.startsWith("HTTP/")) {
          expect(request, `${path}:${piece.line}: the request before this one has no answer`).toBeUndefined()
          request = message
          continue
        }
        if (request === undefined) throw new Error(`${path}:${piece.line}: an answer without a request`)
        const { body, ...answer } = await exchange(server.origin, request, message, names)
        expect({ ...answer, body: json(body) }, `${path}:${piece.line}`).toEqual({
          ...message,
          body: json(message.body),
        })
        request = undefined
      }
      expect(request, `${path}: the last request has no answer`).toBeUndefined()
    } finally {
      await server.close()
    }
  })
})
