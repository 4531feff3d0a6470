/**
 * The `http` fences of the documentation: requests, and the answers that are promised to them.
 *
 * Pages name users `u_001`, `u_042`; the server gives out random ids. Names are bound to ids where a page first shows
 * what the server answered; an id that is bound to nothing is sent as it is, and names nobody.
 */
import { STATUS_CODES } from "node:http"

/** A request, or an answer. */
export interface Message {
  /** `POST /api/v1/batch`, or `HTTP/1.1 200 OK`. */
  readonly head: string
  /** By lower-case name. */
  readonly headers: Readonly<Record<string, string>>
  readonly body: string
}

/** Reads a fence. */
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

/** Which id each name of a page stands for. */
export class Names {
  readonly #real = new Map<string, string>()
  readonly #shown = new Map<string, string>()
  readonly #nobody = new Set<string>()

  bind(shown: string, real: string): void {
    this.#real.set(shown, real)
    this.#shown.set(real, shown)
  }

  /** The text with ids in the place of names. */
  toReal(text: string): string {
    return text.replace(shownIds, (name) => {
      const id = this.#real.get(name)
      if (id === undefined) this.#nobody.add(name)
      return id ?? name
    })
  }

  /** The answer with names in the place of ids; new ones are those that the page has for them. */
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

/** Sends a request, and answers with what came back, as the page has it. */
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
