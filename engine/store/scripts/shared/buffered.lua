-- buffered: events of a running attempt, numbered from 0, each recorded once however often it is sent.
-- ARGV from `at` are (type, ts, data) for each; `first` is the number of the first, `recorded` how many there are already.
-- Needs: append.
local function append_buffered(run, flow, step, id, attempt, at, count, first, recorded)
  for k = recorded - first, count - 1 do
    local i = at + 3 * k
    append(ARGV[i], run, flow, step, id, attempt, ARGV[i + 1], ARGV[i + 2], '')
  end
end
