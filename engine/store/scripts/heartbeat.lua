#!lua flags=allow-oom
-- heartbeat: says that a worker lives and which queues it serves; with a ttl of 0, that it leaves.
-- Guarantee: by state. A few members of `nq:workers` that died without leaving are removed with each call.
-- KEYS 1 prefix (string)
-- ARGV 1 worker (id) 2 ttl_ms (integer) 3 threads (count) 4 loop (count), then the names of the queues whose jobs threads do,
--      of those whose jobs the event loop does, then (field, value) of the worker's hash
-- Reads and writes: worker hash, queues and wake, workers, queues.
-- Returns: now
--- include now
local worker, ttl_ms, threads, loop = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])
local me = WORKER .. worker
for _, other in ipairs(redis.call('SRANDMEMBER', WORKERS, 3)) do
  if redis.call('EXISTS', WORKER .. other) == 0 then redis.call('SREM', WORKERS, other) end
end
redis.call('DEL', me .. ':queues:threads', me .. ':queues:loop')
if ttl_ms == 0 then
  redis.call('DEL', me, me .. ':wake')
  redis.call('SREM', WORKERS, worker)
  return now
end
redis.call('SADD', WORKERS, worker)
local function serve(class, at, count)
  for i = at, at + count - 1 do
    redis.call('SADD', me .. ':queues:' .. class, ARGV[i])
    redis.call('SADD', QUEUES, ARGV[i])
  end
  redis.call('PEXPIRE', me .. ':queues:' .. class, ttl_ms)
end
serve('threads', 5, threads)
serve('loop', 5 + threads, loop)
redis.call('HSET', me, 'seen', now, unpack(ARGV, 5 + threads + loop))
redis.call('PEXPIRE', me, ttl_ms)
return now
