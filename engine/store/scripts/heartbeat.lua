#!lua flags=allow-oom
-- heartbeat: says that a worker lives and which queues it serves; with a ttl of 0, that it leaves.
-- Guarantee: by state. A list of queues with a lower number than the one that is known is passed over, so a call that comes
-- late, over whatever connection, brings no older list back. A few members of `nq:workers` that died without leaving are
-- removed with each call.
-- KEYS 1 prefix (string)
-- ARGV 1 worker (id) 2 ttl_ms (integer) 3 number (integer: of the list of queues) 4 threads (count) 5 loop (count), then the
--      names of the queues whose jobs threads do, of those whose jobs the event loop does, then (field, value) of the
--      worker's hash
-- Reads and writes: worker hash, queues and wake, workers, queues.
-- Returns: now
--- include now
local worker, ttl_ms, number = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local threads, loop = tonumber(ARGV[4]), tonumber(ARGV[5])
local me = WORKER .. worker
local is_older = number < tonumber(redis.call('HGET', me, 'list') or 0)
for _, other in ipairs(redis.call('SRANDMEMBER', WORKERS, 3)) do
  if redis.call('EXISTS', WORKER .. other) == 0 then redis.call('SREM', WORKERS, other) end
end
if ttl_ms == 0 then
  redis.call('DEL', me, me .. ':wake', me .. ':queues:threads', me .. ':queues:loop')
  redis.call('SREM', WORKERS, worker)
  return now
end
redis.call('SADD', WORKERS, worker)
local function serve(class, at, count)
  local key = me .. ':queues:' .. class
  if not is_older then
    redis.call('DEL', key)
    for i = at, at + count - 1 do
      redis.call('SADD', key, ARGV[i])
      redis.call('SADD', QUEUES, ARGV[i])
    end
    redis.call('HSET', me, 'list', number)
  end
  redis.call('PEXPIRE', key, ttl_ms)
end
serve('threads', 6, threads)
serve('loop', 6 + threads, loop)
redis.call('HSET', me, 'seen', now, unpack(ARGV, 6 + threads + loop))
redis.call('PEXPIRE', me, ttl_ms)
return now
