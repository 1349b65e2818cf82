-- now: Redis's clock, in whole milliseconds; the only clock that leases, delays and scores know.
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
