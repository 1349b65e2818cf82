#!lua flags=allow-oom
-- deploy: stores a plan, and puts it in force where its version is new to this store.
-- Guarantee: a plan is immutable; a version that is known already never takes the pointer back. A queue has the limit of the
-- version that was put in force last or, for a run, stored last: its run shall keep to the limit that it names. What limits a
-- queue is one flow: no other one changes that.
-- KEYS 1 prefix (string)
-- ARGV 1 flow (name) 2 version (hash) 3 plan (JSON object) 4 mode ('serve', or 'store' to leave the pointer alone)
--      5 queues (count), then queues of (name, cap: integer, or '' where nothing limits it)
-- Reads and writes: plan, versions, queues, queue conf/wait/active/wake, ready.
-- Returns: {'stored'} · {'new'} in force now · {'current'} was in force · {'old', version} another one stays in force
--- include now arm
local flow, version, plan, mode, queues = unpack(ARGV, 1, 5)
redis.call('SETNX', PLAN .. flow .. ':' .. version, plan)

local function limit(decides)
  for i = 6, 4 + 2 * queues, 2 do
    local queue, cap = ARGV[i], ARGV[i + 1]
    local conf = QUEUE .. queue .. ':conf'
    local is_new = redis.call('SADD', QUEUES, queue) == 1
    local owner = redis.call('HGET', conf, 'flow') or flow
    if owner == flow and (is_new or decides) then
      if cap == '' then redis.call('HDEL', conf, 'cap', 'flow') else redis.call('HSET', conf, 'cap', cap, 'flow', flow) end
      arm(queue)
    end
  end
end

local in_force = redis.call('GET', PLAN .. flow)
if mode == 'serve' and redis.call('ZADD', VERSIONS .. flow, 'NX', now, version) == 1 then
  redis.call('SET', PLAN .. flow, version)
  redis.call('ZREMRANGEBYRANK', VERSIONS .. flow, 0, -101)
  limit(true)
  return { 'new' }
end
limit(in_force == version or mode == 'store')
if mode == 'store' then return { 'stored' } end
if in_force == version then return { 'current' } end
return { 'old', in_force }
