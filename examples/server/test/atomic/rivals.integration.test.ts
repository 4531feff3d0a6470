import { freshDatabase } from "@multistatus/test-services"
import { Client } from "pg"
import { inject, describe, expect, it } from "vitest"

import { Api, type Results, type SubResponse, type User } from "../batch/Api.ts"
import { startServer } from "../batch/ServerProcess.ts"

const batches = 200
const atOnce = 8

const urls = {
  PostgreSQL: async () => {
    const url = await freshDatabase(inject("postgresUrl"))
    // Found sooner than after the usual second, as there will be so many of them.
    const client = new Client({ connectionString: url })
    await client.connect()
    await client.query(`alter database ${new URL(url).pathname.slice(1)} set deadlock_timeout = '10ms'`)
    await client.end()
    return url
  },
  MariaDB: () => freshDatabase(inject("mariadbUrl")),
}

/** What one batch found in each of the two users. */
interface Seen {
  readonly mark: string
  readonly x: ReadonlyArray<string>
  readonly y: ReadonlyArray<string>
}

const marksOf = (user: User) => Object.keys(user).filter((member) => /^m\d+$/.test(member))

/** Marks both users in one batch, in either order; undefined for a conflict, after which it may be sent again. */
const mark = async (
  api: Api,
  index: number,
  ids: { readonly x: string; readonly y: string },
): Promise<Seen | undefined> => {
  const name = `m${index}`
  const order = index % 2 === 0 ? (["x", "y"] as const) : (["y", "x"] as const)
  const data = { name, [name]: index }
  const found = (users: ReadonlyArray<User>): Seen => {
    const others = order.map((_, at) => marksOf(users[at]!).filter((one) => one !== name))
    const [x, y] = order[0] === "x" ? others : [...others].reverse()
    return { mark: name, x: x!, y: y! }
  }
  if (index % 4 < 2) {
    const operations = order.map((user) => ({ action: "update", id: ids[user], data }))
    const answer = await api.operations(operations, { atomic: true }, { prefer: "return=representation" })
    if (answer.status === 409) return void expect(answer.body).toMatchObject({ code: "CONFLICT" })
    expect({ status: answer.status, text: answer.text }).toEqual({ status: 200, text: answer.text })
    return found((answer.body as Results).results.map(({ data }) => data as User))
  }
  const requests = order.map((user) => ({ id: user, method: "PATCH", url: `/api/v1/users/${ids[user]}`, body: data }))
  const answer = await api.ask("POST", "/api/v1/batch", { body: { atomic: true, requests } })
  const { responses } = answer.body as { readonly responses: ReadonlyArray<SubResponse> }
  const statuses = responses.map(({ status }) => status)
  if (statuses.includes(409)) return void expect(statuses).toEqual([409, 424])
  expect({ statuses, text: answer.text }).toEqual({ statuses: [200, 200], text: answer.text })
  return found(responses.map(({ body }) => body as User))
}

describe.each(Object.keys(urls) as Array<keyof typeof urls>)(
  "atomic batches that meet in opposite order on %s",
  (kind) => {
    it("end in some serial order, without a deadlock that reaches a client", async () => {
      const server = await startServer("fastify", { DATABASE_URL: await urls[kind]() })
      const api = new Api(server.origin)
      const ids = { x: (await api.create({ name: "x" })).id, y: (await api.create({ name: "y" })).id }
      const seen: Array<Seen> = []
      const pending = Array.from({ length: batches }, (_, index) => index)
      const client = async () => {
        for (let index = pending.shift(); index !== undefined; index = pending.shift()) {
          const found = await mark(api, index, ids)
          if (found === undefined) pending.push(index)
          else seen.push(found)
        }
      }
      await Promise.all(Array.from({ length: atOnce }, client))

      // Each batch finds the same others in both users, and one more than the batch before it.
      const inOrder = seen.sort((one, other) => one.x.length - other.x.length)
      expect(inOrder.map(({ x }) => x.length)).toEqual(inOrder.map((_, index) => index))
      inOrder.forEach(({ x, y }, index) => {
        const before = inOrder.slice(0, index).map(({ mark }) => mark)
        expect([...x].sort()).toEqual([...before].sort())
        expect([...y].sort()).toEqual([...before].sort())
      })
      const last = inOrder.at(-1)!.mark
      for (const user of await api.users()) {
        expect(user.name).toBe(last)
        expect(marksOf(user)).toHaveLength(batches)
      }
      api.close()
      expect((await server.stop()).code).toBe(0)
    }, 180_000)
  },
)
