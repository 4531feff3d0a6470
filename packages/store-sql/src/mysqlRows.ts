/**
 * Statements on many rows for MySQL and MariaDB.
 *
 * Values go through the driver's own escaping. Inserts are one VALUES list, in which DEFAULT stands for what a row does
 * not give; updates join the rows as a table made of JSON. Where a statement fails, a procedure of the store's runs one
 * statement for each row; `quote` makes their texts on the server. MariaDB answers inserts and deletes with rows; for
 * updates, and everywhere on MySQL, the rows are read by one more statement.
 */
import { byKey, byNumber } from "./answeredRows.ts"
import { dependOnEachOther, done, type Engine, givenByAll, type Outcome, quoteName, type Task } from "./ManyRows.ts"
import { isMysqlRowError, mysqlRowErrors, toMysqlRefusal } from "./mysqlRefusal.ts"
import { ascending, orderRows } from "./rowOrder.ts"
import type { Row } from "./Session.ts"
import type { ColumnFacts } from "./TableFacts.ts"

const insert: Engine["insert"] = async (asked) => {
  const task = await withKeys(asked)
  const { session, facts, rows, columns, key, returning } = task
  const keyColumn = columns.find(({ name }) => name === key)
  const keyKnown = givenByAll(rows, keyColumn)
  const numbering = [...facts.columns.values()].find(({ counter }) => counter)
  const numbered = numbering?.name === key && columns.every(({ name }) => name !== key)
  // Numbers are given in the order of the rows; that must stay the caller's.
  const counts =
    numbering !== undefined &&
    !givenByAll(
      rows,
      columns.find(({ name }) => name === numbering.name),
    )
  const order = counts ? undefined : orderRows(task).sequence
  if (dependOnEachOther(task)) return oneByOne(task, insertOne(task), undefined)
  if (returning !== undefined && !keyKnown && !numbered) return oneByOne(task, insertOne(task), order)
  const sorted = order === undefined ? rows : order.map((index) => rows[index] as Row)
  const values: Array<unknown> = []
  const tuples = sorted.map((row) => `(${columns.map(({ given }) => place(values, row[given])).join(", ")})`)
  const names = columns.map(({ name }) => quoteName(session, name)).join(", ")
  const wanted = returning !== undefined && facts.returning ? ` returning ${selected(task)}` : ""
  try {
    const reply = await session.run(
      `/* multistatus */ insert into ${facts.text} (${names}) values ${tuples.join(", ")}${wanted}`,
      values,
    )
    if (returning === undefined) return rows.map(() => done)
    const step = facts.numberStep ?? 1
    const keys = rows.map((row, index) =>
      keyColumn === undefined ? Number(reply.insertId) + index * step : row[keyColumn.given],
    )
    const found = facts.returning ? reply.rows : await read(task, keys)
    return numbered ? byNumber(found) : byKey(keys, found)
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return oneByOne(task, insertOne(task), order)
  }
}

// A key that a default would make is not told by the database, so it is made beforehand.
const withKeys = async (task: Task): Promise<Task> => {
  const { session, facts, rows, columns, key, returning } = task
  const initial = facts.columns.get(key)?.initial
  if (returning === undefined || initial === undefined) return task
  const given = columns.find(({ name }) => name === key) ?? { given: key, name: key }
  if (givenByAll(rows, given)) return task
  const made = await session.look(
    `/* multistatus */ select (${initial}) as \`~key\` from json_table(?, '$[*]' columns (n for ordinality)) as r`,
    [JSON.stringify(rows.map(() => 0))],
  )
  return {
    ...task,
    columns: columns.includes(given) ? columns : [...columns, given],
    rows: rows.map((row, index) =>
      row[given.given] === undefined ? { ...row, [given.given]: made[index]?.["~key"] } : row,
    ),
  }
}

const update: Engine["update"] = async (task) => {
  const shapes = Map.groupBy(
    task.rows.map((row, index) => ({ row, index })),
    ({ row }) => task.columns.map(({ given }) => (row[given] === undefined ? "0" : "1")).join(""),
  )
  const outcomes = Array.from<Outcome>({ length: task.rows.length })
  // Values that pass from row to row must do so in the order of the rows, which shapes would mix up.
  if (shapes.size > 1 && touchesUnique(task)) return oneByOne(task, updateOne(task), undefined)
  for (const members of shapes.values()) {
    const rows = members.map(({ row }) => row)
    const columns = task.columns.filter(({ given }) => rows[0]?.[given] !== undefined)
    const keys = members.map(({ index }) => task.keys[index])
    const parts = await updateAlike({ ...task, rows, columns, keys })
    for (const [place, { index }] of members.entries()) outcomes[index] = parts[place]
  }
  return outcomes
}

const updateAlike = async (task: Task): Promise<ReadonlyArray<Outcome>> => {
  const { session, facts, rows, columns, keys, key, returning } = task
  if (columns.length === 0) return existing(task, returning)
  const one = updateOne(task)
  const ranked = touchesUnique(task) ? undefined : ascending(keys)
  if (dependOnEachOther(task)) return oneByOne(task, one, undefined)
  if (columns.some(({ name }) => name === key)) return oneByOne(task, one, ranked)
  const values: Array<unknown> = []
  const cells = rows.map(
    (row, index) =>
      `json_array(${[keys[index], ...columns.map(({ given }) => row[given])].map((value) => jsonPlace(values, value)).join(", ")})`,
  )
  const types = [key, ...columns.map(({ name }) => name)].map((name) => facts.columns.get(name))
  const source = `json_table(json_array(${cells.join(", ")}), '$[*]' columns (${types.map((type, index) => `c${index} ${jsonType(type, index === 0)} path '$[${index}]'`).join(", ")}))`
  const match = `t.${quoteName(session, key)} = ${joinable(types[0], "r.c0")}`
  const set = columns.map(
    ({ name }, index) =>
      `t.${quoteName(session, name)} = ${isBytes(types[index + 1]) ? `unhex(r.c${index + 1})` : `r.c${index + 1}`}`,
  )
  const guard = handOver(task, source, values)
  try {
    const reply = await session.run(
      `/* multistatus */ update ${facts.text} as t join ${source} as r on ${match}${guard?.text ?? ""} set ${set.join(", ")}`,
      guard?.values ?? values,
    )
    // Nothing at all: none is there, or a row takes what another has.
    if (guard !== undefined && reply.affected === 0) return oneByOne(task, one, undefined)
    if (reply.affected === rows.length && returning === undefined) return rows.map(() => done)
    return existing(task, returning)
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return oneByOne(task, one, ranked)
  }
}

const remove: Engine["remove"] = async (task) => {
  const { session, facts, keys, key, returning } = task
  const one = removeOne(task)
  const where = `${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`
  if (dependOnEachOther(task)) return oneByOne(task, one, undefined)
  try {
    if (facts.returning) {
      const { rows } = await session.run(
        `/* multistatus */ delete from ${facts.text} where ${where} returning ${selected(task)}`,
        keys.map(plain),
      )
      return byKey(keys, rows, returning === undefined)
    }
    return await session.atomically(async (inner) => {
      const { rows } = await inner.run(
        `select ${selected(task)} from ${facts.text} where ${where} order by ${quoteName(session, key)} for update`,
        keys.map(plain),
      )
      if (rows.length > 0)
        await inner.run(`/* multistatus */ delete from ${facts.text} where ${where}`, keys.map(plain))
      return byKey(keys, rows, returning === undefined)
    })
  } catch (error) {
    if (!isMysqlRowError(error)) throw error
    return oneByOne(task, one, ascending(keys))
  }
}

/** @internal */
export const mysqlEngine: Engine = { insert, update, remove }

/** A statement in pieces: SQL as it is, and values between it. */
type Pieces = ReadonlyArray<string | { readonly value: unknown }>

/** What is run for one row: the statement, and one that answers with the row, before or after it. */
interface RowStatements {
  readonly statement: Pieces
  readonly answer: Pieces | undefined
  readonly answerFirst?: boolean
}

const insertOne =
  (task: Task) =>
  (index: number): RowStatements => {
    const { session, facts, key } = task
    const row = task.rows[index] as Row
    const given = task.columns.filter((column) => row[column.given] !== undefined)
    const keyColumn = given.find(({ name }) => name === key)
    const values = given.flatMap((column, position) => [position === 0 ? "" : ", ", { value: row[column.given] }])
    return {
      statement: [
        `insert into ${facts.text} (${given.map(({ name }) => quoteName(session, name)).join(", ")}) values (`,
        ...values,
        ")",
      ],
      answer: answerOf(task, index, keyColumn === undefined ? ["last_insert_id()"] : [{ value: row[keyColumn.given] }]),
    }
  }

const updateOne =
  (task: Task) =>
  (index: number): RowStatements => {
    const { session, facts, key } = task
    const row = task.rows[index] as Row
    const given = task.columns.filter((column) => row[column.given] !== undefined)
    const set = given.flatMap((column, position) => [
      `${position === 0 ? "" : ", "}${quoteName(session, column.name)} = `,
      { value: row[column.given] },
    ])
    const nothing = `${quoteName(session, key)} = ${quoteName(session, key)}`
    const target = [{ value: task.keys[index] }]
    const newKey = given.find(({ name }) => name === key)
    return {
      statement: [`update ${facts.text} set `, ...(set.length === 0 ? [nothing] : set), ...whereKey(task, target)],
      answer: answerOf(task, index, newKey === undefined ? target : [{ value: row[newKey.given] }]),
    }
  }

const removeOne =
  (task: Task) =>
  (index: number): RowStatements => {
    const target = [{ value: task.keys[index] }]
    return {
      statement: [`delete from ${task.facts.text}`, ...whereKey(task, target)],
      answer: answerOf(task, index, target),
      answerFirst: true,
    }
  }

const whereKey = ({ session, key }: Task, value: Pieces): Pieces => [` where ${quoteName(session, key)} = `, ...value]

const answerOf = (task: Task, index: number, key: Pieces): Pieces | undefined =>
  task.returning === undefined
    ? undefined
    : [`select ${index} as \`~row\`, ${selected(task)} from ${task.facts.text}`, ...whereKey(task, key)]

const oneByOne = async (
  task: Task,
  statementsOf: (index: number) => RowStatements,
  sequence: ReadonlyArray<number> | undefined,
): Promise<ReadonlyArray<Outcome>> => {
  const { session, facts } = task
  if (facts.routine === undefined) {
    throw new Error('The database lacks the routine that isolates rows: run `migrate(db, "mysql")` first')
  }
  const size = Math.max(task.rows.length, task.keys.length)
  const order = sequence ?? Array.from({ length: size }, (_, index) => index)
  const values: Array<unknown> = []
  const todo = order.flatMap((index) => {
    const { statement, answer, answerFirst = false } = statementsOf(index)
    const main = { index, pieces: statement }
    if (answer === undefined) return [main]
    const asking = { index: undefined, pieces: answer }
    return answerFirst ? [asking, main] : [main, asking]
  })
  const statements = todo.map(({ pieces }) => concat(pieces, values))
  const reply = await session.run(
    `/* multistatus */ call ${facts.routine}(json_array(${statements.join(", ")}), ?, ?)`,
    [...values, mysqlRowErrors, session.inTransaction ? 0 : 1],
  )
  const outcomes = Array.from<Outcome>({ length: size }).fill(done)
  const judged = new Map<number, Outcome>()
  // One result set for each row that has something to say. A plugin may have made objects of the arrays.
  for (const entry of reply.rows.flatMap((set) => Object.values(set) as ReadonlyArray<Row | null>)) {
    if (typeof entry !== "object" || entry === null) continue
    const {
      "~row": answered,
      "~key": _,
      "~n": position,
      "~number": number,
      "~state": state,
      "~message": message,
      ...row
    } = entry
    if (answered !== undefined) outcomes[Number(answered)] = { row }
    const index = todo[Number(position)]?.index
    if (index === undefined) continue
    const report = { errno: Number(number), state: String(state), message: String(message) }
    judged.set(index, number === 0 ? undefined : { refusal: toMysqlRefusal(facts, report) })
  }
  for (const [index, outcome] of judged) outcomes[index] = outcome
  return outcomes
}

// The text of a statement as an expression: the server quotes the values, numbers stay numbers.
const concat = (pieces: Pieces, values: Array<unknown>): string => {
  const parts: Array<string> = []
  let text = ""
  const flush = () => {
    if (text !== "") {
      parts.push("?")
      values.push(text)
    }
    text = ""
  }
  for (const piece of pieces) {
    if (typeof piece === "string") text += piece
    else {
      const value = plain(piece.value)
      if (value === null) text += "null"
      else if (typeof value === "number" || typeof value === "bigint") text += String(value)
      else if (ArrayBuffer.isView(value)) text += `x'${hex(value)}'`
      else {
        flush()
        parts.push("quote(?)")
        values.push(value)
      }
    }
  }
  flush()
  return `concat(${parts.join(", ")})`
}

const place = (values: Array<unknown>, value: unknown): string => {
  if (value === undefined) return "default"
  values.push(plain(value))
  return "?"
}

const jsonPlace = (values: Array<unknown>, value: unknown): string => {
  const sent = plain(value)
  values.push(ArrayBuffer.isView(sent) ? hex(sent) : sent)
  return "?"
}

// The driver would spread objects and arrays into lists of columns and of values.
const plain = (value: unknown): unknown => {
  switch (typeof value) {
    case "boolean":
      return value ? 1 : 0
    case "number":
      if (Number.isFinite(value)) return value
      return String(value)
    case "string":
    case "bigint":
      return value
    case "undefined":
      return null
    case "object":
      if (value === null || value instanceof Date) return value
      if (ArrayBuffer.isView(value)) return Buffer.from(value.buffer, value.byteOffset, value.byteLength)
      return JSON.stringify(value)
    default:
      throw new TypeError(`MySQL cannot store a ${typeof value}`)
  }
}

const hex = (bytes: ArrayBufferView): string =>
  Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString("hex")

const wholeNumbers = new Set(["tinyint", "smallint", "mediumint", "int", "bigint"])

const isBytes = (column: ColumnFacts | undefined): boolean => /^(var)?binary$|blob$/.test(column?.type ?? "")

// Keys need a type that their index can be searched with; other values become what the assignment makes of text.
const jsonType = (column: ColumnFacts | undefined, key: boolean): string => {
  if (column?.type === "bit") return "bigint unsigned"
  if (!key || column === undefined || isBytes(column)) return "longtext"
  if (wholeNumbers.has(column.type)) return column.declared.includes("unsigned") ? "bigint unsigned" : "bigint"
  return column.type.endsWith("char") ? "varchar(768)" : "longtext"
}

const joinable = (column: ColumnFacts | undefined, name: string): string => {
  if (isBytes(column)) return `unhex(${name})`
  return column?.collation?.replace("?", name) ?? name
}

const touchesUnique = ({ facts, columns, rows }: Task): boolean =>
  rows.length > 1 &&
  facts.uniques.some(
    (unique) => unique.computed || unique.columns.some((name) => columns.some((column) => column.name === name)),
  )

// As on PostgreSQL: where a row takes a unique value that another has, nothing is done, and the rows come one by one.
const handOver = ({ session, facts, columns, rows, key }: Task, source: string, values: ReadonlyArray<unknown>) => {
  if (rows.length < 2) return undefined
  const places = new Map(columns.map(({ name }, index) => [name, index + 1]))
  const touched = facts.uniques.flatMap(({ columns: names }) => names.filter((name) => places.has(name)).slice(0, 1))
  if (touched.length === 0) return undefined
  const match = `o.${quoteName(session, key)} = ${joinable(facts.columns.get(key), "a.c0")}`
  const taken = touched
    .map((name) => {
      const column = facts.columns.get(name)
      const value = `b.c${places.get(name)}`
      return `o.${quoteName(session, name)} = ${joinable(column, value)}`
    })
    .join(" or ")
  return {
    text: ` join (select count(*) as taken from ${facts.text} as o join ${source} as a on ${match} join ${source} as b on b.c0 <> a.c0 and (${taken})) as g on g.taken = 0`,
    values: [...values, ...values, ...values],
  }
}

const selected = ({ session, key, returning = [] }: Task): string =>
  [`${quoteName(session, key)} as \`~key\``, ...returning.map((name) => quoteName(session, name))].join(", ")

const read = async (task: Task, keys: ReadonlyArray<unknown>): Promise<ReadonlyArray<Row>> => {
  const { session, facts, key } = task
  const { rows } = await session.run(
    `/* multistatus */ select ${selected(task)} from ${facts.text} where ${quoteName(session, key)} in (${keys.map(() => "?").join(", ")})`,
    keys.map(plain),
  )
  return rows
}

// Which of the keys are there.
const existing = async (task: Task, returning: Task["returning"]): Promise<ReadonlyArray<Outcome>> =>
  byKey(task.keys, await read(task, task.keys), returning === undefined)
