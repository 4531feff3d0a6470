/**
 * Inserts many rows into PostgreSQL with one statement, whose text depends on the table alone.
 *
 * All columns of the table take part. What a row does not give is told by a mask and replaced by the column's default,
 * taken from the catalog: so rows of unlike shape need neither several statements nor several texts. Defaults are
 * evaluated in the order of the rows, and only then are the rows put in the order in which they are stored. Where no
 * default is needed and nothing is asked for, rows are sent in that order.
 */
import { dependOnEachOther, done, givenByAll, type RowOutcome, type RowTask } from "../RowDialect.ts"
import { isPostgresRowError } from "./refusal.ts"
import { callRoutine, quote, reportOf, type RoutineCall } from "./callRoutine.ts"
import { type Cell, toArrayLiteral, toCell } from "./postgresText.ts"
import { orderRows, ranksOf } from "../rowOrder.ts"
import type { ColumnSchema, TableSchema } from "../TableSchema.ts"

/** @internal */
export const postgresInsert = async (task: RowTask): Promise<ReadonlyArray<RowOutcome>> => {
  const { session, table, rows, returning } = task
  const plan = planOf(task)
  const utc = session.dialect === "pglite"
  const cells = plan.columns.map((column) => {
    const given = task.columns.find(({ name }) => name === column.name)?.given
    return given === undefined ? undefined : rows.map((row) => toCell(row[given], column, utc))
  })
  const { order, sequence } = orderRows(task)
  const masks = masksOf(task, plan)
  const isPlain = returning === undefined && !table.interferes && !session.inTransaction
  const isSorted = isPlain && order !== undefined && masks === undefined
  const arrays = [
    masks === undefined ? null : toArrayLiteral(masks),
    isSorted || order === undefined ? null : toArrayLiteral(ranksOf(order).map(String)),
    ...cells.map((column) => {
      if (column === undefined) return null
      return toArrayLiteral(isSorted ? order.map((index) => column[index] as Cell) : column)
    }),
  ]
  // Where no row gives anything, something must still tell how many rows there are.
  const parameters = arrays.every((array) => array === null)
    ? [toArrayLiteral(rows.map(() => null)), ...arrays.slice(1)]
    : arrays
  const routine = (whole?: string, expected?: number): RoutineCall => ({
    whole,
    parameters,
    expected,
    single: plan.single(returning === undefined && !table.interferes),
    cellsOf: (index) => [masks?.[index] ?? null, ...cells.map((column) => column?.[index] ?? null)],
    names: plan.columns.map(({ name }) => name),
    sequence: dependOnEachOther(task) ? undefined : sequence(),
    quiet: returning === undefined && !table.interferes,
  })
  // The key is what tells the returned rows apart, so it must be known before they are stored.
  const keyColumn = task.columns.find(({ name }) => name === task.key)
  const keyKnown = givenByAll(rows, keyColumn) || table.columns.get(task.key)?.initial !== undefined
  if (dependOnEachOther(task) || (returning !== undefined && !keyKnown)) return callRoutine(task, routine())
  if (session.inTransaction || table.interferes) {
    const counted = table.interferes || returning !== undefined
    const whole = plan.whole((place) => `$1[${place}]`, counted)
    return callRoutine(task, routine(whole, counted ? rows.length : undefined))
  }
  try {
    const reply = await (isSorted ? session.run(plan.sorted, parameters.slice(2)) : session.run(plan.text, parameters))
    if (returning === undefined) return rows.map(() => done)
    const outcomes = Array.from<RowOutcome>({ length: rows.length })
    for (const { "~n": position, ...row } of reply.rows) outcomes[Number(position) - 1] = { row }
    return outcomes
  } catch (error) {
    if (!isPostgresRowError(error)) throw error
    return callRoutine(task, routine())
  }
}

interface InsertPlan {
  readonly columns: ReadonlyArray<ColumnSchema>
  /** Names of the columns that have defaults, in the order of the mask. */
  readonly masked: ReadonlyArray<string>
  /** The statement to prepare; parameters are the mask, the ranks and the columns. */
  readonly text: string
  /** The statement to prepare for rows in the order in which they are stored, none of which lacks a default. */
  readonly sorted: string
  /** The statement as the routine runs it; `counted`: it answers with a row for each that was stored. */
  readonly whole: (parameter: (place: number) => string, counted: boolean) => string
  readonly single: (quiet: boolean) => string
}

const planOf = ({ table, columns, key, returning }: RowTask): InsertPlan => {
  const extra = columns.filter(({ name }) => table.columns.get(name)?.generated !== false).map(({ name }) => name)
  // A key that only the table may fill is taken from its sequence beforehand, to be known.
  const ownKey =
    returning !== undefined &&
    !extra.includes(key) &&
    table.columns.get(key)?.generated === true &&
    table.columns.get(key)?.initial !== undefined
  const id = JSON.stringify(["insert", extra.sort(), returning, ownKey && key])
  const known = table.texts.get(id) as InsertPlan | undefined
  if (known !== undefined) return known
  const included = [
    ...[...table.columns.values()].filter(
      (column) => !column.generated || extra.includes(column.name) || (ownKey && column.name === key),
    ),
    ...extra.filter((name) => !table.columns.has(name)).map(unknownColumn),
  ]
  const plan = makePlan(table, included, key, returning, ownKey)
  table.texts.set(id, plan)
  return plan
}

const makePlan = (
  facts: TableSchema,
  columns: ReadonlyArray<ColumnSchema>,
  key: string,
  returning: ReadonlyArray<string> | undefined,
  ownKey: boolean,
): InsertPlan => {
  const masked = columns.filter(({ initial }) => initial !== undefined).map(({ name }) => name)
  const aliases = columns.map((_, index) => `c${index}`).join(", ")
  const valueOf = (column: ColumnSchema, index: number) =>
    column.form === "plain" ? `r.c${index}` : `r.c${index}::${column.type}`
  const values = columns.map((column, index) => {
    const value = valueOf(column, index)
    if (column.initial === undefined) return `${value} as c${index}`
    const absent = `get_bit(r.m, ${masked.indexOf(column.name)}) = 1`
    return `case when ${absent} then (${column.initial})::${column.type} else ${value} end as c${index}`
  })
  const target = `insert into ${facts.text} as t (${columns.map(({ name }) => quote(name)).join(", ")})${ownKey ? " overriding system value" : ""}`
  const source = (parameter: (place: number) => string) =>
    `select ${[...values, "r.o", "r.n"].join(", ")} from unnest(${[
      `(${parameter(1)}::text)::varbit[]`,
      `(${parameter(2)}::text)::int4[]`,
      ...columns.map((column, index) => arrayOf(column, parameter(index + 3))),
    ].join(", ")}) with ordinality as r(${["m", "o", aliases, "n"].filter((name) => name !== "").join(", ")})`
  const keyAlias = `c${columns.findIndex(({ name }) => name === key)}`
  const answered = (returning ?? []).map((name, index) => `t.${quote(name)} as a${index}`)
  const named = (returning ?? []).map((name, index) => `, i.a${index} as ${quote(name)}`).join("")
  const joined = (parameter: (place: number) => string, before: string) =>
    `with s as materialized (${source(parameter)}), i as (${target} select ${aliases} from s order by s.o returning ${[`t.${quote(key)} as k`, ...answered].join(", ")}) select ${before}${named} from i join s on s.${keyAlias} = i.k`
  const numbered = (place: number) => `$${place}`
  const arrays = columns.map((column, index) => arrayOf(column, numbered(index + 1)))
  return {
    columns,
    masked,
    sorted: `/* multistatus prepare */ ${target} select ${columns.map(valueOf).join(", ")} from unnest(${arrays.join(", ")}) as r(${aliases})`,
    text: `/* multistatus prepare */ ${
      returning === undefined
        ? `${target} select ${aliases} from (${source(numbered)}) s order by s.o`
        : joined(numbered, 's.n::int4 as "~n"')
    }`,
    whole: (parameter, counted) => {
      if (returning !== undefined) return joined(parameter, reportOf("s.n"))
      const inserted = `with i as (${target} select ${aliases} from (${source(parameter)}) s order by s.o returning 1)`
      // Position -1 is no row's: what counts is how many there are.
      return `${inserted} select ${reportOf("-1")} from i${counted ? "" : " where false"}`
    },
    single: (quiet) => {
      const cells = columns.map(
        ({ form, type }, index) => `$${index + 2}::${form === "plain" ? type : "text"} as c${index}`,
      )
      const position = `$${columns.length + 2}`
      const row = `(select ${["$1::varbit as m", ...cells, `${position}::int4 as n`].join(", ")}) as r`
      const inserted = `${target} select ${values.join(", ")} from ${row}`
      if (quiet) return inserted
      return `with i as (${inserted} returning ${answered.length > 0 ? answered.join(", ") : "1"}) select ${reportOf(position)}${named} from i`
    },
  }
}

const arrayOf = (column: ColumnSchema, parameter: string): string => `(${parameter}::text)::${arrayType(column)}`

/** The type of the array in which a column's values are sent. @internal */
export const arrayType = ({ form, type }: ColumnSchema): string =>
  form === "plain" || form === "json" ? `${type}[]` : "text[]"

// The database itself says that there is no such column.
const unknownColumn = (name: string): ColumnSchema => ({
  name,
  type: "text",
  declared: "text",
  initial: undefined,
  generated: false,
  counter: false,
  form: "text",
})

// One bit for each column with a default; nothing if no row lacks any of them.
const masksOf = ({ rows, columns }: RowTask, { masked }: InsertPlan): ReadonlyArray<string> | undefined => {
  const given = masked.map((name) => columns.find((column) => column.name === name)?.given)
  let any = false
  const masks = rows.map((row) => {
    let mask = ""
    for (const name of given) {
      const absent = name === undefined || row[name] === undefined
      any ||= absent
      mask += absent ? "1" : "0"
    }
    return mask
  })
  return any ? masks : undefined
}
