/** Values in messages. */

const longest = 80

/** A value as JSON, if it has a short form. Otherwise says what kind of value it is. */
export const describeValue = (value: unknown): string => {
  if (typeof value === "number" || typeof value === "bigint") return String(value)
  const json = toJson(value)
  return json === undefined || json.length > longest ? describeKind(value) : json
}

/** Says what kind of value a value is, without showing it: it could hold a password. */
export const describeKind = (value: unknown): string => {
  if (value === null || value === undefined || typeof value === "number" || typeof value === "boolean") {
    return String(value)
  }
  if (Array.isArray(value)) return "an array"
  if (typeof value !== "object") return `a ${typeof value}`
  const { constructor } = value
  return typeof constructor !== "function" || constructor === Object || constructor.name === ""
    ? "an object"
    : `an instance of ${constructor.name}`
}

const toJson = (value: unknown): string | undefined => {
  try {
    return JSON.stringify(value)
  } catch {
    return undefined
  }
}
