#!lua flags=allow-oom
-- release: gives a job that was not started back to its place, or to a later time.
-- Guarantee: it costs no attempt and no loss; a job of a run that is failing is dropped instead.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 queue (name) 6 token (string) 7 attempt (integer)
--      8 delay_ms (integer, 0 for at once) 9 unroutable (JSON object of a `step.unroutable` to record, or '')
-- Reads and writes: run, job, flow (log), queue active/wait/delayed/wake, ready, timers, runs, events, channel.
-- Returns: {'OK'} · {'SETTLED'} · {'FENCED'} · {'ENDED'} · {'GONE'} · {'DUP'}
--- include now append arm finish attempt
local run, step_id, step, flow, queue, token, attempt, delay_ms, unroutable = unpack(ARGV)
local ledger, job = RUN .. run, run .. '/' .. step_id
local status = redis.call('HGET', ledger, 'status')
local kept = redis.call('HMGET', JOB .. job, 'state', 'token', 'last', 'score')
local refused = refusal(status, job, queue, token, kept)
if refused then return { refused } end

redis.call('ZREM', QUEUE .. queue .. ':active', job)
redis.call('HDEL', ledger, 'c:' .. token)
if unroutable ~= '' then append('step.unroutable', run, flow, step, step_id, attempt, now, unroutable, '') end
local leased = redis.call('HINCRBY', ledger, 'leased', -1)
if status ~= 'running' then
  redis.call('DEL', JOB .. job)
  arm_limited(queue)
  fail_if_idle(run, flow, leased)
  return { 'OK' }
end
local delay = tonumber(delay_ms)
redis.call('HSET', JOB .. job, 'state', delay > 0 and 'delayed' or 'wait', 'token', '', 'last', token)
redis.call('HINCRBY', JOB .. job, 'attempt', -1)
if delay > 0 then
  redis.call('ZADD', QUEUE .. queue .. ':delayed', now + delay, job)
  redis.call('ZADD', TIMERS, 'LT', now + delay, 'd ' .. queue)
else
  redis.call('ZADD', QUEUE .. queue .. ':wait', kept[4], job)
end
arm(queue)
return { 'OK' }
