-- arg: "document" or "assemble", round, token. A claim of one of the two tasks that a job has only one of at a time.
local what, round, token = arg(1), tonumber(arg(2)), arg(3)
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
hold(token, what)
return reply({claimed = true})
