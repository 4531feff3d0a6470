import * as fc from "fast-check"
import type { Operation } from "../../src/batch/Operation.ts"

type Mutable<A> = { -readonly [Name in keyof A]: A[Name] }

/** A description of an operation; `after` are the indexes of its dependencies. */
interface Sketch {
  readonly action: string
  readonly orderKey: string | undefined
  readonly after: ReadonlyArray<number>
}

/** Options for random operations. */
export interface RandomOptions {
  /** Whether an operation may depend on a later one. Default true. */
  readonly forward?: boolean
  /** Default: three keys and undefined. */
  readonly orderKeys?: ReadonlyArray<string | undefined>
  readonly maxLength?: number
}

/** Creates the same operations anew on each call, because running them changes them. */
export type Operations = () => ReadonlyArray<Operation<undefined>>

const build = (sketches: ReadonlyArray<Sketch>): ReadonlyArray<Operation<undefined>> => {
  const operations = sketches.map(({ action, orderKey }, index): Mutable<Operation<undefined>> => ({
    index,
    id: `op-${index}`,
    action,
    input: undefined,
    orderKey,
    dependsOn: [],
    result: undefined,
  }))
  sketches.forEach(({ after }, index) => {
    operations[index]!.dependsOn = after.map((earlier) => ({ operation: operations[earlier]!, accept: [] }))
  })
  return operations
}

/** Random operations whose dependencies form no cycle. */
export const randomOperations = ({
  forward = true,
  orderKeys = ["a", "b", "c", undefined],
  maxLength = 12,
}: RandomOptions = {}): fc.Arbitrary<Operations> =>
  fc
    .array(
      fc.record({
        action: fc.constantFrom("create", "update", "delete"),
        orderKey: fc.constantFrom(...orderKeys),
        links: fc.array(fc.nat(), { maxLength: 2 }),
        rank: fc.nat(),
      }),
      { minLength: 1, maxLength },
    )
    .map((drawn) => {
      // Operations depend only on operations of a lower rank, so that dependencies cannot form a cycle.
      const rank = (index: number) => (forward ? drawn[index]!.rank * maxLength + index : index)
      return drawn.map(({ action, orderKey, links }, index): Sketch => {
        const earlier = drawn.map((_, other) => other).filter((other) => rank(other) < rank(index))
        const after = earlier.length === 0 ? [] : links.map((link) => earlier[link % earlier.length]!)
        return { action, orderKey, after: [...new Set(after)] }
      })
    })
    .map((sketches) => Object.assign(() => build(sketches), { [fc.toStringMethod]: () => JSON.stringify(sketches) }))

/** Whether `from` depends on `on`, directly or not. */
export const dependsOn = (from: Operation, on: Operation): boolean =>
  from.dependsOn.some(({ operation }) => operation === on || dependsOn(operation, on))
