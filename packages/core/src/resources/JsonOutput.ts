/** Values that actions return, as JSON. */
import { OutputError } from "../batch/OutputError.ts"

/** How BigInts are written: as JSON numbers or as strings. */
export type BigIntFormat = "number" | "string"

/**
 * Returns a value that `JSON.stringify` can write. That is the given value, unless it contains BigInts; then it is a copy.
 * Throws an `OutputError` with the path of the first part that cannot be written: a cycle, a getter or a `toJSON` that
 * throws, a BigInt without a format, or a BigInt that a JSON number would round.
 */
export const toJson = (value: unknown, bigint: BigIntFormat | undefined): unknown =>
  isPlain(value, 0) ? value : new Writer(bigint).write(value)

// Most values are small and plain, and nothing more is done to them. Deeper values are written, which finds cycles.
const plainDepth = 8

const isPlain = (value: unknown, depth: number): boolean => {
  if (typeof value !== "object" || value === null) return typeof value !== "bigint"
  if (depth === plainDepth) return false
  if (Array.isArray(value)) return value.every((each) => isPlain(each, depth + 1))
  const prototype: unknown = Object.getPrototypeOf(value)
  if (prototype === Date.prototype) return true
  if (prototype !== Object.prototype && prototype !== null) return false
  return isPlainObject(value, depth)
}

const isPlainObject = (value: object, depth: number): boolean => {
  try {
    for (const key in value) {
      const member = (value as Readonly<Record<string, unknown>>)[key]
      if (typeof member === "function" ? key === "toJSON" : !isPlain(member, depth + 1)) return false
    }
    return true
  } catch {
    return false
  }
}

// Follows the steps of SerializeJSONProperty (ECMA-262, section 25.5.2).
class Writer {
  private readonly bigint: BigIntFormat | undefined
  private readonly path: Array<string> = ["data"]
  private readonly ancestors = new Set<object>()
  private hasBigInt = false

  constructor(bigint: BigIntFormat | undefined) {
    this.bigint = bigint
  }

  write(value: unknown): unknown {
    const copy = this.copy(value)
    return this.hasBigInt ? copy : value
  }

  private copy(holder: unknown): unknown {
    const value = this.unwrap(holder)
    if (typeof value === "bigint") return this.copyBigInt(value)
    if (typeof value === "function") return undefined
    if (typeof value !== "object" || value === null) return value
    if (this.ancestors.has(value)) throw this.error("contains itself")
    if (this.ancestors.size === maximumDepth) throw this.error(`is more than ${maximumDepth} levels deep`)
    this.ancestors.add(value)
    const copy = Array.isArray(value)
      ? value.map((_, index) => this.member(value, String(index)))
      : Object.fromEntries(this.keys(value).map((key) => [key, this.member(value, key)]))
    this.ancestors.delete(value)
    return copy
  }

  private unwrap(value: unknown): unknown {
    if ((typeof value !== "object" || value === null) && typeof value !== "bigint") return value
    return this.attempt("has a toJSON that throws", () => {
      const { toJSON } = value as { readonly toJSON?: unknown }
      return typeof toJSON === "function" ? (toJSON.call(value, this.path.at(-1)) as unknown) : value
    })
  }

  private keys(value: object): ReadonlyArray<string> {
    return this.attempt("has members that cannot be listed", () => Object.keys(value))
  }

  private member(value: object, key: string): unknown {
    this.path.push(key)
    const member = this.attempt("has a getter that throws", () => (value as Readonly<Record<string, unknown>>)[key])
    const copy = this.copy(member)
    this.path.pop()
    return copy
  }

  private copyBigInt(value: bigint): unknown {
    this.hasBigInt = true
    if (this.bigint === "string") return value.toString()
    if (this.bigint === undefined) throw this.error('is a BigInt: convert it, or set the option "bigint"')
    const number = Number(value)
    if (!Number.isSafeInteger(number)) {
      throw this.error('is a BigInt that a JSON number would round: set the option "bigint" to "string"')
    }
    return number
  }

  private attempt<A>(problem: string, run: () => A): A {
    try {
      return run()
    } catch (cause) {
      throw this.error(problem, cause)
    }
  }

  private error(problem: string, cause?: unknown): OutputError {
    return new OutputError(this.path.join("."), problem, cause === undefined ? undefined : { cause })
  }
}

// Writing recurses, and so does `JSON.stringify`: both would exceed the call stack at some depth.
const maximumDepth = 1_000
