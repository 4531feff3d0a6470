import type { IncomingHttpHeaders } from "node:http"

import Negotiator from "negotiator"

import type { Configuration } from "./Configuration.ts"
import { type DataPlace, dataPlaces } from "./dataPlaces.ts"
import { endpoints, exampleCommand } from "./endpoints.ts"
import type { Route } from "./Route.ts"

/** `GET /`: what the server offers, as JSON or, for a client that prefers `text/html`, as a page. */
export const indexRoute = (configuration: Configuration): Route => ({
  method: "get",
  path: "/",
  answer: ({ headers }) => {
    const index = {
      name: "Multistatus reference server",
      api_key: "Send X-Api-Key: demo. Every other key is a tenant of its own; the key blocked is refused.",
      endpoints,
      data: dataPlaces(configuration),
      example: exampleCommand(originOf(headers)),
    }
    const type = new Negotiator({ headers }).mediaType(["application/json", "text/html"])
    return type === "text/html"
      ? { status: 200, headers: { vary: "Accept" }, html: pageOf(index) }
      : { status: 200, headers: { vary: "Accept" }, body: index }
  },
})

interface Index {
  readonly name: string
  readonly api_key: string
  readonly endpoints: typeof endpoints
  readonly data: ReadonlyArray<DataPlace>
  readonly example: string
}

const originOf = ({ host = "" }: IncomingHttpHeaders): string =>
  // Only what a host and port consist of: the example is pasted into a shell.
  `http://${/^[\w.:[\]-]+$/.test(host) ? host : "127.0.0.1:3000"}`

const pageOf = ({ name, api_key, endpoints, data, example }: Index): string => {
  const places = data.map((one) => `<li>${escaped(one.data)}: ${escaped(one.place)}`)
  const rows = endpoints.map(
    ({ method, path, summary }) => `<tr><td>${method}<td><code>${escaped(path)}</code><td>${escaped(summary)}`,
  )
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>${name}</title>
<style>body { font: 1rem/1.5 system-ui; margin: 2rem } td { padding-right: 1rem } pre { overflow: auto }</style>
<h1>${name}</h1>
<p>${escaped(api_key)}</p>
<table>
${rows.join("\n")}
</table>
<ul>
${places.join("\n")}
</ul>
<p>Try it:</p>
<pre>${escaped(example)}</pre>
</html>
`
}

const escaped = (text: string): string => text.replaceAll("&", "&amp;").replaceAll("<", "&lt;")
