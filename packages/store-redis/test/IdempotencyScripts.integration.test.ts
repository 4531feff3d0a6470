import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { describe, expect, it } from "vitest"
import { type IdempotencyScripts, idempotencyScripts } from "../src/IdempotencyScripts.ts"
import { redisBackend } from "./support/backends.ts"

type Mutant = readonly [script: keyof IdempotencyScripts, from: string, to: string]

/** Each is one mistake that somebody could make in a script. */
const mutants: ReadonlyArray<Mutant> = [
  // The clock.
  ["acquire", "<= now\nend", "< now\nend"],
  ["acquire", "<= now\nend", "< 0\nend"],
  ["settle", "<= now\nend", "< now\nend"],
  ["settle", "<= now\nend", "< 0\nend"],
  ["peek", "<= now\nend", "< now\nend"],
  ["resolve", "<= now\nend", "< now\nend"],
  ["acquire", "local now = tonumber(ARGV[1])", "local now = nil"],
  // Claiming.
  ["acquire", "ttl, 'NX')", "ttl)"],
  ["acquire", "mode .. first", "'P' .. first"],
  ["acquire", "'00000001' .. owner", "'00000002' .. owner"],
  ["acquire", "left > 0", "left >= 0"],
  ["acquire", "left > 0", "left > 1"],
  ["acquire", "left > 0", "true"],
  ["acquire", "sub(record, 32, 74) ~= fingerprint", "false"],
  ["acquire", "sub(record, 32, 74) ~= fingerprint", "state ~= 'D' and sub(record, 32, 74) ~= fingerprint"],
  ["acquire", "sub(record, 32, 74) ~= fingerprint", "state == 'D' and sub(record, 32, 74) ~= fingerprint"],
  ["acquire", "sub(record, 10, 31) == owner", "false"],
  ["acquire", "sub(record, 10, 31) == owner", "true"],
  ["acquire", "state == 'D'", "false"],
  ["acquire", "state == 'R'", "false"],
  ["acquire", "state == 'R'", "state == 'R' and sub(record, 32, 74) == fingerprint"],
  ["acquire", "state == 'H'", "false"],
  ["acquire", "state == 'H'", "mode == 'H'"],
  ["acquire", "answer(i, 6)", "answer(i, 6) claim(fence, nothing, '')"],
  ["acquire", "claim(fence + 1, sub(record, 101, 110)", "claim(fence, sub(record, 101, 110)"],
  ["acquire", "claim(fence + 1, sub(record, 101, 110)", "claim(fence + 1, nothing"],
  ["acquire", "sub(record, 101, 110), sub(record, 111))", "sub(record, 101, 110), '')"],
  ["acquire", "claim(fence + 1, nothing, '')", "claim(1, nothing, '')"],
  ["acquire", "redis.call('SETRANGE', key, 74, times)", ""],
  ["acquire", "stamp(now + lease, now + ttl)", "stamp(now + lease, now + lease)"],
  ["acquire", "stamp(now + lease, now + ttl)", "stamp(now + ttl, now + ttl)"],
  ["acquire", "local record = mode ..", "local record = 'P' .."],
  ["acquire", "44 * i - 43, 44 * i - 43)", "1, 1)"],
  ["acquire", "sub(marks, 44 * i - 42, 44 * i)", "sub(marks, 2, 44)"],
  ["acquire", "answer(i, 4, left)", "answer(i, 4, left) redis.call('SETRANGE', key, 74, times)"],
  ["acquire", "answer(i, 3, 0,", "redis.call('SETRANGE', key, 74, times) answer(i, 3, 0,"],
  [
    "acquire",
    "answer(i, 5)\n    elseif state",
    "answer(i, 5) redis.call('SETRANGE', key, 74, times)\n    elseif state",
  ],
  // Settling.
  ["settle", "sub(head, 10, 31) ~= owner", "false"],
  ["settle", "sub(head, 10, 31) ~= owner", "state ~= 'R' and sub(head, 10, 31) ~= owner"],
  ["settle", "sub(head, 10, 31) ~= owner", "state ~= 'D' and sub(head, 10, 31) ~= owner"],
  ["settle", "sub(head, 10, 31) ~= owner", "todo ~= 'E' and sub(head, 10, 31) ~= owner"],
  ["settle", "sub(head, 10, 31) ~= owner", "todo ~= 'R' and sub(head, 10, 31) ~= owner"],
  ["settle", "elseif state == 'D' then", "elseif false then"],
  ["settle", "elseif state == 'R' then", "elseif false then"],
  ["settle", "todo == 'C' and 1 or 3", "3"],
  ["settle", "todo == 'C' and 1 or 3", "1"],
  ["settle", "todo == 'R' and 1 or 3", "3"],
  ["settle", "todo == 'R' and 1 or 3", "1"],
  ["settle", "return 2", "return 0"],
  ["settle", "apply(key, todo, 'D00000001' .. owner .. sub(told, 2, 44), text)", ""],
  ["settle", "'D00000001' .. owner", "'D00000002' .. owner"],
  [
    "settle",
    "redis.call('SET', key, 'R' .. sub(head, 2, 74) .. stamp(now, now + ttl) .. nothing, 'PX', ttl)",
    "redis.call('DEL', key)",
  ],
  ["settle", "'R' .. sub(head, 2, 74)", "'R00000001' .. sub(head, 10, 74)"],
  ["settle", "stamp(now, now + ttl)", "stamp(now, now + resultTtl)"],
  ["settle", "stamp(now, now + resultTtl)", "stamp(now, now + ttl)"],
  ["settle", "stamp(now + lease, now + ttl)", "stamp(now + lease, now + lease)"],
  ["settle", "redis.call('SETRANGE', key, 74, extended .. units)", ""],
  ["settle", "extended .. units", "extended .. sub(head, 101, 110)"],
  ["settle", "answer ~= 3", "answer == 0"],
  ["settle", "answer ~= 3", "true"],
  ["settle", "tonumber(units) == done and", "true and"],
  ["settle", "redis.call('GETRANGE', key, -#text, -1) == text", "true"],
  ["settle", "tonumber(units) ~= tonumber(at)", "false"],
  ["settle", "local done = at + length", "local done = at + #text"],
  ["settle", "return 1, units", "return 0, units"],
  ["settle", "sub(told, 2, 44), text", "string.rep('x', 43), text"],
  ["settle", "records[i]", "records[1]"],
  ["settle", "{i, answer}", "{1, answer}"],
  // Looking and deciding.
  ["peek", "tonumber(sub(head, 75, 87)) - now", "tonumber(sub(head, 75, 87))"],
  ["resolve", "sub(head, 1, 1) ~= 'H'", "head == ''"],
  ["resolve", "> now then return 0", ">= now then return 0"],
  ["resolve", "> now then return 0", "> now + 1 then return 0"],
  ["resolve", "string.rep('.', 22)", "sub(head, 10, 31)"],
  ["resolve", "now + ttl", "tonumber(sub(head, 88, 100))"],
  ["resolve", "local over = tonumber(sub(head, 88, 100))", "local over = now + 1"],
  ["resolve", "sub(head, 2, 9)", "'00000001'"],
]

const commands = 12_000

describe("the scripts", () => {
  it("agree with the model, which is how mistakes in them are found", { timeout: 120_000 }, async () => {
    const backend = await redisBackend()
    await IdempotencyStoreContract.check(backend, { commands: 1_200 })
    await backend.close?.()
  })

  it.each(mutants)("are not correct with this mistake: %s: %s → %s", { timeout: 120_000 }, async (script, from, to) => {
    const text = idempotencyScripts[script].replace(from, () => to)
    expect(text).not.toBe(idempotencyScripts[script])
    const backend = await redisBackend({ ...idempotencyScripts, [script]: text })
    const difference = await IdempotencyStoreContract.check(backend, { commands, shrinks: false }).then(
      () => "none",
      (error: Error) => String(error.cause),
    )
    // And not an error of Lua, which would prove nothing.
    expect(difference).toContain("answers differently")
    await backend.close?.()
  })
})
