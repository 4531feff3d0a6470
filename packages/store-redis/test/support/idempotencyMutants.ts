/** Puts one mistake at a time into a script of the idempotency store, which its contract has to find. */
import { IdempotencyStoreContract } from "@multistatus/core/testing"
import { describe, expect, it } from "vitest"
import { type IdempotencyScripts, idempotencyScripts } from "../../src/idempotency/IdempotencyScripts.ts"
import { redisBackend, serverClockBackend } from "./backends.ts"

/** What is replaced by what in a script. */
export type Mutant = readonly [script: keyof IdempotencyScripts, from: string, to: string]

/** Each is one mistake that somebody could make in a script. */
export const mutants: ReadonlyArray<Mutant> = [
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
  ["acquire", "left > 0", "left >= 0"],
  ["acquire", "left > 0", "left > 1"],
  ["acquire", "left > 0", "true"],
  ["acquire", "sub(record, 32, 74) ~= sub(claimed, 32, 74)", "false"],
  [
    "acquire",
    "sub(record, 32, 74) ~= sub(claimed, 32, 74)",
    "state ~= 'D' and sub(record, 32, 74) ~= sub(claimed, 32, 74)",
  ],
  [
    "acquire",
    "sub(record, 32, 74) ~= sub(claimed, 32, 74)",
    "state == 'D' and sub(record, 32, 74) ~= sub(claimed, 32, 74)",
  ],
  ["acquire", "sub(record, 10, 31) == owner", "false"],
  ["acquire", "sub(record, 10, 31) == owner", "true"],
  ["acquire", "state == 'D'", "false"],
  ["acquire", "state == 'R'", "false"],
  ["acquire", "state == 'R'", "state == 'R' and sub(record, 32, 74) == sub(claimed, 32, 74)"],
  ["acquire", "state == 'H'", "false"],
  ["acquire", "state == 'H'", "sub(claimed, 1, 1) == 'H'"],
  ["acquire", "answer(i, 6)", "answer(i, 6) claim(fence, nothing, '')"],
  ["acquire", "claim(fence + 1, sub(record, 101, 110)", "claim(fence, sub(record, 101, 110)"],
  ["acquire", "claim(fence + 1, sub(record, 101, 110)", "claim(fence + 1, nothing"],
  ["acquire", "sub(record, 101, 110), sub(record, 111))", "sub(record, 101, 110), '')"],
  ["acquire", "claim(fence + 1, nothing, '')", "claim(1, nothing, '')"],
  ["acquire", "redis.call('SETRANGE', key, 74, times)", ""],
  ["acquire", "local record = sub(claimed, 1, 1) ..", "local record = 'P' .."],
  ["acquire", "sub(claimed, 10, 100) .. units .. journal", "sub(claimed, 10, 110) .. journal"],
  ["acquire", "ARGV[4 + i]", "ARGV[5]"],
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
  ["settle", "redis.call('SET', key, told, 'PX', resultTtl)", ""],
  ["settle", "sub(told, 2, 74) ~= claimed", "false"],
  ["settle", "'D' .. claimed .. sub(told, 75)", "'D00000001' .. sub(claimed, 9) .. sub(told, 75)"],
  [
    "settle",
    "redis.call('SET', key, 'R' .. sub(head, 2, 74) .. times .. nothing, 'PX', ttl)",
    "redis.call('DEL', key)",
  ],
  ["settle", "'R' .. sub(head, 2, 74)", "'R00000001' .. sub(head, 10, 74)"],
  ["settle", "redis.call('SETRANGE', key, 74, times .. units)", ""],
  ["settle", "times .. units", "times .. sub(head, 101, 110)"],
  ["settle", "answer ~= 3", "answer == 0"],
  ["settle", "answer ~= 3", "true"],
  ["settle", "tonumber(units) == done and", "true and"],
  ["settle", "redis.call('GETRANGE', key, -#text, -1) == text", "true"],
  ["settle", "tonumber(units) ~= tonumber(at)", "false"],
  ["settle", "local done = at + length", "local done = at + #text"],
  ["settle", "return 1, units", "return 0, units"],
  ["settle", "records[i]", "records[1]"],
  ["settle", "{i, answer}", "{1, answer}"],
  // Looking and deciding.
  ["peek", "lease - (now or time())", "lease"],
  ["resolve", "sub(head, 1, 1) ~= 'H'", "head == ''"],
  ["resolve", "> 0 then return 0", ">= 0 then return 0"],
  ["resolve", "> 0 then return 0", "> 1 then return 0"],
  ["resolve", "string.rep('.', 22)", "sub(head, 10, 31)"],
  ["resolve", "nobodys .. times", "nobodys .. sub(head, 75, 100)"],
  ["resolve", "nobodys .. sub(head, 75, 100)", "nobodys .. sub(head, 75, 87) .. sub(head, 75, 87)"],
  ["resolve", "sub(head, 2, 9)", "'00000001'"],
]

/** Mistakes that only show when the server keeps the time. */
export const clockMutants: ReadonlyArray<Mutant> = [
  ["acquire", "or left - lease", "or left"],
  ["acquire", "or left - lease", "or lease"],
  ["resolve", "or left - lease", "or 0"],
  ["acquire", "redis.call('PEXPIRE', key, ttl)", ""],
  ["settle", "redis.call('PEXPIRE', key, ttl)", ""],
  ["settle", "'PX', resultTtl)\n    return 0", "'PX', ttl)\n    return 0"],
  ["settle", "'PX', resultTtl)\n      return 2", "'PX', ttl)\n      return 2"],
  ["settle", "nothing, 'PX', ttl)", "nothing, 'PX', resultTtl)"],
  ["resolve", "'KEEPTTL'", "'PX', 1"],
  ["resolve", "'PX', ttl)", "'KEEPTTL')"],
]

/** A difference ends the check; some mistakes make one only now and then. */
const commands = 60_000

/** The same commands each time: a mistake that is found once is always found. */
const seed = 1

const expectFound = async ([script, from, to]: Mutant, backendOf: typeof redisBackend) => {
  const text = idempotencyScripts[script].replace(from, () => to)
  expect(text).not.toBe(idempotencyScripts[script])
  const backend = await backendOf({ ...idempotencyScripts, [script]: text })
  const difference = await IdempotencyStoreContract.check(backend, { commands, seed, shrinks: false }).then(
    () => "none",
    (error: Error) => String(error.cause),
  )
  // An error of Lua would prove nothing.
  expect(difference).toContain("answers differently")
  await backend.close?.()
}

/** Declares a test for each of these mistakes. */
export const mutantTests = (given: typeof mutants, givenClock: typeof clockMutants): void => {
  describe("the scripts", () => {
    it.each(given)("disagree with the model after this change to %s: %s → %s", { timeout: 120_000 }, (...mutant) =>
      expectFound(mutant, redisBackend),
    )

    it.each(givenClock)(
      "disagree with it by the server's clock after this change to %s: %s → %s",
      { timeout: 120_000 },
      (...mutant) => expectFound(mutant, serverClockBackend),
    )
  })
}
