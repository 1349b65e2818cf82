#!lua flags=allow-oom
-- heartbeat: says that a worker lives and which queues it serves; with a ttl of 0, that it leaves.
-- Guarantee: by state. A few members of `nq:workers` that died without leaving are removed with each call.
-- KEYS 1 prefix (string)
-- ARGV 1 worker (id) 2 ttl_ms (integer) 3 queues (count), then queue names, then (field, value) of the worker's hash
-- Reads and writes: worker hash, queues and wake, workers, queues.
-- Returns: now
--- include now
local worker, ttl_ms, queues = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local me = WORKER .. worker
local served = me .. ':queues:threads'
for _, other in ipairs(redis.call('SRANDMEMBER', WORKERS, 3)) do
  if redis.call('EXISTS', WORKER .. other) == 0 then redis.call('SREM', WORKERS, other) end
end
redis.call('DEL', served)
if ttl_ms == 0 then
  redis.call('DEL', me, me .. ':wake')
  redis.call('SREM', WORKERS, worker)
  return now
end
redis.call('SADD', WORKERS, worker)
for i = 4, 3 + queues do
  redis.call('SADD', served, ARGV[i])
  redis.call('SADD', QUEUES, ARGV[i])
end
redis.call('PEXPIRE', served, ttl_ms)
redis.call('HSET', me, 'seen', now, unpack(ARGV, 4 + queues))
redis.call('PEXPIRE', me, ttl_ms)
return now
