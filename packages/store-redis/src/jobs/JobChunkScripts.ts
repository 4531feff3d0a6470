/** The Lua scripts of workers, which run chunks. Each write names its hold, and is refused if the hold is over. */
import { endings, prelude } from "./jobLua.ts"

const hold = `${prelude}
local chunk, heldEpoch = ARGV[2], tonumber(ARGV[3])
local letter, epoch, starts, dispatch, holder = stateOf(chunk)
local isHeld = isOpen and letter == 'R' and epoch == heldEpoch
`

// ARGV: now or '', chunk, dispatch or ''.
// Returns false if the chunk is not given, else epoch, starts, first operation, operations, payload, positions and texts of
// parts, record of the job.
const start = `${prelude}
local chunk = ARGV[2]
local first, operations = extentOf(chunk)
if not isOpen or not isKnown or not first then return false end
local letter, epoch, starts, dispatch, holder = stateOf(chunk)
if letter == 'S' or letter == 'F' or letter == 'H' or (not letter and code) then return false end
local by = tonumber(ARGV[3]) or dispatch
if letter == 'R' and ARGV[3] ~= '' and by ~= holder then return false end
if letter ~= 'R' then call('HINCRBY', head, 'running', operations) end
setState(chunk, 'R', epoch + 1, starts + 1, dispatch, by)
call('ZADD', silent, string.format('%d', now), chunk)
call('HSET', head, 'state', 'running')
call('HDEL', head, 'waits')
touch()
return {epoch + 1, starts + 1, first, operations, call('HGET', payloads, chunk), call('HGETALL', parts), record()}`

// ARGV: now or '', chunk, epoch, position, text of the part. Returns whether the hold is good.
const checkpoint = `${hold}
if not isHeld then return 0 end
for _, at in ipairs(call('HKEYS', parts)) do
  if tonumber(at) >= tonumber(ARGV[4]) then call('HDEL', parts, at) end
end
call('HSET', parts, ARGV[4], ARGV[5])
setState(chunk, 'R', epoch, 1, dispatch, holder)
expire(parts, expires - now + day)
call('ZADD', silent, string.format('%d', now), chunk)
return 1`

// ARGV: now or '', chunk, epoch. Returns whether the hold is good.
const keepAlive = `${hold}
if not isHeld then return 0 end
call('ZADD', silent, string.format('%d', now), chunk)
return 1`

// ARGV: now or '', chunk, epoch, text of the results, succeeded, failed, skipped, failure code of a halt or '', time to keep
// the job.
// Returns false if the hold is over, else whether the job has ended, when it expires, number of ended operations, chunk and
// dispatch of each ref that is due.
const commit = `${hold}${endings}
if not isHeld then return false end
local first, operations = extentOf(chunk)
setState(chunk, ARGV[6] + ARGV[7] > 0 and 'F' or 'S', epoch, starts, dispatch)
call('HSET', results, chunk, ARGV[4])
expire(results, expires - now + day)
call('HDEL', payloads, chunk)
call('UNLINK', parts)
call('ZREM', silent, chunk)
call('HINCRBY', head, 'succeeded', ARGV[5])
call('HINCRBY', head, 'failed', ARGV[6])
call('HINCRBY', head, 'skipped', ARGV[7])
call('HINCRBY', head, 'running', -operations)
call('HINCRBY', head, 'ended', operations)
touch()
if ARGV[8] ~= '' then stop(ARGV[8]) end
local hasEnded = endIfComplete(ARGV[9])
local answer = {hasEnded, string.format('%d', now + ARGV[9]), number('ended')}
local following, count = number('next'), number('chunks')
local nextLetter, nextEpoch, nextStarts, nextDispatch = stateOf(following)
if following < count and (nextLetter == 'W' or (not nextLetter and not code)) then
  setState(following, 'W', nextEpoch, nextStarts, nextDispatch)
  call('ZADD', silent, string.format('%d', now), following)
  answer[4] = tostring(following)
  answer[5] = nextDispatch
end
call('HSET', head, 'next', following + 1)
return answer`

// ARGV: now or '', chunk, epoch, delay, what the chunk waits for or ''. Returns false if the hold is over, else the dispatch to send, and whether the job is
// cancelled.
const postpone = `${hold}
if not isHeld then return false end
local first, operations = extentOf(chunk)
setState(chunk, 'W', epoch, starts - 1, dispatch + 1)
local isCancelled = call('HEXISTS', head, 'cancelled')
call('ZADD', silent, string.format('%d', isCancelled == 1 and 0 or now + ARGV[4]), chunk)
call('HINCRBY', head, 'running', -operations)
if ARGV[5] == 'quota' and isCancelled == 0 then call('HSET', head, 'waits', string.format('%d', now + ARGV[4])) end
return {dispatch + 1, isCancelled}`

export const jobChunkScripts = { start, checkpoint, keepAlive, commit, postpone } as const
