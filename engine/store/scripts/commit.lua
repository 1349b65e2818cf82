#!lua flags=allow-oom
-- commit: settles an attempt as completed or skipped. Events, state changes, emits, the jobs that follow, the ledger and,
-- where nothing is left, the end of the run are recorded together; the ack is part of it.
-- Guarantee: recorded once, by the token that has the job; every check comes before the first write. A run that is failing
-- records what its running steps did, and makes nothing due. The run's next job may be leased to the caller at once
-- (`take`); a commit sent again answers the same job, for as long as that attempt has not been settled.
-- KEYS 1 prefix (string)
-- ARGV 1 run (id) 2 step_id (activation) 3 step (name) 4 flow (name) 5 queue (name) 6 token (string) 7 attempt (integer)
--      8 first (integer: number of the first event) 9 kind ('completed' or 'skipped') 10 ts (ms) 11 data (JSON object)
--      12 result (JSON, or '' where the step is no sink) 13 sinks (names joined by ',') 14 take (token, or '' for no job)
--      15 lease_ms (integer) 16 events (count) 17 changes (count) 18 emits (count) 19 staged (count: emissions that were
--      staged instead), then events of (type, ts, data), changes of (op, key, value, ts, data), the routing, and emits of
--      (ts, path, offset, event, data); data's last member is the payload and begins at byte `offset`
-- Reads and writes: run, job, flow (log), state, stage, unfolding, queue wait/active/conf/wake, ready, runs, events, channel.
-- Returns: {'OK' [, job]} · {'SETTLED' [, job]} · {'FENCED'} · {'ENDED'} · {'GONE'} · {'DUP'} · {'GAP', n} send events from n ·
--          {'UNSTAGED', n} stage emissions from n first · {'REFUSED', why} this will never be accepted; a job is as `fetch`
--          answers it
--- include now append arm create finish attempt buffered routing
local run, step_id, step, flow, queue, token, attempt = unpack(ARGV, 1, 7)
local first, kind, ts, data, result, sinks, take = tonumber(ARGV[8]), unpack(ARGV, 9, 14)
local lease_ms, events, changes = tonumber(ARGV[15]), tonumber(ARGV[16]), tonumber(ARGV[17])
local emits, staged = tonumber(ARGV[18]), tonumber(ARGV[19])
local ledger, job, state = RUN .. run, run .. '/' .. step_id, STATE .. run
local at_changes = 20 + 3 * events

local known = redis.call('HMGET', ledger, 'status', 'version')
local status, version = known[1], known[2]
local kept = redis.call('HMGET', JOB .. job, 'state', 'token', 'last', 'events', 'staged', 'path')
local refused = refusal(status, job, queue, token, kept)
if refused == 'SETTLED' and take ~= '' then
  local taken = redis.call('HGET', ledger, 'c:' .. take)
  if taken then
    local h = redis.call('HMGET', JOB .. taken, 'token', 'queue', 'attempt', 'losses', 'path', 'event', 'message')
    if h[1] == take then
      return { 'SETTLED', { taken, h[2], tonumber(h[3]), h[4], h[5], h[6], h[7], flow, version, '' } }
    end
  end
end
if refused then return { refused } end
local recorded = tonumber(kept[4])
if first > recorded then return { 'GAP', recorded } end
if staged > 0 then
  local have = kept[5] == token and redis.call('LLEN', STAGE .. job) / 3 or 0
  if have ~= staged then return { 'UNSTAGED', have } end
end

-- What the changes come to, by key; false is a deletion. A value that cannot be counted up would stop the script half way,
-- so this is found out before anything is written. Numbers stay below 10^15, where a double holds every whole one.
local function is_whole(text) return string.match(text, '^%-?%d+$') ~= nil end
local function number_of(text)
  local number = string.match(text, '^%-?%d[%d.]*[eE]?[+-]?%d*$') and tonumber(text)
  return number and math.abs(number) < 1e15 and number or nil
end
local function count_up(present, by)
  local number, more = number_of(present), number_of(by)
  local sum = number and more and number + more
  if not sum or math.abs(sum) >= 1e15 then return nil end
  return string.format(is_whole(present) and is_whole(by) and '%.0f' or '%.17g', sum)
end

redis.call('HLEN', state)
local outcome = {}
for k = 0, changes - 1 do
  local i = at_changes + 5 * k
  local op, key, value = ARGV[i], ARGV[i + 1], ARGV[i + 2]
  if op == 'set' then
    outcome[key] = value
  elseif op == 'delete' then
    outcome[key] = false
  else
    local present = outcome[key]
    if present == nil then present = redis.call('HGET', state, key) end
    outcome[key] = count_up(present or '0', value)
    if not outcome[key] then return { 'REFUSED', 'state `' .. key .. '` cannot be counted up: it is not a number below 10^15' } end
  end
end

redis.call('DEL', JOB .. job)
redis.call('ZREM', QUEUE .. queue .. ':active', job)
redis.call('HDEL', ledger, 'c:' .. token)
append_buffered(run, flow, step, step_id, attempt, 20, events, first, recorded)
for k = 0, changes - 1 do
  local i = at_changes + 5 * k
  append('state', run, flow, step, step_id, attempt, ARGV[i + 3], ARGV[i + 4], '')
end
for key, value in pairs(outcome) do
  if value then redis.call('HSET', state, key, value) else redis.call('HDEL', state, key) end
end

local r, at_emits = read_routing(at_changes + 5 * changes, run, flow)
r.is_routing, r.version, r.take, r.lease_ms = status == 'running', version, take, lease_ms
for k = 0, emits - 1 do
  local i = at_emits + 5 * k
  local emit_ts, path, offset, event, body = unpack(ARGV, i, i + 4)
  local to, heard = hear(r, path, event, string.sub(body, offset, -2))
  local id = append('emit', run, flow, step, step_id, attempt, emit_ts, body, table.concat(to, ','))
  heard_at(r, event, id, heard)
end

-- A wide fan-out keeps its share until the last of it is laid out; what an earlier attempt has staged is of no use.
if staged > 0 and r.is_routing then
  redis.call('PERSIST', STAGE .. job)
  redis.call('HSET', ledger, 'u:' .. step_id, string.format('0 %d %s %s', staged, attempt, kept[6]))
  redis.call('SADD', UNFOLDING, job)
elseif kept[5] then
  redis.call('UNLINK', STAGE .. job)
end
local fired = {}
if r.is_routing and staged == 0 then
  give_share_back(r)
  settle_collects(r, fired)
end
fired_at(r, append('step.' .. kind, run, flow, step, step_id, attempt, ts, data, table.concat(fired, ',')))

local leased = r.next_job and 0 or -1
if leased ~= 0 then leased = redis.call('HINCRBY', ledger, 'leased', leased) end
arm_limited(queue)
if not r.is_routing then
  fail_if_idle(run, flow, leased)
  return { 'OK' }
end
if result ~= '' then redis.call('HSET', ledger, 'r:' .. step, result) end
conclude(r, sinks)
return { 'OK', r.next_job }
