-- Counts the pages of a live claim as read or failed. Pages without a result are open again.
-- arg: token, JSON object of results: page -> ["failed", code, message], or ["ok", seconds of the engine (-1: the page
-- is from the cache), confidence (-1: not known), quality in percent (-1: not known), field `second` of the job, if
-- another engine has read the page, too]; then for how many milliseconds
-- the claim kept its worker child busy; then for pages that another engine shall read, which have "again" instead of
-- "ok", the JSON object of `records.Other`.
local results = cjson.decode(arg(2)) -- first, because a script that fails later does not undo its writes
local function answer()
  return reply({ok = num('ok'), failed = num('failed'), cancelled = num('cancelled'), n = num('n')})
end
if answer_again(arg(1), 'finish') then return answer() end
local kind, lane, numbers = let_go(arg(1), 'finish', 'page')
if not kind then return reply({stale = true}) end
local engine, ended = get('engine') or 'unknown', 0

local function measure(seconds, confidence)
  if seconds < 0 then
    redis.call('HINCRBY', figures, 'cached ' .. engine, 1)
    return
  end
  observe('seconds ' .. engine, SECONDS_BOUNDS, seconds, 1)
  if confidence >= 0 then observe('confidence ' .. engine, CONFIDENCE_BOUNDS, confidence, 1) end
end

-- whether a poorly read page waits for another engine; which of them it reads is chosen when all pages were read
local may_wait = not get('cancel') and not reads_again()

for _, n in ipairs(numbers) do
  local lost = claimed(n)
  local result = results[tostring(n)]
  if not result then
    reopen_page(n, lost, true)
  elseif result[1] == 'again' and may_wait then
    redis.call('HSET', pages, n, 'c0 again')
    add('again', 1)
    set('other', arg(4))
    measure(result[2], result[3])
    grade(n, result[4])
  elseif result[1] ~= 'failed' then
    redis.call('HDEL', pages, n)
    add('ok', 1)
    measure(result[2], result[3])
    if result[5] then set('second', result[5]) end
    grade(n, result[4] >= 0 and result[4] or nil)
    page_finished(n, 'ok')
  else
    fail_page(n, lost, result[2], result[3])
  end
  if result then ended = ended + 1 end
end
local minute, slot = math.floor(now / 60), engine .. ' ' .. math.floor(now / 60) % MINUTES
local of, done, busy = (redis.call('HGET', minutes, slot) or ''):match('^(%d+) (%d+) (%d+)$')
if tonumber(of) ~= minute then done, busy = 0, 0 end
redis.call('HSET', minutes, slot, string.format('%d %d %d', minute, done + ended, busy + tonumber(arg(3))))
assemble_if_finished()
next_ticket(lane)
settle()
tell({pages = numbers})
return answer()
