/**
 * Throws a `TypeError` unless `value` is a Kysely database or transaction. `subject` names the argument for the message.
 *
 * @internal
 */
export const checkKysely = (value: unknown, subject: string): void => {
  const isObject = typeof value === "object" && value !== null
  if (isObject && "getExecutor" in value) return
  const hint =
    isObject && "db" in value
      ? `pass the property "db" of the opened database, as in const { db } = await openDatabase(url)`
      : `pass "db" of openDatabase(url), a Kysely instance or a transaction`
  throw new TypeError(`${subject} must be a Kysely database: ${hint}`)
}
