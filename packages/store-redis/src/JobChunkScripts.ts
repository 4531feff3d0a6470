/**
 * The Lua scripts by which workers run chunks. Each write names its hold, and is refused when another has started since.
 *
 * @since 0.1.0
 */
import { endings, prelude } from "./jobLua.ts"

const hold = `${prelude}
local chunk, mine = ARGV[2], tonumber(ARGV[3])
local letter, epoch, starts, dispatch = stateOf(chunk)
local isMine = isOpen and letter == 'R' and epoch == mine
`

// ARGV: now or '', chunk. Answers nothing, or epoch, starts, first operation, operations, payload, places and texts of
// parts, the job's record.
const start = `${prelude}
local chunk = ARGV[2]
local first, operations = extentOf(chunk)
if not isOpen or not first then return false end
local letter, epoch, starts, dispatch = stateOf(chunk)
if letter == 'S' or letter == 'F' or (not letter and code) then return false end
if letter ~= 'R' then call('HINCRBY', head, 'running', operations) end
enter(chunk, 'R', epoch + 1, starts + 1, dispatch)
call('ZADD', silent, string.format('%d', now), chunk)
if state == 'queued' then call('HSET', head, 'state', 'running', 'updated', string.format('%d', now)) end
return {epoch + 1, starts + 1, first, operations, call('HGET', payloads, chunk), call('HGETALL', parts), record()}`

// ARGV: now or '', chunk, epoch, place, what was kept. Answers whether the hold is good.
const checkpoint = `${hold}
if not isMine then return 0 end
call('HSET', parts, ARGV[4], ARGV[5])
expire(parts, expires - now + day)
call('ZADD', silent, string.format('%d', now), chunk)
return 1`

// ARGV: now or '', chunk, epoch, results, succeeded, failed, skipped, code or '', for how long to keep. Answers nothing where
// it is refused, else whether the job has ended, when it is over, and chunk and dispatch of those that are due.
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
if ARGV[8] ~= '' and not code then stop(ARGV[8]) end
local hasEnded = finish(ARGV[9])
local answer = {hasEnded, string.format('%d', now + ARGV[9])}
local following, count = number('next'), number('chunks')
while following < count and call('HEXISTS', states, following) == 1 do following = following + 1 end
if not code and following < count then
  enter(following, 'W', 0, 0, 0)
  call('ZADD', silent, string.format('%d', now), following)
  answer[3] = tostring(following)
  answer[4] = 0
  following = following + 1
end
call('HSET', head, 'next', following)
return answer`

// ARGV: now or '', chunk, epoch, delay. Answers nothing, or the dispatch that is to be sent.
const postpone = `${hold}
if not isMine then return false end
local first, operations = extentOf(chunk)
enter(chunk, 'W', epoch, starts, dispatch + 1)
call('ZADD', silent, string.format('%d', now + ARGV[4]), chunk)
call('HINCRBY', head, 'running', -operations)
return dispatch + 1`

/** @category constructors @since 0.1.0 */
export const jobChunkScripts = { start, checkpoint, commit, postpone } as const
