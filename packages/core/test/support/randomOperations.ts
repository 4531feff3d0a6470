import * as fc from "fast-check"
import type { Operation } from "../../src/batch/Operation.ts"

type Mutable<A> = { -readonly [Name in keyof A]: A[Name] }

/** Describes an operation; `after` are indexes. */
interface Sketch {
  readonly action: string
  readonly target: string | undefined
  readonly after: ReadonlyArray<number>
}

export interface RandomOptions {
  /** Whether an operation may depend on a later one. Default true. */
  readonly forward?: boolean
  /** Default: three, and none. */
  readonly targets?: ReadonlyArray<string | undefined>
  readonly maxLength?: number
}

/** Makes operations anew from a description, because running them changes them. */
export type Operations = () => ReadonlyArray<Operation<undefined>>

const build = (sketches: ReadonlyArray<Sketch>): ReadonlyArray<Operation<undefined>> => {
  const operations = sketches.map(({ action, target }, index): Mutable<Operation<undefined>> => ({
    index,
    id: `op-${index}`,
    action,
    input: undefined,
    orderKey: target,
    dependsOn: [],
    result: undefined,
  }))
  sketches.forEach(({ after }, index) => {
    operations[index]!.dependsOn = after.map((earlier) => ({ operation: operations[earlier]!, accept: [] }))
  })
  return operations
}

/** Operations whose dependencies form no cycle. */
export const randomOperations = ({
  forward = true,
  targets = ["a", "b", "c", undefined],
  maxLength = 12,
}: RandomOptions = {}): fc.Arbitrary<Operations> =>
  fc
    .array(
      fc.record({
        action: fc.constantFrom("create", "update", "delete"),
        target: fc.constantFrom(...targets),
        links: fc.array(fc.nat(), { maxLength: 2 }),
        rank: fc.nat(),
      }),
      { minLength: 1, maxLength },
    )
    .map((drawn) => {
      // Links lead from a higher rank to a lower one alone, so that they cannot close a cycle.
      const rank = (index: number) => (forward ? drawn[index]!.rank * maxLength + index : index)
      return drawn.map(({ action, target, links }, index): Sketch => {
        const earlier = drawn.map((_, other) => other).filter((other) => rank(other) < rank(index))
        const after = earlier.length === 0 ? [] : links.map((link) => earlier[link % earlier.length]!)
        return { action, target, after: [...new Set(after)] }
      })
    })
    .map((sketches) => Object.assign(() => build(sketches), { [fc.toStringMethod]: () => JSON.stringify(sketches) }))

/** Whether `from` depends on `on`, directly or not. */
export const dependsOn = (from: Operation, on: Operation): boolean =>
  from.dependsOn.some(({ operation }) => operation === on || dependsOn(operation, on))
