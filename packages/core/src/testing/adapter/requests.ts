/** The requests whose responses must be the same alone and in a batch. */

/** A request that can be sent alone and in a batch. */
export interface ContractRequest {
  /** In a batch as it is written here; alone in upper case. */
  readonly method: string
  readonly url: string
  readonly headers?: Readonly<Record<string, string>> | undefined
  /** A JSON value; text if the headers have a content type of text; base64 for any other content type or coding. */
  readonly body?: unknown
}

/** Headers of the envelope, which every sub-request inherits; a request that is sent alone has them itself. */
export const inherited: Readonly<Record<string, string>> = {
  authorization: "Bearer alice",
  cookie: "flavour=oat; size=%22big%22",
  "accept-language": "de-AT, de;q=0.8",
  "user-agent": "contract/1.0 (adapters)",
  traceparent: "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
  "x-forwarded-for": "203.0.113.9, 10.0.0.1",
  "x-forwarded-proto": "https",
}

/** Names of the items that exist before requests are sent, by id. */
export const items: Readonly<Record<string, string>> = {
  fixed: "Fixed",
  gone: "Gone",
  patched: "Patched",
  "ein ding": "Ü",
}

/** Splits lines of text into words, which keeps long lists of URLs readable. */
export const words = (...lines: ReadonlyArray<string>): ReadonlyArray<string> =>
  lines.flatMap((line) => line.split(" "))

const get = (url: string, headers?: ContractRequest["headers"]): ContractRequest => ({ method: "GET", url, headers })
const requestOf = (
  method: string,
  url: string,
  body?: unknown,
  headers?: ContractRequest["headers"],
): ContractRequest => ({
  method,
  url,
  headers,
  body,
})
const echo = (body: unknown, type?: string): ContractRequest =>
  requestOf("POST", "/echo", body, type === undefined ? undefined : { "content-type": type })

const nested = (depth: number): unknown => (depth === 0 ? "deep" : [nested(depth - 1)])

const methods: ReadonlyArray<ContractRequest> = [
  ...words("GET POST PUT PATCH DELETE OPTIONS HEAD get Patch").map((method) => requestOf(method, "/echo")),
  ...words("/text /html /binary /large /empty /nothing /redirect /missing /items/fixed /fail/sync").map((url) =>
    requestOf("HEAD", url),
  ),
  ...words("POST DELETE PATCH OPTIONS").map((method) => requestOf(method, "/text")),
]

const long = `/${"long-".repeat(500)}`

const urls: ReadonlyArray<ContractRequest> = [
  ...words(
    "?a=1&b=2 ?a=1&a=2&a[]=3 ? ?q=%26%3D%20+%2B ?path=/x//y/../z ?u=http://a.test/?x=1 ?empty=&flag ?%00 ?_method=PUT",
    `/a%20b /%E2%9C%93 /a%2Fb /%C3%A4;v=1,2:@$&'()*+!~ /../echo/x //double /trailing/ /%ff ${long}`,
  ).map((rest) => get(`/echo${rest}`)),
  ...words("/ECHO /items/ein%20ding / /missing/deeper?x").map((url) => get(url)),
]

const bodies: ReadonlyArray<ContractRequest> = [
  ...[{}, { a: [1, -0.5, 1e21, true, null] }, { schlüssel: 'wert 🎉 \u2028 " \\' }, nested(20), { list: [] }].map(
    (body) => echo(body),
  ),
  ...["a string", "", 1.5, false].map((body) => echo(body)),
  echo(JSON.parse('{"__proto__":{"polluted":true},"constructor":{"prototype":{"polluted":true}}}')),
  echo({ text: "x".repeat(300_000) }),
  echo({ a: 1 }, "application/json; charset=utf-8"),
  echo({ a: 1 }, "application/json; charset=latin1"),
  echo({ a: 1 }, "application/vnd.other+json"),
  echo("text ✓", "text/plain"),
  echo("", "text/plain"),
  echo(btoa("a=1&b=%20&b=2"), "application/x-www-form-urlencoded"),
  echo(btoa("<x>"), "application/xml"),
  echo(btoa("\u0000\u0001\u00fe\u00ff"), "application/octet-stream"),
  echo("{not: json", "text/plain; charset=utf-8"),
  echo(btoa('{"a":1}'), "not a content type"),
  requestOf("POST", "/echo", btoa('{"a":1}'), { "content-encoding": "gzip" }),
  requestOf("POST", "/echo", btoa('{"a":1}'), { "content-encoding": "none-such" }),
  ...["PUT", "PATCH", "DELETE"].map((method) => requestOf(method, "/echo", { of: method })),
]

const representations: ReadonlyArray<ContractRequest> = words(
  "/text /html /binary /chunked /chunked?ms=5 /large /unicode /empty /nothing /health /slow?ms=15 /fail/sync /fail/async",
  "/redirect /redirect?to=https://elsewhere.test/x?y=z /missing /cookies /whoami /negotiated",
)
  .map((url) => get(url))
  .concat([
    ...["text/html", "application/json", "image/png", "*/*;q=0.1, text/html"].map((accept) =>
      get("/negotiated", { accept }),
    ),
    ...["/large", "/text", "/unicode", "/nothing"].map((url) => get(url, { "accept-encoding": "gzip" })),
    get("/text", { range: "bytes=0-3" }),
    get("/text", { origin: "http://app.test" }),
    requestOf("OPTIONS", "/text", undefined, { origin: "http://app.test", "access-control-request-method": "PUT" }),
  ])

const headers: ReadonlyArray<ContractRequest> = [
  get("/echo", { "accept-language": "fr", "User-Agent": "own/2.0" }),
  get("/echo", { "X-Custom": "own", "x-empty": "", "x-latin": "é\u00ff", "x-spaces": "a  b" }),
  get("/echo", { "x-list": 'a, b;c="d, e"', "if-match": '"x"', "cache-control": "no-cache" }),
  get("/echo", { "idempotency-key": "abc", prefer: "return=minimal", accept: "application/json;q=0.5" }),
]

const resources: ReadonlyArray<ContractRequest> = [
  requestOf("POST", "/items", { id: "made", name: "Made" }),
  requestOf("POST", "/items", { id: "made-2", name: "Größe" }),
  requestOf("POST", "/items", { id: "unnamed" }),
  requestOf("POST", "/items", { id: "mistyped", name: 5 }),
  requestOf("POST", "/items", []),
  requestOf("POST", "/items"),
  requestOf("POST", "/items", "id=x&name=y", { "content-type": "text/plain" }),
  get("/items/fixed"),
  get("/items/fixed", { "if-none-match": '"fixed-0"' }),
  get("/items/fixed", { "if-none-match": '"other-1"' }),
  get("/items/none"),
  requestOf("PUT", "/items/put", { name: "Put" }),
  requestOf("PUT", "/items/put-2", { name: "" }),
  requestOf("PATCH", "/items/patched", { name: "Again" }),
  requestOf("PATCH", "/items/none", { name: "Nobody" }),
  requestOf("DELETE", "/items/gone"),
  requestOf("DELETE", "/items/none"),
]

/** More than a hundred requests, independent of each other. */
export const requests: ReadonlyArray<ContractRequest> = [
  ...methods,
  ...urls,
  ...bodies,
  ...representations,
  ...headers,
  ...resources,
]

/** Returns the name of a request for test names. */
export const nameOf = ({ method, url, headers: own, body }: ContractRequest): string => {
  const details = [own, body].map((part) => (part === undefined ? "" : ` ${JSON.stringify(part)}`))
  return `${method} ${url}${details.join("")}`.slice(0, 120)
}
