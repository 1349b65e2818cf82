#!lua flags=allow-oom
-- unfold: lays a part of a wide fan-out out: its emissions go into the log, and what hears them becomes due. With the last
-- part the activation gives its share back, as any other does when it is settled.
-- Guarantee: each emission once, by the cursor. A run that is ending takes nothing more.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 cursor (integer: emissions laid out so far)
--      6 limit (count) 7 limit_bytes (integer: payloads a call, about) 8 sinks (names joined by ','), then the routing
-- Reads and writes: run, stage, unfolding, job, flow (log), queue wait/conf/wake, ready, runs, events, channel.
-- Returns: {'MORE', n} n emissions are laid out now · {'DUP', n} they were before · {'DONE'} all are · {'ENDED'} · {'GONE'}
--- include now append arm create finish routing
local run, step_id, step, flow, cursor = unpack(ARGV, 1, 5)
local limit, limit_bytes, sinks = tonumber(ARGV[6]), tonumber(ARGV[7]), ARGV[8]
local ledger, job = RUN .. run, run .. '/' .. step_id
local stage, field = STAGE .. job, 'u:' .. step_id

local function stop(word)
  redis.call('UNLINK', stage)
  redis.call('SREM', UNFOLDING, job)
  redis.call('HDEL', ledger, field)
  return { word }
end

local status = redis.call('HGET', ledger, 'status')
if not status then return stop('GONE') end
if status ~= 'running' then return stop('ENDED') end
local kept = redis.call('HGET', ledger, field)
if not kept then return stop('DONE') end
local at, total, attempt, path = string.match(kept, '^(%d+) (%d+) (%d+) (.+)$')
if at ~= cursor then return { 'DUP', tonumber(at) } end
at, total = tonumber(at), tonumber(total)
redis.call('XLEN', LOG .. run)
if redis.call('LLEN', stage) ~= 3 * (total - at) then
  fail_at_once(run, flow, 'StoreError', 'the staged events of ' .. step_id .. ' were deleted from the store', step)
  return stop('ENDED')
end

local r = read_routing(9, run, flow)
local bytes = 0
for k = 1, limit do
  local ts, event, payload = unpack(redis.call('LPOP', stage, 3))
  at, bytes = at + 1, bytes + #payload
  local number = path .. '.' .. at
  local to, heard = hear(r, number, event, payload)
  local is_last = at == total or k == limit or bytes >= limit_bytes
  if at == total then give_share_back(r) end
  if is_last then settle_collects(r, to) end
  local body = '{"event":"' .. event .. '","path":"' .. number .. '","k":' .. at .. ',"payload":' .. payload .. '}'
  local id = append('emit', run, flow, step, step_id, attempt, ts, body, table.concat(to, ','))
  heard_at(r, event, id, heard)
  fired_at(r, id)
  if is_last then break end
end
conclude(r, sinks)
if at == total then return stop('DONE') end
redis.call('HSET', ledger, field, string.format('%d %d %s %s', at, total, attempt, path))
return { 'MORE', at }
