#!lua flags=allow-oom
-- deploy: stores a plan, and puts it in force where its version is new to this store, or on purpose.
-- Guarantee: a plan is immutable. With 'serve' a version that is known already never takes the pointer back; with 'deploy' it
-- does, but only from where the caller has seen the pointer last: a copy of the call that comes late moves it no more. The version
-- in force is the newest of versions, whatever the clock says. A queue has the limit of the version that was put in force last
-- or, for a run, stored last: its run shall keep to the limit that it names. What limits a queue is one flow: no other one
-- changes that.
-- KEYS 1 prefix (string)
-- ARGV 1 flow (name) 2 version (hash) 3 plan (JSON object) 4 mode ('serve', 'deploy', or 'store' to leave the pointer alone)
--      5 seen_ms (integer, of 'deploy': time of the newest of versions when the caller looked, 0 if there was none)
--      6 queues (count), then queues of (name, cap: integer, or '' where nothing limits it)
-- Reads and writes: plan, versions, queues, queue conf/wait/active/wake, ready.
-- Returns: {'stored'} · {'current'} was in force · {'old', version} another one stays in force · {'new', version} in force now, for
--   that one or '' · {'back', version} a known one is in force again, for that one · {'moved'} somebody else was faster: nothing written
--- include now arm
local flow, version, plan, mode, seen_ms, queues = unpack(ARGV, 1, 6)
local in_force = redis.call('GET', PLAN .. flow)
local moved_ms = tonumber(redis.call('ZRANGE', VERSIONS .. flow, -1, -1, 'WITHSCORES')[2]) or 0
local is_known = redis.call('ZSCORE', VERSIONS .. flow, version)
local is_moving = mode == 'serve' and not is_known or mode == 'deploy' and in_force ~= version
if mode == 'deploy' and is_moving and moved_ms ~= tonumber(seen_ms) then return { 'moved' } end
redis.call('SETNX', PLAN .. flow .. ':' .. version, plan)

local function limit(decides)
  for i = 7, 5 + 2 * queues, 2 do
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

if is_moving then
  redis.call('ZADD', VERSIONS .. flow, math.max(now, moved_ms + 1), version)
  redis.call('SET', PLAN .. flow, version)
  redis.call('ZREMRANGEBYRANK', VERSIONS .. flow, 0, -101)
  limit(true)
  if is_known then return { 'back', in_force or '' } end
  return { 'new', in_force or '' }
end
limit(in_force == version or mode == 'store')
if mode == 'store' then return { 'stored' } end
if in_force == version then return { 'current' } end
return { 'old', in_force }
