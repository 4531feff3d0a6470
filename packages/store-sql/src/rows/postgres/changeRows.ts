/**
 * Updates and deletes many rows of PostgreSQL with one statement each.
 *
 * Rows of unlike shape are updated together: a mask says which values a row gives, the others stay as they are. That keeps
 * the number of statements at one, however many shapes a client makes up. Rows are locked in the order of their keys
 * before the first of them changes, so that two calls on the same rows wait for each other instead of deadlocking.
 * These statements are not prepared by name: their plans depend on how full the table is.
 */
import { dependOnEachOther, done, givenByAll, type RowOutcome, type RowTask } from "../RowDialect.ts"
import { arrayType } from "./insertRows.ts"
import { isPostgresRowError } from "./refusal.ts"
import { callRoutine, quote, reportOf, type RoutineCall } from "./callRoutine.ts"
import { type Cell, toArrayLiteral, toCell } from "./postgresText.ts"
import { ascending } from "../rowOrder.ts"
import type { ColumnSchema } from "../TableSchema.ts"

/** @internal */
export const postgresUpdate = (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  const { table, rows, columns } = task
  const unlike = columns.some((column) => !givenByAll(rows, column))
  const types = columns.map(({ name }) => table.columns.get(name))
  const set = columns.map(({ name }, index) => {
    const type = types[index]
    const value = type === undefined || type.form === "plain" ? `r.c${index}` : `r.c${index}::${type.type}`
    return `${quote(name)} = ${unlike ? `case when get_bit(r.m, ${index}) = 1 then ${value} else t.${quote(name)} end` : value}`
  })
  return change(task, {
    verb: `update ${table.text} as t set ${set.length === 0 ? idle(task) : set.join(", ")} from`,
    lock: "no key update",
    types,
    cells: columns.map(({ given }, index) => rows.map((row) => toCell(row[given], types[index], utc(task)))),
    masks: unlike
      ? rows.map((row) => columns.map(({ given }) => (row[given] === undefined ? "0" : "1")).join(""))
      : undefined,
    handsOver: handOver(task),
  })
}

// Without a value there is nothing to set, but whether the row exists is still to be told.
const idle = ({ table, key }: RowTask): string => {
  const column = quote([...table.columns.values()].find(({ generated }) => !generated)?.name ?? key)
  return `${column} = t.${column}`
}

/** @internal */
export const postgresDelete = (task: RowTask): Promise<ReadonlyArray<RowOutcome>> =>
  change(task, {
    verb: `delete from ${task.table.text} as t using`,
    lock: "update",
    types: [],
    cells: [],
    masks: undefined,
    handsOver: undefined,
  })

interface Change {
  /** The statement up to the rows it joins. */
  readonly verb: string
  readonly lock: "update" | "no key update"
  readonly types: ReadonlyArray<ColumnSchema | undefined>
  readonly cells: ReadonlyArray<ReadonlyArray<Cell>>
  /** Which of the values each row gives; `undefined`: all of them. */
  readonly masks: ReadonlyArray<string> | undefined
  /** Whether a row takes a unique value that another row of the call has until then; "always": it cannot be told. */
  readonly handsOver: string | "always" | undefined
}

const change = async (
  task: RowTask,
  { verb, lock, types, cells, masks, handsOver }: Change,
): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, keys, key, returning } = task
  const keyFacts = table.columns.get(key)
  const keyCells = keys.map((value) => toCell(value, keyFacts, utc(task)))
  const parameters = [
    masks === undefined ? null : toArrayLiteral(masks),
    toArrayLiteral(keyCells),
    ...cells.map(toArrayLiteral),
  ]
  const match = `t.${quote(key)} = r.k`
  const names = ["m", "k", ...types.map((_, index) => `c${index}`), "n"].join(", ")
  const keyType = keyFacts === undefined ? "text" : keyFacts.type
  const guard = handsOver === undefined ? "" : ` and 1 / (select case when ${handsOver} then 0 else 1 end) = 1`
  const rowsOf = (parameter: (place: number) => string) => {
    const arrays = [
      `(${parameter(1)}::text)::varbit[]`,
      `(${parameter(2)}::text)::${keyType}[]`,
      ...types.map(
        (type, index) => `(${parameter(index + 3)}::text)::${type === undefined ? "text[]" : arrayType(type)}`,
      ),
    ]
    return `with r as materialized (select * from unnest(${arrays.join(", ")}) with ordinality as r(${names})),
      l as materialized (select 1 from ${table.text} as t join r on ${match} order by r.k for ${lock} of t)`
  }
  const where = `where ${match} and (select count(*) from l) >= 0${guard}`
  const answered = (returning ?? []).map((name, index) => `, t.${quote(name)} as a${index}`).join("")
  const named = (returning ?? []).map((name, index) => `, w.a${index} as ${quote(name)}`).join("")
  const numbered = (place: number) => `$${place}`
  const last = types.length + 3
  const single = `with r as (select ${[
    "$1::varbit as m",
    `$2::${keyType} as k`,
    ...types.map((type, index) => `$${index + 3}::${type?.form === "plain" ? type.type : "text"} as c${index}`),
  ].join(", ")}), w as (${verb} r where ${match} returning 1${answered}) select ${reportOf(`$${last}`)}${named} from w`
  const routine: RoutineCall = {
    whole: undefined,
    parameters,
    expected: undefined,
    single,
    cellsOf: (index) => [
      masks?.[index] ?? null,
      keyCells[index] ?? null,
      ...cells.map((column) => column[index] ?? null),
    ],
    names: [key, ...task.columns.map(({ name }) => name)],
    sequence: handsOver === undefined && table.selfReferences.length === 0 ? ascending(keys) : undefined,
    quiet: false,
  }
  if (handsOver === "always" || dependOnEachOther(task)) return callRoutine(task, routine)
  const answer = `r.n::int4 as n${answered}`
  if (session.inTransaction) {
    const source = rowsOf((place) => `$1[${place}]`)
    const whole = `${source}, w as (${verb} r ${where} returning ${answer}) select ${reportOf("w.n")}${named} from w`
    return callRoutine(task, { ...routine, whole })
  }
  try {
    const text = `/* multistatus */ ${rowsOf(numbered)} ${verb} r ${where} returning r.n::int4 as "~n"${(returning ?? []).map((name) => `, t.${quote(name)}`).join("")}`
    const reply = await session.run(text, parameters)
    const outcomes = Array.from<RowOutcome>({ length: keys.length })
    for (const { "~n": position, ...row } of reply.rows) {
      outcomes[Number(position) - 1] = returning === undefined ? done : { row }
    }
    return outcomes
  } catch (error) {
    if (!isPostgresRowError(error)) throw error
    return callRoutine(task, routine)
  }
}

// One statement sees all rows as they were, or frees a value before it is taken, as the plan has it; one by one, a value
// has to be free when its row comes. Where a row takes what another has, the rows are therefore updated one by one.
const handOver = (task: RowTask): string | "always" | undefined => {
  const { table, columns, rows, key } = task
  if (rows.length < 2) return undefined
  const places = new Map(columns.map(({ name }, index) => [name, index]))
  const touched = table.uniques.filter((unique) => unique.columns.some((name) => places.has(name)))
  if (touched.some(({ computed }) => computed)) return "always"
  const pairs = touched.map((unique) => {
    const name = unique.columns.find((column) => places.has(column)) as string
    const place = places.get(name)
    return `exists (select from ${table.text} as t join r on t.${quote(key)} = r.k join r as q on q.c${place} = t.${quote(name)} and q.n <> r.n)`
  })
  return pairs.length === 0 ? undefined : pairs.join(" or ")
}

const utc = ({ session }: RowTask): boolean => session.dialect === "pglite"
