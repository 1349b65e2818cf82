-- start: a new run, its entry step waiting.
-- Guarantee: one run per id, and one run per once-key while the key lives; a full Redis refuses the call whole, because
-- this script has no flag for it and its first write is one that Redis denies then.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 flow (name) 3 version (hash) 4 entry (step) 5 queue (name) 6 key (string or '') 7 key_ttl_ms (integer)
--      8 data (JSON object, its last member is the input) 9 offset (integer: the input's first byte in data, from 1)
--      10 priority (integer, of the entry) 11 collects (count), then collects of (step, left, armed: 1 or 0)
-- Reads and writes: plan, once, run, flow (log), flows, runs, job, queue wait/conf/wake, ready, events, channel.
-- Returns: {'OK', run} · {'DUP', run} run or key known, with the first run's id · {'NOPLAN'} nothing written
--- include now append arm create
local run, flow, version, entry, queue, key, key_ttl_ms, data, offset, priority, collects = unpack(ARGV, 1, 11)
local once = ONCE .. flow .. ':' .. key
if redis.call('EXISTS', RUN .. run) == 1 or redis.call('XLEN', LOG .. run) > 0 then return { 'DUP', run } end
if key ~= '' then
  local first = redis.call('GET', once)
  if first then return { 'DUP', first } end
end
if redis.call('EXISTS', PLAN .. flow .. ':' .. version) == 0 then return { 'NOPLAN' } end

redis.call('HSET', RUN .. run, 'flow', flow, 'version', version, 'status', 'running', 'started', now, 'open', 1 + collects,
  'leased', 0)
for i = 12, #ARGV, 3 do
  redis.call('HSET', RUN .. run, 'left:' .. ARGV[i], ARGV[i + 1])
  if ARGV[i + 2] == '1' then redis.call('HSET', RUN .. run, 'armed:' .. ARGV[i], 1) end
end
if key ~= '' then redis.call('SET', once, run, 'PX', key_ttl_ms) end
local id = create_waiting(run, entry, queue, priority, '0', '', string.sub(data, offset, -2))
append('flow.start', run, flow, '', '', '', now, data, id)
redis.call('ZADD', FLOWS .. flow, now, run)
redis.call('ZADD', RUNS .. 'running', now, run)
arm(queue)
return { 'OK', run }
