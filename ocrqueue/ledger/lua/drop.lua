-- Removes a job that has ended.
if not has_ended() then
  return cjson.encode({dropped = false, state = get('state'), cancelling = get('cancel') and true or false})
end
forget()
local all = redis.call('HKEYS', pages)
for _, n in ipairs(all) do redis.call('ZREM', dead, member(n)) end
redis.call('ZREM', dead, member(0))
for _, key in ipairs({all_jobs, open_jobs, unpublished}) do redis.call('ZREM', key, id) end
if owned_jobs() then redis.call('ZREM', owned_jobs(), id) end
for _, name in ipairs(redis.call('HKEYS', job_deliveries)) do
  redis.call('ZREM', deliveries, id .. '-' .. name)
  redis.call('ZREM', due, due_member(name))
end
redis.call('DEL', job, pages, result, job_deliveries)
return cjson.encode({dropped = true})
