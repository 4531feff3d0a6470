import * as Duration from "effect/Duration"
import { describe, expect, it } from "vitest"
import { checkOptions } from "../../src/options/checkOptions.ts"
import { duration, longestTimer, toMillis } from "../../src/options/DurationInput.ts"

const check = (value: unknown, bounds?: Parameters<typeof duration>[0]) => () =>
  checkOptions({ ttl: { type: duration(bounds), page: "limits.md" } }, { ttl: value })

const message = `"ttl" must be a duration such as "30 seconds" or milliseconds`

describe("a duration", () => {
  it.each([
    [1, 1],
    [30_000, 30_000],
    ["250 millis", 250],
    ["1 second", 1_000],
    ["1.5 seconds", 1_500],
    ["2 minutes", 120_000],
    ["1 day", 86_400_000],
    ["2 weeks", 1_209_600_000],
    [Duration.seconds(5), 5_000],
  ])("may be %s", (value, milliseconds) => {
    expect(check(value)).not.toThrow()
    expect(toMillis(value)).toBe(milliseconds)
  })

  it.each([
    -5,
    0.5,
    Number.NaN,
    Number.POSITIVE_INFINITY,
    null,
    true,
    {},
    [1, 0],
    10n,
    "",
    "soon",
    "30",
    "30s",
    "-1 seconds",
    "1.5 millis",
    "Infinity",
    Duration.infinity,
  ])("cannot be %s", (value) => {
    expect(check(value)).toThrow(message)
  })

  it("has bounds, which the message names", () => {
    expect(check(0)).toThrow(`${message}; got 0. The minimum is 1ms`)
    expect(check(longestTimer)).not.toThrow()
    expect(check("25 days")).toThrow(`${message}; got "25 days". The maximum is 24d 20h 31m 23s 647ms`)
    const bounds = { minimum: 100, maximum: 3_600_000 }
    expect(check("99 millis", bounds)).toThrow(`${message}; got "99 millis". The minimum is 100ms`)
    expect(check(3_600_001, bounds)).toThrow(`${message}; got 3600001. The maximum is 1h`)
    expect(check("100 millis", bounds)).not.toThrow()
    expect(check("1 hour", bounds)).not.toThrow()
  })
})
