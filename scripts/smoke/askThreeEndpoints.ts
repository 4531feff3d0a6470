/**
 * Requests to a server with all three kinds of endpoint, the same for every framework.
 */
import { deepStrictEqual } from "node:assert/strict"
import { failure, resource } from "@multistatus/core"
import * as Schema from "effect/Schema"

const NewNote = Schema.toStandardSchemaV1(Schema.Struct({ text: Schema.String }))

/** Makes notes in memory, and their resource. */
export const makeNotes = () => {
  const notes = new Map<string, { readonly id: string; readonly text: string }>()
  const add = (text: string) => {
    const note = { id: String(notes.size + 1), text }
    notes.set(note.id, note)
    return note
  }
  return {
    all: () => [...notes.values()],
    resource: resource("notes", {
      create: {
        input: NewNote,
        run: ({ text }) => add(text),
        runMany: (items) => items.map(({ input }) => add(input.text)),
      },
      delete: {
        run: async (_, { id }) => (notes.delete(id) ? { id } : failure("NOT_FOUND", `There is no note ${id}`)),
      },
    }),
  }
}

/** Sends a batch, and returns the response. */
export const ask = async (url: string, body: unknown): Promise<{ readonly status: number; readonly body: unknown }> => {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify(body),
  })
  return { status: response.status, body: await response.json() }
}

/** Sends batches to `/notes/bulk-create`, `/notes/batch` and `/batch` of a server, and checks the responses. */
export const askThreeEndpoints = async (port: number): Promise<void> => {
  const origin = `http://127.0.0.1:${port}`
  const first = { id: "1", text: "first" }
  const second = { id: "2", text: "second" }
  deepStrictEqual(await ask(`${origin}/notes/bulk-create`, { notes: [{ text: "first" }, { text: "second" }] }), {
    status: 201,
    body: { created: 2, notes: [first, second] },
  })
  const operations = [
    { action: "delete", id: "1" },
    { action: "delete", id: "7" },
  ]
  deepStrictEqual(await ask(`${origin}/notes/batch`, { operations }), {
    status: 207,
    body: {
      status: "partial",
      succeeded: 1,
      failed: 1,
      results: [
        { index: 0, status: "success", id: "1" },
        { index: 1, status: "error", id: "7", error: { code: "NOT_FOUND", message: "There is no note 7" } },
      ],
    },
  })
  const requests = [
    { id: "all", method: "GET", url: "/notes" },
    { id: "text", method: "GET", url: "/notes?of=@{all.body.0.text}", dependsOn: ["all"] },
  ]
  const all = { status: 200, body: [second] }
  deepStrictEqual(await ask(`${origin}/batch`, { requests }), {
    status: 200,
    body: {
      responses: [
        { id: "all", ...all },
        { id: "text", ...all },
      ],
    },
  })
}
