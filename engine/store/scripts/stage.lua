-- stage: keeps emissions of an attempt that are too many for its settlement; nobody sees them before that.
-- Guarantee: each emission once, by the token and the number of the first; what another attempt has staged is replaced. A full
-- Redis refuses the call whole, because this script has no flag for it and its first write is one that Redis denies then.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 queue (name) 6 token (string) 7 attempt (integer)
--      8 first (integer: number of the first emission, from 0) 9 ttl_ms (integer) 10 emits (count), then emits of
--      (ts, event, payload)
-- Reads and writes: run, job, stage, queue active/wake, ready.
-- Returns: {'OK', n} emissions are staged now · {'SETTLED'} · {'FENCED'} · {'ENDED'} · {'GONE'} · {'DUP'} ·
--          {'GAP', n} send emissions from n
--- include now append arm finish attempt
local run, step_id, _, _, queue, token = unpack(ARGV, 1, 6)
local first, ttl_ms, emits = tonumber(ARGV[8]), ARGV[9], tonumber(ARGV[10])
local job = run .. '/' .. step_id
local stage = STAGE .. job
local kept = redis.call('HMGET', JOB .. job, 'state', 'token', 'last', 'staged')
local refused = refusal(redis.call('HGET', RUN .. run, 'status'), job, queue, token, kept)
if refused then return { refused } end
local staged = kept[4] == token and redis.call('LLEN', stage) / 3 or 0
if first > staged then return { 'GAP', staged } end

if kept[4] ~= token then
  redis.call('HSET', JOB .. job, 'staged', token)
  redis.call('UNLINK', stage)
end
for k = staged - first, emits - 1 do
  local i = 11 + 3 * k
  redis.call('RPUSH', stage, ARGV[i], ARGV[i + 1], ARGV[i + 2])
end
redis.call('PEXPIRE', stage, ttl_ms)
return { 'OK', math.max(staged, first + emits) }
