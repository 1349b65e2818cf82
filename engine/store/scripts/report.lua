#!lua flags=allow-oom
-- report: records the buffered events of a running attempt.
-- Guarantee: each event once, by the token and the number of the first.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 queue (name) 6 token (string) 7 attempt (integer)
--      8 first (integer: number of the first event) 9 events (count), then events of (type, ts, data)
-- Reads and writes: run, job, flow (log), queue active/wake, ready, events, channel.
-- Returns: {'OK'} · {'SETTLED'} · {'FENCED'} · {'ENDED'} · {'GONE'} · {'DUP'} · {'GAP', n} send events from n
--- include now append arm finish attempt buffered
local run, step_id, step, flow, queue, token, attempt = unpack(ARGV, 1, 7)
local first, events = tonumber(ARGV[8]), tonumber(ARGV[9])
local job = run .. '/' .. step_id
local kept = redis.call('HMGET', JOB .. job, 'state', 'token', 'last', 'events')
local refused = refusal(redis.call('HGET', RUN .. run, 'status'), job, queue, token, kept)
if refused then return { refused } end
local recorded = tonumber(kept[4])
if first > recorded then return { 'GAP', recorded } end

append_buffered(run, flow, step, step_id, attempt, 10, events, first, recorded)
redis.call('HSET', JOB .. job, 'events', math.max(recorded, first + events))
return { 'OK' }
