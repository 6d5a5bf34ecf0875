-- Creates a job; the only script that does. If the id exists already, nothing changes.
-- arg: fingerprint, then field, value, ... of the record, whose version v is the lowest that knows all its fields.
if redis.call('EXISTS', job) == 1 then
  return reply({created = false, same = get('fingerprint') == arg(1)})
end
local record = {}
for i = 2, #ARGV - 4 do record[#record + 1] = arg(i) end
set('state', 'queued', 'fingerprint', arg(1), 'created', stamp(now),
  'sent:document', stamp(now), 'wait:document', FIRST_WAIT, unpack(record))
redis.call('ZADD', open_jobs, stamp(now), id)
redis.call('ZADD', all_jobs, stamp(now), id)
if owned_jobs() then redis.call('ZADD', owned_jobs(), stamp(now), id) end
settle()
note_sent(DOCUMENTS)
send('document')
return reply({created = true, same = true})
