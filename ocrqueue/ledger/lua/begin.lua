-- arg: "document" or "assemble", round, token, whether the caller's worker does nothing else meanwhile. A claim of one of the two
-- tasks that a job has only one of at a time.
-- The same token again has the same claim: a caller whose connection was cut asks a second time.
local what, round, token = arg(1), tonumber(arg(2)), arg(3)
if get('claim:' .. token) == what then return reply({claimed = true}) end
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
return reply({claimed = true})
