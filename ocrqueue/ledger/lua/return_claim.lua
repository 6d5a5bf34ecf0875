-- Ends a claim without a result.
-- arg: token, reason (see `states.Return`), then the code and message of the job's error if it was the last attempt.
local token, reason = arg(1), arg(2)
if reason == 'expired' then
  local until_ = tonumber(redis.call('ZSCORE', claims, member(token)) or 0)
  if until_ > now then return reply({stale = true}) end
  reason = 'lost'
end
if answer_again(token, 'return_claim') then return reply() end
local kind, lane, numbers = let_go(token, 'return_claim')
if not kind then
  redis.call('ZREM', claims, member(token))
  return reply({stale = true})
end
if kind ~= 'page' then
  local lost = num('lost:' .. kind)
  if reason ~= 'release' then lost = add('lost:' .. kind, 1) end
  if reason == 'timeout' and kind == 'document' then
    fail_job('timeout', 'opening the document took longer than allowed; try a smaller one or raise OCR_OPEN_SECONDS')
  elseif lost >= attempts_allowed then
    fail_job(arg(3) or 'worker_lost', arg(4) or 'the worker was lost ' .. lost .. ' times while it did the ' .. kind
      .. ' step; see the worker log, then retry')
  elseif kind == 'document' then
    send_document()
  else
    send_assemble()
  end
  settle()
  return reply()
end
for _, n in ipairs(numbers) do
  local lost, alone = claimed(n)
  if reason == 'lost' then
    lost = lost + 1
    if lost >= attempts_allowed then
      fail_page(n, lost, 'worker_lost', 'the worker was lost ' .. lost
        .. ' times while it read this page; see the worker log, then retry')
    else
      reopen_page(n, lost, true)
    end
  elseif reason == 'timeout' and #numbers == 1 then
    fail_page(n, lost, 'timeout', 'reading this page took longer than allowed; raise OCR_PAGE_SECONDS, then retry')
  else
    reopen_page(n, lost, alone or reason == 'timeout')
  end
end
assemble_if_finished()
next_ticket(lane)
settle()
tell({pages = numbers})
return reply()
