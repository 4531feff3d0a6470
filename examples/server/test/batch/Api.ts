/** A client of the reference server that keeps a transcript of every answer. */
import { Agent, type IncomingHttpHeaders, type IncomingMessage, request as httpRequest } from "node:http"
import { once } from "node:events"
import { text } from "node:stream/consumers"

/** The parts of a request beside its method and path. */
export interface Asking {
  /** Text and bytes are sent as they are, everything else as JSON. */
  readonly body?: unknown
  readonly headers?: Readonly<Record<string, string | ReadonlyArray<string>>>
}

/** An answer; `body` is the parsed JSON, `null` without one. */
export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly text: string
  readonly body: unknown
}

/** A user as the server shows it. */
export interface User {
  readonly id: string
  readonly name: string
  readonly email: string | null
  readonly [member: string]: unknown
}

/** A result of an operations or bulk endpoint. */
export interface OperationResult {
  readonly index: number
  readonly status: string
  readonly id?: string
  readonly error?: { readonly code: string; readonly message: string; readonly field?: string }
  readonly data?: unknown
}

/** The envelope of results. */
export interface Results {
  readonly status: string
  readonly succeeded: number
  readonly failed: number
  readonly skipped?: number
  readonly results: ReadonlyArray<OperationResult>
}

/** A sub-response of a JSON batch. */
export interface SubResponse {
  readonly id: string
  readonly status: number
  readonly headers?: Readonly<Record<string, string>>
  readonly body: unknown
}

export class Api {
  readonly origin: string
  readonly #agent = new Agent({ keepAlive: true, timeout: 2_000 })
  readonly #transcript: Array<string> = []

  constructor(origin: string) {
    this.origin = origin
  }

  async ask(method: string, path: string, { body, headers = {} }: Asking = {}): Promise<Answer> {
    const bytes = typeof body === "string" || body instanceof Uint8Array ? body : JSON.stringify(body)
    const sending = httpRequest(this.origin, {
      path,
      method,
      agent: this.#agent,
      headers: {
        ...(bytes !== undefined && { "content-type": "application/json", "content-length": Buffer.byteLength(bytes) }),
        ...headers,
      } as Record<string, string>,
    })
    sending.end(bytes)
    // A body that was refused before its last byte may still fail to be sent once the answer is there.
    sending.on("error", () => undefined)
    const [response] = (await once(sending, "response")) as [IncomingMessage]
    const answered = await text(response)
    const answer: Answer = {
      status: response.statusCode!,
      headers: response.headers,
      text: answered,
      body: answered === "" || !/[/+]json/.test(response.headers["content-type"] ?? "") ? null : JSON.parse(answered),
    }
    this.#transcript.push(this.#written(method, path, answer))
    return answer
  }

  /** All answers so far; ids are numbered in order of appearance, dates and ports are left out. */
  transcript(): string {
    const ids = new Map<string, number>()
    const number = (id: string) => {
      if (!ids.has(id)) ids.set(id, ids.size)
      return `u_#${ids.get(id)}`
    }
    return this.#transcript.join("\n").replace(/u_[0-9a-f]{32}/g, number)
  }

  /** A `Results` answer of an operations endpoint. */
  async operations(operations: ReadonlyArray<unknown>, members: object = {}, headers: Asking["headers"] = {}) {
    const answer = await this.ask("POST", "/api/v1/users/batch", { body: { operations, ...members }, headers })
    return { ...answer, body: answer.body as Results }
  }

  /** The sub-responses of a JSON batch. */
  async requests(
    requests: ReadonlyArray<unknown>,
    headers: Asking["headers"] = {},
  ): Promise<ReadonlyArray<SubResponse>> {
    const answer = await this.ask("POST", "/api/v1/batch", { body: { requests }, headers })
    if (answer.status !== 200) throw new Error(answer.text)
    return (answer.body as { readonly responses: ReadonlyArray<SubResponse> }).responses
  }

  async create(user: object): Promise<User> {
    return (await this.ask("POST", "/api/v1/users", { body: user })).body as User
  }

  /** Users of these names, made one after the other: answers are compared in the order in which they come. */
  async people(...names: ReadonlyArray<string>): Promise<ReadonlyArray<User>> {
    const made: Array<User> = []
    for (const name of names) made.push(await this.create({ name, email: `${name}@example.com` }))
    return made
  }

  async users(): Promise<ReadonlyArray<User>> {
    const { body } = await this.ask("GET", "/api/v1/users?limit=100000")
    return (body as { readonly users: ReadonlyArray<User> }).users
  }

  async names(): Promise<ReadonlyArray<string>> {
    return (await this.users()).map(({ name }) => name)
  }

  /** Removes every user, and forgets the transcript. */
  async reset(): Promise<void> {
    const ids = (await this.users()).map(({ id }) => id)
    // Single requests are not charged where a scenario is about quotas.
    if (ids.length <= 50) await Promise.all(ids.splice(0).map((id) => this.ask("DELETE", `/api/v1/users/${id}`)))
    for (let from = 0; from < ids.length; from += 1000) {
      const body = { users: ids.slice(from, from + 1000) }
      const { status, text } = await this.ask("POST", "/api/v1/users/bulk-delete", { body })
      if (status !== 200) throw new Error(text)
    }
    this.#transcript.length = 0
  }

  close(): void {
    this.#agent.destroy()
  }

  #written(method: string, path: string, { status, headers, text }: Answer): string {
    // Each framework has its own keep-alive time, and the rest of a quota changes with time.
    const { date: _, "keep-alive": __, ratelimit: ___, ...rest } = headers
    const lines = Object.entries(rest).map(([name, value]) => `${name}: ${String(value)}`)
    return [`${method} ${path} ${status}`, ...lines.sort(), text]
      .join("\n")
      .replaceAll(new URL(this.origin).host, "HOST")
  }
}
