-- Counts the pages of a live claim as read or failed. Pages without a result are open again.
-- arg: token, JSON object of results: page -> ["ok"] or ["failed", code, message].
local results = cjson.decode(arg(2)) -- first, because a script that fails later does not undo its writes
local function counts()
  return reply({ok = num('ok'), failed = num('failed'), cancelled = num('cancelled'), n = num('n')})
end
if answer_again(arg(1), 'finish') then return counts() end
local kind, lane, numbers = let_go(arg(1), 'finish', 'page')
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
return counts()
