-- routing: what the events of a settled attempt make due, and what its settling sets off.
-- `open` counts the open activations of a run and its undecided collects; `left:<C>` those of them that are before C. Each
-- unfired collect is a share in both, which its activation takes over, so no counter changes when it fires.
-- The part of ARGV that says what may follow from a step is
--   joins (text: 'step:event,event step:event'), collects (count), events (count), then
--   collects that the step covers, each after those before it, of (step, queue, index, priority, event, covers, arms), and
--   events of (event, targets, then targets of (step, queue, index, priority, join, takeable, covers, arms));
-- `join` has the events that a join waits for, joined by ',', and is '' for other steps; `covers` and `arms` have places in
-- the list of collects, joined by ','.
-- Needs: now, append, arm, create, finish.

local function read_routing(at, run, flow)
  local r = { run = run, flow = flow, ledger = RUN .. run, joins = ARGV[at], collects = {}, collecting = {}, targets = {},
    is_routing = true, open = 0, left = {}, armed = {}, touched = {}, fired = {}, take = '' }
  local collects, events = tonumber(ARGV[at + 1]), tonumber(ARGV[at + 2])
  at = at + 3
  for k = 1, collects do
    r.collects[k] = { unpack(ARGV, at, at + 6) }
    local event = r.collects[k][5]
    r.collecting[event] = (r.collecting[event] or '') .. ',' .. k
    at = at + 7
  end
  for _ = 1, events do
    local targets = {}
    for k = 1, tonumber(ARGV[at + 1]) do
      local i = at + 2 + 8 * (k - 1)
      targets[k] = { unpack(ARGV, i, i + 7) }
    end
    r.targets[ARGV[at]] = targets
    at = at + 2 + 8 * #targets
  end
  return r, at
end

-- Counts open activations before the collects at some places.
local function cover(r, places, by)
  for place in string.gmatch(places, '%d+') do
    place = tonumber(place)
    r.left[place] = (r.left[place] or 0) + by
  end
end

-- From now on these collects will fire.
local function arm_collects(r, places)
  for place in string.gmatch(places, '%d+') do
    if not r.armed[place] then
      r.armed[place] = true
      redis.call('HSET', r.ledger, 'armed:' .. r.collects[tonumber(place)][1], 1)
    end
  end
end

-- The settled attempt gives its share back, in everything that it covers.
local function give_share_back(r)
  r.open = r.open - 1
  for place = 1, #r.collects do r.left[place] = (r.left[place] or 0) - 1 end
end

-- Whether a job may go to the caller at once: it asks for one, and nothing waits before this one. Which jobs of one
-- settlement come first the caller knows: only those are takeable.
local function may_take(r, queue, takeable)
  return r.take ~= '' and not r.next_job and takeable == '1' and redis.call('ZCARD', QUEUE .. queue .. ':wait') == 0
    and redis.call('HEXISTS', QUEUE .. queue .. ':conf', 'cap') == 0
end

-- One activation for a subscriber: waiting, or leased to the caller.
local function activate(r, target, path, event, message)
  local step, queue, _, priority, _, takeable, covers, arms = unpack(target)
  r.open = r.open + 1
  if covers ~= '' then
    cover(r, covers, 1)
    arm_collects(r, arms)
  end
  if may_take(r, queue, takeable) then
    local id = create_leased(r.run, step, queue, priority, path, event, message, r.take, now + r.lease_ms)
    r.next_job = { r.run .. '/' .. id, queue, 1, '0', path, event, message, r.flow, r.version, '' }
    redis.call('HSET', r.ledger, 'c:' .. r.take, r.next_job[1])
    return id
  end
  r.touched[queue] = true
  return create_waiting(r.run, step, queue, priority, path, event, message)
end

-- The first emission of an event that a join waits for; answers the join's activation if it was the last one missing.
local function fill(r, target, event)
  local join = 'j:' .. target[1]
  local _, others = string.gsub(target[5], ',', '')
  local got = redis.call('HINCRBY', r.ledger, join, 1)
  if got == 1 then redis.call('HINCRBY', r.ledger, 'half', 1) end
  if got < others + 1 then return nil end
  redis.call('HINCRBY', r.ledger, 'half', -1)
  return activate(r, target, 'j' .. target[3], event, '')
end

-- What a join's handler is given: for each event the place in the log where its payload stands.
local function refer(r, target, id)
  local parts = {}
  for event in string.gmatch(target[5], '[^,]+') do
    parts[#parts + 1] = '"' .. event .. '":"' .. redis.call('HGET', r.ledger, 'j:' .. target[1] .. ':' .. event) .. '"'
  end
  redis.call('HSET', JOB .. r.run .. '/' .. id, 'message', '{' .. table.concat(parts, ',') .. '}')
end

-- Makes due what hears an emission; answers the ids, and what is to be done once it has an id itself.
local function hear(r, path, event, message)
  local to, heard = {}, {}
  if not r.is_routing then return to, heard end
  -- What was emitted is gathered, whichever way it came about.
  if r.collecting[event] then arm_collects(r, r.collecting[event]) end
  for _, target in ipairs(r.targets[event] or {}) do
    if target[5] == '' then
      to[#to + 1] = activate(r, target, path .. '.' .. target[3], event, message)
    elseif redis.call('HSETNX', r.ledger, 'j:' .. target[1] .. ':' .. event, '') == 1 then
      local filled = fill(r, target, event)
      to[#to + 1] = filled
      heard[#heard + 1] = { target, filled }
    end
  end
  return to, heard
end

-- An emission has been recorded under an id: the joins that heard it refer to it.
local function heard_at(r, event, id, heard)
  for _, pair in ipairs(heard) do
    local target, filled = pair[1], pair[2]
    redis.call('HSET', r.ledger, 'j:' .. target[1] .. ':' .. event, id)
    if filled then refer(r, target, filled) end
  end
end

-- Fires the collects before which nothing is left, or drops them where their branch was not taken; one pass in their order,
-- since a later one sees what an earlier one changed. The ids are added to `to`.
local function settle_collects(r, to)
  for place, collect in ipairs(r.collects) do
    local step, queue, index, priority, event, covers, arms = unpack(collect)
    local by = r.left[place]
    if by and by ~= 0 and redis.call('HINCRBY', r.ledger, 'left:' .. step, by) == 0 then
      if redis.call('HEXISTS', r.ledger, 'armed:' .. step) == 1 then
        arm_collects(r, arms)
        r.touched[queue] = true
        local id = create_waiting(r.run, step, queue, priority, 'j' .. index, event, '')
        r.fired[#r.fired + 1] = id
        to[#to + 1] = id
      else
        r.open = r.open - 1
        cover(r, covers, -1)
      end
    end
  end
end

-- The collects that fired gather what stands in the log up to this id.
local function fired_at(r, id)
  for _, fired in ipairs(r.fired) do
    redis.call('HSET', JOB .. r.run .. '/' .. fired, 'message', '"' .. id .. '"')
  end
end

-- A run in which nothing is left open, but joins wait for events that nobody will emit.
local function fail_half_full(r)
  local told, first = {}, nil
  for step, events in string.gmatch(r.joins, '([^: ]+):([^ ]+)') do
    local come, missing = {}, {}
    for event in string.gmatch(events, '[^,]+') do
      local has = redis.call('HEXISTS', r.ledger, 'j:' .. step .. ':' .. event) == 1
      local list = has and come or missing
      list[#list + 1] = '`' .. event .. '`'
    end
    if #come > 0 and #missing > 0 then
      first = first or step
      told[#told + 1] = 'join `' .. step .. '` has ' .. table.concat(come, ', ') .. ' and misses ' .. table.concat(missing, ', ')
    end
  end
  fail_at_once(r.run, r.flow, 'JoinIncomplete', table.concat(told, '; '), first)
end

-- Writes the count of what is open, ends a run in which nothing is, and wakes workers for what became due.
local function conclude(r, sinks)
  if r.open ~= 0 and redis.call('HINCRBY', r.ledger, 'open', r.open) == 0 then
    if tonumber(redis.call('HGET', r.ledger, 'half') or 0) > 0 then fail_half_full(r) else complete(r.run, r.flow, sinks) end
  end
  for queue in pairs(r.touched) do arm(queue) end
end
