#!lua flags=allow-oom
-- renew: moves the deadlines of leases on.
-- Guarantee: only a lease that the token still has is renewed; tells which are lost and which belong to a run that is ending.
-- KEYS 1 prefix (string)
-- ARGV 1 lease_ms (integer), then leases of (run, step_id, queue, token), 500 at most
-- Reads and writes: run, job, queue active.
-- Returns: {now, word...} a word for each lease: 'kept', 'lost', 'ending' (kept too)
--- include now
local lease_ms = tonumber(ARGV[1])
local answer = { now }
for i = 2, #ARGV, 4 do
  local run, step_id, queue, token = unpack(ARGV, i, i + 3)
  local job = run .. '/' .. step_id
  local kept = redis.call('HMGET', JOB .. job, 'state', 'token')
  if kept[1] == 'active' and kept[2] == token then
    redis.call('ZADD', QUEUE .. queue .. ':active', now + lease_ms, job)
    answer[#answer + 1] = redis.call('HGET', RUN .. run, 'status') == 'running' and 'kept' or 'ending'
  else
    answer[#answer + 1] = 'lost'
  end
end
return answer
