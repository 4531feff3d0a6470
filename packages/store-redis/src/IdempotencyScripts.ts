/**
 * The Lua scripts of the idempotency store, and what they write.
 *
 * **Details** A record is one string: a head of 110 characters, then the journal or the result.
 *
 * | characters | |
 * |---|---|
 * | 1 | state: `P` pending, `H` held, `D` done, `R` released |
 * | 2–9 | fence |
 * | 10–31 | owner; dots where it is nobody's any more |
 * | 32–74 | fingerprint |
 * | 75–87 | when the lease ends, in milliseconds since 1970 |
 * | 88–100 | when the record is over: Redis expires it then, but a test has clocks of its own |
 * | 101–110 | length of the journal in UTF-16 code units, which Lua, counting bytes, could not know |
 *
 * A record that is damaged frees no key: it counts as another use of it.
 *
 * @since 0.1.0
 */

/** @category models @since 0.1.0 */
export interface IdempotencyScripts {
  readonly acquire: string
  readonly settle: string
  readonly peek: string
  readonly resolve: string
}

const clock = `local now = tonumber(ARGV[1])
if not now then
  local time = redis.call('TIME')
  now = time[1] * 1000 + math.floor(time[2] / 1000)
end
local sub, call = string.sub, redis.call
local nothing = '0000000000'
local function stamp(lease, over) return string.format('%013d%013d', lease, over) end
local function isOver(record)
  return #record >= 110 and (tonumber(sub(record, 88, 100)) or math.huge) <= now
end
`

/** What `acquire` answers, by number. @category models @since 0.1.0 */
export const acquired = ["fresh", "taken-over", "mine", "replay", "in-progress", "mismatch", "indeterminate"] as const

// ARGV: now or '', owner, lease, pending TTL; the modes and fingerprints of all keys as one text, 44 characters for each.
// Answers {position, number in acquired, fence or time left, text} for every key that is not fresh with the fence 1.
const acquire = `${clock}
local owner, lease, ttl, marks = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local times = stamp(now + lease, now + ttl)
local first, last = '00000001' .. owner, times .. nothing
local out = {}
local function answer(...) out[#out + 1] = {...} end
local key, mode, fingerprint
local function claim(fence, units, journal)
  local record = mode .. string.format('%08d', fence) .. owner .. fingerprint .. times .. units .. journal
  redis.call('SET', key, record, 'PX', ttl)
end
for i = 1, #KEYS do
  key, mode, fingerprint = KEYS[i], sub(marks, 44 * i - 43, 44 * i - 43), sub(marks, 44 * i - 42, 44 * i)
  if not call('SET', key, mode .. first .. fingerprint .. last, 'PX', ttl, 'NX') then
    local record = redis.call('GET', key)
    local state, fence = sub(record, 1, 1), tonumber(sub(record, 2, 9))
    if #record < 110 then
      answer(i, 5)
    elseif isOver(record) then
      claim(1, nothing, '')
    elseif state == 'R' then
      claim(fence + 1, nothing, '')
      answer(i, 0, fence + 1)
    elseif sub(record, 32, 74) ~= fingerprint then
      answer(i, 5)
    elseif state == 'D' then
      answer(i, 3, 0, sub(record, 111))
    elseif sub(record, 10, 31) == owner then
      redis.call('SETRANGE', key, 74, times)
      redis.call('PEXPIRE', key, ttl)
      answer(i, 2, fence, sub(record, 111))
    else
      local left = tonumber(sub(record, 75, 87)) - now
      if left > 0 then
        answer(i, 4, left)
      elseif state == 'H' then
        answer(i, 6)
      else
        claim(fence + 1, sub(record, 101, 110), sub(record, 111))
        answer(i, 1, fence + 1, sub(record, 111))
      end
    end
  end
end
return out`

/** What `settle` answers, by number. @category models @since 0.1.0 */
export const settled = ["applied", "already", "recreated", "refused"] as const

// ARGV: now or '', owner, lease, pending TTL, result TTL; for each key what to do, the fingerprint and a text, as one.
// To do: C complete, R release, E extend, A append, whose text begins with <at>:<units of the rest>: and goes on with the rest.
// Answers {position, number in settled} for every key for which it is not the first.
const settle = `${clock}
local owner, lease, ttl, resultTtl = ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local extended = stamp(now + lease, now + ttl)
local final = stamp(now, now + resultTtl) .. nothing
local function append(key, units, told)
  local at, length, text = string.match(told, '^(%d+):(%d+):(.*)$')
  local done = at + length
  if tonumber(units) == done and (text == '' or redis.call('GETRANGE', key, -#text, -1) == text) then
    return 1, units
  end
  if tonumber(units) ~= tonumber(at) then return 3, units end
  redis.call('APPEND', key, text)
  return 0, string.format('%010d', done)
end
local function apply(key, todo, head, text)
  if todo == 'C' then
    call('SET', key, 'D' .. sub(head, 2, 74) .. final .. text, 'PX', resultTtl)
    return 0
  elseif todo == 'R' then
    redis.call('SET', key, 'R' .. sub(head, 2, 74) .. stamp(now, now + ttl) .. nothing, 'PX', ttl)
    return 0
  end
  local answer, units = 0, sub(head, 101, 110)
  if todo ~= 'E' then answer, units = append(key, units, text) end
  if answer ~= 3 then
    redis.call('SETRANGE', key, 74, extended .. units)
    redis.call('PEXPIRE', key, ttl)
  end
  return answer
end
local function settle(key, head, told)
  local todo, text = sub(told, 1, 1), sub(told, 45)
  local state = sub(head, 1, 1)
  if head == '' or isOver(head) then
    if todo == 'C' then
      apply(key, todo, 'D00000001' .. owner .. sub(told, 2, 44), text)
      return 2
    end
    return todo == 'R' and 1 or 3
  elseif sub(head, 10, 31) ~= owner then
    return 3
  elseif state == 'D' then
    return todo == 'C' and 1 or 3
  elseif state == 'R' then
    return todo == 'R' and 1 or 3
  end
  return apply(key, todo, head, text)
end
-- Few records are long, but one alone may be: many are read in one call, and of one only what matters.
local records = #KEYS > 1 and call('MGET', unpack(KEYS)) or {call('GETRANGE', KEYS[1], 0, 109)}
local out = {}
for i = 1, #KEYS do
  local answer = settle(KEYS[i], records[i] or '', ARGV[5 + i])
  if answer > 0 then out[#out + 1] = {i, answer} end
end
return out`

// ARGV: now or ''. Answers {state, fence, time left of the lease}, or nothing.
const peek = `${clock}
local head = redis.call('GETRANGE', KEYS[1], 0, 109)
if head == '' or isOver(head) then return false end
return {sub(head, 1, 1), tonumber(sub(head, 2, 9)), tonumber(sub(head, 75, 87)) - now}`

// ARGV: now or '', result TTL or '' to forget, result. Answers whether it was indeterminate.
const resolve = `${clock}
local ttl, result = ARGV[2], ARGV[3]
local head = redis.call('GETRANGE', KEYS[1], 0, 109)
if sub(head, 1, 1) ~= 'H' or isOver(head) or tonumber(sub(head, 75, 87)) > now then return 0 end
local nobodys = sub(head, 2, 9) .. string.rep('.', 22) .. sub(head, 32, 74)
if ttl == '' then
  local over = tonumber(sub(head, 88, 100))
  redis.call('SET', KEYS[1], 'R' .. nobodys .. stamp(now, over) .. nothing, 'KEEPTTL')
else
  redis.call('SET', KEYS[1], 'D' .. nobodys .. stamp(now, now + ttl) .. nothing .. result, 'PX', ttl)
end
return 1`

/** @category constructors @since 0.1.0 */
export const idempotencyScripts: IdempotencyScripts = { acquire, settle, peek, resolve }
