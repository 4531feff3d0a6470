import { describe, expect, it } from "vitest"

import { cities, faultOf } from "../src/cities.ts"

describe("cities", () => {
  const rows = [...cities()]

  it("are more than 100,000, and the same at every call", () => {
    expect(rows.length).toBeGreaterThan(100_300)
    expect([...cities(1000)]).toEqual(rows.slice(0, 1000))
  })

  it("have a valid, unique email unless they have a fault", () => {
    const sound = rows.filter((_, index) => faultOf(index + 1) === undefined)
    for (const { email } of sound)
      expect(email).toMatch(/^[a-z0-9]([a-z0-9-]{0,38}[a-z0-9])?\.[a-z]{2}\.\d+@cities\.example$/)
    expect(new Set(sound.map(({ email }) => email)).size).toBe(sound.length)
    for (const { name } of sound) expect(name).not.toBe("")
  })

  it("have numbers for coordinates", () => {
    for (const { lat, lng } of rows) expect(Math.abs(lat) <= 90 && Math.abs(lng) <= 180).toBe(true)
  })

  it("have the faults that faultOf describes", () => {
    expect(rows[999]?.email).toMatch(/^[^@]+ at cities\.example$/)
    expect(rows[499]?.name).toBe("")
    expect(rows[249]?.email).toBe(rows[0]?.email)
    expect(rows[749]?.email).not.toBe(rows[0]?.email)
    expect(rows[6749]?.email).toBe(rows[1000]?.email)
    const first = new Map<string, number>()
    const doubled = rows.flatMap(({ email }, index) => {
      if (first.has(email)) return [index + 1]
      first.set(email, index + 1)
      return []
    })
    expect(doubled).toEqual(rows.flatMap((_, index) => (faultOf(index + 1)?.code === "DUPLICATE" ? [index + 1] : [])))
  })
})
