/**
 * The operations of a chunk as the store keeps them: one line each.
 *
 * **Details** A line is the JSON text of one item, as it was sent. A line that begins with `!` is the JSON of a fault, unless
 * it begins with `!!`: then a text follows that itself begins with `!`. So a client cannot write a fault.
 */
import { type Failure, failure } from "../batch/Failure.ts"
import type { ItemCodec } from "../batch/Codec.ts"
import * as Json from "../batch/Json.ts"
import type { Limits } from "../batch/Limits.ts"
import type { Operation } from "../batch/Operation.ts"
import { checkSize, poisoned } from "../formats/OperationList.ts"
import type { Line } from "../http/readNdjson.ts"

/**
 * Writes one operation. The text must not contain line feeds. A text with a NUL character becomes a fault: it is not JSON, and
 * PostgreSQL cannot store it.
 */
export const writeLine = (line: Line): string => {
  if ("fault" in line) return writeFault(line.fault)
  if (line.text.includes("\0")) return writeFault(hasNul)
  return line.text.startsWith("!") ? `!${line.text}` : line.text
}

const writeFault = ({ code, message }: Failure): string => `!${JSON.stringify({ code, message })}`

const hasNul = failure(
  "VALIDATION_ERROR",
  "The line is not JSON: it contains a NUL character. Write U+0000 as the escape sequence \\u0000",
)

/** Reads the operations of a payload. */
export const readLines = (payload: string): ReadonlyArray<Line> => payload.split("\n").map(readLine)

const readLine = (line: string): Line => {
  if (!line.startsWith("!")) return { text: line }
  if (line.startsWith("!!")) return { text: line.slice(1) }
  const { code, message } = JSON.parse(line.slice(1)) as { readonly code: string; readonly message: string }
  return { fault: failure(code, message) }
}

/** What operations are decoded with. */
export interface LineDecoder {
  readonly items: Pick<ItemCodec<unknown>, "decodeItem">
  readonly limits: Pick<Limits, "depth" | "operationBytes">
}

/**
 * Decodes one line into the operation that it would be in a request body. `index` becomes the index of the operation, and
 * `number`, which counts from 1, names the line in messages. A line that is not an operation becomes one that has failed.
 */
export const decodeLine = ({ items, limits }: LineDecoder, line: Line, index: number, number: number): Operation => {
  if ("fault" in line) return items.decodeItem(undefined, index, line.fault)
  let item: unknown
  try {
    item = JSON.parse(line.text)
  } catch (error) {
    const message = `Line ${number} is not JSON: ${(error as SyntaxError).message}`
    return items.decodeItem(undefined, index, failure("VALIDATION_ERROR", message))
  }
  const depth = limits.depth - enclosingLevels
  const finding = Json.inspect(item, depth)
  if (finding === "deep") {
    const message = `The operation is nested more than ${depth} levels deep`
    return items.decodeItem(undefined, index, failure("VALIDATION_ERROR", message))
  }
  const oversize = checkSize(Json.utf8Length(line.text), limits.operationBytes)
  return items.decodeItem(item, index, oversize ?? (finding === "poisoned" ? poisoned : undefined))
}

/** Levels of a request body above its operations: the envelope and the list. */
const enclosingLevels = 2
