/** Reads newline-delimited JSON as it arrives. Only one line is held in memory. */
import { BatchError } from "../batch/BatchError.ts"
import { ClientGone, ReceiveTimeout } from "../batch/RefusalReason.ts"
import { type Failure, failure } from "../batch/Failure.ts"

/** A line that is not empty: its text, or the failure of the operation that it should have held. */
export type Line = { readonly text: string } | { readonly fault: Failure }

/** Limits of an upload. */
export interface LineLimits {
  /** Maximum number of lines that are not empty. */
  readonly operations: number
  /** Maximum size of one line in bytes. The line is dropped if it is larger. */
  readonly operationBytes: number
  /** Maximum size of the upload in bytes. */
  readonly bodyBytes: number
  /** Maximum time between two arrivals of bytes, in milliseconds. */
  readonly receiveMs: number
}

const lineFeed = 0x0a
const utf8 = new TextDecoder("utf-8", { fatal: true })

/**
 * Yields the lines that are not empty; whether they are JSON is not checked. A line that is too large, or not UTF-8, is
 * yielded as a fault. Fails with a `BatchError` if the upload exceeds a limit, stalls, or is aborted.
 */
export const readLines = async function* (bytes: AsyncIterable<Uint8Array>, limits: LineLimits): AsyncGenerator<Line> {
  let pending: Array<Uint8Array> = []
  let length = 0
  let total = 0
  let count = 0
  const end = (last: Uint8Array): Line | undefined => {
    const size = length + last.length
    const text = size > limits.operationBytes ? undefined : decode([...pending, last])
    pending = []
    length = 0
    if (text?.trim() === "") return undefined
    if (++count > limits.operations) throw BatchError.tooMany("TOO_MANY_OPERATIONS", limits.operations, count)
    if (text !== undefined) return { text }
    return { fault: size > limits.operationBytes ? tooLarge(count, size, limits.operationBytes) : notUtf8(count) }
  }
  for await (const chunk of arrivals(bytes, limits.receiveMs)) {
    total += chunk.length
    if (total > limits.bodyBytes) throw BatchError.tooMany("PAYLOAD_TOO_LARGE", limits.bodyBytes, total)
    let from = 0
    for (let at = chunk.indexOf(lineFeed); at >= 0; at = chunk.indexOf(lineFeed, from)) {
      const line = end(chunk.subarray(from, at))
      if (line !== undefined) yield line
      from = at + 1
    }
    length += chunk.length - from
    // Of a line that is too large already, only the size is needed.
    if (length > limits.operationBytes) pending = []
    else if (from < chunk.length) pending.push(chunk.subarray(from))
  }
  const line = end(new Uint8Array())
  if (line !== undefined) yield line
}

const tooLarge = (number: number, bytes: number, limit: number): Failure =>
  failure("PAYLOAD_TOO_LARGE", `Line ${number} has ${bytes} bytes, at most ${limit} are allowed`)

const notUtf8 = (number: number): Failure =>
  failure("VALIDATION_ERROR", `Line ${number} is not UTF-8: send the operation as JSON encoded in UTF-8`)

const decode = (parts: ReadonlyArray<Uint8Array>): string | undefined => {
  try {
    return utf8.decode(parts.length === 2 && parts[1]!.length === 0 ? parts[0] : joined(parts))
  } catch {
    return undefined
  }
}

const joined = (parts: ReadonlyArray<Uint8Array>): Uint8Array => {
  if (parts.length === 1) return parts[0]!
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0))
  let at = 0
  for (const part of parts) {
    whole.set(part, at)
    at += part.length
  }
  return whole
}

const arrivals = async function* (bytes: AsyncIterable<Uint8Array>, receiveMs: number): AsyncGenerator<Uint8Array> {
  const iterator = bytes[Symbol.asyncIterator]()
  try {
    while (true) {
      const next = await withReceiveTimeout(iterator.next(), receiveMs)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // Not awaited: an iterator that waits for bytes would wait here, too.
    iterator.return?.().catch(() => undefined)
  }
}

const withReceiveTimeout = async <A>(arrival: Promise<A>, milliseconds: number): Promise<A> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const timeout = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BatchError({ reason: new ReceiveTimeout({ limit: milliseconds }) })),
      milliseconds,
    )
  })
  try {
    return await Promise.race([arrival, timeout])
  } catch (error) {
    throw error instanceof BatchError ? error : new BatchError({ reason: new ClientGone({}) })
  } finally {
    clearTimeout(timer)
  }
}
