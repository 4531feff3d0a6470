/** Reads newline-delimited JSON as it arrives, a line at a time: however much is sent, only one line is held. */
import { BatchError } from "../batch/BatchError.ts"
import { ClientGone, ReceiveTimeout } from "../batch/RefusalReason.ts"

/** What lines have to keep to. */
export interface LineLimits {
  /** Lines that are not empty. */
  readonly operations: number
  /** Bytes of one line. One that is longer is dropped, and stands as `!413` and its length. */
  readonly operationBytes: number
  /** Bytes of all. */
  readonly bodyBytes: number
  /** Milliseconds between two arrivals of bytes. */
  readonly receiveMs: number
}

const lineFeed = 0x0a
const utf8 = new TextDecoder("utf-8", { fatal: true })

/**
 * The lines that are not empty. What is not UTF-8 stands as `!400`. Fails with a `BatchError` beyond a limit, and where
 * the client goes away or falls silent.
 */
export const readLines = async function* (
  bytes: AsyncIterable<Uint8Array>,
  limits: LineLimits,
): AsyncGenerator<string> {
  let pending: Array<Uint8Array> = []
  let length = 0
  let total = 0
  let count = 0
  const end = (last: Uint8Array): string | undefined => {
    const line =
      length + last.length > limits.operationBytes ? `!413 ${length + last.length}` : textOf([...pending, last])
    pending = []
    length = 0
    if (line.trim() === "") return undefined
    if (++count > limits.operations) throw BatchError.tooMany("TOO_MANY_OPERATIONS", limits.operations, count)
    return line
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
    // What is too long already need not be kept to be told.
    if (length > limits.operationBytes) pending = []
    else if (from < chunk.length) pending.push(chunk.subarray(from))
  }
  const line = end(new Uint8Array())
  if (line !== undefined) yield line
}

const textOf = (parts: ReadonlyArray<Uint8Array>): string => {
  try {
    return utf8.decode(parts.length === 2 && parts[1]!.length === 0 ? parts[0] : joined(parts))
  } catch {
    return "!400 This is not UTF-8"
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
      const next = await within(iterator.next(), receiveMs)
      if (next.done === true) return
      yield next.value
    }
  } finally {
    // An iterator that waits for bytes which do not come would be waited for as well.
    iterator.return?.().catch(() => undefined)
  }
}

const within = async <A>(arrival: Promise<A>, milliseconds: number): Promise<A> => {
  let timer: ReturnType<typeof setTimeout> | undefined
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(
      () => reject(new BatchError({ reason: new ReceiveTimeout({ limit: milliseconds }) })),
      milliseconds,
    )
  })
  try {
    return await Promise.race([arrival, late])
  } catch (error) {
    throw error instanceof BatchError ? error : new BatchError({ reason: new ClientGone({}) })
  } finally {
    clearTimeout(timer)
  }
}
