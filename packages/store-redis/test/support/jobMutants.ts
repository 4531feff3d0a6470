/** Puts one mistake at a time into a script of the job store, which has to change the answers to random commands. */
import { JobStoreContract } from "@multistatus/core/testing"
import { freshDatabase } from "@multistatus/test-services"
import { afterAll, beforeAll, describe, expect, inject, it } from "vitest"
import type { Redis } from "ioredis"
import { checkRedis } from "../../src/connection/checkRedis.ts"
import { type JobScripts, jobScripts } from "../../src/jobs/JobScripts.ts"
import { redisClient } from "../../src/connection/redisClient.ts"
import { makeJobStore } from "../../src/jobs/redisJobStore.ts"

const { transcriptOf } = JobStoreContract

/** What is replaced by what in a script. */
export type Mutant = readonly [script: keyof JobScripts, from: string, to: string]

/** Each is one mistake that somebody could make in a script. */
export const mutants: ReadonlyArray<Mutant> = [
  // Holds
  ["checkpoint", "epoch == heldEpoch", "true"],
  ["commit", "epoch == heldEpoch", "true"],
  ["postpone", "epoch == heldEpoch", "true"],
  ["commit", "letter == 'R' and epoch", "epoch"],
  ["checkpoint", "letter == 'R' and epoch", "epoch"],
  ["postpone", "letter == 'R' and epoch", "epoch"],
  ["commit", "isOpen and letter", "isKnown and letter"],
  ["start", "epoch + 1, starts + 1, dispatch, by)", "epoch, starts + 1, dispatch, by)"],
  ["start", "letter == 'R' and ARGV[3] ~= '' and by ~= holder", "false"],
  ["start", "letter == 'R' and ARGV[3] ~= '' and by ~= holder", "letter == 'R' and ARGV[3] ~= '' and by ~= dispatch"],
  ["start", "letter == 'R' and ARGV[3] ~= ''", "ARGV[3] ~= ''"],
  ["start", "tonumber(ARGV[3]) or dispatch", "dispatch"],
  ["start", "not isOpen or not isKnown", "not isKnown"],
  ["start", "not isOpen or not isKnown", "not isOpen"],
  ["start", "letter == 'S' or ", ""],
  ["start", "letter == 'F' or ", ""],
  ["start", "(not letter and code)", "false"],
  ["start", "if letter ~= 'R' then", "if true then"],
  ["start", "'state', 'running')\ntouch()", "'state', 'running')"],
  ["start", "call('ZADD'", "tostring('ZADD'"],
  ["checkpoint", "call('ZADD'", "tostring('ZADD'"],
  ["checkpoint", "call('HSET', parts, ARGV[4], ARGV[5])", ""],
  ["checkpoint", ">= tonumber(ARGV[4])", "< 0"],
  ["checkpoint", "setState(chunk, 'R', epoch, 1, dispatch, holder)", ""],
  ["postpone", "starts - 1", "starts"],
  // The end of a chunk and of a job
  ["commit", "ARGV[6] + ARGV[7] > 0 and 'F' or 'S'", "'S'"],
  ["commit", "call('ZREM', silent, chunk)\ncall('HINCRBY'", "call('HINCRBY'"],
  ["commit", "call('HINCRBY', head, 'skipped', ARGV[7])", ""],
  ["commit", "call('HINCRBY', head, 'running', -operations)", ""],
  ["commit", "if ARGV[8] ~= '' then", "if false then"],
  ["commit", "(not nextLetter and not code)", "not nextLetter"],
  ["commit", "following + 1", "following"],
  [
    "commit",
    "'skipped', total - running - startedOperations - ended",
    "'skipped', total - running - startedOperations",
  ],
  ["commit", "'ended', total - running - startedOperations", "'ended', total - running"],
  ["commit", "'skipped', total - running - startedOperations", "'skipped', total - running"],
  ["cancel", "call('EXISTS', head .. ':parts:' .. chunk) == 1", "false"],
  ["cancel", "if reason == 'CANCELLED' then", "if false then"],
  ["commit", "'ended', total - running", "'ended', total"],
  ["commit", "isCancelled and 'cancelled' or", ""],
  ["commit", "unsuccessful == 0 and 'succeeded' or", ""],
  ["commit", "succeeded == 0 and 'failed' or", ""],
  ["postpone", "dispatch + 1)", "dispatch)"],
  ["postpone", "isCancelled == 1 and 0 or ", ""],
  ["postpone", "call('HINCRBY', head, 'running', -operations)", ""],
  ["postpone", "now + ARGV[4]", "now"],
  // Submitting a job
  ["put", "== 1 then\n  call", ">= 0 then\n  call"],
  ["put", "or state ~= 'uploading'", ""],
  ["accept", "if state ~= 'uploading' then", "if false then"],
  ["accept", "math.min(count, tonumber(ARGV[4]))", "count"],
  ["discard", "if state and state ~= 'uploading'", "if false"],
  ["reserve", "queued + total > maxOperations", "queued + total >= maxOperations"],
  ["reserve", "queued + total > maxOperations", "queued > maxOperations"],
  ["reserve", ">= maxJobs", "> maxJobs"],
  ["reserve", "otherFingerprint == fingerprint and 1 or 0", "1"],
  ["reserve", "call('HINCRBY', counts, 'q', total)", ""],
  ["reserve", "call('ZADD'", "tostring('ZADD'"],
  ["track", "if record.counts then", "if text then"],
  ["track", "record.counts = false", ""],
  ["track", "record.left = left", ""],
  ["track", "state ~= 'open' and 0 or", ""],
  ["track", "call('HDEL', names, record.key)", ""],
  ["track", "if expires ~= '' then call('ZADD'", "if expires ~= '' then tostring('ZADD'"],
  ["track", "call('HINCRBY', counts, record.tenant, -1) == 0", "false"],
  // Cancelling, reading and deleting jobs
  ["cancel", "if not isOpen then return {0, '', '', ''} end", ""],
  ["cancel", "if code then\n        setState", "if false then\n        setState"],
  ["cancel", "call('HSET', head, 'cancelled', 1)", ""],
  ["cancel", "elseif letter == 'W' then", "else"],
  ["isCancelled", "return call('HEXISTS', head, 'cancelled')", "return 0"],
  ["isCancelled", "return 1", "return 0"],
  ["results", "letter == 'W' or ", ""],
  ["results", "letter == 'R' or ", ""],
  ["results", "(not letter and not code)", "false"],
  ["results", "not letter or letter == 'H'", "not letter"],
  ["results", "not onlyFailed or letter ~= 'S'", "true"],
  ["results", "not onlyFailed or letter ~= 'S'", "not onlyFailed or letter == 'F'"],
  ["results", "#found < limit", "#found <= limit"],
  ["overdue", "now - ARGV[2] * factor", "now"],
  ["overdue", "dispatch + 1, dispatch + 1)", "dispatch, dispatch + 1)"],
  ["overdue", "dispatch + 1, dispatch + 1)", "dispatch + 1, dispatch)"],
  ["overdue", "letter == 'R' and 1 or", "1 or"],
  ["overdue", "math.min(dispatch, 4)", "dispatch"],
  ["overdue", "call('ZADD'", "tostring('ZADD'"],
  ["forget", "if expiry > now then", "if true then"],
  ["find", "if not isKnown then", "if state == 'forgotten' then"],
  ["find", "or state == 'uploading'", ""],
]

/** The random commands that find mistakes. */
export interface MutantOptions {
  readonly seeds: ReadonlyArray<number>
  /** Commands for each seed. */
  readonly commands: number
}

/** Declares a test for each of these mistakes; returns the answers of the scripts without a mistake, once they have run. */
export const mutantTests = (given: typeof mutants, { seeds, commands }: MutantOptions): ReadonlyArray<string> => {
  const expected: Array<string> = []
  describe("the scripts", () => {
    let client: Redis
    let stores = 0

    const answers = async function* (scripts: JobScripts): AsyncGenerator<string> {
      for (const seed of seeds) yield* transcriptOf(makeJobStore(client, `store ${stores++}`, scripts), commands, seed)
    }

    beforeAll(async () => {
      client = redisClient(await freshDatabase(inject("redisUrl")))
      await checkRedis(client)
      for await (const answer of answers(jobScripts)) expected.push(answer)
    })
    afterAll(() => client.disconnect())

    it("answer the same to the same commands", async () => {
      let line = 0
      for await (const answer of answers(jobScripts)) expect(answer).toBe(expected[line++])
      expect(expected.join()).not.toContain("ERR")
    })

    it.each(given)("answer differently after this change to %s: %s → %s", async (script, from, to) => {
      const text = jobScripts[script].replace(from, () => to)
      expect(text).not.toBe(jobScripts[script])
      let line = 0
      for await (const answer of answers({ ...jobScripts, [script]: text })) {
        // An error of the compiler would prove nothing.
        expect(answer).not.toContain("compiling")
        if (answer !== expected[line++]) return
      }
      expect.fail("All answers are the same")
    })
  })
  return expected
}
