#!lua flags=allow-oom
-- deploy: stores a plan, and puts it in force where its version is new to this store.
-- Guarantee: a plan is immutable; a version that is known already never takes the pointer back.
-- KEYS 1 prefix (string)
-- ARGV 1 flow (name) 2 version (hash) 3 plan (JSON object) 4 mode ('serve', or 'store' to leave the pointer alone)
--      5 queues (count), then queue names
-- Reads and writes: plan, versions, queues.
-- Returns: {'stored'} · {'new'} in force now · {'current'} was in force · {'old', version} another one stays in force
--- include now
local flow, version, plan, mode, queues = unpack(ARGV, 1, 5)
redis.call('SETNX', PLAN .. flow .. ':' .. version, plan)
for i = 6, 5 + tonumber(queues) do redis.call('SADD', QUEUES, ARGV[i]) end
if mode == 'store' then return { 'stored' } end
if redis.call('ZADD', VERSIONS .. flow, 'NX', now, version) == 1 then
  redis.call('SET', PLAN .. flow, version)
  redis.call('ZREMRANGEBYRANK', VERSIONS .. flow, 0, -101)
  return { 'new' }
end
local in_force = redis.call('GET', PLAN .. flow)
if in_force == version then return { 'current' } end
return { 'old', in_force }
