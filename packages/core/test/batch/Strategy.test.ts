import * as Result from "effect/Result"
import { describe, expect, it } from "vitest"
import { choose, type Strategy, type StrategyOffer, type StrategyRequest } from "../../src/batch/Strategy.ts"

const partial: Strategy = { _tag: "partial" }
const atomic: Strategy = { _tag: "atomic" }
const stopAfter = (failures: number): Strategy => ({ _tag: "stop-after", failures })

const offer = (defaultStrategy: Strategy, ...choices: StrategyOffer["choices"]): StrategyOffer => ({
  default: defaultStrategy,
  choices,
})
const everything = offer(partial, "partial", "atomic", "stop-after")

const request = (members: Partial<StrategyRequest>): StrategyRequest => ({
  atomic: undefined,
  stopAfter: undefined,
  ...members,
})

describe("choose", () => {
  it.each<[StrategyOffer, Partial<StrategyRequest>, Strategy]>([
    [offer(partial), {}, partial],
    [offer(atomic), {}, atomic],
    [offer(stopAfter(3)), {}, stopAfter(3)],
    [everything, {}, partial],
    [everything, { atomic: true }, atomic],
    [everything, { atomic: false }, partial],
    [everything, { stopAfter: 1 }, stopAfter(1)],
    [everything, { stopAfter: 500 }, stopAfter(500)],
    [everything, { stopAfter: 2, atomic: false }, stopAfter(2)],
    [offer(partial), { atomic: false }, partial],
    [offer(atomic), { atomic: true }, atomic],
    [offer(atomic, "partial"), { atomic: false }, partial],
    [offer(stopAfter(3)), { atomic: false }, stopAfter(3)],
    [offer(stopAfter(3), "stop-after"), { stopAfter: 5 }, stopAfter(5)],
  ])("of %j, requested as %j, returns %j", (offered, members, expected) => {
    expect(Result.getOrThrow(choose(offered, request(members)))).toEqual(expected)
  })

  it.each<[StrategyOffer, Partial<StrategyRequest>]>([
    [offer(partial), { atomic: true }],
    [offer(partial), { stopAfter: 1 }],
    [offer(partial, "atomic"), { stopAfter: 1 }],
    [offer(partial, "stop-after"), { atomic: true }],
    [offer(atomic), { atomic: false }],
    [offer(stopAfter(3)), { stopAfter: 3 }],
  ])("of %j rejects %j as not offered", (offered, members) => {
    const error = Result.getOrThrow(Result.flip(choose(offered, request(members))))
    expect(error).toMatchObject({ status: 400, reason: { code: "STRATEGY_NOT_OFFERED" } })
    expect(error.message).toContain(offered.default._tag)
  })

  it.each<Partial<StrategyRequest>>([{ atomic: null }, { stopAfter: null }, { atomic: null, stopAfter: null }])(
    "takes the default for %j, because null means absent",
    (members) => {
      expect(Result.getOrThrow(choose(offer(stopAfter(3)), request(members)))).toEqual(stopAfter(3))
    },
  )

  it.each<Partial<StrategyRequest>>([
    { atomic: 1 },
    { atomic: "true" },
    { atomic: [] },
    { stopAfter: 0 },
    { stopAfter: -1 },
    { stopAfter: 1.5 },
    { stopAfter: Number.NaN },
    { stopAfter: Number.POSITIVE_INFINITY },
    { stopAfter: 2 ** 53 },
    { stopAfter: "1" },
    { stopAfter: true },
    { stopAfter: [1] },
    { atomic: true, stopAfter: 1 },
    { atomic: true, stopAfter: 0 },
  ])("rejects %j as invalid even if every strategy is offered", (members) => {
    const error = Result.getOrThrow(Result.flip(choose(everything, request(members))))
    expect(error).toMatchObject({ status: 400, reason: { code: "INVALID_BATCH" } })
    expect(error.message).toMatch(/"atomic"|"stop_after"/)
  })
})
