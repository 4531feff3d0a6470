import { describe, expect, test } from "vitest"
import { unnameableTypes } from "../exports/unnameableTypes.ts"

/** A report as API Extractor writes it. */
const report = (text: string): string => `## API Report File for "sound"\n\n\`\`\`ts\n${text}\n\`\`\`\n`

const found = (text: string, ...namespaces: ReadonlyArray<string>): ReadonlyArray<string> =>
  unnameableTypes(report(text), new Set(namespaces)).map(({ type, usedBy }) => `${type} by ${usedBy}`)

describe("unnameableTypes", () => {
  test("finds no fault with exported, imported and global types", () => {
    expect(
      found(`
        import type { Other } from 'other';
        import type * as Effect from 'effect/Effect';
        export interface Options<A> extends Base<A> { readonly other: Other; readonly run: Effect.Effect<A> }
        interface Base_2<A> { readonly all: ReadonlyArray<A> }
        export { Base_2 as Base }
        export type Base<A> = Base_2<A>
        export const make: (options: Options<string>) => Promise<Base<string>>;
      `),
    ).toEqual([])
  })

  test("finds types that are not exported, wherever a signature names them", () => {
    expect(
      found(`
        interface Hidden {}
        interface Parent {}
        interface Contract {}
        type Item = string
        export const make: (items: ReadonlyArray<Item>) => void;
        export class Store implements Contract { constructor(hidden: Hidden); }
        export interface Child extends Parent {}
        class Ancestor {}
        export class Descendant extends Ancestor {}
      `),
    ).toEqual(["Ancestor by Descendant", "Contract by Store", "Hidden by Store", "Item by make", "Parent by Child"])
  })

  test("takes a type of a module for the type itself, which another entry point may export", () => {
    const text = `
      declare namespace Limits_2 { export { Limits, Hidden, make_2 as make } }
      export interface Limits {}
      interface Hidden {}
      const make_2: () => Limits_2.Limits;
      export interface Options { readonly limits: Limits_2.Limits; readonly hidden: Limits_2.Hidden }
    `
    expect(found(text)).toEqual(["Hidden by Options"])
    expect(found(text, "Limits_2")).toEqual([])
  })

  test("checks the signatures of the members of an exported namespace", () => {
    const text = `
      declare namespace Plan { export { Plan_2 as Plan, make } }
      interface Plan_2 {}
      interface Hidden {}
      const make: (hidden: Hidden) => Plan_2;
    `
    expect(found(text)).toEqual([])
    expect(found(text, "Plan")).toEqual(["Hidden by make"])
  })

  test("checks the types in the base that a function makes for a class, and in a constant behind typeof", () => {
    expect(
      found(`
        import * as Schema from 'effect/Schema';
        class Cause extends Cause_base {}
        const Cause_base: Schema.Class<Cause>;
        interface Kinds {}
        const kinds: Schema.Literals<Kinds>;
        export class Failure extends Failure_base { readonly kind: typeof kinds.Type; }
        const Failure_base: Schema.Class<Failure, Cause>;
      `),
    ).toEqual(["Cause by Failure", "Kinds by Failure"])
  })
})
