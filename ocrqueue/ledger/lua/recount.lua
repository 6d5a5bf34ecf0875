-- Adds up the fields `counted` of all jobs again. The caller names no job, so `job` is the beginning of their keys.
local sums, open = {}, {}
for _, other in ipairs(redis.call('ZRANGE', all_jobs, 0, -1)) do
  local found = parse_counted(redis.call('HGET', job .. other, 'counted'))
  if found.jobs then
    sums[found.jobs] = (sums[found.jobs] or 0) + 1
    sums[found.pages] = (sums[found.pages] or 0) + found.open
    sums.failed = (sums.failed or 0) + found.failed_now
    open[other] = found.open > 0
  end
end
redis.call('DEL', counts)
set_whole()
for field, sum in pairs(sums) do
  if sum > 0 then redis.call('HSET', counts, field, sum) end
end
for _, other in ipairs(redis.call('ZRANGE', waiting, 0, -1)) do
  if not open[other] then redis.call('ZREM', waiting, other) end
end
return cjson.encode({})
