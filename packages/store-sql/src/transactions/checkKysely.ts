/**
 * Throws a `TypeError` unless `value` is a Kysely database or transaction. `call` names the function for the message.
 *
 * @internal
 */
export const checkKysely = (value: unknown, call: string): void => {
  if (typeof value === "object" && value !== null && "getExecutor" in value) return
  const hint =
    typeof value === "object" && value !== null && "db" in value
      ? `pass the property "db" of the opened database: const { db } = await openDatabase(url)`
      : `pass "db" of openDatabase(url), a Kysely instance or a transaction`
  throw new TypeError(`${call} needs a Kysely database as its first argument: ${hint}`)
}
