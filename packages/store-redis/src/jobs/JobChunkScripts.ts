/**
 * The Lua scripts by which workers run chunks. Each write names its hold, and is refused when another has started since.
 */
import { endings, prelude } from "./jobLua.ts"

const hold = `${prelude}
local chunk, mine = ARGV[2], tonumber(ARGV[3])
local letter, epoch, starts, dispatch, holder = stateOf(chunk)
local isMine = isOpen and letter == 'R' and epoch == mine
`

// ARGV: now or '', chunk, dispatch or ''. Answers nothing, or epoch, starts, first operation, operations, payload, places and texts of
// parts, the job's record.
const start = `${prelude}
local chunk = ARGV[2]
local first, operations = extentOf(chunk)
if not isOpen or not isKnown or not first then return false end
local letter, epoch, starts, dispatch, holder = stateOf(chunk)
if letter == 'S' or letter == 'F' or letter == 'H' or (not letter and code) then return false end
local by = tonumber(ARGV[3]) or dispatch
if letter == 'R' and ARGV[3] ~= '' and by ~= holder then return false end
if letter ~= 'R' then call('HINCRBY', head, 'running', operations) end
enter(chunk, 'R', epoch + 1, starts + 1, dispatch, by)
call('ZADD', silent, string.format('%d', now), chunk)
call('HSET', head, 'state', 'running')
touch()
return {epoch + 1, starts + 1, first, operations, call('HGET', payloads, chunk), call('HGETALL', parts), record()}`

// ARGV: now or '', chunk, epoch, place, what was kept. Answers whether the hold is good.
const checkpoint = `${hold}
if not isMine then return 0 end
for _, at in ipairs(call('HKEYS', parts)) do
  if tonumber(at) >= tonumber(ARGV[4]) then call('HDEL', parts, at) end
end
call('HSET', parts, ARGV[4], ARGV[5])
-- It gets somewhere: whoever dies over it from now on is another one.
enter(chunk, 'R', epoch, 1, dispatch, holder)
expire(parts, expires - now + day)
call('ZADD', silent, string.format('%d', now), chunk)
return 1`

// ARGV: now or '', chunk, epoch. Answers whether the hold is good.
const keepAlive = `${hold}
if not isMine then return 0 end
call('ZADD', silent, string.format('%d', now), chunk)
return 1`

// ARGV: now or '', chunk, epoch, results, succeeded, failed, skipped, code or '', for how long to keep. Answers nothing where
// it is refused, else whether the job has ended, when it is over, how many of its operations have ended, and chunk and
// dispatch of those that are due.
const commit = `${hold}${endings}
if not isMine then return false end
local first, operations = extentOf(chunk)
local lost = ARGV[6] + ARGV[7]
enter(chunk, lost > 0 and 'F' or 'S', epoch, starts, dispatch)
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
local hasEnded = finish(ARGV[9])
local answer = {hasEnded, string.format('%d', now + ARGV[9]), number('ended')}
local following, count = number('next'), number('chunks')
local nextLetter, nextEpoch, nextStarts, nextDispatch = stateOf(following)
if following < count and (nextLetter == 'W' or (not nextLetter and not code)) then
  enter(following, 'W', nextEpoch, nextStarts, nextDispatch)
  call('ZADD', silent, string.format('%d', now), following)
  answer[4] = tostring(following)
  answer[5] = nextDispatch
end
call('HSET', head, 'next', following + 1)
return answer`

// ARGV: now or '', chunk, epoch, delay. Answers nothing, or the dispatch that is to be sent and whether the job is to stop.
const postpone = `${hold}
if not isMine then return false end
local first, operations = extentOf(chunk)
enter(chunk, 'W', epoch, starts - 1, dispatch + 1)
local isCancelled = call('HEXISTS', head, 'cancelled')
call('ZADD', silent, string.format('%d', isCancelled == 1 and 0 or now + ARGV[4]), chunk)
call('HINCRBY', head, 'running', -operations)
return {dispatch + 1, isCancelled}`

export const jobChunkScripts = { start, checkpoint, keepAlive, commit, postpone } as const
