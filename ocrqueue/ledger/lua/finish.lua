-- arg: token, results as JSON: page -> ["ok"] or ["failed", code, message]. Only with a live claim. Pages without a result go back.
local results = cjson.decode(arg(2)) -- first: what a script has written stays, also where it fails after that
local kind, lane, numbers = let_go(arg(1), 'page')
if not kind then return reply({stale = true}) end
for _, n in ipairs(numbers) do
  local lost = claimed(n)
  local result = results[tostring(n)]
  if not result then
    reopen_page(n, lost, true)
  elseif result[1] == 'ok' then
    redis.call('HDEL', pages, n)
    add('ok', 1)
  else
    fail_page(n, lost, result[2], result[3])
  end
end
assemble_if_finished()
next_ticket(lane)
settle()
tell({pages = numbers})
return reply({ok = num('ok'), failed = num('failed'), cancelled = num('cancelled'), n = num('n')})
