-- Creates a job; the only script that does. If the id exists already, nothing changes; nor if too many pages are open.
-- arg: fingerprint; open pages that all jobs may have ('': any number); owner ('': none); open pages that the jobs of
-- the owner may have; then field, value, ... of the record, whose version v is the lowest that knows all its fields.
if redis.call('EXISTS', job) == 1 then
  return reply({created = false, same = get('fingerprint') == arg(1)})
end
local function is_full(open, allowed) return tonumber(allowed) and open >= tonumber(allowed) end
local waiting_pages = tonumber(redis.call('GET', backlog) or 0)
if is_full(waiting_pages, arg(2)) then return reply({refused = 'queue', open = waiting_pages}) end
if tonumber(arg(4)) then
  local open = 0
  for _, other in ipairs(redis.call('ZINTER', 2, 'ocr:owner:' .. arg(3), open_jobs)) do
    open = open + tonumber(redis.call('HGET', 'ocr:job:' .. other, 'weight') or 0)
  end
  if is_full(open, arg(4)) then return reply({refused = 'owner', open = open}) end
end
local record = {}
for i = 5, #ARGV - 4 do record[#record + 1] = arg(i) end
set('state', 'queued', 'fingerprint', arg(1), 'created', stamp(now),
  'sent:document', stamp(now), 'wait:document', FIRST_WAIT, unpack(record))
redis.call('ZADD', open_jobs, stamp(now), id)
redis.call('ZADD', all_jobs, stamp(now), id)
if owned_jobs() then redis.call('ZADD', owned_jobs(), stamp(now), id) end
settle()
note_sent(DOCUMENTS)
send('document')
return reply({created = true, same = true})
