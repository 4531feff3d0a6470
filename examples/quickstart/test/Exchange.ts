/**
 * Sends the requests in the `http` fences of the documentation and returns the responses in the same form.
 *
 * Pages call users `u_001` or `u_042`, but the server assigns random ids. A name stands for the id in the first response
 * in which the page shows it. A name that stands for no id is sent unchanged and belongs to no user.
 */
import { STATUS_CODES } from "node:http"

/** A request or a response. */
export interface Message {
  /** `POST /api/v1/batch`, or `HTTP/1.1 200 OK`. */
  readonly head: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Parses a fence. */
export const parse = (text: string): Message => {
  const [top = "", ...rest] = text.split("\n\n")
  const [head = "", ...lines] = top.trim().split("\n")
  const headers = lines.map((line) => {
    const colon = line.indexOf(":")
    return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()] as const
  })
  return { head, headers: Object.fromEntries(headers), body: rest.join("\n\n").trim() }
}

const shownIds = /\bu_\d{3}\b/g
const realIds = /\bu_[0-9a-f]{32}\b/g

/** The ids that the names on a page stand for. */
export class Names {
  readonly #real = new Map<string, string>()
  readonly #shown = new Map<string, string>()
  readonly #nobody = new Set<string>()

  bind(shown: string, real: string): void {
    this.#real.set(shown, real)
    this.#shown.set(real, shown)
  }

  /** Replaces names by ids. */
  toReal(text: string): string {
    return text.replace(shownIds, (name) => {
      const id = this.#real.get(name)
      if (id === undefined) this.#nobody.add(name)
      return id ?? name
    })
  }

  /** Replaces ids by names. Ids without a name get the next unused names of the expected response. */
  toShown(actual: string, promised: string): string {
    const fresh = [...new Set(promised.match(shownIds))].filter(
      (name) => !this.#real.has(name) && !this.#nobody.has(name),
    )
    for (const id of new Set(actual.match(realIds))) {
      const name = this.#shown.has(id) ? undefined : fresh.shift()
      if (name !== undefined) this.bind(name, id)
    }
    return actual.replace(realIds, (id) => this.#shown.get(id) ?? id)
  }
}

/** Sends a request and returns the response as the page would show it. */
export const exchange = async (
  origin: string,
  { head, headers, body }: Message,
  promised: Message,
  names: Names,
): Promise<Message> => {
  const [method = "", url = ""] = names.toReal(head).split(" ")
  const response = await fetch(origin + url, { method, headers, ...(body !== "" && { body: names.toReal(body) }) })
  const shown = Object.keys(promised.headers).map((name) => `${name}: ${response.headers.get(name)}`)
  const status = `HTTP/1.1 ${response.status} ${STATUS_CODES[response.status]}`
  const text = [status, ...shown, "", await response.text()].join("\n")
  return parse(names.toShown(text, [...Object.values(promised.headers), promised.body].join("\n")))
}
