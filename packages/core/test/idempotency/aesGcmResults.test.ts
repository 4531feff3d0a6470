import { describe, expect, it } from "vitest"
import { aesGcmResults } from "../../src/idempotency/aesGcmResults.ts"

const secret = new Uint8Array(32).fill(7)
const codec = aesGcmResults(secret)

const decode = async (text: string) => {
  try {
    return await codec.decode(text, "place")
  } catch {
    return "refused"
  }
}

/** Returns the text with one character changed, for each character. */
const changed = (text: string) =>
  Array.from(text, (character, at) => text.slice(0, at) + (character === "A" ? "B" : "A") + text.slice(at + 1)).filter(
    (other) => other !== text,
  )

const lastOf = (text: string) => text.replace(/=+$/, "").at(-1)

describe("aesGcmResults", () => {
  it.each([["{}"], [""], ["é😀\ud83d\ude00"], ["\ufeff1{}"], ["x".repeat(100_000)]])(
    "decodes what it encoded: %#",
    async (text) => {
      const sealed = await codec.encode(text, "place")
      expect(await codec.decode(sealed, "place")).toBe(text)
    },
  )

  it("encodes the same text differently each time, as ASCII without the text in it", async () => {
    const sealed = await Promise.all(Array.from({ length: 100 }, () => codec.encode(`{"name":"Alice"}`, "place")))
    expect(new Set(sealed).size).toBe(100)
    for (const text of sealed) expect(text).toMatch(/^a1\.[A-Za-z0-9+/=]+$/)
  })

  it("rejects a text in another place, with another secret, or with any change", async () => {
    const sealed = await codec.encode(`{"name":"Alice"}`, "place")
    await expect(codec.decode(sealed, "place/0")).rejects.toThrow()
    await expect(aesGcmResults(new Uint8Array(32)).decode(sealed, "place")).rejects.toThrow()
    for (const other of changed(sealed)) {
      // The last character of base64 before its padding may have unused bits.
      const decoded = await decode(other)
      const isLast = lastOf(other) !== lastOf(sealed)
      expect(["refused", isLast ? `{"name":"Alice"}` : "refused"]).toContain(decoded)
    }
    for (let end = 0; end < sealed.length; end++) {
      const decoded = await decode(sealed.slice(0, end))
      expect(["refused", sealed.slice(end).endsWith("=") ? `{"name":"Alice"}` : "refused"]).toContain(decoded)
    }
  })

  it.each([["1{}"], ["a2.AAAA"], ["a1."], ["a1.%%%"], [""]])("rejects %j", async (text) => {
    await expect(codec.decode(text, "place")).rejects.toThrow()
  })

  it("accepts a key of Web Crypto, which decodes what the same bytes encoded", async () => {
    const key = await crypto.subtle.importKey("raw", secret, "AES-GCM", false, ["encrypt", "decrypt"])
    expect(await aesGcmResults(key).decode(await codec.encode("text", "place"), "place")).toBe("text")
  })

  it("does not depend on the bytes of the secret after it was made", async () => {
    const bytes = new Uint8Array(32).fill(7)
    const own = aesGcmResults(bytes)
    bytes.fill(0)
    expect(await codec.decode(await own.encode("text", "place"), "place")).toBe("text")
  })

  it.each([0, 16, 24, 31, 33, 64])("refuses a secret of %i bytes", (length) => {
    expect(() => aesGcmResults(new Uint8Array(length))).toThrow(`this one has ${length}`)
  })

  it("refuses keys of another algorithm, length or usage", async () => {
    const generate = (algorithm: object, usages: ReadonlyArray<string>) =>
      crypto.subtle.generateKey(algorithm as AesKeyGenParams, false, usages as Array<"encrypt">) as Promise<CryptoKey>
    const short = await generate({ name: "AES-GCM", length: 128 }, ["encrypt", "decrypt"])
    const other = await generate({ name: "AES-CBC", length: 256 }, ["encrypt", "decrypt"])
    const half = await generate({ name: "AES-GCM", length: 256 }, ["encrypt"])
    expect(() => aesGcmResults(short)).toThrow("256 bits")
    expect(() => aesGcmResults(other)).toThrow("AES-GCM")
    expect(() => aesGcmResults(half)).toThrow("encrypt and decrypt")
  })
})
