-- Claims the document or the assembly of a job; only one claim of each can be live.
-- arg: "document" or "assemble", round, token, "1" if the caller's worker does nothing else meanwhile.
-- Asked again with the same token, after the answer was lost, the script returns the same claim. The answer
-- with a claim has the job's record: field, value, ...
local what, round, token = arg(1), tonumber(arg(2)), arg(3)
if get('claim:' .. token) == what then return reply({claimed = true, record = redis.call('HGETALL', job)}) end
local state = get('state')
local fits
if what == 'document' then
  fits = state == 'queued'
else
  fits = state == 'running' and finished() and round == num('round')
end
for _, field in ipairs(redis.call('HKEYS', job)) do
  if field:sub(1, 6) == 'claim:' and get(field) == what then fits = false end
end
if not fits then return reply({claimed = false}) end
if last_try(num('lost:' .. what)) and arg(4) ~= '1' then return reply({claimed = false, last = true}) end
hold(token, what)
note_taken(DOCUMENTS, num('sent:' .. what), num('wait:' .. what))
forget_sent(DOCUMENTS)
return reply({claimed = true, record = redis.call('HGETALL', job)})
