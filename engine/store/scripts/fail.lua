#!lua flags=allow-oom
-- fail: settles an attempt as failed, which turns its run failing.
-- Guarantee: recorded once, by the token that has the job; the ledger keeps the first error; the run ends with this call
-- where nothing else of it is leased.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 queue (name) 6 token (string) 7 attempt (integer)
--      8 first (integer: number of the first event) 9 ts (ms) 10 data (JSON object) 11 error (JSON object, for the run)
--      12 events (count), then events of (type, ts, data)
-- Reads and writes: run, job, flow (log), stage, queue active/wake, ready, runs, events,
-- channel.
-- Returns: {'OK'} · {'SETTLED'} · {'FENCED'} · {'ENDED'} · {'GONE'} · {'DUP'} · {'GAP', n} send events from n
--- include now append arm finish attempt buffered
local run, step_id, step, flow, queue, token, attempt = unpack(ARGV, 1, 7)
local first, ts, data, error_of_run, events = tonumber(ARGV[8]), ARGV[9], ARGV[10], ARGV[11], tonumber(ARGV[12])
local ledger, job = RUN .. run, run .. '/' .. step_id
local status = redis.call('HGET', ledger, 'status')
local kept = redis.call('HMGET', JOB .. job, 'state', 'token', 'last', 'events', 'staged')
local refused = refusal(status, job, queue, token, kept)
if refused then return { refused } end
local recorded = tonumber(kept[4])
if first > recorded then return { 'GAP', recorded } end

redis.call('DEL', JOB .. job)
redis.call('ZREM', QUEUE .. queue .. ':active', job)
redis.call('HDEL', ledger, 'c:' .. token)
if kept[5] then redis.call('UNLINK', STAGE .. job) end
append_buffered(run, flow, step, step_id, attempt, 13, events, first, recorded)
if status == 'running' then
  local started = redis.call('HGET', ledger, 'started')
  append('step.failed', run, flow, step, step_id, attempt, ts, string.sub(data, 1, -2) .. ',"ends":true}', '')
  redis.call('HSET', ledger, 'status', 'failing', 'error', error_of_run, 'step', step)
  redis.call('ZREM', RUNS .. 'running', run)
  redis.call('ZADD', RUNS .. 'failing', started, run)
else
  append('step.failed', run, flow, step, step_id, attempt, ts, data, '')
end
arm_limited(queue)
fail_if_idle(run, flow, redis.call('HINCRBY', ledger, 'leased', -1))
return { 'OK' }
